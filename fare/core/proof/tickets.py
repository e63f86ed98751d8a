"""A QR ticket of either kind, told apart by the first characters of its text. Never looks further itself.

Whatever is not paper is read as a phone's ticket, which names what is wrong with it.
"""

from __future__ import annotations

from collections.abc import Mapping

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.proof import mc1, mp1
from fare.core.proof.mc1 import PhoneTicket
from fare.core.proof.mp1 import PaperTicket
from fare.core.proof.paper import VerifiedPaper, verify_paper_text
from fare.core.proof.phone import VerifiedTicket, examine_upload
from fare.core.proof.refusal import TicketRefusal
from fare.core.replay import RideClaim, claims

AnyTicket = PhoneTicket | PaperTicket
"""As read. Both kinds offer kid, cti, ctr, pax, max_taps, expires_at_s, held_rial and raw."""
AnyVerifiedTicket = VerifiedTicket | VerifiedPaper


def is_paper(text: object) -> bool:
    """Whether the text claims to be a paper ticket."""
    return isinstance(text, str) and text.startswith(mp1.PREFIX)


def decode_any_ticket(text: str) -> AnyTicket:
    """The ticket in `text`, form checked, signatures not. Raises `MalformedTicket`."""
    return mp1.decode_paper(text) if is_paper(text) else mc1.decode_ticket(text)


def rides_of(ticket: AnyTicket) -> RideClaim:
    """The rides it claims: `ctr .. ctr + pax - 1` of its entitlement. Form was checked, or `ValueError`."""
    return claims(ticket.cti, ticket.ctr, ticket.pax)


def examine_any_upload(
    text: object, channel_keys: Mapping[bytes, Ed25519PublicKey]
) -> AnyVerifiedTicket | TicketRefusal:
    """The ledger's decision on the text that a tap carries; never raises.

    See `phone.examine_upload`; for paper only the signature: `paper.check_paper_window` takes the tap's time.
    """
    return verify_paper_text(text, channel_keys) if is_paper(text) else examine_upload(text, channel_keys)
