"""The rider's page: its JSON API, its files, and topping up. It judges no ride and signs nothing itself."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime

from fastapi import APIRouter, FastAPI
from sqlalchemy import Engine

from fare.issuing.checking import payment_gateway
from fare.issuing.sandbox_payments import SandboxGateway
from fare.keys import KeyStore
from fare.riders import CodeSender, code_sender
from fare.settings import LedgerSettings
from fare.web import sandbox_gateway
from fare.web.console import Console
from fare.web.rider import enrolling, shell, signed_in, topping_up
from fare.web.rider.context import Riders
from fare.web.rider.guard import GuardedRoute
from fare.web.rider.refusals import RiderError, RiderRefused

__all__ = ["mount"]


def mount(
    app: FastAPI,
    engine: Engine,
    settings: LedgerSettings,
    keys: KeyStore,
    clock: Callable[[], datetime],
    *,
    sender: CodeSender | None = None,
) -> None:
    """Add the rider's page to an application, with the sender and the gateway that the settings name.

    `clock` returns an aware instant; `sender` takes the place of the settings' one.
    """
    gateway = payment_gateway(settings, clock)
    if isinstance(gateway, SandboxGateway):
        app.include_router(sandbox_gateway.routes(Console(engine, settings, clock), gateway))
    riders = Riders(engine, settings, keys, clock, sender or code_sender(settings), gateway)
    for room in (enrolling, signed_in, topping_up):
        app.include_router(room.routes(riders))
    app.include_router(shell.routes())
    app.include_router(_nothing_else())


def _nothing_else() -> APIRouter:
    """Every other address of the API, told in the API's own way."""
    router = APIRouter(route_class=GuardedRoute, include_in_schema=False)

    @router.api_route("/rider/api/{rest:path}", methods=["GET", "POST", "PUT", "PATCH", "DELETE"])
    def not_found(rest: str) -> None:
        raise RiderRefused(RiderError.NOT_FOUND)

    return router
