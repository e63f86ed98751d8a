from __future__ import annotations

from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core.proof import mc1, phone
from fare.core.proof.mc1 import PhoneTicket
from fare.core.proof.refusal import TicketRefusal
from tests.core.proof.deciding import CLAIMS, TOKEN, examine, expect_fields
from tests.core.proof.mc1_oracle import (
    GOLDEN,
    KEYS,
    KID,
    NOW_S,
    Ticket,
    as_text,
)

P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


# --- vectors ------------------------------------------------------------------------------------------------


NEGATIVE_REASONS = {
    "expired entitlement": TicketRefusal.EXPIRED,
    "proof before iat": TicketRefusal.NOT_YET_VALID,
    "no external_aad": TicketRefusal.BAD_PHONE_SIGNATURE,
    "wrong device key": TicketRefusal.BAD_PHONE_SIGNATURE,
    "alg swap EdDSA in L2": TicketRefusal.WRONG_HEADER,
    "trailing byte": TicketRefusal.MALFORMED,
    "indefinite array": TicketRefusal.MALFORMED,
    "tampered cnf y bit": TicketRefusal.BAD_ISSUER_SIGNATURE,
    "unprotected header used": TicketRefusal.WRONG_HEADER,
}


def test_every_negative_vector_has_its_reason_here() -> None:
    assert {vector["name"] for vector in GOLDEN["negative"]} == set(NEGATIVE_REASONS)


@pytest.mark.parametrize("vector", GOLDEN["negative"], ids=lambda vector: vector["name"])
def test_negative_vectors(vector: dict[str, str]) -> None:
    assert examine(vector["text"]) is NEGATIVE_REASONS[vector["name"]]


def test_every_single_bit_of_the_token_counts() -> None:
    for bit in range(len(TOKEN) * 8):
        flipped = bytearray(TOKEN)
        flipped[bit // 8] ^= 1 << (bit % 8)
        assert isinstance(examine(as_text(bytes(flipped))), TicketRefusal), f"bit {bit} flipped and accepted"


def test_every_length_but_the_whole_is_refused() -> None:
    for length in range(len(TOKEN)):
        assert examine(as_text(TOKEN[:length])) is TicketRefusal.MALFORMED
    for length in range(4, len(GOLDEN["text"])):
        assert examine(GOLDEN["text"][:length]) is TicketRefusal.MALFORMED


# --- headers and keys ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"phone_protected": b""},
        {"phone_protected": cbor2.dumps({})},
        {"phone_protected": cbor2.dumps({1: -8})},
        {"phone_protected": cbor2.dumps({1: -35})},
        {"phone_protected": cbor2.dumps({1: -7, 4: KID})},
        {"phone_protected": bytes.fromhex("a1013806")},  # -7 in two bytes
        {"phone_unprotected": {4: b"1"}},
        {"issuer_unprotected": {4: KID}},
        {"issuer_protected": b""},
        {"issuer_protected": cbor2.dumps({1: -7, 4: KID})},
        {"issuer_protected": cbor2.dumps({1: -8})},
        {"issuer_protected": cbor2.dumps({4: KID, 1: -8})},
        {"issuer_protected": cbor2.dumps({1: -8, 4: b""})},
        {"issuer_protected": cbor2.dumps({1: -8, 4: b"\x01\x01"})},
        {"issuer_protected": cbor2.dumps({1: -8, 4: KID}) + b"\x00"},
    ],
    ids=str,
)
def test_only_the_pinned_headers_pass(changed: dict[str, Any]) -> None:
    assert examine(Ticket(**changed).text()) is TicketRefusal.WRONG_HEADER


def test_a_key_speaks_only_under_its_own_kid() -> None:
    other = Ed25519PrivateKey.from_private_bytes(bytes(range(32, 64)))
    assert examine(Ticket(kid=b"\x02").text()) is TicketRefusal.UNKNOWN_KEY
    keys = KEYS | {b"\x02": other.public_key()}
    assert examine(Ticket(kid=b"\x02").text(), keys=keys) is TicketRefusal.BAD_ISSUER_SIGNATURE
    assert isinstance(examine(Ticket(kid=b"\x02", issuer_key=other).text(), keys=keys), PhoneTicket)
    assert examine(GOLDEN["text"], keys={}) is TicketRefusal.UNKNOWN_KEY


def test_both_levels_are_bound_to_mc1() -> None:
    assert examine(Ticket(issuer_aad=b"").text()) is TicketRefusal.BAD_ISSUER_SIGNATURE
    assert examine(Ticket(issuer_aad=b"MP1").text()) is TicketRefusal.BAD_ISSUER_SIGNATURE
    assert examine(Ticket(aad=b"").text()) is TicketRefusal.BAD_PHONE_SIGNATURE


def test_another_phone_cannot_use_the_entitlement() -> None:
    stranger = ec.derive_private_key(12345, ec.SECP256R1())
    assert examine(Ticket(phone_key=stranger).text()) is TicketRefusal.BAD_PHONE_SIGNATURE
    assert examine(Ticket(y=True).text()) is TicketRefusal.BAD_PHONE_SIGNATURE


@pytest.mark.parametrize("x", [bytes(31) + b"\x01", b"\xff" * 32])
def test_a_key_that_is_no_point_of_the_curve_has_no_signature(x: bytes) -> None:
    with pytest.raises(ValueError, match=r".*"):
        ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), b"\x02" + x)
    assert examine(Ticket(x=x).text()) is TicketRefusal.BAD_PHONE_SIGNATURE


@pytest.mark.parametrize(
    ("r", "s"), [(0, 0), (0, 1), (1, 0), (P256_ORDER, 1), (1, P256_ORDER), (2**256 - 1, 2**256 - 1)]
)
def test_degenerate_signatures_are_refused(r: int, s: int) -> None:
    token = TOKEN[:-64] + r.to_bytes(32) + s.to_bytes(32)
    assert examine(as_text(token)) is TicketRefusal.BAD_PHONE_SIGNATURE


def test_the_second_signature_of_p256_names_the_same_ride() -> None:
    mirrored = P256_ORDER - int.from_bytes(TOKEN[-32:])
    twin = expect_fields(examine(as_text(TOKEN[:-32] + mirrored.to_bytes(32))))
    golden = expect_fields(examine(GOLDEN["text"]))
    assert twin.raw != golden.raw
    assert (twin.entitlement.cti, twin.ctr, twin.pax) == (golden.entitlement.cti, golden.ctr, golden.pax)


# --- time, counter, denylist, order -------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("offset_s", "reason"),
    [(-31, TicketRefusal.FROM_THE_FUTURE), (-30, None), (30, None), (31, TicketRefusal.STALE)],
)
def test_freshness(offset_s: int, reason: TicketRefusal | None) -> None:
    decision = examine(GOLDEN["text"], now_s=NOW_S + offset_s)
    assert decision is reason or (reason is None and isinstance(decision, PhoneTicket))
    ticket = mc1.decode_ticket(GOLDEN["text"])
    assert phone.check_freshness(ticket, NOW_S + offset_s) is reason


@pytest.mark.parametrize("now_s", [0, NOW_S - 10**8, NOW_S + 10**9])
def test_a_validator_without_the_time_judges_the_window_alone(now_s: int) -> None:
    assert isinstance(examine(GOLDEN["text"], now_s=now_s, synchronised=False), PhoneTicket)
    expired = next(vector["text"] for vector in GOLDEN["negative"] if vector["name"] == "expired entitlement")
    assert examine(expired, now_s=now_s, synchronised=False) is TicketRefusal.EXPIRED


@pytest.mark.parametrize(
    ("ts", "reason"),
    [
        (1790000000 - 31, TicketRefusal.NOT_YET_VALID),
        (1790000000 - 30, None),
        (1790259200, None),
        (1790259201, TicketRefusal.EXPIRED),
    ],
)
def test_the_window(ts: int, reason: TicketRefusal | None) -> None:
    ticket = mc1.decode_ticket(Ticket(ts=ts).text())
    assert phone.check_window(ticket) is reason
    decision = examine(Ticket(ts=ts).text(), now_s=ts)
    assert decision is reason or (reason is None and isinstance(decision, PhoneTicket))


@pytest.mark.parametrize(
    ("ctr", "pax", "max_taps", "exhausted"),
    [
        (40, 1, 40, False),
        (41, 1, 40, True),
        (39, 2, 40, False),
        (40, 2, 40, True),
        (1, 2, 1, True),
        (255, 9, 255, True),
    ],
)
def test_companions_and_rides_left(ctr: int, pax: int, max_taps: int, exhausted: bool) -> None:
    text = Ticket(ctr=ctr, pax=pax, max_taps=max_taps).text()
    expected = TicketRefusal.COUNTER_EXHAUSTED if exhausted else None
    assert phone.check_counter(mc1.decode_ticket(text)) is expected
    assert (examine(text) is TicketRefusal.COUNTER_EXHAUSTED) is exhausted


def test_the_denylist_is_asked_with_the_cti_of_verified_tickets_alone() -> None:
    asked: list[bytes] = []

    def listed(cti: bytes) -> bool:
        asked.append(cti)
        return True

    assert examine(Ticket(aad=b"").text(), denylisted=listed) is TicketRefusal.BAD_PHONE_SIGNATURE
    assert asked == []
    assert examine(GOLDEN["text"], denylisted=listed) is TicketRefusal.DENYLISTED
    assert asked == [CLAIMS.cti]


def test_the_order_of_the_checks() -> None:
    # Everything is wrong at first; each step repairs what was named, and the next check speaks.
    stranger = ec.derive_private_key(12345, ec.SECP256R1())
    wrong: dict[str, Any] = {
        "phone_protected": b"", "kid": b"\x02", "issuer_aad": b"", "phone_key": stranger,
        "ts": 1790259201, "ctr": 41,
    }  # fmt: skip
    denied = True

    def decide() -> PhoneTicket | TicketRefusal:
        return examine(Ticket(**wrong).text(), denylisted=lambda _: denied)

    seen = [decide()]
    for repaired in ("phone_protected", "kid", "issuer_aad", "phone_key"):
        del wrong[repaired]
        seen.append(decide())
    wrong["ts"] = NOW_S - 31
    seen.append(decide())
    denied = False
    seen.append(decide())
    del wrong["ctr"]
    seen.append(decide())
    assert seen == [
        TicketRefusal.WRONG_HEADER,
        TicketRefusal.UNKNOWN_KEY,
        TicketRefusal.BAD_ISSUER_SIGNATURE,
        TicketRefusal.BAD_PHONE_SIGNATURE,
        TicketRefusal.EXPIRED,
        TicketRefusal.DENYLISTED,
        TicketRefusal.COUNTER_EXHAUSTED,
        TicketRefusal.STALE,
    ]


# --- the ledger, and issuing --------------------------------------------------------------------------------


def test_an_upload_is_judged_without_a_clock() -> None:
    assert phone.examine_upload(GOLDEN["text"], KEYS) == examine(GOLDEN["text"])
    assert phone.examine_upload(Ticket(ts=1790259201).text(), KEYS) is TicketRefusal.EXPIRED
    assert phone.examine_upload(Ticket(ctr=41).text(), KEYS) is TicketRefusal.COUNTER_EXHAUSTED
    assert phone.examine_upload(Ticket(aad=b"").text(), KEYS) is TicketRefusal.BAD_PHONE_SIGNATURE
    assert phone.examine_upload(GOLDEN["text"], {}) is TicketRefusal.UNKNOWN_KEY
    assert phone.examine_upload(None, KEYS) is TicketRefusal.NOT_A_TICKET
    assert phone.examine_upload("0" * 10_000_000, KEYS) is TicketRefusal.TOO_LONG


def test_each_refusal_tells_the_rider_what_to_do() -> None:
    advice = {reason: reason.advice for reason in TicketRefusal}
    assert len(set(advice.values())) == len(TicketRefusal)
    assert all(text.endswith(".") and ": " in text for text in advice.values())
    assert "set your phone's clock" in TicketRefusal.STALE.advice
    assert "set your phone's clock" in TicketRefusal.FROM_THE_FUTURE.advice
