"""What a ticket's ride stands for: which counters of which ticket. Values only; it checks no signature."""

from __future__ import annotations

from fare.core.proof.phone import MalformedTicket, decode_token
from fare.core.replay import RideClaim, claims


def claim_of(proof: bytes) -> RideClaim | None:
    """The rides that a stored proof of a ticket claims; None for bytes that are no ticket."""
    try:
        ticket = decode_token(proof)
    except MalformedTicket:
        return None
    return claims(ticket.entitlement.cti, ticket.ctr, ticket.pax)
