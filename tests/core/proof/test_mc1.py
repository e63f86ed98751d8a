from __future__ import annotations

import base64
import dataclasses
from datetime import datetime
from typing import Any

import cbor2
import pytest
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from fare.core.proof import mc1
from fare.core.proof.mc1 import EntitlementClaims, PhoneTicket
from fare.core.proof.refusal import MalformedTicket, TicketRefusal
from fare.core.strict_cbor import write_bytes
from tests.core.proof.deciding import CLAIMS, TOKEN, examine, expect_fields
from tests.core.proof.mc1_oracle import (
    GOLDEN,
    ISSUER,
    KID,
    NOW_S,
    PHONE,
    VECTORS,
    Ticket,
    as_text,
    phone_signature,
    sig_structure,
)

ENTITLEMENT = bytes.fromhex(GOLDEN["entitlement_hex"])


# --- golden bytes, both directions --------------------------------------------------------------------------


def test_the_golden_ticket_is_accepted_with_its_meaning() -> None:
    ticket = expect_fields(examine(GOLDEN["text"]))
    assert (ticket.ts_s, ticket.ctr, ticket.pax, ticket.challenge) == (1790003600, 7, 1, None)
    assert ticket.raw == TOKEN
    entitlement = ticket.entitlement
    assert entitlement.raw.hex() == GOLDEN["entitlement_hex"]
    assert entitlement.kid == KID
    stated = {field.name: getattr(entitlement, field.name) for field in dataclasses.fields(CLAIMS)}
    assert stated == dataclasses.asdict(CLAIMS)
    assert mc1.decode_entitlement(entitlement.raw) == entitlement
    assert mc1.decode_token(TOKEN) == ticket


def test_the_golden_ticket_is_written_byte_for_byte() -> None:
    entitlement = mc1.sign_entitlement(CLAIMS, ISSUER, KID)
    assert entitlement.hex() == GOLDEN["entitlement_hex"]
    proof = mc1.encode_proof(entitlement, NOW_S, 7)
    text = mc1.encode_ticket(proof, phone_signature(PHONE, mc1.proof_to_sign(proof)))
    assert text == GOLDEN["text"]
    assert len(text) == GOLDEN["text_chars"]


def test_the_independent_builder_makes_the_golden_ticket() -> None:
    assert Ticket().text() == GOLDEN["text"]


def test_a_signature_made_elsewhere_fits() -> None:
    signature = ISSUER.sign(mc1.entitlement_to_sign(CLAIMS, KID))
    assert mc1.assemble_entitlement(CLAIMS, KID, signature).hex() == GOLDEN["entitlement_hex"]


# --- oracles ------------------------------------------------------------------------------------------------


def cose_key(vector: dict[str, Any]) -> ec.EllipticCurvePublicKey | Ed25519PublicKey:
    def coordinate(name: str) -> bytes:
        if f"{name}_hex" in vector["key"]:
            return bytes.fromhex(vector["key"][f"{name}_hex"])
        text: str = vector["key"][name]
        return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

    if vector["key"]["kty"] == "OKP":
        return Ed25519PublicKey.from_public_bytes(coordinate("x"))
    point = b"\x04" + coordinate("x") + coordinate("y")
    return ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


SIGN1 = [vector for vector in VECTORS["cose_sign1"]["vectors"] if vector["expect"] == "accept"]


@pytest.mark.parametrize("vector", SIGN1, ids=lambda vector: vector["title"])
def test_the_signed_structure_of_published_examples(vector: dict[str, Any]) -> None:
    protected, _, payload, signature = cbor2.loads(bytes.fromhex(vector["cose"]).removeprefix(b"\xd2"))
    aad = bytes.fromhex(vector["external_aad"])
    if protected == b"\xa0":
        protected = b""  # RFC 9052 section 4.4: an empty map is signed as an empty string
    signed = b"\x84\x6aSignature1" + write_bytes(protected) + write_bytes(aad) + write_bytes(payload)
    assert signed == bytes.fromhex(vector["tbs"]) == sig_structure(protected, payload, aad)
    key = cose_key(vector)
    for message, holds in ((signed, True), (signed[:-1] + bytes((signed[-1] ^ 1,)), False)):
        assert signature_holds(key, signature, message) is holds


def signature_holds(
    key: ec.EllipticCurvePublicKey | Ed25519PublicKey, signature: bytes, message: bytes
) -> bool:
    try:
        if isinstance(key, Ed25519PublicKey):
            key.verify(signature, message)
        else:
            halves = int.from_bytes(signature[:32]), int.from_bytes(signature[32:])
            key.verify(encode_dss_signature(*halves), message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


@pytest.mark.parametrize("vector", VECTORS["cose_sign1"]["vectors"], ids=lambda vector: vector["title"])
def test_general_cose_is_no_ticket(vector: dict[str, Any]) -> None:
    with pytest.raises(MalformedTicket):
        mc1.decode_token(bytes.fromhex(vector["cose"]))


@pytest.mark.parametrize("vector", VECTORS["ed25519"]["vectors"], ids=lambda vector: vector["msg"] or "empty")
def test_rfc_8032_keys_sign_entitlements(vector: dict[str, str]) -> None:
    secret = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(vector["sk"]))
    assert secret.public_key().public_bytes_raw().hex() == vector["pk"]
    assert secret.sign(bytes.fromhex(vector["msg"])).hex() == vector["sig"]
    ticket = Ticket(issuer_key=secret)
    assert isinstance(examine(ticket.text(), keys={KID: secret.public_key()}), PhoneTicket)
    assert examine(ticket.text()) is TicketRefusal.BAD_ISSUER_SIGNATURE


# --- form ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", TicketRefusal.NOT_A_TICKET),
        ("hello", TicketRefusal.NOT_A_TICKET),
        ("mc1:" + GOLDEN["text"][4:], TicketRefusal.NOT_A_TICKET),
        (" " + GOLDEN["text"], TicketRefusal.NOT_A_TICKET),
        ("MP1:" + GOLDEN["text"][4:], TicketRefusal.NOT_A_TICKET),
        ("MC1:", TicketRefusal.MALFORMED),
        (GOLDEN["text"] + " ", TicketRefusal.MALFORMED),
        (GOLDEN["text"] + "\n", TicketRefusal.MALFORMED),
        ("MC1:🚌🚌🚌", TicketRefusal.MALFORMED),
        ("🚌" * 100, TicketRefusal.NOT_A_TICKET),
        ("MC1:\ud800\udfff", TicketRefusal.MALFORMED),
        ("MC1:" + "0" * 396, TicketRefusal.MALFORMED),
        ("MC1:" + "0" * 397, TicketRefusal.TOO_LONG),
        ("x" * 401, TicketRefusal.TOO_LONG),
        ("🚌" * 10_000_000, TicketRefusal.TOO_LONG),
        (None, TicketRefusal.NOT_A_TICKET),
        (GOLDEN["text"].encode(), TicketRefusal.NOT_A_TICKET),
        (bytearray(b"MC1:"), TicketRefusal.NOT_A_TICKET),
        (memoryview(b"MC1:"), TicketRefusal.NOT_A_TICKET),
        (7, TicketRefusal.NOT_A_TICKET),
    ],
    ids=lambda value: value if isinstance(value, TicketRefusal) else "text",
)
def test_whatever_a_scanner_delivers_is_answered(text: object, reason: TicketRefusal) -> None:
    assert examine(text) is reason


@given(st.one_of(st.text(max_size=450), st.binary(max_size=300), st.text(max_size=396).map("MC1:".__add__)))
def test_nothing_scanned_raises(text: object) -> None:
    assert isinstance(examine(text), TicketRefusal)


@given(st.binary(max_size=300))
def test_no_garbage_token_raises(token: bytes) -> None:
    assert isinstance(examine(as_text(token)), TicketRefusal)
    with pytest.raises(MalformedTicket):
        mc1.decode_token(token)


# Properly signed by both keys, and the same ticket to a general decoder: only strictness refuses them.
LOOSE: dict[str, tuple[bytes, TicketRefusal]] = {
    "outer tag 18": (b"\xd2" + TOKEN, TicketRefusal.MALFORMED),
    "self-described CBOR": (b"\xd9\xd9\xf7" + TOKEN, TicketRefusal.MALFORMED),
    "array head in two bytes": (b"\x98\x04" + TOKEN[1:], TicketRefusal.MALFORMED),
    "outer indefinite array": (b"\x9f" + TOKEN[1:] + b"\xff", TicketRefusal.MALFORMED),
    "protected with a long head": (TOKEN[:1] + b"\x58\x03" + TOKEN[2:], TicketRefusal.MALFORMED),
    "payload with a long head": (TOKEN.replace(b"\x58\xa5", b"\x59\x00\xa5", 1), TicketRefusal.MALFORMED),
    "signature with a long head": (TOKEN[:-66] + b"\x59\x00\x40" + TOKEN[-64:], TicketRefusal.MALFORMED),
    "indefinite signature": (TOKEN[:-66] + b"\x5f\x58\x40" + TOKEN[-64:] + b"\xff", TicketRefusal.MALFORMED),
    "unprotected indefinite map": (TOKEN[:5] + b"\xbf\xff" + TOKEN[6:], TicketRefusal.MALFORMED),
    "unprotected map head in two bytes": (TOKEN[:5] + b"\xb8\x00" + TOKEN[6:], TicketRefusal.MALFORMED),
}


@pytest.mark.parametrize("name", LOOSE)
def test_a_general_decoder_accepts_what_is_refused_here(name: str) -> None:
    token, reason = LOOSE[name]
    loose = cbor2.loads(token)
    assert (loose.value if isinstance(loose, cbor2.CBORTag) else loose) == cbor2.loads(TOKEN)
    assert examine(as_text(token)) is reason


PROOF_TAIL = cbor2.dumps(NOW_S) + b"\x07\x01"
LOOSE_PROOFS: dict[str, bytes] = {
    "ctr in two bytes": b"\x84" + ENTITLEMENT + PROOF_TAIL[:5] + b"\x18\x07\x01",
    "pax in two bytes": b"\x84" + ENTITLEMENT + PROOF_TAIL[:6] + b"\x18\x01",
    "ts in eight bytes": b"\x84" + ENTITLEMENT + b"\x1b" + NOW_S.to_bytes(8) + b"\x07\x01",
    "ts as a tagged time": b"\x84" + ENTITLEMENT + b"\xc1" + PROOF_TAIL,
    "indefinite proof": b"\x9f" + ENTITLEMENT + PROOF_TAIL + b"\xff",
    "trailing byte in the proof": b"\x84" + ENTITLEMENT + PROOF_TAIL + b"\x00",
    "tagged entitlement": b"\x84\xd2" + ENTITLEMENT + PROOF_TAIL,
}


def at_s_of(part: Any) -> Any:
    """What a general decoder made of a tagged part: a time, or a COSE message."""
    if isinstance(part, datetime):
        return int(part.timestamp())
    return part.value if isinstance(part, cbor2.CBORTag) else part


@pytest.mark.parametrize("name", LOOSE_PROOFS)
def test_loose_proofs_are_refused_although_the_phone_signed_them(name: str) -> None:
    loose, strict = cbor2.loads(LOOSE_PROOFS[name]), cbor2.loads(b"\x84" + ENTITLEMENT + PROOF_TAIL)
    assert [at_s_of(part) for part in loose] == strict, "a general decoder reads the same"
    assert examine(as_text(Ticket().seal(LOOSE_PROOFS[name]))) is TicketRefusal.MALFORMED


CLAIM_BYTES = cbor2.loads(ENTITLEMENT)[2]
CNF = {1: {1: 2, -1: 1, -2: CLAIMS.public_x, -3: False}}
WHOLE = {4: CLAIMS.expires_at_s, 6: CLAIMS.issued_at_s, 7: CLAIMS.cti, 8: CNF, -65537: [3, 40, 400]}
LOOSE_CLAIMS: dict[str, bytes] = {
    "another order": cbor2.dumps(dict(reversed(WHOLE.items()))),
    "a claim more": cbor2.dumps(WHOLE | {1: "iss"}),
    "a claim less": cbor2.dumps({key: value for key, value in WHOLE.items() if key != 7}),
    "a duplicate claim": b"\xa6\x04\x00" + CLAIM_BYTES[1:],
    "exp in eight bytes": CLAIM_BYTES.replace(b"\x04\x1a", b"\x04\x1b\x00\x00\x00\x00", 1),
    "an indefinite cti": CLAIM_BYTES.replace(b"\x48" + CLAIMS.cti, b"\x5f\x48" + CLAIMS.cti + b"\xff"),
    "a claim's number in two bytes": CLAIM_BYTES.replace(b"\xa5\x04", b"\xa5\x18\x04", 1),
    "a key of another type": cbor2.dumps(WHOLE | {8: {1: {1: 1, -1: 6, -2: CLAIMS.public_x, -3: False}}}),
    "an uncompressed key": cbor2.dumps(WHOLE | {8: {1: {1: 2, -1: 1, -2: CLAIMS.public_x, -3: bytes(32)}}}),
    "a short x": cbor2.dumps(WHOLE | {8: {1: {1: 2, -1: 1, -2: CLAIMS.public_x[1:], -3: False}}}),
    "exp as a float": cbor2.dumps(WHOLE | {4: float(CLAIMS.expires_at_s)}),
    "exp beyond 32 bits": cbor2.dumps(WHOLE | {4: 2**32}),
    "a negative iat": cbor2.dumps(WHOLE | {6: -1}),
    "four limits": cbor2.dumps(WHOLE | {-65537: [3, 40, 400, 0]}),
    "two limits": cbor2.dumps(WHOLE | {-65537: [3, 40]}),
    "a trailing byte": CLAIM_BYTES + b"\x00",
    "an indefinite map": b"\xbf" + CLAIM_BYTES[1:] + b"\xff",
}


SAME_CLAIMS = {
    "another order",
    "a duplicate claim",
    "exp as a float",
    "exp in eight bytes",
    "a trailing byte",
    "an indefinite map",
    "an indefinite cti",
    "a claim's number in two bytes",
}


@pytest.mark.parametrize("name", LOOSE_CLAIMS)
def test_loose_claims_are_refused_although_both_signed_them(name: str) -> None:
    loose = cbor2.loads(LOOSE_CLAIMS[name])
    assert isinstance(loose, dict)
    if name in SAME_CLAIMS:
        assert loose == WHOLE, "a general decoder reads the same claims"
    # As bytes, since some are longer than any scanned text may be.
    with pytest.raises(MalformedTicket) as caught:
        mc1.decode_token(Ticket(claims=LOOSE_CLAIMS[name]).token())
    assert caught.value.reason is TicketRefusal.MALFORMED
    assert isinstance(examine(Ticket(claims=CLAIM_BYTES).text()), PhoneTicket)


@pytest.mark.parametrize(
    "changed",
    [
        {"ctr": 0}, {"ctr": 256}, {"ctr": -1}, {"ctr": True}, {"ctr": 7.0},
        {"pax": 0}, {"pax": 10}, {"pax": "1"},
        {"ts": 65535}, {"ts": 2**32}, {"ts": None},
        {"challenge": bytes(7)}, {"challenge": bytes(9)}, {"challenge": "12345678"},
        {"proof_tail": [NOW_S, 7]}, {"proof_tail": [NOW_S, 7, 1, bytes(8), 0]},
        {"cti": bytes(7)}, {"cti": bytes(9)}, {"cti": "12345678"},
        {"product": 65536}, {"product": -1}, {"max_taps": 0}, {"max_taps": 256},
        {"max_fare": -1}, {"max_fare": 2**32}, {"y": 0}, {"y": None},
        {"exp": 1790000000}, {"exp": 1789999999}, {"exp": 1790000000 + 72 * 3600 + 1},
    ],
    ids=str,
)  # fmt: skip
def test_values_outside_their_range_are_refused_although_both_signed_them(changed: dict[str, Any]) -> None:
    assert examine(Ticket(**changed).text()) is TicketRefusal.MALFORMED


@pytest.mark.parametrize(
    "changed",
    [
        {"product": 0}, {"product": 65535}, {"max_taps": 7}, {"max_taps": 255, "ctr": 255},
        {"max_fare": 0}, {"max_fare": 2**32 - 1}, {"ctr": 1}, {"pax": 9},
        {"challenge": bytes(8)}, {"exp": NOW_S}, {"iat": NOW_S, "exp": NOW_S + 72 * 3600},
    ],
    ids=str,
)  # fmt: skip
def test_values_at_the_edge_of_their_range_are_accepted(changed: dict[str, Any]) -> None:
    assert isinstance(examine(Ticket(**changed).text()), PhoneTicket)


def test_the_longest_ticket_fits_its_bounds() -> None:
    widest = Ticket(
        product=65535, max_taps=255, max_fare=2**32 - 1, ctr=255, challenge=bytes(8), exp=2**32 - 1,
        iat=2**32 - 1 - 72 * 3600, ts=2**32 - 1,
    )  # fmt: skip
    assert (len(widest.token()), len(widest.text())) == (253, 384)
    assert isinstance(examine(widest.text(), now_s=2**32 - 1), PhoneTicket)
    assert len(Ticket(max_taps=7, max_fare=0).token()) == 236


# --- issuing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("token", [b"", bytes(10_000_000), b"\x84\x5a\x7f\xff\xff\xff", b"\x84" * 100_000])
def test_hostile_lengths_are_refused(token: bytes) -> None:
    with pytest.raises(MalformedTicket):
        mc1.decode_token(token)


@pytest.mark.parametrize(
    "changed",
    [
        {"expires_at_s": 1790000000}, {"expires_at_s": 1790000000 + 72 * 3600 + 1}, {"expires_at_s": 2**32},
        {"issued_at_s": -1}, {"cti": bytes(7)}, {"public_x": bytes(33)}, {"product": 65536}, {"product": -1},
        {"max_taps": 0}, {"max_taps": 256}, {"max_fare_rial": -1}, {"max_fare_rial": 2**32},
    ],
    ids=str,
)  # fmt: skip
def test_no_entitlement_is_signed_that_a_bus_would_refuse(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|lives"):
        mc1.sign_entitlement(dataclasses.replace(CLAIMS, **changed), ISSUER, KID)


def test_wrong_sizes_are_not_assembled() -> None:
    for act in (
        lambda: mc1.sign_entitlement(CLAIMS, ISSUER, b""),
        lambda: mc1.assemble_entitlement(CLAIMS, b"\x01\x02", bytes(64)),
        lambda: mc1.assemble_entitlement(CLAIMS, KID, bytes(63)),
        lambda: mc1.encode_proof(ENTITLEMENT, 1, 1),
        lambda: mc1.encode_proof(ENTITLEMENT, NOW_S, 256),
        lambda: mc1.encode_proof(ENTITLEMENT, NOW_S, 1, pax=10),
        lambda: mc1.encode_proof(ENTITLEMENT, NOW_S, 1, challenge=bytes(9)),
        lambda: mc1.encode_ticket(b"", bytes(65)),
    ):
        with pytest.raises(ValueError, match=r"must|has"):
            act()


@pytest.mark.parametrize("raw", [b"", ENTITLEMENT + b"\x00", ENTITLEMENT[:-1], b"\x84\x40" + ENTITLEMENT[8:]])
def test_a_stored_entitlement_is_read_as_strictly(raw: bytes) -> None:
    with pytest.raises(MalformedTicket):
        mc1.decode_entitlement(raw)


claims_of_any_kind = st.integers(0, 2**32 - 1 - 72 * 3600).flatmap(
    lambda issued_at_s: st.builds(
        EntitlementClaims,
        expires_at_s=st.integers(issued_at_s + 1, issued_at_s + 72 * 3600),
        issued_at_s=st.just(issued_at_s),
        cti=st.binary(min_size=8, max_size=8),
        public_x=st.binary(min_size=32, max_size=32),
        public_y_odd=st.booleans(),
        product=st.integers(0, 65535),
        max_taps=st.integers(1, 255),
        max_fare_rial=st.integers(0, 2**32 - 1),
    )
)


@given(claims_of_any_kind, st.binary(min_size=1, max_size=1))
def test_entitlements_round_trip_and_agree_with_cbor2(claims: EntitlementClaims, kid: bytes) -> None:
    raw = mc1.sign_entitlement(claims, ISSUER, kid)
    read = mc1.decode_entitlement(raw)
    assert {name: getattr(read, name) for name in dataclasses.asdict(claims)} == dataclasses.asdict(claims)
    assert (read.kid, read.raw) == (kid, raw)
    assert cbor2.dumps(cbor2.loads(raw)) == raw


@given(
    st.integers(65536, 2**32 - 1),
    st.integers(1, 255),
    st.integers(1, 9),
    st.none() | st.binary(min_size=8, max_size=8),
)
def test_tickets_round_trip(ts_s: int, ctr: int, pax: int, challenge: bytes | None) -> None:
    proof = mc1.encode_proof(ENTITLEMENT, ts_s, ctr, pax, challenge)
    ticket = mc1.decode_ticket(mc1.encode_ticket(proof, bytes(64)))
    assert (ticket.ts_s, ticket.ctr, ticket.pax, ticket.challenge) == (ts_s, ctr, pax, challenge)
    assert ticket.entitlement.raw == ENTITLEMENT
