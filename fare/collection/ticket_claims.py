"""What a ticket stands for: which rides of which entitlement, when it was made. It checks no signature."""

from __future__ import annotations

from dataclasses import dataclass

from fare.core.proof.mc1 import PhoneTicket, decode_token
from fare.core.proof.mp1 import decode_paper_entitlement
from fare.core.proof.refusal import MalformedTicket
from fare.core.proof.tickets import AnyTicket, decode_any_ticket, rides_of
from fare.core.replay import RideClaim


@dataclass(frozen=True, slots=True)
class Shown:
    """The rides a ticket claims; `at_s` is the unix second that its phone signed, None of paper."""

    claim: RideClaim
    at_s: int | None


def shown(text: str) -> Shown:
    """What the text of a ticket claims. Raises MalformedTicket."""
    return shown_by(decode_any_ticket(text))


def shown_by(ticket: AnyTicket) -> Shown:
    """The same of a ticket that was read."""
    at_s = ticket.ts_s if isinstance(ticket, PhoneTicket) else None
    return Shown(rides_of(ticket), at_s)


def kept(proof: bytes) -> Shown | None:
    """The same of a stored proof: a phone's token, or a paper's entitlement; None for other bytes."""
    for read in (decode_token, decode_paper_entitlement):
        try:
            return shown_by(read(proof))
        except MalformedTicket:
            continue
    return None


def claim_of(proof: bytes) -> RideClaim | None:
    """The rides that a stored proof claims; None for bytes that are no ticket."""
    found = kept(proof)
    return None if found is None else found.claim
