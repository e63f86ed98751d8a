"""MP1, the paper ticket: one ride that the ledger signed, for one vehicle or to be redeemed online.

The bytes, read and written in one place; it verifies nothing (see `fare.core.proof.paper`), reads no clock.
Paper is copied freely, so a ticket rides once: on the vehicle it names, whose doors remember it, or, where it
names none, after the ledger has said yes.

All CBOR in its only accepted form; at most 154 bytes, 235 characters::

    text        = "MP1:" + base45(entitlement)       external_aad = h'4d5031' ("MP1")
    entitlement = [ bstr .cbor {1: -8, 4: kid bstr .size 1}, {}, bstr .cbor claims, bstr .size 64 ]
                                                                                        ; ledger: Ed25519
    claims      = { 4: exp, 6: iat, 7: cti bstr .size 8,
                    -65537: [product: 0..65535, max_taps: 1, max_fare_rial: uint .size 4],
                    -65538: vehicle: tstr of 1 to 32 bytes / null }

Header, kid and claims 4, 6, 7 and -65537 as in MC1, whose claim 8 is missing: no phone, no second signature.
Replay key (cti, 1).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fare.core.proof.issued import (
    MANCARD_CLAIM,
    check_terms,
    issuer_to_sign,
    read_common_claims,
    read_issued,
    require,
    text_of,
    token_of,
    write_common_claims,
    write_issued,
)
from fare.core.proof.refusal import MalformedTicket, TicketRefusal
from fare.core.signed import Signer
from fare.core.strict_cbor import NotStrictCbor, StrictReader, write_text_or_null, write_uint

PREFIX: Final = "MP1:"
AAD: Final = b"MP1"
VEHICLE_MAX_BYTES: Final = 32
PAPER_RIDES: Final = 1

_VEHICLE_CLAIM: Final = b"\x3a\x00\x01\x00\x01"  # key -65538


@dataclass(frozen=True, slots=True)
class PaperClaims:
    """What the ledger grants whoever holds the paper, before it is signed. Checked when it is encoded.

    Times in unix seconds; `cti` 8 random bytes; `max_fare_rial` is the most that the ride may cost, and what
    the ledger holds; `vehicle` is the bus it is for, None for one that is redeemed online.
    """

    expires_at_s: int
    issued_at_s: int
    cti: bytes
    product: int
    max_fare_rial: int
    vehicle: str | None


@dataclass(frozen=True, slots=True)
class PaperTicket:
    """A paper ticket as read, its form checked but **not** its signature. `raw` is exactly its bytes."""

    kid: bytes
    expires_at_s: int
    issued_at_s: int
    cti: bytes
    product: int
    max_fare_rial: int
    vehicle: str | None
    raw: bytes

    @property
    def ctr(self) -> int:
        """Its only ride."""
        return PAPER_RIDES

    @property
    def pax(self) -> int:
        """One person: companions carry their own paper."""
        return 1

    @property
    def max_taps(self) -> int:
        """It rides once."""
        return PAPER_RIDES

    @property
    def held_rial(self) -> int:
        """What the ledger holds money for. More may not be charged."""
        return self.max_fare_rial


def paper_to_sign(claims: PaperClaims, kid: bytes) -> bytes:
    """The bytes the channel key `kid` (1 byte) signs. `ValueError` names a claim out of its range."""
    return issuer_to_sign(kid, AAD, _encode_claims(claims))


def assemble_paper(claims: PaperClaims, kid: bytes, signature: bytes) -> str:
    """The text of the QR code, from a signature over `paper_to_sign` made elsewhere (in an HSM)."""
    return text_of(PREFIX, write_issued(kid, _encode_claims(claims), signature))


def sign_paper(claims: PaperClaims, key: Signer, kid: bytes) -> str:
    """The text of the QR code, ready to be printed."""
    return assemble_paper(claims, kid, key.sign(paper_to_sign(claims, kid)))


def decode_paper(text: str) -> PaperTicket:
    """The ticket in `text`, form checked, signature not. Raises `MalformedTicket`."""
    return decode_paper_entitlement(token_of(PREFIX, text))


def decode_paper_entitlement(raw: bytes) -> PaperTicket:
    """The ticket in `raw`, the bytes inside the text. Raises `MalformedTicket`."""
    try:
        reader = StrictReader(raw)
        ticket = _read_claims(*read_issued(reader, raw))
        reader.end()
    except NotStrictCbor as fault:
        raise MalformedTicket(TicketRefusal.MALFORMED, str(fault)) from None
    return ticket


def _encode_claims(claims: PaperClaims) -> bytes:
    check_terms(
        claims.issued_at_s,
        claims.expires_at_s,
        claims.cti,
        claims.product,
        PAPER_RIDES,
        claims.max_fare_rial,
    )
    if claims.vehicle is not None:
        size = len(claims.vehicle.encode())
        require(1 <= size <= VEHICLE_MAX_BYTES, f"vehicle must have 1 to {VEHICLE_MAX_BYTES} bytes")
    return b"".join(
        (
            write_common_claims(claims.expires_at_s, claims.issued_at_s, claims.cti),
            MANCARD_CLAIM,
            b"\x83",
            write_uint(claims.product),
            write_uint(PAPER_RIDES),
            write_uint(claims.max_fare_rial),
            _VEHICLE_CLAIM,
            write_text_or_null(claims.vehicle),
        )
    )


def _read_claims(kid: bytes, claims: bytes, raw: bytes) -> PaperTicket:
    reader = StrictReader(claims)
    expires_at_s, issued_at_s, cti = read_common_claims(reader)
    reader.literal(MANCARD_CLAIM + b"\x83", "claim -65537 with three items")
    product = reader.uint(0, 0xFFFF)
    reader.uint(PAPER_RIDES, PAPER_RIDES)
    max_fare_rial = reader.uint()
    reader.literal(_VEHICLE_CLAIM, "claim -65538")
    vehicle = reader.text_or_null(VEHICLE_MAX_BYTES)
    reader.end()
    return PaperTicket(kid, expires_at_s, issued_at_s, cti, product, max_fare_rial, vehicle, raw)
