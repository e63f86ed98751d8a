"""One-time codes, enrolling a phone, and reporting one lost: what a browser may do that nobody knows yet.

    POST /rider/api/code    {mobile} -> {challenge, valid_s, again_after_s, sandbox}
    POST /rider/api/enrol   {mobile, code, key, proof, keeps_key} -> Account, and the cookie
    POST /rider/api/lost    {mobile, code} -> {denied_tickets}

No answer tells whether a number is enrolled. A code is sent after its transaction has committed, so that no
rider reads a code that the ledger does not know.
"""

from __future__ import annotations

import logging
from datetime import timedelta
from typing import Any, Final

from fastapi import APIRouter
from sqlmodel import Session
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from fare.core.identifiers import InvalidMobile, Mobile, parse_mobile
from fare.core.proof.possession import PhoneKey, check_possession
from fare.database.engine import write
from fare.issuing import IssuingRefused, PhoneStatus, enrol_phone, phones_of, report_phone_lost
from fare.riders import (
    CodeNotSent,
    CodeRefusal,
    CodeSender,
    CodeSent,
    close_phone_sessions,
    close_rider_session,
    code_not_sent,
    code_wait,
    open_rider_session,
    redeem_code,
    request_code,
    rider_with_mobile,
    rider_with_wallet,
    wallet_of,
)
from fare.settings import CodeSenderKind
from fare.web.rider.account import Account, account_of, try_ticket
from fare.web.rider.bodies import Enrols, LostPhone, WantsCode, base64url, phone_key, proof_bytes
from fare.web.rider.context import Riders, sign_in, slow_down, token_of
from fare.web.rider.guard import GuardedRoute
from fare.web.rider.refusals import RiderError, RiderRefused

_LOG: Final = logging.getLogger(__name__)
_CODE_ERRORS: Final = {
    CodeRefusal.TOO_SOON: RiderError.TOO_SOON,
    CodeRefusal.TOO_MANY: RiderError.TOO_MANY,
    CodeRefusal.WRONG_CODE: RiderError.WRONG_CODE,
    CodeRefusal.EXPIRED: RiderError.EXPIRED_CODE,
    CodeRefusal.NO_TRIES_LEFT: RiderError.NO_TRIES_LEFT,
    # Told apart from a wrong code, it would say who asked for one.
    CodeRefusal.NO_CODE: RiderError.WRONG_CODE,
}


def routes(riders: Riders) -> APIRouter:
    """The three addresses."""
    router = APIRouter(prefix="/rider/api", route_class=GuardedRoute, include_in_schema=False)

    @router.post("/code")
    def send_code(asked: WantsCode, request: Request) -> dict[str, Any]:
        now, mobile = riders.now(), _mobile(asked.mobile)
        if riders.sender is None:
            raise RiderRefused(RiderError.NO_SENDER)
        slow_down(riders.codes, request, now)
        with riders.outside():
            with write(riders.engine) as session:
                sent = request_code(session, mobile, now)
                wait = code_wait(session, mobile, now)
            if isinstance(sent, CodeRefusal):
                raise RiderRefused(_CODE_ERRORS[sent], _seconds(wait))
            _send(riders, riders.sender, sent)
        return {
            "challenge": base64url(sent.challenge),
            "valid_s": _seconds(sent.expires_at - now),
            "again_after_s": _seconds(sent.again_after),
            "sandbox": riders.settings.code_sender is CodeSenderKind.SANDBOX,
        }

    @router.post("/enrol")
    def enrol(asked: Enrols, request: Request) -> Response:
        now, mobile = riders.now(), _mobile(asked.mobile)
        key, proof = phone_key(asked.key, keeps_keys=asked.keeps_key), proof_bytes(asked.proof)
        slow_down(riders.tries, request, now)
        with write(riders.engine) as session:
            challenge = redeem_code(session, mobile, asked.code, now)
            # A refusal is kept as a value: raised in here it would take the counted try back.
            if isinstance(challenge, CodeRefusal):
                refused = _CODE_ERRORS[challenge]
            elif not check_possession(challenge, key, proof):
                refused = RiderError.BAD_PROOF
            else:
                refused = None
            enrolled = None if refused else _enrol(riders, session, request, mobile, key)
        if refused is not None or enrolled is None:
            raise RiderRefused(refused or RiderError.WALLET_CLOSED)
        token, account = enrolled
        response = JSONResponse(account)
        sign_in(request, response, token)
        return response

    @router.post("/lost")
    def lost(asked: LostPhone, request: Request) -> dict[str, int]:
        now, mobile = riders.now(), _mobile(asked.mobile)
        slow_down(riders.tries, request, now)
        with write(riders.engine) as session:
            challenge = redeem_code(session, mobile, asked.code, now)
            known = not isinstance(challenge, CodeRefusal)
            denied = _report_lost(riders, session, mobile) if known else 0
        if isinstance(challenge, CodeRefusal):
            raise RiderRefused(_CODE_ERRORS[challenge])
        return {"denied_tickets": denied}

    return router


def _mobile(text: str) -> Mobile:
    try:
        return parse_mobile(text)
    except InvalidMobile:
        raise RiderRefused(RiderError.INVALID_MOBILE) from None


def _send(riders: Riders, sender: CodeSender, sent: CodeSent) -> None:
    """Hand the code to the sender. Raises RiderRefused (busy) when it did not leave; it is void then."""
    text = f"کد ورود شما به من‌کارت: {sent.code}\nاین کد را به هیچ‌کس ندهید."
    try:
        sender.send(sent.mobile, text)
    except CodeNotSent as fault:
        _LOG.warning("%s", fault)
        with write(riders.engine) as session:
            code_not_sent(session, sent)
        raise RiderRefused(RiderError.BUSY, 0) from None


def _enrol(
    riders: Riders, session: Session, request: Request, mobile: Mobile, key: PhoneKey
) -> tuple[str, Account] | None:
    """The whole step for a number whose code was right: the cookie's secret and the account to show.

    None for a rider whose wallet is closed.
    """
    now = riders.now()
    # Sessions before wallets, here and wherever both are locked: two requests never wait for each other.
    close_rider_session(session, token_of(request))
    rider_id, wallet_id = rider_with_wallet(session, mobile, now)
    try:
        phone = enrol_phone(session, wallet_id, key.keeps_keys, now)
    except IssuingRefused:
        return None
    token = open_rider_session(session, rider_id, phone.phone_id, now)
    try_ticket(riders, session, phone.phone_id, key, now)
    return token, account_of(riders, session, token, now)


def _report_lost(riders: Riders, session: Session, mobile: Mobile) -> int:
    """Deny what the number's phone holds and sign it out; how many tickets that were."""
    rider_id = rider_with_mobile(session, mobile)
    wallet_id = None if rider_id is None else wallet_of(session, rider_id)
    if wallet_id is None:
        return 0
    for phone in phones_of(session, wallet_id):
        if phone.status in (PhoneStatus.LIVE, PhoneStatus.SUPERSEDED):
            close_phone_sessions(session, phone.phone_id)
    return len(report_phone_lost(session, wallet_id, riders.now()))


def _seconds(span: timedelta) -> int:
    """Whole seconds, rounded up: whoever waits so long has waited enough."""
    return max(0, -int(-span.total_seconds() // 1))
