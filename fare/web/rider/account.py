"""The account as the rider's page shows it: one JSON object after all a phone does. It decides nothing.

Money in rial, times in unix milliseconds, bytes in base64url without padding; `balance_words` says balance
and held money together, as a person would read them out.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from sqlmodel import Session

from fare.core.money import Locale, amount_in_words
from fare.core.proof.possession import PhoneKey
from fare.issuing import (
    IssuedTicket,
    LiveTicket,
    PhoneAccount,
    TicketNotIssued,
    issue_phone_ticket,
    phone_account,
    ticket_policy,
)
from fare.riders import SignedInRider, fresh_challenge, masked_mobile
from fare.web.rider.bodies import base64url
from fare.web.rider.context import Riders
from fare.web.rider.refusals import RiderError, RiderRefused

Account = dict[str, Any]
LANGUAGES: Final[tuple[Locale, ...]] = ("fa", "en", "azb", "ckb")


def phone_of(who: SignedInRider) -> str:
    """The phone that a browser enrolled as. Raises RiderRefused: signed_out."""
    if who.phone_id is None:
        raise RiderRefused(RiderError.SIGNED_OUT)
    return who.phone_id


def try_ticket(
    riders: Riders, session: Session, phone_id: str, key: PhoneKey, now: datetime
) -> TicketNotIssued | None:
    """Issue the phone's next ticket if it is due; why not, else. The key's proof was checked before."""
    policy = ticket_policy(session, riders.settings, now)
    issued = issue_phone_ticket(session, riders.keys, policy, phone_id, key, now)
    return None if isinstance(issued, IssuedTicket) else issued


def ticket_error(reason: TicketNotIssued | None) -> RiderError | None:
    """The word that the page knows for it."""
    return None if reason is None else RiderError(reason.value)


def account_of(riders: Riders, session: Session, token: str, now: datetime) -> Account:
    """What the holder of this cookie may see, with a new challenge for the phone's next key.

    Raises RiderRefused: signed_out, also when another request ended the session in this very moment.
    """
    who = riders.visitor(session, token, now)
    try:
        challenge = fresh_challenge(session, token, now)
    except KeyError:
        raise RiderRefused(RiderError.SIGNED_OUT) from None
    policy = ticket_policy(session, riders.settings, now)
    seen = phone_account(session, policy, phone_of(who), now, riders.keys.channels.revoked())
    total_rial = seen.balance_rial + seen.held_rial
    return {
        "server_time_ms": _unix_ms(now),
        "challenge": base64url(challenge),
        "mobile_masked": masked_mobile(who.mobile),
        "city_name": riders.settings.city_name,
        "max_fare_rial": policy.max_fare_rial,
        "balance_rial": seen.balance_rial,
        "held_rial": seen.held_rial,
        "balance_words": {
            language: amount_in_words(total_rial, unit="toman", locale=language) for language in LANGUAGES
        },
        "phone": _phone(seen),
        "newer_phone": (
            None if seen.newer_phone is None else {"enrolled_at_ms": _unix_ms(seen.newer_phone.enrolled_at)}
        ),
        "ticket": None if seen.ticket is None else _ticket(seen.ticket),
        "refresh_due": seen.refresh_due,
        "no_ticket_reason": None if seen.not_issued is None else seen.not_issued.value,
    }


def _phone(seen: PhoneAccount) -> dict[str, Any]:
    return {
        "state": seen.phone.status.value,
        "confirmed": seen.phone.confirmed,
        "day_limit_rial": seen.day_limit_rial,
        "enrolled_at_ms": _unix_ms(seen.phone.enrolled_at),
    }


def _ticket(ticket: LiveTicket) -> dict[str, Any]:
    return {
        "entitlement": base64url(ticket.raw),
        "cti": ticket.cti.hex(),
        "issued_at_ms": _unix_ms(ticket.issued_at),
        "expires_at_ms": _unix_ms(ticket.expires_at),
        "max_taps": ticket.max_taps,
        "max_fare_rial": ticket.max_fare_rial,
        "rides_taken_in": ticket.rides_taken_in,
        "reissue": ticket.reissue,
    }


def _unix_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
