"""What bus and ledger ask of a paper ticket: the ledger's signature, window, denylist, vehicle.

The bytes are `fare.core.proof.mp1`'s. It reads no clock, remembers no ticket (see `fare.core.replay`),
redeems nothing, and never raises on what a scanner may deliver: `examine_paper` answers with a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NewType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.proof.issued import CLOCK_SKEW_S, check_issuer
from fare.core.proof.mp1 import AAD, PaperTicket, decode_paper
from fare.core.proof.refusal import MalformedTicket, TicketRefusal

VerifiedPaper = NewType("VerifiedPaper", PaperTicket)
"""A paper ticket whose signature was checked. Only this module makes one."""


def verify_paper_text(
    text: object, channel_keys: Mapping[bytes, Ed25519PublicKey]
) -> VerifiedPaper | TicketRefusal:
    """Form and signature of whatever was scanned, and nothing of time or vehicle; never raises.

    It is also the ledger's decision on the text of an upload, which has the time in its tap.
    """
    if not isinstance(text, str):
        return TicketRefusal.NOT_A_TICKET
    try:
        ticket = decode_paper(text)
    except MalformedTicket as fault:
        return fault.reason
    return check_issuer(ticket.raw, ticket.kid, AAD, channel_keys) or VerifiedPaper(ticket)


def check_paper_window(ticket: PaperTicket, at_s: int) -> TicketRefusal | None:
    """`iat - 30 s <= at <= exp`. Paper says no time of its own, so this needs a clock that is right."""
    if at_s < ticket.issued_at_s - CLOCK_SKEW_S:
        return TicketRefusal.NOT_YET_VALID
    if at_s > ticket.expires_at_s:
        return TicketRefusal.EXPIRED
    return None


def check_vehicle(ticket: PaperTicket, vehicle: str) -> TicketRefusal | None:
    """Only the bus it names; one that names none is for every bus that can ask the ledger."""
    if ticket.vehicle is not None and ticket.vehicle != vehicle:
        return TicketRefusal.WRONG_VEHICLE
    return None


def examine_paper(
    text: object,
    channel_keys: Mapping[bytes, Ed25519PublicKey],
    vehicle: str,
    now_s: int,
    clock_synchronised: bool,
    denylisted: Callable[[bytes], bool],
) -> VerifiedPaper | TicketRefusal:
    """The validator's decision on a scanned text, up to but without replay memory and ledger; never raises.

    Order: length, prefix, form; signature; window, where the clock may be trusted; denylist; vehicle.
    """
    verified = verify_paper_text(text, channel_keys)
    if isinstance(verified, TicketRefusal):
        return verified
    refusal = check_paper_window(verified, now_s) if clock_synchronised else None
    if refusal is None and denylisted(verified.cti):
        refusal = TicketRefusal.DENYLISTED
    return refusal or check_vehicle(verified, vehicle) or verified
