"""Why a QR ticket is not accepted, on the phone or on paper: one closed set of reasons for bus and ledger.

Each reason is a word that displays translate and reports count; `advice` says it once in English. Nothing is
decided here.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final


class TicketRefusal(StrEnum):
    """Why a ticket is not accepted. `advice` says it to the person who holds it."""

    TOO_LONG = "too_long"
    NOT_A_TICKET = "not_a_ticket"
    MALFORMED = "malformed"
    WRONG_HEADER = "wrong_header"
    UNKNOWN_KEY = "unknown_key"
    BAD_ISSUER_SIGNATURE = "bad_issuer_signature"
    BAD_PHONE_SIGNATURE = "bad_phone_signature"
    NOT_YET_VALID = "not_yet_valid"
    EXPIRED = "expired"
    STALE = "stale"
    FROM_THE_FUTURE = "from_the_future"
    COUNTER_EXHAUSTED = "counter_exhausted"
    DENYLISTED = "denylisted"
    ALREADY_PAID = "already_paid"
    WRONG_VEHICLE = "wrong_vehicle"
    NEEDS_LINE = "needs_line"

    @property
    def advice(self) -> str:
        """One English sentence: what is wrong and what to do (the display translates by the reason)."""
        return _ADVICE[self]


_RELOAD: Final = "open the rider app with a connection to get a new one"
_ADVICE: Final[Mapping[TicketRefusal, str]] = {
    TicketRefusal.TOO_LONG: "This code is too long to be a ticket: show the ticket in the rider app.",
    TicketRefusal.NOT_A_TICKET: "This code is not a ticket of this system: show the ticket in the rider app.",
    TicketRefusal.MALFORMED: "This ticket is damaged: show it on the phone itself, not a picture of it.",
    TicketRefusal.WRONG_HEADER: f"This ticket is of a kind not accepted here: {_RELOAD}.",
    TicketRefusal.UNKNOWN_KEY: f"This ticket's issuer is not known on this bus: {_RELOAD}.",
    TicketRefusal.BAD_ISSUER_SIGNATURE: f"This ticket was not issued by us or was changed: {_RELOAD}.",
    TicketRefusal.BAD_PHONE_SIGNATURE: "This ticket is another phone's or was changed: use your own phone.",
    TicketRefusal.NOT_YET_VALID: "This ticket is not valid yet: try again later, or set your phone's clock.",
    TicketRefusal.EXPIRED: f"This ticket has expired: {_RELOAD}.",
    TicketRefusal.STALE: "This code is too old: show the live one; if that fails, set your phone's clock.",
    TicketRefusal.FROM_THE_FUTURE: "This code is ahead of time: set your phone's clock, then try again.",
    TicketRefusal.COUNTER_EXHAUSTED: f"No rides are left on this ticket: {_RELOAD}.",
    TicketRefusal.DENYLISTED: "This ticket was blocked: ask at a sales counter.",
    TicketRefusal.ALREADY_PAID: "This ride is already paid: press 'new ride' for another one.",
    TicketRefusal.WRONG_VEHICLE: "This paper ticket is for another bus: board the one printed on it.",
    TicketRefusal.NEEDS_LINE: "This bus has no connection to check paper tickets: pay by card or phone.",
}


class MalformedTicket(ValueError):
    """The text or bytes are not a ticket. `reason` is one of the refusals that need no key."""

    def __init__(self, reason: TicketRefusal, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason
