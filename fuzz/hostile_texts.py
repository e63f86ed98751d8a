"""Target `texts`: a camera reads any QR code in the world. No card, no session.

Bus, ledger and inspector answer every text with a value. What rides was signed here, byte for byte, and costs
no more than was signed; ledger and inspector agree; what is read is written back as the very same text; and
what the pattern reads of a token, the strict reader reads too.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from fare.core import base45
from fare.core.boarding import Boarding
from fare.core.bundle import Bundle
from fare.core.inspection import TicketShown, read_ticket
from fare.core.proof import mc1, mp1
from fare.core.proof.issued import SIGNATURE_BYTES, issuer_to_sign, write_issued
from fare.core.proof.mc1 import EntitlementClaims
from fare.core.proof.mp1 import PaperClaims
from fare.core.proof.refusal import MalformedTicket, TicketRefusal
from fare.core.proof.tickets import decode_any_ticket, examine_any_upload
from fare.core.strict_cbor import write_uint
from fare.core.tap import BundleVersion
from fare.core.tariff.model import FareProduct, flat_tariff
from fare.core.ticket_decision import TicketRide, decide_ticket
from fuzz import world
from fuzz.choices import Choices
from fuzz.hostile_card import BrokenRule

VEHICLE: Final = "bus-12"
WINDOW_S: Final = 5400
_KID: Final = b"\x02"
_CHANNEL: Final = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
_KEYS: Final = {_KID: _CHANNEL.public_key()}
_PHONE: Final = ec.derive_private_key(0x4D43, ec.SECP256R1())
_SIGNING: Final = ec.ECDSA(SHA256(), deterministic_signing=True)
_POINT: Final = _PHONE.public_key().public_numbers()
_CTI: Final = b"fuzz-cti"
_TARIFF: Final = flat_tariff(1, "flat", {0: FareProduct("adult", "adult", world.FARE_RIAL)})
_BUNDLE: Final = Bundle(
    BundleVersion(bytes(8), 1), world.NOW_S, "urmia", "Asia/Tehran", 14400, 1, ((0, _TARIFF),), {}, {}, {}
)  # fmt: skip


def _sealed(proof: bytes) -> str:
    r, s = decode_dss_signature(_PHONE.sign(mc1.proof_to_sign(proof), _SIGNING))
    return mc1.encode_ticket(proof, r.to_bytes(32) + s.to_bytes(32))


def _phone_text(ctr: int, challenge: bytes | None) -> str:
    claims = EntitlementClaims(
        world.NOW_S + 3600, world.NOW_S - 60, _CTI, _POINT.x.to_bytes(32), bool(_POINT.y & 1), 3, 40, 35_000
    )
    entitlement = mc1.sign_entitlement(claims, _CHANNEL, _KID)
    return _sealed(mc1.encode_proof(entitlement, world.NOW_S, ctr, 1, challenge))


def _paper_text(vehicle: str | None) -> str:
    claims = PaperClaims(world.NOW_S + 3600, world.NOW_S - 60, _CTI, 3, 35_000, vehicle)
    return mp1.sign_paper(claims, _CHANNEL, _KID)


GENUINE: Final = (
    _phone_text(1, None),
    _phone_text(40, b"inspect!"),
    _paper_text(VEHICLE),
    _paper_text(None),
)
"""Tickets that may pass. Their signatures may not be on anything else."""


def _signed_parts(ticket: mc1.PhoneTicket | mp1.PaperTicket) -> tuple[bytes, ...]:
    if isinstance(ticket, mp1.PaperTicket):
        return (ticket.raw,)
    signed, signature = mc1.phone_signed_and_signature(ticket.raw)
    return signed, signature[:32]  # (r, n - s) is as good a signature as (r, s)


_SIGNED: Final = frozenset(_signed_parts(decode_any_ticket(text)) for text in GENUINE)


def _any_text(choices: Choices) -> str:
    kind = choices.number(4)
    if kind == 0:
        return choices.some(255).decode("latin-1")
    if kind == 1:
        return choices.some(255).decode("utf-8", "surrogateescape")
    start = choices.pick((mc1.PREFIX, mp1.PREFIX, "", "HC1:", "WIFI:"))
    if kind == 2:
        return start + base45.encode(choices.some(255))
    return start + "".join(base45.ALPHABET[byte % 45] for byte in choices.some(255))


def _edited_text(choices: Choices) -> str:
    """A genuine text with some characters changed, removed or added."""
    text = _edited(choices.pick(GENUINE).encode(), choices).decode("latin-1")
    return text if choices.number(2) else "".join(c if c in base45.ALPHABET else "0" for c in text)


def _edited_token(choices: Choices) -> str:
    """A genuine token with some bytes changed, removed or added, under either prefix."""
    text = choices.pick(GENUINE)
    token = _edited(base45.decode(text[4:]), choices)
    return choices.pick((text[:4], mc1.PREFIX, mp1.PREFIX)) + base45.encode(token)


def _signed_text(choices: Choices) -> str:
    """What only the ledger could make: claims and a proof with any bytes in them, under right signatures."""
    if choices.number(2):
        raw = base45.decode(choices.pick(GENUINE[2:])[4:])
        claims = _edited(raw[11 : -SIGNATURE_BYTES - 2], choices)
        return mp1.PREFIX + base45.encode(_issued(claims, mp1.AAD))
    raw = mc1.decode_ticket(GENUINE[0]).entitlement.raw
    entitlement = _issued(_edited(raw[11 : -SIGNATURE_BYTES - 2], choices), mc1.AAD)
    ride = write_uint(1 + choices.number(255)) + write_uint(1 + choices.number(9))
    return _sealed(
        choices.pick((b"\x84", b"\x85")) + entitlement + write_uint(world.NOW_S) + _edited(ride, choices)
    )


def _edited(data: bytes, choices: Choices) -> bytes:
    """Up to three edits; half of them keep the length."""
    changed = bytearray(data)
    for _ in range(choices.number(4)):
        at = choices.number(len(changed) + 1)
        inserted = choices.some(4)
        removed = len(inserted) if choices.number(2) else choices.number(5)
        changed[at : at + removed] = inserted
    return bytes(changed)


def _issued(claims: bytes, aad: bytes) -> bytes:
    return write_issued(_KID, claims, _CHANNEL.sign(issuer_to_sign(_KID, aad, claims)))


SOURCES: Final[tuple[tuple[Callable[[Choices], str], bool], ...]] = (
    (_edited_token, False),
    (_signed_text, True),
    (_edited_text, False),
    (_any_text, False),
)
"""Where a text comes from, and whether its claims may be new."""


def check(data: bytes) -> None:
    """Decide on one input; BrokenRule, or any fault at all, is a finding."""
    choices = Choices(data)
    source, newly_signed = choices.pick(SOURCES)
    text = source(choices)
    synchronised = choices.number(4) != 3
    boarding = Boarding(7, 1, world.NOW_S, 1, 0)
    bus = decide_ticket(text, boarding, VEHICLE, _BUNDLE, _KEYS, world.NOW_S, synchronised)
    ledger = examine_any_upload(text, _KEYS)
    inspector = read_ticket(text, VEHICLE, _BUNDLE, _KEYS, world.NOW_S, WINDOW_S, synchronised)
    ticket = _read(text)
    if not isinstance(bus, TicketRide):
        return
    if isinstance(ledger, TicketRefusal) or not isinstance(inspector, TicketShown) or ticket is None:
        raise BrokenRule("a ticket rides that ledger or inspector refuses")
    if not newly_signed and _signed_parts(ticket) not in _SIGNED:
        raise BrokenRule("a ticket rides that nobody signed")
    if not 1 <= ticket.ctr <= ticket.ctr + ticket.pax - 1 <= ticket.max_taps:
        raise BrokenRule("a ticket rides more often than the ledger holds money for")
    if not 0 <= bus.price.amount <= ticket.held_rial:
        raise BrokenRule(f"a fare of {bus.price.amount} rial is not held")


def _read(text: str) -> mc1.PhoneTicket | mp1.PaperTicket | None:
    try:
        ticket = decode_any_ticket(text)
    except MalformedTicket:
        ticket = None
    if ticket is not None and text[:4] + base45.encode(ticket.raw) != text:
        raise BrokenRule("a ticket has two texts")
    if text.startswith(mc1.PREFIX):
        _compare_readers(text)
    return ticket


def _compare_readers(text: str) -> None:
    try:
        token = base45.decode(text[4:])
    except base45.NotBase45:
        return
    matched = mc1.matched(token)
    if matched is not None and matched != mc1.read_token(token):
        raise BrokenRule("the pattern reads another ticket than the reader")


def seeds() -> list[bytes]:
    """Each genuine ticket as it is, and each source with nothing chosen."""
    return [bytes([source, number]) for source in range(len(SOURCES)) for number in range(len(GENUINE))]
