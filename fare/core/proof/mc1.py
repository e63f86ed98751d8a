"""MC1, the phone's QR ticket: what the ledger signed for a phone, inside what the phone signed for one ride.

The bytes, read and written in one place for bus, ledger and tests. It verifies nothing (see
`fare.core.proof.phone`), reads no clock and never sees a private key of a phone.

All CBOR in its only accepted form; 236 to 253 bytes, at most 384 characters::

    text        = "MC1:" + base45(token)             external_aad = h'4d4331' ("MC1") at both levels
    token       = [ bstr .cbor {1: -7}, {}, bstr .cbor proof, bstr .size 64 ]           ; phone: ES256, r || s
    proof       = [ entitlement, ts: uint .size 4, ctr: 1..255, pax: 1..9, ? challenge: bstr .size 8 ]
    entitlement = [ bstr .cbor {1: -8, 4: kid bstr .size 1}, {}, bstr .cbor claims, bstr .size 64 ]
                                                                                        ; ledger: Ed25519
    claims      = { 4: exp, 6: iat, 7: cti bstr .size 8,
                    8: {1: {1: 2, -1: 1, -2: x bstr .size 32, -3: y is odd: bool}},
                    -65537: [product: 0..65535, max_taps: 1..255, max_fare_rial: uint .size 4] }

The algorithm is pinned by the level and the key by `kid`: only these exact protected bytes are accepted, so
no header chooses anything. Times are unix seconds. A ticket is the ride (cti, ctr .. ctr + pax - 1), never
its bytes: P-256 accepts both (r, s) and (r, n - s).
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, NamedTuple

from fare.core.proof import mc1_pattern
from fare.core.proof.issued import (
    ENTITLEMENT_MAX_LIFE_S,
    MANCARD_CLAIM,
    SIGNATURE_BYTES,
    check_terms,
    issuer_to_sign,
    read_common_claims,
    read_issued,
    read_sign1,
    require,
    signed_and_signature,
    text_of,
    to_be_signed_start,
    token_of,
    write_common_claims,
    write_issued,
    write_sign1,
)
from fare.core.proof.mc1_pattern import matched_uint
from fare.core.proof.p256 import COORDINATE_BYTES
from fare.core.proof.refusal import MalformedTicket, TicketRefusal
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
AAD: Final = b"MC1"
CHALLENGE_BYTES: Final = 8

_PHONE_PROTECTED: Final = b"\xa1\x01\x26"  # {1: -7}
_COSE_KEY_START: Final = b"\xa1\x01\xa4\x01\x02\x20\x01\x21"  # {1: {1: 2, -1: 1, -2:
_PHONE_TBS_START: Final = to_be_signed_start(_PHONE_PROTECTED, AAD)
_AROUND_PROOF_BYTES: Final = 8 + 2 + SIGNATURE_BYTES
_AROUND_CLAIMS_BYTES: Final = 11 + 2 + SIGNATURE_BYTES
_FOUR_ITEMS: Final = b"\x84"
_TRUE: Final = b"\xf5"


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


# Named tuples: each scanned frame makes both, and a frozen dataclass takes ten times as long to make.
class PhoneEntitlement(NamedTuple):
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


class PhoneTicket(NamedTuple):
    """A ticket as read, its form checked but **not** its signatures. `raw` is the token, without base45."""

    entitlement: PhoneEntitlement
    ts_s: int
    ctr: int
    pax: int
    challenge: bytes | None
    raw: bytes

    @property
    def kid(self) -> bytes:
        """Which channel key signed the entitlement: one byte."""
        return self.entitlement.kid

    @property
    def cti(self) -> bytes:
        """The entitlement's alias: 8 bytes."""
        return self.entitlement.cti

    @property
    def expires_at_s(self) -> int:
        """Unix seconds: the last one in which the phone may sign."""
        return self.entitlement.expires_at_s

    @property
    def max_taps(self) -> int:
        """The rides that the ledger holds money for."""
        return self.entitlement.max_taps

    @property
    def held_rial(self) -> int:
        """What the ledger holds money for: `max_fare_rial` for each person. More may not be charged."""
        return self.entitlement.max_fare_rial * self.pax


# --- issuing ------------------------------------------------------------------------------------------------


def entitlement_to_sign(claims: EntitlementClaims, kid: bytes) -> bytes:
    """The bytes the channel key `kid` (1 byte) signs. `ValueError` names a claim out of its range."""
    return issuer_to_sign(kid, AAD, _encode_claims(claims))


def assemble_entitlement(claims: EntitlementClaims, kid: bytes, signature: bytes) -> bytes:
    """The entitlement's bytes, from a signature over `entitlement_to_sign` made elsewhere (in an HSM)."""
    return write_issued(kid, _encode_claims(claims), signature)


def sign_entitlement(claims: EntitlementClaims, key: Signer, kid: bytes) -> bytes:
    """The signed entitlement, ready to be sent to the phone."""
    return assemble_entitlement(claims, kid, key.sign(entitlement_to_sign(claims, kid)))


def _encode_claims(claims: EntitlementClaims) -> bytes:
    check_terms(
        claims.issued_at_s,
        claims.expires_at_s,
        claims.cti,
        claims.product,
        claims.max_taps,
        claims.max_fare_rial,
    )
    require(len(claims.public_x) == COORDINATE_BYTES, "public_x must be 32 bytes")
    return b"".join(
        (
            write_common_claims(claims.expires_at_s, claims.issued_at_s, claims.cti),
            b"\x08",
            _COSE_KEY_START,
            write_bytes(claims.public_x),
            b"\x22",
            write_boolean(claims.public_y_odd),
            MANCARD_CLAIM,
            b"\x83",
            write_uint(claims.product),
            write_uint(claims.max_taps),
            write_uint(claims.max_fare_rial),
        )
    )


# --- the phone's side, for benches and for proving a key before it is enrolled ------------------------------


def encode_proof(
    entitlement: bytes, ts_s: int, ctr: int, pax: int = 1, challenge: bytes | None = None
) -> bytes:
    """The payload that the phone signs for one boarding; ranges as in the module's CDDL."""
    require(0x1_0000 <= ts_s <= UINT32_MAX, "ts must be four bytes")
    require(1 <= ctr <= 255 and 1 <= pax <= 9, "ctr must be 1 to 255 and pax 1 to 9")
    require(challenge is None or len(challenge) == CHALLENGE_BYTES, "a challenge has 8 bytes")
    head = b"\x84" if challenge is None else b"\x85"
    tail = b"" if challenge is None else write_bytes(challenge)
    return head + entitlement + write_uint(ts_s) + write_uint(ctr) + write_uint(pax) + tail


def proof_to_sign(proof: bytes) -> bytes:
    """The bytes the phone's P-256 key signs with SHA-256."""
    return _PHONE_TBS_START + write_bytes(proof)


def encode_ticket(proof: bytes, signature: bytes) -> str:
    """The text of the QR code. `signature` is r || s, 64 bytes."""
    require(len(signature) == SIGNATURE_BYTES, "a P-256 signature r || s has 64 bytes")
    return text_of(PREFIX, write_sign1(_PHONE_PROTECTED, proof, signature))


# --- reading ------------------------------------------------------------------------------------------------


def decode_ticket(text: str) -> PhoneTicket:
    """The ticket in `text`, form checked, signatures not. Raises `MalformedTicket`."""
    return decode_token(token_of(PREFIX, text))


def decode_token(token: bytes) -> PhoneTicket:
    """The ticket in `token`, the bytes inside the text. Raises `MalformedTicket`."""
    return matched(token) or read_token(token)


def matched(token: bytes) -> PhoneTicket | None:
    """What `read_token` answers, sooner; None leaves it to that, also where it would not refuse."""
    found = mc1_pattern.TOKEN.fullmatch(token)
    if found is None:
        return None
    proof_size, head, raw, kid, claims_size, exp, iat, cti, public_x, y, product, *others = found.groups()
    max_taps, max_fare, ts, ctr, pax, challenge = others
    expires_at_s, issued_at_s = int.from_bytes(exp), int.from_bytes(iat)
    if (
        proof_size[0] != len(token) - _AROUND_PROOF_BYTES
        or claims_size[0] != len(raw) - _AROUND_CLAIMS_BYTES
        or (head == _FOUR_ITEMS) is not (challenge is None)
        or not 0 < expires_at_s - issued_at_s <= ENTITLEMENT_MAX_LIFE_S
    ):
        return None
    entitlement = PhoneEntitlement(
        kid,
        expires_at_s,
        issued_at_s,
        cti,
        public_x,
        y == _TRUE,
        matched_uint(product),
        matched_uint(max_taps),
        matched_uint(max_fare),
        raw,
    )
    return PhoneTicket(entitlement, int.from_bytes(ts), matched_uint(ctr), pax[0], challenge, token)


def read_token(token: bytes) -> PhoneTicket:
    """The definition of what `decode_token` accepts, item by item; it names what is wrong."""
    try:
        reader = StrictReader(token)
        protected, proof = read_sign1(reader)
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
        entitlement = _read_claims(*read_issued(reader, raw))
        reader.end()
    except NotStrictCbor as fault:
        raise MalformedTicket(TicketRefusal.MALFORMED, str(fault)) from None
    return entitlement


def phone_signed_and_signature(token: bytes) -> tuple[bytes, bytes]:
    """What the phone signed, and r || s, of a token that `decode_token` accepted."""
    return signed_and_signature(token, _PHONE_PROTECTED, AAD)


def _read_proof(proof: bytes, token: bytes) -> PhoneTicket:
    reader = StrictReader(proof)
    items = reader.array()
    if items not in (4, 5):
        raise NotStrictCbor("four or five items expected")
    entitlement = _read_claims(*read_issued(reader, proof))
    ts_s = reader.uint(0x1_0000)  # four bytes on the wire, hence no smaller value in shortest form
    ctr = reader.uint(1, 255)
    pax = reader.uint(1, 9)
    challenge = reader.byte_string(CHALLENGE_BYTES) if items == 5 else None
    reader.end()
    return PhoneTicket(entitlement, ts_s, ctr, pax, challenge, token)


def _read_claims(kid: bytes, claims: bytes, raw: bytes) -> PhoneEntitlement:
    reader = StrictReader(claims)
    expires_at_s, issued_at_s, cti = read_common_claims(reader)
    reader.literal(b"\x08" + _COSE_KEY_START, "claim cnf with a P-256 key")
    public_x = reader.byte_string(COORDINATE_BYTES)
    reader.literal(b"\x22", "the sign of y")
    public_y_odd = reader.boolean()
    reader.literal(MANCARD_CLAIM + b"\x83", "claim -65537 with three items")
    product = reader.uint(0, 0xFFFF)
    max_taps = reader.uint(1, 255)
    max_fare_rial = reader.uint()
    reader.end()
    return PhoneEntitlement(
        kid, expires_at_s, issued_at_s, cti, public_x, public_y_odd, product, max_taps, max_fare_rial, raw
    )
