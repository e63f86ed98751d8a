"""Topping up: an order, the way to the gateway, and what became of it.

    POST /rider/api/topup          {amount_rial} -> {order_id, redirect}
    GET  /rider/api/topup/ORDER    -> {state: waiting | paid | failed, amount_rial}
    GET  /rider/topup/ORDER        where the gateway sends the browser back to

Whether an order was paid, the gateway is asked for server to server, outside any transaction; what a browser
brings along is not even read. A payment whose browser never came back is found when the page asks for the
order. Money is posted once, however often and from wherever that happens.
"""

from __future__ import annotations

import logging
import re
from datetime import datetime
from typing import Any, Final
from urllib.parse import urlsplit

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fare.database.engine import read, write
from fare.database.faults import DatabaseUnavailable
from fare.issuing import IssuingRefusal, IssuingRefused, confirm_paid
from fare.issuing.gateway import GatewayUnavailable, PaymentGateway, TopUp, ask_about, order_top_up, top_up
from fare.riders import wallet_of
from fare.web.rider.bodies import TopUpAmount
from fare.web.rider.context import Riders, slow_down, token_of
from fare.web.rider.guard import GuardedRoute
from fare.web.rider.refusals import RiderError, RiderRefused
from fare.web.security import protect

_LOG: Final = logging.getLogger(__name__)
_ORDER_ID: Final = re.compile(r"[0-9a-f]{1,40}")


def routes(riders: Riders) -> APIRouter:
    """The three addresses."""
    router = APIRouter(prefix="/rider", include_in_schema=False)
    api = APIRouter(prefix="/api", route_class=GuardedRoute)

    @api.post("/topup")
    def order(asked: TopUpAmount, request: Request) -> dict[str, Any]:
        now, gateway = riders.now(), _gateway(riders)
        slow_down(riders.orders, request, now)
        ordered = _order(riders, gateway, token_of(request), asked.amount_rial, now)
        # The page's own origin: the guard compared it with the address that was asked.
        own = urlsplit(request.headers["origin"])
        back = f"{own.scheme}://{own.netloc}/rider/topup/{ordered.order_id}"
        with riders.outside():
            redirect = gateway.begin(ordered.order_id, ordered.amount_rial, back)
        return {"order_id": ordered.order_id, "redirect": redirect}

    @api.get("/topup/{order_id}")
    def state(order_id: str, request: Request) -> dict[str, Any]:
        gateway = _gateway(riders)
        with read(riders.engine) as session:
            who = riders.visitor(session, token_of(request), riders.now())
            wallet_id = wallet_of(session, who.rider_id)
            found = top_up(session, order_id) if _ORDER_ID.fullmatch(order_id) else None
        if found is None or found.wallet_id != wallet_id:
            raise RiderRefused(RiderError.UNKNOWN_ORDER)
        return {"state": _settle(riders, gateway, found), "amount_rial": found.amount_rial}

    @router.get("/topup/{order_id}")
    def come_back(order_id: str) -> Response:
        # Whoever opens this address can only make the ledger ask its gateway once more.
        if not _ORDER_ID.fullmatch(order_id):
            return protect(RedirectResponse("/rider/", 303))
        try:
            with read(riders.engine) as session:
                found = top_up(session, order_id)
            if found is not None and riders.gateway is not None:
                _settle(riders, riders.gateway, found)
        except (GatewayUnavailable, DatabaseUnavailable, RiderRefused) as fault:
            _LOG.warning("A rider came back from the gateway, and the order waits: %s", fault)
        return protect(RedirectResponse(f"/rider/?topup={order_id}", 303))

    router.include_router(api)
    return router


def _gateway(riders: Riders) -> PaymentGateway:
    if riders.gateway is None:
        raise RiderRefused(RiderError.NO_GATEWAY)
    return riders.gateway


def _order(riders: Riders, gateway: PaymentGateway, token: str, amount_rial: int, now: datetime) -> TopUp:
    with write(riders.engine) as session:
        who = riders.visitor(session, token, now)
        wallet_id = wallet_of(session, who.rider_id)
        try:
            return order_top_up(session, wallet_id or "", amount_rial, gateway, now)
        except IssuingRefused as refused:
            out_of_range = refused.reason is IssuingRefusal.AMOUNT_OUT_OF_RANGE
            error = RiderError.AMOUNT_OUT_OF_RANGE if out_of_range else RiderError.WALLET_CLOSED
            raise RiderRefused(error) from None


def _settle(riders: Riders, gateway: PaymentGateway, order: TopUp) -> str:
    """Ask the gateway and post what was paid: "paid", "waiting" or "failed".

    Raises GatewayUnavailable, or RiderRefused (busy) when too many ask at once.
    """
    if order.is_paid:
        return "paid"
    with riders.outside():
        asked = ask_about(gateway, order)
    if asked.reference is None:
        return asked.state
    with write(riders.engine) as session:
        confirm_paid(session, riders.keys, order.order_id, asked.reference, riders.now())
    return asked.state
