"""What bus and ledger ask of a phone's QR ticket: both signatures, window, freshness, counter, denylist.

The bytes are `fare.core.proof.mc1`'s. It reads no clock, remembers no ticket (see `fare.core.replay`) and
never raises on what a scanner may deliver: `examine` answers with a value.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import NewType

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.proof.issued import CLOCK_SKEW_S, check_issuer
from fare.core.proof.mc1 import AAD, PhoneTicket, decode_ticket, phone_signed_and_signature
from fare.core.proof.p256 import signature_holds
from fare.core.proof.refusal import MalformedTicket, TicketRefusal

VerifiedTicket = NewType("VerifiedTicket", PhoneTicket)
"""A ticket whose two signatures were checked. Only this module makes one."""


def check_signatures(
    ticket: PhoneTicket, channel_keys: Mapping[bytes, Ed25519PublicKey]
) -> VerifiedTicket | TicketRefusal:
    """The ledger's signature by `kid`, then the phone's by the key that the ledger signed."""
    entitlement = ticket.entitlement
    refusal = check_issuer(entitlement.raw, entitlement.kid, AAD, channel_keys)
    if refusal is not None:
        return refusal
    signed, signature = phone_signed_and_signature(ticket.raw)
    if not signature_holds(entitlement.public_x, entitlement.public_y_odd, signature, signed):
        return TicketRefusal.BAD_PHONE_SIGNATURE
    return VerifiedTicket(ticket)


def check_window(ticket: PhoneTicket) -> TicketRefusal | None:
    """`iat - 30 s <= ts <= exp`: the proof lies within the entitlement's life. Needs no clock."""
    if ticket.ts_s < ticket.entitlement.issued_at_s - CLOCK_SKEW_S:
        return TicketRefusal.NOT_YET_VALID
    if ticket.ts_s > ticket.entitlement.expires_at_s:
        return TicketRefusal.EXPIRED
    return None


def check_freshness(ticket: PhoneTicket, now_s: int) -> TicketRefusal | None:
    """Within 30 s of `now_s`, both ends included: an older code may be a picture of one."""
    if ticket.ts_s < now_s - CLOCK_SKEW_S:
        return TicketRefusal.STALE
    if ticket.ts_s > now_s + CLOCK_SKEW_S:
        return TicketRefusal.FROM_THE_FUTURE
    return None


def check_counter(ticket: PhoneTicket) -> TicketRefusal | None:
    """All of `ctr .. ctr + pax - 1` within the rides that the ledger holds money for."""
    if not 1 <= ticket.ctr <= ticket.ctr + ticket.pax - 1 <= ticket.entitlement.max_taps:
        return TicketRefusal.COUNTER_EXHAUSTED
    return None


def examine(
    text: object,
    channel_keys: Mapping[bytes, Ed25519PublicKey],
    now_s: int,
    clock_synchronised: bool,
    denylisted: Callable[[bytes], bool],
) -> VerifiedTicket | TicketRefusal:
    """The validator's decision on a scanned text, up to but without the replay memory; never raises.

    Order: length, prefix, form; both signatures; window, denylist (asked with the cti), counter; freshness.
    Where `clock_synchronised` is false, the caller takes one tap per cti and flags it (`ReplayMemory.knows`).
    """
    verified = verify_text(text, channel_keys)
    if isinstance(verified, TicketRefusal):
        return verified
    refusal = check_window(verified)
    if refusal is None and denylisted(verified.entitlement.cti):
        refusal = TicketRefusal.DENYLISTED
    if refusal is None:
        refusal = check_counter(verified)
    if refusal is None and clock_synchronised:
        refusal = check_freshness(verified, now_s)
    return verified if refusal is None else refusal


def examine_upload(
    text: object, channel_keys: Mapping[bytes, Ed25519PublicKey]
) -> VerifiedTicket | TicketRefusal:
    """The ledger's decision on the text that a tap carries; never raises.

    The same checks as on the bus, except freshness and denylist: the ride has happened, and what the bus
    knew of time and denylist is in the tap.
    """
    verified = verify_text(text, channel_keys)
    if isinstance(verified, TicketRefusal):
        return verified
    return check_window(verified) or check_counter(verified) or verified


def verify_text(
    text: object, channel_keys: Mapping[bytes, Ed25519PublicKey]
) -> VerifiedTicket | TicketRefusal:
    """Form and both signatures of whatever was scanned, and nothing of time or rides; never raises."""
    if not isinstance(text, str):
        return TicketRefusal.NOT_A_TICKET
    try:
        ticket = decode_ticket(text)
    except MalformedTicket as fault:
        return fault.reason
    return check_signatures(ticket, channel_keys)
