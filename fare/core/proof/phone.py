"""MC1, the phone's QR ticket: what the ledger signed for a phone, inside what the phone signed for one ride.

Read here once for bus and ledger. It never sees a private key of a phone, reads no clock, remembers no ticket
(see `fare.core.replay`) and never raises on what a scanner may deliver: `examine` answers with a value.

Bytes, all CBOR in its only accepted form; 236 to 253 bytes, at most 384 characters::

    text        = "MC1:" + base45(token)             external_aad = h'4d4331' ("MC1") at both levels
    token       = [ bstr .cbor {1: -7}, {}, bstr .cbor proof, bstr .size 64 ]           ; phone: ES256, r || s
    proof       = [ entitlement, ts: uint .size 4, ctr: 1..255, pax: 1..9, ? challenge: bstr .size 8 ]
    entitlement = [ bstr .cbor {1: -8, 4: kid bstr .size 1}, {}, bstr .cbor claims, bstr .size 64 ]
                                                                                        ; ledger: Ed25519
    claims      = { 4: exp, 6: iat, 7: cti bstr .size 8,
                    8: {1: {1: 2, -1: 1, -2: x bstr .size 32, -3: y is odd: bool}},
                    -65537: [product: 0..65535, max_taps: 1..255, max_fare_rial: uint .size 4] }

Each signature is over the COSE `Sig_structure` (RFC 9052 section 4.4) of its level. The algorithm is pinned
by the level and the key by `kid`: only these exact protected bytes are accepted, so no header chooses
anything. Times are unix seconds. A ticket is the ride (cti, ctr .. ctr + pax - 1), never its bytes: P-256
accepts both (r, s) and (r, n - s).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, NewType

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import (
    ECDSA,
    SECP256R1,
    EllipticCurvePublicKey,
)
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from fare.core import base45
from fare.core.signed import Signer
from fare.core.strict_cbor import (
    UINT32_MAX,
    NotStrictCbor,
    StrictReader,
    write_boolean,
    write_bytes,
    write_uint,
)

PREFIX: Final = "MC1:"
TEXT_MAX_CHARS: Final = 400
CLOCK_SKEW_S: Final = 30
"""How far the phone's clock may be from the validator's, and a proof's from the ledger's at issue."""
ENTITLEMENT_MAX_LIFE_S: Final = 72 * 3600
KID_BYTES, CTI_BYTES, COORDINATE_BYTES, CHALLENGE_BYTES, SIGNATURE_BYTES = 1, 8, 32, 8, 64

_AAD: Final = b"\x43MC1"
_SIGNATURE1: Final = b"\x84\x6aSignature1"
_PHONE_PROTECTED: Final = b"\xa1\x01\x26"  # {1: -7}
_ISSUER_PROTECTED: Final = b"\xa2\x01\x27\x04\x41"  # {1: -8, 4: kid}, the kid's one byte follows
_EMPTY_MAP: Final = b"\xa0"
_COSE_KEY_START: Final = b"\xa1\x01\xa4\x01\x02\x20\x01\x21"  # {1: {1: 2, -1: 1, -2:
_MANCARD_CLAIM: Final = b"\x3a\x00\x01\x00\x00"  # -65537
_PHONE_TBS_START: Final = _SIGNATURE1 + write_bytes(_PHONE_PROTECTED) + _AAD
_ES256: Final = ECDSA(SHA256())
_P256: Final = SECP256R1()


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
    TicketRefusal.NOT_YET_VALID: "This ticket is not valid yet: set your phone's clock, then try again.",
    TicketRefusal.EXPIRED: f"This ticket has expired: {_RELOAD}.",
    TicketRefusal.STALE: "This code is too old: show the live one; if that fails, set your phone's clock.",
    TicketRefusal.FROM_THE_FUTURE: "This code is ahead of time: set your phone's clock, then try again.",
    TicketRefusal.COUNTER_EXHAUSTED: f"No rides are left on this ticket: {_RELOAD}.",
    TicketRefusal.DENYLISTED: "This ticket was blocked: ask at a sales counter.",
    TicketRefusal.ALREADY_PAID: "This ride is already paid: press 'new ride' for another one.",
}


class MalformedTicket(ValueError):
    """The text or bytes are not an MC1 ticket. `reason` is one of the refusals that need no key."""

    def __init__(self, reason: TicketRefusal, detail: str) -> None:
        super().__init__(f"{reason}: {detail}")
        self.reason = reason


@dataclass(frozen=True, slots=True)
class EntitlementClaims:
    """What the ledger grants one phone key, before it is signed. Checked when it is encoded.

    Times in unix seconds; `cti` 8 random bytes; `public_x` 32 bytes, big-endian; `max_fare_rial` is the most
    one ride of one person may cost, and `max_taps` the rides that the ledger holds money for.
    """

    expires_at_s: int
    issued_at_s: int
    cti: bytes
    public_x: bytes
    public_y_odd: bool
    product: int
    max_taps: int
    max_fare_rial: int


@dataclass(frozen=True, slots=True)
class PhoneEntitlement:
    """An entitlement as read, its form checked but **not** its signature. `raw` is exactly its bytes."""

    kid: bytes
    expires_at_s: int
    issued_at_s: int
    cti: bytes
    public_x: bytes
    public_y_odd: bool
    product: int
    max_taps: int
    max_fare_rial: int
    raw: bytes


@dataclass(frozen=True, slots=True)
class PhoneTicket:
    """A ticket as read, its form checked but **not** its signatures. `raw` is the token, without base45."""

    entitlement: PhoneEntitlement
    ts_s: int
    ctr: int
    pax: int
    challenge: bytes | None
    raw: bytes

    @property
    def held_rial(self) -> int:
        """What the ledger holds money for: `max_fare_rial` for each person. More may not be charged."""
        return self.entitlement.max_fare_rial * self.pax


VerifiedTicket = NewType("VerifiedTicket", PhoneTicket)
"""A ticket whose two signatures were checked. Only this module makes one."""


# --- issuing ------------------------------------------------------------------------------------------------


def entitlement_to_sign(claims: EntitlementClaims, kid: bytes) -> bytes:
    """The bytes the channel key `kid` (1 byte) signs. `ValueError` names a claim out of its range."""
    return _issuer_tbs(kid, _encode_claims(claims))


def assemble_entitlement(claims: EntitlementClaims, kid: bytes, signature: bytes) -> bytes:
    """The entitlement's bytes, from a signature over `entitlement_to_sign` made elsewhere (in an HSM)."""
    _require(len(kid) == KID_BYTES, "kid must be one byte")
    _require(len(signature) == SIGNATURE_BYTES, "an Ed25519 signature has 64 bytes")
    protected = write_bytes(_ISSUER_PROTECTED + kid)
    return b"\x84" + protected + _EMPTY_MAP + write_bytes(_encode_claims(claims)) + write_bytes(signature)


def sign_entitlement(claims: EntitlementClaims, key: Signer, kid: bytes) -> bytes:
    """The signed entitlement, ready to be sent to the phone."""
    return assemble_entitlement(claims, kid, key.sign(entitlement_to_sign(claims, kid)))


def _encode_claims(claims: EntitlementClaims) -> bytes:
    _check_claims(claims)
    return b"".join(
        (
            b"\xa5\x04",
            write_uint(claims.expires_at_s),
            b"\x06",
            write_uint(claims.issued_at_s),
            b"\x07",
            write_bytes(claims.cti),
            b"\x08",
            _COSE_KEY_START,
            write_bytes(claims.public_x),
            b"\x22",
            write_boolean(claims.public_y_odd),
            _MANCARD_CLAIM,
            b"\x83",
            write_uint(claims.product),
            write_uint(claims.max_taps),
            write_uint(claims.max_fare_rial),
        )
    )


def _check_claims(claims: EntitlementClaims) -> None:
    life_s = claims.expires_at_s - claims.issued_at_s
    _require(claims.issued_at_s >= 0 and claims.expires_at_s <= UINT32_MAX, "times must fit 32 bits")
    _require(0 < life_s <= ENTITLEMENT_MAX_LIFE_S, "an entitlement lives more than 0 and at most 72 hours")
    _require(len(claims.cti) == CTI_BYTES, "cti must be 8 bytes")
    _require(len(claims.public_x) == COORDINATE_BYTES, "public_x must be 32 bytes")
    _require(0 <= claims.product <= 0xFFFF, "product must be 0 to 65535")
    _require(1 <= claims.max_taps <= 255, "max_taps must be 1 to 255")
    _require(0 <= claims.max_fare_rial <= UINT32_MAX, "max_fare_rial must be 0 to 4294967295")


def _require(holds: bool, sentence: str) -> None:
    if not holds:
        raise ValueError(sentence)


# --- the phone's side, for benches and for proving a key before it is enrolled ------------------------------


def encode_proof(
    entitlement: bytes, ts_s: int, ctr: int, pax: int = 1, challenge: bytes | None = None
) -> bytes:
    """The payload that the phone signs for one boarding; ranges as in the module's CDDL."""
    _require(0x1_0000 <= ts_s <= UINT32_MAX, "ts must be four bytes")
    _require(1 <= ctr <= 255 and 1 <= pax <= 9, "ctr must be 1 to 255 and pax 1 to 9")
    _require(challenge is None or len(challenge) == CHALLENGE_BYTES, "a challenge has 8 bytes")
    head = b"\x84" if challenge is None else b"\x85"
    tail = b"" if challenge is None else write_bytes(challenge)
    return head + entitlement + write_uint(ts_s) + write_uint(ctr) + write_uint(pax) + tail


def proof_to_sign(proof: bytes) -> bytes:
    """The bytes the phone's P-256 key signs with SHA-256."""
    return _PHONE_TBS_START + write_bytes(proof)


def encode_ticket(proof: bytes, signature: bytes) -> str:
    """The text of the QR code. `signature` is r || s, 64 bytes."""
    _require(len(signature) == SIGNATURE_BYTES, "a P-256 signature r || s has 64 bytes")
    token = b"\x84" + write_bytes(_PHONE_PROTECTED) + _EMPTY_MAP + write_bytes(proof) + write_bytes(signature)
    return PREFIX + base45.encode(token)


# --- reading ------------------------------------------------------------------------------------------------


def decode_ticket(text: str) -> PhoneTicket:
    """The ticket in `text`, form checked, signatures not. Raises `MalformedTicket`."""
    if len(text) > TEXT_MAX_CHARS:  # before anything looks at the characters: the text may be megabytes
        raise MalformedTicket(TicketRefusal.TOO_LONG, f"{len(text)} characters, at most {TEXT_MAX_CHARS}")
    if not text.startswith(PREFIX):
        raise MalformedTicket(TicketRefusal.NOT_A_TICKET, f"does not begin with {PREFIX}")
    try:
        token = base45.decode(text[len(PREFIX) :])
    except base45.NotBase45 as fault:
        raise MalformedTicket(TicketRefusal.MALFORMED, str(fault)) from None
    return decode_token(token)


def decode_token(token: bytes) -> PhoneTicket:
    """The ticket in `token`, the bytes inside the text. Raises `MalformedTicket`."""
    try:
        reader = StrictReader(token)
        protected, proof = _read_sign1(reader)
        reader.end()
        if protected != _PHONE_PROTECTED:
            raise MalformedTicket(TicketRefusal.WRONG_HEADER, "the phone's header is not {1: -7}")
        return _read_proof(proof, token)
    except NotStrictCbor as fault:
        raise MalformedTicket(TicketRefusal.MALFORMED, str(fault)) from None


def decode_entitlement(raw: bytes) -> PhoneEntitlement:
    """A stored entitlement, form checked, signature not. Raises `MalformedTicket`."""
    try:
        reader = StrictReader(raw)
        entitlement = _read_entitlement(reader, raw)
        reader.end()
    except NotStrictCbor as fault:
        raise MalformedTicket(TicketRefusal.MALFORMED, str(fault)) from None
    return entitlement


def _read_sign1(reader: StrictReader) -> tuple[bytes, bytes]:
    """Protected header and payload; the signature is taken from the raw bytes when it is needed."""
    if reader.array() != 4:
        raise NotStrictCbor("four items expected")
    protected = reader.byte_string()
    if reader.map() != 0:
        raise MalformedTicket(TicketRefusal.WRONG_HEADER, "the unprotected header is not empty")
    payload = reader.byte_string()
    reader.byte_string(SIGNATURE_BYTES)
    return protected, payload


def _read_proof(proof: bytes, token: bytes) -> PhoneTicket:
    reader = StrictReader(proof)
    items = reader.array()
    if items not in (4, 5):
        raise NotStrictCbor("four or five items expected")
    entitlement = _read_entitlement(reader, proof)
    ts_s = reader.uint(0x1_0000)  # four bytes on the wire, hence no smaller value in shortest form
    ctr = reader.uint(1, 255)
    pax = reader.uint(1, 9)
    challenge = reader.byte_string(CHALLENGE_BYTES) if items == 5 else None
    reader.end()
    return PhoneTicket(entitlement, ts_s, ctr, pax, challenge, token)


def _read_entitlement(reader: StrictReader, source: bytes) -> PhoneEntitlement:
    start = reader.position()
    protected, claims = _read_sign1(reader)
    raw = source[start : reader.position()]
    kid = protected[len(_ISSUER_PROTECTED) :]
    if not protected.startswith(_ISSUER_PROTECTED) or len(kid) != KID_BYTES:
        raise MalformedTicket(TicketRefusal.WRONG_HEADER, "the ledger's header is not {1: -8, 4: kid}")
    return _read_claims(StrictReader(claims), kid, raw)


def _read_claims(reader: StrictReader, kid: bytes, raw: bytes) -> PhoneEntitlement:
    reader.literal(b"\xa5\x04", "five claims, exp first")
    expires_at_s = reader.uint()
    reader.literal(b"\x06", "claim iat")
    issued_at_s = reader.uint()
    if not 0 < expires_at_s - issued_at_s <= ENTITLEMENT_MAX_LIFE_S:
        raise NotStrictCbor("a life of at most 72 hours expected")
    reader.literal(b"\x07", "claim cti")
    cti = reader.byte_string(CTI_BYTES)
    reader.literal(b"\x08" + _COSE_KEY_START, "claim cnf with a P-256 key")
    public_x = reader.byte_string(COORDINATE_BYTES)
    reader.literal(b"\x22", "the sign of y")
    public_y_odd = reader.boolean()
    reader.literal(_MANCARD_CLAIM + b"\x83", "claim -65537 with three items")
    product = reader.uint(0, 0xFFFF)
    max_taps = reader.uint(1, 255)
    max_fare_rial = reader.uint()
    reader.end()
    return PhoneEntitlement(
        kid, expires_at_s, issued_at_s, cti, public_x, public_y_odd, product, max_taps, max_fare_rial, raw
    )


# --- deciding -----------------------------------------------------------------------------------------------


def check_signatures(
    ticket: PhoneTicket, channel_keys: Mapping[bytes, Ed25519PublicKey]
) -> VerifiedTicket | TicketRefusal:
    """The ledger's signature by `kid`, then the phone's by the key that the ledger signed."""
    entitlement = ticket.entitlement
    issuer = channel_keys.get(entitlement.kid)
    if issuer is None:
        return TicketRefusal.UNKNOWN_KEY
    claims, signature = _payload_and_signature(entitlement.raw, len(_ISSUER_PROTECTED) + KID_BYTES)
    try:
        issuer.verify(signature, _issuer_tbs(entitlement.kid, claims))
    except InvalidSignature:
        return TicketRefusal.BAD_ISSUER_SIGNATURE
    proof, signature = _payload_and_signature(ticket.raw, len(_PHONE_PROTECTED))
    half = SIGNATURE_BYTES // 2
    r, s = int.from_bytes(signature[:half]), int.from_bytes(signature[half:])
    point = (b"\x03" if entitlement.public_y_odd else b"\x02") + entitlement.public_x
    try:
        phone = EllipticCurvePublicKey.from_encoded_point(_P256, point)
        phone.verify(encode_dss_signature(r, s), proof_to_sign(proof), _ES256)
    except (InvalidSignature, ValueError):
        # ValueError: x belongs to no point of the curve, so nobody can sign for it.
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
    verified = _verify_text(text, channel_keys)
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
    verified = _verify_text(text, channel_keys)
    if isinstance(verified, TicketRefusal):
        return verified
    return check_window(verified) or check_counter(verified) or verified


def _verify_text(
    text: object, channel_keys: Mapping[bytes, Ed25519PublicKey]
) -> VerifiedTicket | TicketRefusal:
    if not isinstance(text, str):
        return TicketRefusal.NOT_A_TICKET
    try:
        ticket = decode_ticket(text)
    except MalformedTicket as fault:
        return fault.reason
    return check_signatures(ticket, channel_keys)


def _payload_and_signature(sign1: bytes, protected_size: int) -> tuple[bytes, bytes]:
    """Payload and signature of a COSE_Sign1 that `_read_sign1` accepted, so its layout is known."""
    # 84, 40+n, protected, a0, payload, 58 40, signature; a payload of 24 to 255 bytes has a head of two.
    payload_at = 3 + protected_size + 2
    return sign1[payload_at : -SIGNATURE_BYTES - 2], sign1[-SIGNATURE_BYTES:]


def _issuer_tbs(kid: bytes, claims: bytes) -> bytes:
    _require(len(kid) == KID_BYTES, "kid must be one byte")
    return _SIGNATURE1 + write_bytes(_ISSUER_PROTECTED + kid) + _AAD + write_bytes(claims)
