"""What an enrolled phone asks: its account, its next ticket, its rides; and what it says of a newer phone.

    GET  /rider/api/account                    -> Account
    POST /rider/api/ticket                     {key, proof, keeps_key} -> Account
    GET  /rider/api/rides?before=CURSOR        -> {rides: [...], next: CURSOR | null}
    POST /rider/api/phone/answer               {mine} -> Account
    POST /rider/api/sign-out                   {} -> {}

Only the phone's own cookie opens these. A phone that nobody vouched for sees its own rides alone: whoever
took over a mobile number has not thereby got the history of its owner. One that another took the place of
sees none of the rides since.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, Final, get_args

from fastapi import APIRouter
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fare.collection import RidePlace, TicketRideView, rides_of_tickets
from fare.core.identifiers import parse_cti
from fare.core.proof.possession import check_possession
from fare.core.tariff.explaining import explain
from fare.core.tariff.model import Tariff
from fare.core.tariff.naming import TariffLocale
from fare.database.engine import read, write
from fare.distribution import tariff_history
from fare.issuing import (
    BY_OLD_PHONE,
    PhoneStatus,
    confirm_phone,
    contest_phone,
    newer_phone_of,
    phone_view,
    phones_of,
)
from fare.issuing.ticket_locks import tickets_of_phone
from fare.network import line_names
from fare.riders import close_rider_session, take_challenge
from fare.web.rider.account import account_of, phone_of, ticket_error, try_ticket
from fare.web.rider.bodies import Nothing, PhoneAnswer, WantsTicket, phone_key, proof_bytes
from fare.web.rider.context import Riders, sign_in, sign_out, slow_down, token_of
from fare.web.rider.guard import GuardedRoute
from fare.web.rider.refusals import RiderError, RiderRefused

RIDES_A_PAGE: Final = 20
_TOLD_IN: Final[tuple[TariffLocale, ...]] = get_args(TariffLocale)
_MAX_CURSOR_CHARS: Final = 60
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


def routes(riders: Riders) -> APIRouter:
    """The five addresses."""
    router = APIRouter(prefix="/rider/api", route_class=GuardedRoute, include_in_schema=False)
    _add_account(router, riders)
    _add_ticket(router, riders)
    _add_rides(router, riders)
    return router


def _add_account(router: APIRouter, riders: Riders) -> None:
    @router.get("/account")
    def account(request: Request) -> Response:
        now, token = riders.now(), token_of(request)
        with write(riders.engine) as session:
            riders.visitor(session, token, now)
            content = account_of(riders, session, token, now)
        response = JSONResponse(content)
        sign_in(request, response, token)  # its days begin anew, as those of the session do
        return response

    @router.post("/phone/answer")
    def answer(asked: PhoneAnswer, request: Request) -> dict[str, Any]:
        now, token = riders.now(), token_of(request)
        with write(riders.engine) as session:
            phone_id = phone_of(riders.visitor(session, token, now))
            take_challenge(session, token, now)  # locks the session before the wallet; a new one comes below
            newer = newer_phone_of(session, phone_id)
            if newer is None:
                raise RiderRefused(RiderError.NOT_FOUND)
            if asked.mine:
                confirm_phone(session, newer.phone_id, BY_OLD_PHONE, now)
            else:
                contest_phone(session, phone_id, now)
            return account_of(riders, session, token, now)

    @router.post("/sign-out")
    def leave(_asked: Nothing, request: Request) -> Response:
        with write(riders.engine) as session:
            close_rider_session(session, token_of(request))
        response = JSONResponse({})
        sign_out(response)
        return response


def _add_ticket(router: APIRouter, riders: Riders) -> None:
    @router.post("/ticket")
    def ticket(asked: WantsTicket, request: Request) -> dict[str, Any]:
        now, token = riders.now(), token_of(request)
        key, proof = phone_key(asked.key, keeps_keys=asked.keeps_key), proof_bytes(asked.proof)
        slow_down(riders.tries, request, now)
        with write(riders.engine) as session:
            phone_id = phone_of(riders.visitor(session, token, now))
            challenge = take_challenge(session, token, now)
            # Refusals are values here: raised, they would give the challenge back.
            if challenge is None or not check_possession(challenge, key, proof):
                error = RiderError.BAD_PROOF
            else:
                error = ticket_error(try_ticket(riders, session, phone_id, key, now))
            account = None if error else account_of(riders, session, token, now)
        if error is not None or account is None:
            raise RiderRefused(error or RiderError.BUSY)
        return account


def _add_rides(router: APIRouter, riders: Riders) -> None:
    @router.get("/rides")
    def rides(request: Request, before: str | None = None) -> dict[str, Any]:
        place = None if before is None else _place(before)
        with read(riders.engine) as session:
            phone_id = phone_of(riders.visitor(session, token_of(request), riders.now()))
            found = rides_of_tickets(session, _tickets_to_see(session, phone_id), place, RIDES_A_PAGE + 1)
            names = line_names(session)
            by_version = {tariff.version: tariff for _, tariff in tariff_history(session)}
        page = found[:RIDES_A_PAGE]
        more = len(found) > RIDES_A_PAGE
        return {
            "rides": [_ride(ride, names.get(ride.line, str(ride.line)), by_version) for ride in page],
            "next": _cursor(page[-1].place) if more else None,
        }


def _tickets_to_see(session: Session, phone_id: str) -> list[bytes]:
    phone = phone_view(session, phone_id)
    if phone is None:
        return []
    seen = phones_of(session, phone.wallet_id) if phone.confirmed else [phone]
    if phone.status is not PhoneStatus.LIVE:
        # Whoever has the rider's old phone must not see where the rider goes on the new one.
        seen = [each for each in seen if each.enrolled_at <= phone.enrolled_at]
    return [cti for each in seen for cti in tickets_of_phone(session, each.phone_id)]


def _ride(ride: TicketRideView, line_name: str, by_version: Mapping[int, Tariff]) -> dict[str, Any]:
    told: dict[str, Any] = {
        "at_ms": int(ride.boarded_at.timestamp() * 1000),
        "line": ride.line,
        "line_name": line_name,
        "pax": ride.pax,
        "fare_rial": ride.fare_rial,
        "disputed": ride.disputed,
    }
    if ride.adjusted_rial:
        told |= {"adjusted_rial": ride.adjusted_rial, "adjusted_why": _why(ride, by_version)}
    return told


def _why(ride: TicketRideView, by_version: Mapping[int, Tariff]) -> dict[str, str]:
    """Why a ride came to another fare, by language."""
    last = ride.adjustment
    tariff = None if last is None else by_version.get(last.tariff_version)
    if last is None or tariff is None:
        return {}
    return {locale: explain(tariff, last.steps, locale, unit="toman") for locale in _TOLD_IN}


def _cursor(place: RidePlace) -> str:
    return f"{(place.boarded_at - _EPOCH) // _MICROSECOND}.{place.cti.hex()}.{place.ctr}"


def _place(cursor: str) -> RidePlace:
    """The place that a cursor of ours names. Raises RiderRefused: malformed."""
    try:
        if len(cursor) > _MAX_CURSOR_CHARS or not cursor.isascii():
            raise ValueError(cursor)
        at_us, cti, ctr = cursor.split(".")
        return RidePlace(_EPOCH + int(at_us) * _MICROSECOND, parse_cti(cti), min(int(ctr), 0xFFFF))
    except (ValueError, OverflowError):
        raise RiderRefused(RiderError.MALFORMED) from None
