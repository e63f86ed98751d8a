"""What stands before every address of the rider's API: who may post, how much, and how a refusal is told.

A POST must come from a page of this very address (Origin), be JSON, and be small: the cookie alone moves
nothing. Every answer, refusals too, stays out of caches. It knows no rider.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Coroutine
from typing import Any, Final

from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.requests import Request
from starlette.responses import Response

from fare.database.faults import DatabaseUnavailable
from fare.distribution import NoTariffInForce
from fare.issuing.gateway import GatewayUnavailable
from fare.web.rider.refusals import RiderError, RiderRefused
from fare.web.security import from_own_page, protect

MAX_BODY_BYTES: Final = 4096
"""The longest request, an enrolment, has some 400."""
_BUSY_FOR_S: Final = 5

_Handler = Callable[[Request], Coroutine[Any, Any, Response]]


class GuardedRoute(APIRoute):
    """A route of the rider's API."""

    def get_route_handler(self) -> _Handler:
        """The route's handler with the guard before it."""
        inner = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                if request.method == "POST":
                    await _check_post(request)
                response = await inner(request)
            except RiderRefused as refused:
                return refused.answer()
            except RequestValidationError:
                return RiderRefused(RiderError.MALFORMED).answer()
            except (DatabaseUnavailable, NoTariffInForce, GatewayUnavailable):
                # What exactly is away is for the operator's log, not for whoever asks.
                return RiderRefused(RiderError.BUSY, _BUSY_FOR_S).answer()
            return protect(response)

        return guarded


async def _check_post(request: Request) -> None:
    """Raises RiderRefused before anything of the body is looked at."""
    # A browser always names the origin of a POST; whoever does not is none.
    if "origin" not in request.headers or not from_own_page(request):
        raise RiderRefused(RiderError.MALFORMED)
    if request.headers.get("sec-fetch-site", "same-origin") != "same-origin":
        raise RiderRefused(RiderError.MALFORMED)
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    length = request.headers.get("content-length", "")
    if kind != "application/json" or not (length.isascii() and length.isdigit()):
        raise RiderRefused(RiderError.MALFORMED)
    if len(length) > 9 or int(length) > MAX_BODY_BYTES or len(await request.body()) > MAX_BODY_BYTES:
        raise RiderRefused(RiderError.MALFORMED)
    try:
        json.loads(await request.body())
    except (ValueError, RecursionError):
        # Deep nesting would reach the framework's own parser otherwise.
        raise RiderRefused(RiderError.MALFORMED) from None
