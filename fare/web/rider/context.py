"""What every address of the rider's page shares: the ledger, its clock, senders, gateway and brakes."""

from __future__ import annotations

from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from threading import BoundedSemaphore
from typing import Final

from sqlalchemy import Engine
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import Response

from fare.api.throttle import Throttle
from fare.issuing.gateway import PaymentGateway
from fare.keys import KeyStore
from fare.riders import SESSION_LIFE, CodeSender, SignedInRider, rider_of
from fare.settings import LedgerSettings
from fare.web.rider.addresses import address_of
from fare.web.rider.refusals import RiderError, RiderRefused
from fare.web.security import set_cookie

COOKIE: Final = "mancard_rider"
COOKIE_PATH: Final = "/rider"
OUTSIDE_AT_ONCE: Final = 6
"""Of the server's threads: a provider that answers slowly must not keep the buses from theirs."""
_OUTSIDE_AGAIN_S: Final = 3
# One carrier's address stands for many riders; a number has limits of its own in the database.
_CODES: Final = (40, timedelta(minutes=10))
_TRIES: Final = (120, timedelta(minutes=10))
_ORDERS: Final = (120, timedelta(minutes=10))


@dataclass(frozen=True, slots=True)
class Riders:
    """The rider's page around one ledger. `sender` and `gateway` are None where none is set up."""

    engine: Engine
    settings: LedgerSettings
    keys: KeyStore
    clock: Callable[[], datetime]
    sender: CodeSender | None
    gateway: PaymentGateway | None
    codes: Throttle = field(default_factory=lambda: Throttle(*_CODES))
    tries: Throttle = field(default_factory=lambda: Throttle(*_TRIES))
    orders: Throttle = field(default_factory=lambda: Throttle(*_ORDERS))
    _outside: BoundedSemaphore = field(default_factory=lambda: BoundedSemaphore(OUTSIDE_AT_ONCE))

    def now(self) -> datetime:
        """The instant, in the city's time: its date is the city's calendar day."""
        return self.clock().astimezone(self.settings.zone_info)

    @contextmanager
    def outside(self) -> Generator[None]:
        """Around whatever waits for somebody else's server. Raises RiderRefused (busy) when too many wait."""
        if not self._outside.acquire(blocking=False):
            raise RiderRefused(RiderError.BUSY, _OUTSIDE_AGAIN_S)
        try:
            yield
        finally:
            self._outside.release()

    def visitor(self, session: Session, token: str, now: datetime) -> SignedInRider:
        """Who is signed in. Raises RiderRefused: signed_out."""
        who = rider_of(session, token, now) if token else None
        if who is None:
            raise RiderRefused(RiderError.SIGNED_OUT)
        return who


def slow_down(throttle: Throttle, request: Request, now: datetime) -> None:
    """Count a try of whoever asks. Raises RiderRefused (too_many) when there were too many."""
    wait_s = throttle.wait_s(address_of(request), now)
    if wait_s:
        raise RiderRefused(RiderError.TOO_MANY, wait_s)


def token_of(request: Request) -> str:
    """The cookie's secret; empty for a browser that is not signed in."""
    return request.cookies.get(COOKIE, "")[:200]


def sign_in(request: Request, response: Response, token: str) -> None:
    """Give the browser its cookie, for as long as the session behind it lives unused."""
    set_cookie(request, response, COOKIE, token, int(SESSION_LIFE.total_seconds()), path=COOKIE_PATH)


def sign_out(response: Response) -> None:
    """Take the cookie back."""
    response.delete_cookie(COOKIE, path=COOKIE_PATH)
