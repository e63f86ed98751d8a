"""What every QR ticket has in common: its text, COSE_Sign1 in its one accepted form, the ledger's signature.

    text   = prefix + base45(token)                                  ; at most 400 characters
    sign1  = [ bstr protected, {}, bstr payload, bstr .size 64 ]     ; RFC 9052 section 4.2, no tag
    issued = sign1 with protected {1: -8, 4: kid bstr .size 1}       ; the ledger's Ed25519

Each signature is over the `Sig_structure` of RFC 9052 section 4.4, whose external_aad names the kind of
ticket: a signature made for one kind never passes as another's. Of the claims only what every kind begins
with is read here, and no key is chosen except by `kid` among those that are given.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core import base45
from fare.core.proof.refusal import MalformedTicket, TicketRefusal
from fare.core.strict_cbor import UINT32_MAX, NotStrictCbor, StrictReader, write_bytes, write_uint

TEXT_MAX_CHARS: Final = 400
CLOCK_SKEW_S: Final = 30
"""How far the phone's clock may be from the validator's, and a proof's from the ledger's at issue."""
ENTITLEMENT_MAX_LIFE_S: Final = 72 * 3600
KID_BYTES, CTI_BYTES, SIGNATURE_BYTES = 1, 8, 64
MANCARD_CLAIM: Final = b"\x3a\x00\x01\x00\x00"  # key -65537: [product, max_taps, max_fare_rial]
_CLAIMS_HEAD: Final = b"\xa5\x04"  # a map of five, claim exp first

_SIGNATURE1: Final = b"\x84\x6aSignature1"
_ISSUER_PROTECTED: Final = b"\xa2\x01\x27\x04\x41"  # {1: -8, 4: kid}, the kid's one byte follows
_EMPTY_MAP: Final = b"\xa0"


def require(holds: bool, sentence: str) -> None:
    """`ValueError` with this sentence unless it holds: for what is about to be signed."""
    if not holds:
        raise ValueError(sentence)


def check_terms(
    issued_at_s: int, expires_at_s: int, cti: bytes, product: int, max_taps: int, max_fare_rial: int
) -> None:
    """The ranges that every kind of entitlement keeps. `ValueError` names what is out of its range."""
    require(issued_at_s >= 0 and expires_at_s <= UINT32_MAX, "times must fit 32 bits")
    life_s = expires_at_s - issued_at_s
    require(0 < life_s <= ENTITLEMENT_MAX_LIFE_S, "an entitlement lives more than 0 and at most 72 hours")
    require(len(cti) == CTI_BYTES, "cti must be 8 bytes")
    require(0 <= product <= 0xFFFF, "product must be 0 to 65535")
    require(1 <= max_taps <= 255, "max_taps must be 1 to 255")
    require(0 <= max_fare_rial <= UINT32_MAX, "max_fare_rial must be 0 to 4294967295")


def write_common_claims(expires_at_s: int, issued_at_s: int, cti: bytes) -> bytes:
    """The head of every kind's five claims and the first three of them: exp, iat, cti."""
    life = _CLAIMS_HEAD + write_uint(expires_at_s) + b"\x06" + write_uint(issued_at_s)
    return life + b"\x07" + write_bytes(cti)


def read_common_claims(reader: StrictReader) -> tuple[int, int, bytes]:
    """The same as read: exp and iat in unix seconds, a life that is allowed, cti. Raises `NotStrictCbor`."""
    reader.literal(_CLAIMS_HEAD, "five claims, exp first")
    expires_at_s = reader.uint()
    reader.literal(b"\x06", "claim iat")
    issued_at_s = reader.uint()
    if not 0 < expires_at_s - issued_at_s <= ENTITLEMENT_MAX_LIFE_S:
        raise NotStrictCbor("a life of at most 72 hours expected")
    reader.literal(b"\x07", "claim cti")
    return expires_at_s, issued_at_s, reader.byte_string(CTI_BYTES)


# --- texts --------------------------------------------------------------------------------------------------


def text_of(prefix: str, token: bytes) -> str:
    """The text of the QR code."""
    return prefix + base45.encode(token)


def token_of(prefix: str, text: str) -> bytes:
    """The token in `text`. Raises `MalformedTicket`."""
    if len(text) > TEXT_MAX_CHARS:  # before anything looks at the characters: the text may be megabytes
        raise MalformedTicket(TicketRefusal.TOO_LONG, f"{len(text)} characters, at most {TEXT_MAX_CHARS}")
    if not text.startswith(prefix):
        raise MalformedTicket(TicketRefusal.NOT_A_TICKET, f"does not begin with {prefix}")
    try:
        return base45.decode(text[len(prefix) :])
    except base45.NotBase45 as fault:
        raise MalformedTicket(TicketRefusal.MALFORMED, str(fault)) from None


# --- COSE_Sign1 ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=64)
def to_be_signed_start(protected: bytes, aad: bytes) -> bytes:
    """The `Sig_structure` up to its last item, the payload as a byte string."""
    return _SIGNATURE1 + write_bytes(protected) + write_bytes(aad)


def write_sign1(protected: bytes, payload: bytes, signature: bytes) -> bytes:
    """The four items in their one accepted form."""
    return b"\x84" + write_bytes(protected) + _EMPTY_MAP + write_bytes(payload) + write_bytes(signature)


def read_sign1(reader: StrictReader) -> tuple[bytes, bytes]:
    """Protected header and payload; the signature is taken from the raw bytes when it is needed."""
    if reader.array() != 4:
        raise NotStrictCbor("four items expected")
    protected = reader.byte_string()
    if reader.map() != 0:
        raise MalformedTicket(TicketRefusal.WRONG_HEADER, "the unprotected header is not empty")
    payload = reader.byte_string()
    reader.byte_string(SIGNATURE_BYTES)
    return protected, payload


def signed_and_signature(sign1: bytes, protected: bytes, aad: bytes) -> tuple[bytes, bytes]:
    """What was signed, and the signature, of bytes that `read_sign1` accepted, so their layout is known."""
    # 84, 40+n, protected, a0, payload, 58 40, signature: the payload stands in both with the same head.
    payload = sign1[3 + len(protected) : -SIGNATURE_BYTES - 2]
    return to_be_signed_start(protected, aad) + payload, sign1[-SIGNATURE_BYTES:]


# --- the ledger's level -------------------------------------------------------------------------------------


def issuer_to_sign(kid: bytes, aad: bytes, claims: bytes) -> bytes:
    """The bytes that the channel key `kid` (1 byte) signs."""
    require(len(kid) == KID_BYTES, "kid must be one byte")
    return to_be_signed_start(_ISSUER_PROTECTED + kid, aad) + write_bytes(claims)


def write_issued(kid: bytes, claims: bytes, signature: bytes) -> bytes:
    """The entitlement's bytes, from a signature over `issuer_to_sign`."""
    require(len(kid) == KID_BYTES, "kid must be one byte")
    require(len(signature) == SIGNATURE_BYTES, "an Ed25519 signature has 64 bytes")
    return write_sign1(_ISSUER_PROTECTED + kid, claims, signature)


def read_issued(reader: StrictReader, source: bytes) -> tuple[bytes, bytes, bytes]:
    """Kid, claims and the entitlement's own bytes, which `reader` reads in `source`; nothing is verified."""
    start = reader.position()
    protected, claims = read_sign1(reader)
    raw = source[start : reader.position()]
    kid = protected[len(_ISSUER_PROTECTED) :]
    if not protected.startswith(_ISSUER_PROTECTED) or len(kid) != KID_BYTES:
        raise MalformedTicket(TicketRefusal.WRONG_HEADER, "the ledger's header is not {1: -8, 4: kid}")
    return kid, claims, raw


def check_issuer(
    raw: bytes, kid: bytes, aad: bytes, channel_keys: Mapping[bytes, Ed25519PublicKey]
) -> TicketRefusal | None:
    """The ledger's signature of an entitlement that `read_issued` accepted, by the one key its kid names."""
    issuer = channel_keys.get(kid)
    if issuer is None:
        return TicketRefusal.UNKNOWN_KEY
    signed, signature = signed_and_signature(raw, _ISSUER_PROTECTED + kid, aad)
    try:
        issuer.verify(signature, signed)
    except InvalidSignature:
        return TicketRefusal.BAD_ISSUER_SIGNATURE
    return None
