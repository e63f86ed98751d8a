"""Whatever a camera delivers, bus, inspector and ledger answer with a named reason, never an exception."""

from __future__ import annotations

import sys
from enum import StrEnum

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fare.core import base45
from fare.core.decision import Reason
from fare.core.inspection import Inspection, TicketShown, read_ticket
from fare.core.proof.refusal import TicketRefusal
from fare.core.proof.tickets import examine_any_upload
from fare.core.ticket_decision import TicketRide, decide_ticket
from tests.core.proof.mc1_oracle import GOLDEN, KEYS, NOW_S, Ticket, as_text
from tests.core.proof.mp1_oracle import Paper
from tests.core.test_ticket_decision import BOARDING, VEHICLE, bundle

BUNDLE = bundle()
PHONE_TEXT: str = GOLDEN["text"]
PAPER_TEXT = Paper().text()
MEGABYTES = 10 << 20


def asked(text: object) -> tuple[object, object, object]:
    """What bus, ledger and inspector say."""
    return (
        decide_ticket(text, BOARDING, VEHICLE, BUNDLE, KEYS, NOW_S, True),
        examine_any_upload(text, KEYS),
        read_ticket(text, VEHICLE, BUNDLE, KEYS, NOW_S, 5400, True),
    )


def refusals(text: object) -> set[StrEnum]:
    """The reasons; fails where anybody lets it pass or says something else."""
    bus, ledger, inspector = asked(text)
    assert isinstance(bus, TicketRefusal | Reason)
    assert bus is not Reason.OK
    assert isinstance(ledger, TicketRefusal)
    assert isinstance(inspector, Inspection)
    return {bus, ledger, inspector.reason}


NO_TICKETS: dict[str, object] = {
    "nothing": "",
    "a Wi-Fi code": "WIFI:S:Café Naderi;T:WPA;P:12345678;H:false;;",
    "an address": "https://example.org/?a=MC1:" + "0" * 300,
    "a payment code": "upi://pay?pa=someone@bank&am=1",
    "a boarding pass": "M1DESMARAIS/LUC       EABC123 YULFRAAC 0834 326J001A0025 100",
    "a vaccination pass": "HC1:6BFOXN%TSMAHN-H0AHDGFSGEO",
    "a contact": "BEGIN:VCARD\nVERSION:3.0\nN:بهرامی;سارا\nEND:VCARD",
    "emoji": "🚌🎫👩‍👩‍👧‍👦",
    "NUL": "\x00",
    "a half of a surrogate pair": "\ud800",
    "the wrong case": "mc1:" + PHONE_TEXT[4:],
    "the prefix with a blank": "MC1 :" + PHONE_TEXT[4:],
    "an unknown version": "MC2:" + PHONE_TEXT[4:],
    "a huge integer": str(7**400),
    "no text": None,
    "bytes": PHONE_TEXT.encode(),
    "a list": [PHONE_TEXT],
    "an integer": 2**70_000,
    "not a number": float("nan"),
}


@pytest.mark.parametrize("name", NO_TICKETS)
def test_what_is_no_ticket_is_called_so(name: str) -> None:
    assert refusals(NO_TICKETS[name]) == {TicketRefusal.NOT_A_TICKET}


@pytest.mark.parametrize("prefix", ["MC1:", "MP1:"])
def test_what_pretends_to_be_a_ticket_is_called_damaged(prefix: str) -> None:
    for rest in (
        "",
        "0",
        "\x00",
        "\x00" * 300,
        "🚌" * 99,
        "۰" * 300,
        "\ud800",
        "GGW" * 99,
        ":::",
        "0" * 396,
        "FGW",
    ):
        assert refusals(prefix + rest) == {TicketRefusal.MALFORMED}, rest[:9]
    # Integers and lengths far beyond the token: heads of 64 bits, and nothing behind them.
    for token in (
        b"\x84\x5b" + b"\xff" * 8,
        b"\x9b" + b"\xff" * 8,
        b"\x84\x43\xa1\x01\x26\xa0\x5a\xff\xff\xff\xff",
        b"\x84" * 200,
        b"\x1b" + b"\xff" * 8,
        b"\xc2\x58\xff" + b"\xff" * 255,
        b"\xfb\x7f\xf8\x00\x00\x00\x00\x00\x00",
    ):
        assert refusals(prefix + base45.encode(token)) <= {
            TicketRefusal.MALFORMED,
            TicketRefusal.WRONG_HEADER,
        }


@pytest.mark.parametrize("text", ["0", "MC1:0", "MP1:F", "🚌", "\x00", "MC1:\u0660"], ids=ascii)
def test_megabytes_are_too_long_before_anybody_reads_them(text: str) -> None:
    assert refusals(text * (MEGABYTES // len(text))) == {TicketRefusal.TOO_LONG}


def test_integers_in_a_signed_ticket_beyond_their_range() -> None:
    phones = (
        Ticket(ts=2**64 - 1),
        Ticket(exp=2**63),
        Ticket(max_fare=2**32),
        Ticket(ctr=2**32),
        Ticket(pax=-9),
    )
    papers = Paper(exp=2**64 - 1), Paper(max_taps=2**40), Paper(max_fare=2**100)
    for ticket in (*phones, *papers):
        assert refusals(ticket.text()) == {TicketRefusal.MALFORMED}


def test_an_expired_ticket_has_expired() -> None:
    issued_at_s, expires_at_s = NOW_S - 20_000, NOW_S - 10_000
    assert refusals(Ticket(iat=issued_at_s, exp=expires_at_s).text()) == {TicketRefusal.EXPIRED}
    bus, ledger, inspector = asked(Paper(iat=issued_at_s, exp=expires_at_s).text())
    assert (bus, getattr(inspector, "reason", None)) == (TicketRefusal.EXPIRED, TicketRefusal.EXPIRED)
    assert not isinstance(ledger, TicketRefusal), "the ledger judges paper by the tap's own time"


def test_every_character_of_a_ticket_counts() -> None:
    alphabet = base45.ALPHABET
    for text in (PHONE_TEXT, PAPER_TEXT):
        assert isinstance(asked(text)[0], TicketRide)
        for at, character in enumerate(text):
            following = alphabet[(alphabet.index(character) + 1) % 45]
            for other in (following, " ", ":", character.lower() + "\u0307", "\u0660", "\uff21", "\x00", ""):
                if other != character:
                    changed = text[:at] + other + text[at + 1 :]
                    assert isinstance(asked(changed)[0], TicketRefusal), (at, other)


def test_nothing_before_or_after_a_ticket_is_overlooked() -> None:
    for text in (PHONE_TEXT, PAPER_TEXT):
        for other in (" ", "\n", "\r\n", "\ufeff", "\u200f", "\x00", "0", "00", text):
            assert isinstance(asked(text + other)[0], TicketRefusal)
            assert isinstance(asked(other + text)[0], TicketRefusal)


anything = st.one_of(
    st.text(max_size=450),
    st.binary(max_size=300).map(as_text),
    st.binary(max_size=300).map(base45.encode).map("MP1:".__add__),
    st.text(alphabet=base45.ALPHABET, max_size=396).map("MC1:".__add__),
    st.text(max_size=396).map("MP1:".__add__),
    st.binary(max_size=300),
    st.integers(),
    st.floats(),
    st.none(),
)


@given(anything)
def test_nothing_that_can_be_scanned_raises(text: object) -> None:
    refusals(text)


@given(st.sampled_from([PHONE_TEXT, PAPER_TEXT]), st.integers(0, 400), st.text(max_size=3), st.integers(0, 3))
def test_no_edit_of_a_ticket_raises_or_passes(text: str, at: int, inserted: str, removed: int) -> None:
    edited = text[:at] + inserted + text[at + removed :]
    bus, ledger, inspector = asked(edited)
    if edited != text:
        assert isinstance(bus, TicketRefusal)
        assert isinstance(ledger, TicketRefusal)
        assert not isinstance(inspector, TicketShown)


def test_deep_nesting_does_not_reach_the_stack() -> None:
    depth = sys.getrecursionlimit()
    for token in (b"\x84" * 264, b"\x81" * 264, b"\xd2" * 264, b"\xa1\x01" * 132):
        assert refusals(as_text(token)) <= {TicketRefusal.MALFORMED}
    assert refusals("[" * depth) == {TicketRefusal.TOO_LONG}
