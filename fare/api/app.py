"""Composes the ledger's web server: device API, console pages, API description. It holds no rule of its
own.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime

from anyio.to_thread import current_default_thread_limiter
from fastapi import FastAPI

from fare import web
from fare.api import errors
from fare.api.context import Clock, Context
from fare.api.desk import desk_routes
from fare.api.devices import device_routes
from fare.api.documentation import documentation_routes
from fare.api.faults import FaultsToSentences
from fare.api.health import health_routes
from fare.api.limits import BoundedBodies
from fare.database.engine import POOL_SIZE, open_engine
from fare.keys import LedgerKeys
from fare.settings import LedgerSettings
from fare.web import rider


def system_clock() -> datetime:
    """The machine's time, aware."""
    return datetime.now(UTC)


def create_app(settings: LedgerSettings, clock: Clock = system_clock) -> FastAPI:
    """The application around one database, opened now. Raises OperatorError when it or the keys cannot be
    used.
    """
    context = Context(
        settings=settings,
        keys=LedgerKeys.open(settings.keys_dir),
        engine=open_engine(settings.database_url),
        clock=clock,
    )

    @asynccontextmanager
    async def lifespan(_app: FastAPI) -> AsyncGenerator[None]:
        # A thread without a database connection would only wait inside a request: as many of one as of the
        # other.
        current_default_thread_limiter().total_tokens = POOL_SIZE
        yield
        context.engine.dispose()

    app = FastAPI(
        title=f"Mancard ledger of {settings.city}",
        description="What validators and other machines ask of the ledger.",
        version="1",
        docs_url=None,
        redoc_url=None,
        lifespan=lifespan,
    )
    app.add_middleware(BoundedBodies)
    app.add_middleware(FaultsToSentences, folder=settings.state_dir, clock=clock)
    errors.install(app)
    app.include_router(device_routes(context))
    app.include_router(desk_routes(context))
    app.include_router(health_routes(context))
    app.include_router(documentation_routes(app))
    web.mount(app, context.engine, settings, clock)
    rider.mount(app, context.engine, settings, context.keys, clock)
    return app
