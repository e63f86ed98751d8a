"""Pages for people: the staff console, Persian first and right to left. It prices and posts nothing."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.responses import Response
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

from fare.settings import LedgerSettings
from fare.web import conflicts, day, second_person, signing_in, start, tariffs
from fare.web.console import STATIC_FOLDER, Console
from fare.web.security import HEADERS

__all__ = ["mount"]


def mount(app: FastAPI, engine: Engine, settings: LedgerSettings, clock: Callable[[], datetime]) -> None:
    """Add the console's pages to an application. `clock` returns an aware instant."""
    console = Console(engine, settings, clock)
    for room in (start, signing_in, day, second_person, conflicts, tariffs):
        app.include_router(room.routes(console))
    app.mount("/static", _Static(directory=STATIC_FOLDER), name="static")


class _Static(StaticFiles):
    """Our own style, script and font, with the pages' headers; a browser asks again whether they changed."""

    async def get_response(self, path: str, scope: Scope) -> Response:
        response = await super().get_response(path, scope)
        response.headers.update(HEADERS)
        response.headers["Cache-Control"] = "no-cache"
        return response
