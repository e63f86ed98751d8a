"""The start page: what the signed-in person's role can see here."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from fare.web.console import Console


def routes(console: Console) -> APIRouter:
    """`/`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/")
    def start(request: Request) -> Response:
        chosen = console.preferences(request)
        if chosen is not None:
            return chosen
        who = console.visitor(request)
        if who is None:
            return console.to_sign_in(request)
        return console.page(request, "start.html", who, title_key="start.title", today=console.today())

    return router
