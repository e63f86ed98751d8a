"""A ticket judged by whoever has the issuer's public keys, without a ledger and without a bus.

The order is the validator's own (`fare.core.proof`), without what only a bus knows: the denylist and which
rides were taken. It reads no clock.
"""

from __future__ import annotations

import hmac
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.proof.mc1 import PhoneTicket
from fare.core.proof.paper import check_paper_window, check_vehicle, verify_paper_text
from fare.core.proof.phone import examine
from fare.core.proof.refusal import TicketRefusal
from fare.core.proof.tickets import AnyVerifiedTicket, is_paper

WRONG_CHALLENGE: Final = "wrong_challenge"


@dataclass(frozen=True, slots=True)
class Refused:
    """The reason's word and one sentence for the person who holds the ticket."""

    reason: str
    advice: str


def verify(
    text: str,
    issuers: Mapping[bytes, Ed25519PublicKey],
    at_s: int,
    *,
    challenge: bytes | None = None,
    vehicle: str | None = None,
) -> AnyVerifiedTicket | Refused:
    """Judge one text at a moment (unix seconds); never raises. `issuers` by their one-byte kids.

    `challenge`: the 8 bytes that the phone was asked to sign; None takes any and none. `vehicle`: the bus
    that a paper ticket must be for; None takes any.
    """
    found: AnyVerifiedTicket | TicketRefusal
    if is_paper(text):
        paper = verify_paper_text(text, issuers)
        refusal = None if isinstance(paper, TicketRefusal) else check_paper_window(paper, at_s)
        if refusal is None and vehicle is not None and not isinstance(paper, TicketRefusal):
            refusal = check_vehicle(paper, vehicle)
        found = refusal or paper
    else:
        found = examine(text, issuers, at_s, clock_synchronised=True, denylisted=lambda _cti: False)
    if isinstance(found, TicketRefusal):
        return Refused(found.value, found.advice)
    if challenge is not None and not _answers(found, challenge):
        return Refused(
            WRONG_CHALLENGE, "This code does not answer the challenge: scan it anew, on the phone."
        )
    return found


def _answers(ticket: AnyVerifiedTicket, challenge: bytes) -> bool:
    answered = ticket.challenge if isinstance(ticket, PhoneTicket) else None
    return answered is not None and hmac.compare_digest(answered, challenge)
