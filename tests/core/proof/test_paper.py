from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import cbor2
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from fare.core.proof import mp1
from fare.core.proof.mp1 import PaperClaims, PaperTicket
from fare.core.proof.paper import check_paper_window, examine_paper, verify_paper_text
from fare.core.proof.phone import examine, examine_upload
from fare.core.proof.refusal import MalformedTicket, TicketRefusal
from fare.core.proof.tickets import decode_any_ticket, examine_any_upload, is_paper
from tests.core.proof import mc1_oracle
from tests.core.proof.mc1_oracle import KEYS, KID
from tests.core.proof.mp1_oracle import GOLDEN, Paper, as_text

NOW_S: int = GOLDEN["now"]
VEHICLE: str = GOLDEN["vehicle"]
ISSUER = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(GOLDEN["signing_seed"]))
FIRST = GOLDEN["tickets"][0]
TOKEN = bytes.fromhex(FIRST["hex"])
CLAIMS = PaperClaims(1790259200, 1790000000, bytes.fromhex("c7d8e9fa0b1c2d3e"), 3, 400, VEHICLE)


def nobody(_: bytes) -> bool:
    return False


def decide(
    text: object,
    *,
    vehicle: str = VEHICLE,
    now_s: int = NOW_S,
    synchronised: bool = True,
    denylisted: Callable[[bytes], bool] = nobody,
) -> PaperTicket | TicketRefusal:
    return examine_paper(text, KEYS, vehicle, now_s, synchronised, denylisted)


# --- golden bytes, both directions --------------------------------------------------------------------------


def test_golden_tickets_are_read_and_written_byte_for_byte() -> None:
    for golden in GOLDEN["tickets"]:
        meaning = golden["meaning"]
        claims = PaperClaims(
            meaning["expires_at_s"],
            meaning["issued_at_s"],
            bytes.fromhex(meaning["cti"]),
            meaning["product"],
            meaning["max_fare_rial"],
            meaning["vehicle"],
        )
        kid = bytes.fromhex(meaning["kid"])
        assert mp1.sign_paper(claims, ISSUER, kid) == golden["text"], golden["name"]
        signature = ISSUER.sign(mp1.paper_to_sign(claims, kid))
        assert mp1.assemble_paper(claims, kid, signature) == golden["text"]
        ticket = mp1.decode_paper(golden["text"])
        assert dataclasses.asdict(ticket) == dataclasses.asdict(claims) | {
            "kid": kid,
            "raw": bytes.fromhex(golden["hex"]),
        }
        assert (ticket.ctr, ticket.pax, ticket.max_taps, ticket.held_rial) == (1, 1, 1, claims.max_fare_rial)
        assert mp1.decode_paper_entitlement(ticket.raw) == ticket
        assert decode_any_ticket(golden["text"]) == ticket
        verdict = verify_paper_text(golden["text"], {kid: ISSUER.public_key()})
        assert verdict == ticket


def test_the_independent_builder_makes_the_first_golden_ticket() -> None:
    assert Paper().text() == FIRST["text"]
    assert cbor2.dumps(cbor2.loads(TOKEN)) == TOKEN


def test_the_widest_paper_ticket_is_as_long_as_the_layout_says() -> None:
    widest = GOLDEN["tickets"][-1]
    assert (len(widest["hex"]) // 2, len(widest["text"])) == (154, 235)


def test_every_negative_has_its_reason() -> None:
    for vector in GOLDEN["negative"]:
        text = vector["text"]
        if is_paper(text):
            assert decide(text) == vector["reason"], vector["name"]
        else:
            assert examine(text, KEYS, NOW_S, True, nobody) == vector["reason"], vector["name"]


def test_every_single_bit_and_every_length_counts() -> None:
    assert isinstance(decide(as_text(TOKEN)), PaperTicket)
    for bit in range(len(TOKEN) * 8):
        flipped = bytearray(TOKEN)
        flipped[bit // 8] ^= 1 << (bit % 8)
        assert isinstance(decide(as_text(bytes(flipped))), TicketRefusal), f"bit {bit} flipped and accepted"
    for length in range(4, len(FIRST["text"])):
        assert decide(FIRST["text"][:length]) is TicketRefusal.MALFORMED


# --- kinds are never mixed ----------------------------------------------------------------------------------


def test_no_kind_passes_as_the_other() -> None:
    phone_text, paper_text = mc1_oracle.GOLDEN["text"], FIRST["text"]
    assert decide(phone_text) is TicketRefusal.NOT_A_TICKET
    assert examine(paper_text, KEYS, NOW_S, True, nobody) is TicketRefusal.NOT_A_TICKET
    assert isinstance(decide("MP1:" + phone_text[4:]), TicketRefusal)
    assert isinstance(examine("MC1:" + paper_text[4:], KEYS, NOW_S, True, nobody), TicketRefusal)
    entitlement = bytes.fromhex(mc1_oracle.GOLDEN["entitlement_hex"])
    assert decide(as_text(entitlement)) is TicketRefusal.MALFORMED


def test_the_signature_is_bound_to_its_kind_even_if_the_claims_are_not() -> None:
    # The very claims of one kind, signed for the other: only the external_aad tells them apart.
    assert decide(Paper(aad=b"MC1").text()) is TicketRefusal.BAD_ISSUER_SIGNATURE
    phone = mc1_oracle.Ticket(issuer_aad=b"MP1").text()
    assert examine(phone, KEYS, NOW_S, True, nobody) is TicketRefusal.BAD_ISSUER_SIGNATURE
    phone = mc1_oracle.Ticket(aad=b"MP1").text()
    assert examine(phone, KEYS, NOW_S, True, nobody) is TicketRefusal.BAD_PHONE_SIGNATURE


def test_uploads_are_told_apart_by_their_first_characters() -> None:
    phone_text, paper_text = mc1_oracle.GOLDEN["text"], FIRST["text"]
    assert examine_any_upload(phone_text, KEYS) == examine_upload(phone_text, KEYS)
    assert examine_any_upload(paper_text, KEYS) == mp1.decode_paper(paper_text)
    assert examine_any_upload(paper_text, {}) is TicketRefusal.UNKNOWN_KEY
    for text in (None, b"MP1:", "", "WIFI:S:bus;;"):
        assert examine_any_upload(text, KEYS) is TicketRefusal.NOT_A_TICKET
    assert decode_any_ticket(phone_text).ctr == 7
    with pytest.raises(MalformedTicket):
        decode_any_ticket("MP2:")


# --- rules --------------------------------------------------------------------------------------------------


def test_the_window_needs_a_clock_that_is_right() -> None:
    ticket = mp1.decode_paper(FIRST["text"])
    issued, expires = CLAIMS.issued_at_s, CLAIMS.expires_at_s
    for at_s, reason in (
        (issued - 31, TicketRefusal.NOT_YET_VALID),
        (issued - 30, None),
        (expires, None),
        (expires + 1, TicketRefusal.EXPIRED),
    ):
        assert check_paper_window(ticket, at_s) is reason
        assert decide(FIRST["text"], now_s=at_s) == (reason or ticket)
        assert decide(FIRST["text"], now_s=at_s, synchronised=False) == ticket


def test_it_rides_on_its_own_vehicle_alone() -> None:
    assert decide(FIRST["text"], vehicle="bus-13") is TicketRefusal.WRONG_VEHICLE
    assert decide(FIRST["text"], vehicle="") is TicketRefusal.WRONG_VEHICLE
    assert decide(FIRST["text"], vehicle="BUS-12") is TicketRefusal.WRONG_VEHICLE
    online = GOLDEN["tickets"][1]["text"]
    assert all(isinstance(decide(online, vehicle=vehicle), PaperTicket) for vehicle in ("", "bus-13"))


def test_the_order_of_the_checks() -> None:
    # Everything is wrong at first; each step repairs what was named, and the next check speaks.
    wrong: dict[str, Any] = {"unprotected": {4: KID}, "kid": b"\x02", "aad": b"", "vehicle": "bus-13"}
    now_s, denied, asked = CLAIMS.expires_at_s + 1, True, []

    def listed(cti: bytes) -> bool:
        asked.append(cti)
        return denied

    def step() -> PaperTicket | TicketRefusal:
        return decide(Paper(**wrong).text(), now_s=now_s, denylisted=listed)

    seen = [step()]
    for repaired in ("unprotected", "kid", "aad"):
        del wrong[repaired]
        seen.append(step())
    assert asked == []
    now_s = NOW_S
    seen.append(step())
    assert asked == [CLAIMS.cti]
    denied = False
    seen.append(step())
    assert seen == [
        TicketRefusal.WRONG_HEADER,
        TicketRefusal.UNKNOWN_KEY,
        TicketRefusal.BAD_ISSUER_SIGNATURE,
        TicketRefusal.EXPIRED,
        TicketRefusal.DENYLISTED,
        TicketRefusal.WRONG_VEHICLE,
    ]


@given(st.one_of(st.text(max_size=450), st.binary(max_size=300), st.text(max_size=396).map("MP1:".__add__)))
def test_nothing_scanned_raises(text: object) -> None:
    assert isinstance(decide(text), TicketRefusal)


# --- issuing ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "changed",
    [
        {"expires_at_s": 1790000000}, {"expires_at_s": 1790000000 + 72 * 3600 + 1}, {"expires_at_s": 2**32},
        {"issued_at_s": -1}, {"cti": bytes(7)}, {"product": 65536}, {"product": -1}, {"max_fare_rial": -1},
        {"max_fare_rial": 2**32}, {"vehicle": ""}, {"vehicle": "v" * 33}, {"vehicle": "۱" * 17},
        {"vehicle": "\ud800"},
    ],
    ids=str,
)  # fmt: skip
def test_no_paper_is_signed_that_a_bus_would_refuse(changed: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"must|lives|surrogates"):
        mp1.sign_paper(dataclasses.replace(CLAIMS, **changed), ISSUER, KID)


def test_wrong_sizes_are_not_assembled() -> None:
    for act in (
        lambda: mp1.sign_paper(CLAIMS, ISSUER, b""),
        lambda: mp1.assemble_paper(CLAIMS, b"\x01\x02", bytes(64)),
        lambda: mp1.assemble_paper(CLAIMS, KID, bytes(63)),
    ):
        with pytest.raises(ValueError, match=r"must|has"):
            act()


papers_of_any_kind = st.integers(0, 2**32 - 1 - 72 * 3600).flatmap(
    lambda issued_at_s: st.builds(
        PaperClaims,
        expires_at_s=st.integers(issued_at_s + 1, issued_at_s + 72 * 3600),
        issued_at_s=st.just(issued_at_s),
        cti=st.binary(min_size=8, max_size=8),
        product=st.integers(0, 65535),
        max_fare_rial=st.integers(0, 2**32 - 1),
        vehicle=st.none() | st.text(min_size=1, max_size=32).filter(fits_in_32_bytes),
    )
)


def fits_in_32_bytes(text: str) -> bool:
    return len(text.encode("utf-8", "surrogatepass")) <= 32 and not any(
        0xD800 <= ord(character) <= 0xDFFF for character in text
    )


@given(papers_of_any_kind, st.binary(min_size=1, max_size=1))
def test_papers_round_trip_and_agree_with_cbor2(claims: PaperClaims, kid: bytes) -> None:
    ticket = mp1.decode_paper(mp1.sign_paper(claims, ISSUER, kid))
    assert {name: getattr(ticket, name) for name in dataclasses.asdict(claims)} == dataclasses.asdict(claims)
    assert ticket.kid == kid
    loose = cbor2.loads(ticket.raw)
    assert cbor2.loads(loose[2])[-65538] == claims.vehicle
    assert cbor2.dumps(loose) == ticket.raw
