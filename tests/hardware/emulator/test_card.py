"""The card's framing, authentication and lifecycle: what it answers to the wire itself."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hardware.emulator.card import VirtualCard
from hardware.emulator.state import CardState
from hardware.emulator.transaction import DEFAULT_READING
from tests.hardware.emulator.card_vectors import raw, vector
from tests.hardware.emulator.conftest import UID
from tests.hardware.emulator.terminal import AID, K0, K1, UPPER, ZERO_KEY, Refused, Terminal, cbc, head

Pair = tuple[VirtualCard, Terminal]


def replayed(*random: str) -> VirtualCard:
    """A blank card whose random bytes are given."""
    due = [raw(text) for text in random]

    def next_bytes(size: int) -> bytes:
        value = due.pop(0)
        assert len(value) == size
        return value

    return VirtualCard(CardState(UID), reading=DEFAULT_READING, random_bytes=next_bytes)


def exchange_first(case: dict[str, Any], card: VirtualCard) -> None:
    given_, wanted = case["input"], case["expected"]
    assert card.transmit(raw(given_["capdu1"])) == raw(given_["rapdu1"])
    assert card.transmit(raw(wanted["capdu2"])) == raw(given_["rapdu2"])


def test_the_published_authentication_byte_for_byte() -> None:
    case = vector("an12196-t14-authfirst-key0")
    card = replayed(case["input"]["rnd_b"], case["expected"]["ti"])
    exchange_first(case, card)


def test_the_published_non_first_authentication_byte_for_byte() -> None:
    first = vector("an12196-t14-authfirst-key0")
    second = vector("an12196-t23-authnonfirst-key0")
    # The published reply carries no TI: any session before it will do.
    card = replayed(first["input"]["rnd_b"], second["expected"]["ti"], second["input"]["rnd_b"])
    assert card.transmit(raw(first["input"]["capdu1"])) == raw(first["input"]["rapdu1"])
    assert card.transmit(raw(first["expected"]["capdu2"])).endswith(b"\x91\x00")
    exchange_first(second, card)


def test_non_first_needs_a_session(blank: Pair) -> None:
    _, t = blank
    assert t.status(lambda: t.authenticate(0, ZERO_KEY, first=False)) == 0x9D


def test_non_first_keeps_identifier_counter_and_transaction(fare_card: Pair) -> None:
    _, t = fare_card
    t.open()
    t.debit(40)
    ti, ctr = t.ti, t.ctr
    t.authenticate(1, K1, first=False)
    assert (t.ti, t.ctr) == (ti, ctr)
    assert t.commit()[0] == 2
    assert UPPER - t.value() == 40


def test_first_rolls_the_transaction_back(fare_card: Pair) -> None:
    _, t = fare_card
    t.open()
    t.debit(40)
    t.authenticate(1, K1)
    assert t.status(t.commit) == 0x0C


def test_a_wrong_key_is_refused_and_leaves_nobody_authenticated(fare_card: Pair) -> None:
    _, t = fare_card
    t.open()
    with pytest.raises(Refused) as refusal:
        t.authenticate(1, K0)
    assert refusal.value.status == 0xAE
    assert t.exchange(0x6C, b"\x02")[1] == 0xAE


def test_a_key_that_is_not_there(fare_card: Pair) -> None:
    _, t = fare_card
    t.select()
    assert t.exchange(0x71, b"\x03\x00")[1] == 0x40


@pytest.mark.parametrize(
    "data", [b"", b"\x00", bytes.fromhex("000100"), bytes.fromhex("0007") + bytes(7), b"\x00\x01"]
)
def test_a_malformed_first_authentication(blank: Pair, data: bytes) -> None:
    _, t = blank
    status = t.exchange(0x71, data)[1]
    assert status == (0xAF if data == bytes.fromhex("000100") else 0x7E)


def test_capabilities_of_the_terminal_come_back(blank: Pair) -> None:
    _, t = blank
    challenge, _ = t.exchange(0x71, bytes.fromhex("0002AABB"))
    rnd_b = cbc(ZERO_KEY, challenge, decrypt=True)
    answer, _ = t.exchange(0xAF, cbc(ZERO_KEY, bytes(16) + rnd_b[1:] + rnd_b[:1]))
    assert cbc(ZERO_KEY, answer, decrypt=True)[20:] == bytes(6) + bytes.fromhex("AABB00000000")


@pytest.mark.parametrize("answer", [b"", bytes(16), bytes(32), bytes(48)])
def test_a_wrong_second_half_of_the_authentication(blank: Pair, answer: bytes) -> None:
    _, t = blank
    t.exchange(0x71, b"\x00\x00")
    assert t.exchange(0xAF, answer)[1] == (0xAE if len(answer) == 32 else 0x7E)
    assert t.exchange(0xAF)[1] == 0xCA


def test_another_command_in_the_middle_of_an_authentication(blank: Pair) -> None:
    _, t = blank
    t.exchange(0x71, b"\x00\x00")
    assert t.exchange(0x60)[1] == 0xCA
    assert t.plain(0x60)


def test_the_reader_asks_for_the_uid() -> None:
    card = VirtualCard.factory(UID)
    assert card.transmit(bytes.fromhex("FFCA000000")) == UID + b"\x90\x00"
    assert card.transmit(bytes.fromhex("FFCA010000")) == b"\x6a\x81"


def test_the_uid_needs_seven_bytes() -> None:
    with pytest.raises(ValueError, match="7 bytes, not 4"):
        VirtualCard.factory(b"\x01\x02\x03\x04")


def test_the_version_comes_in_three_frames_and_names_an_ev3(blank: Pair) -> None:
    _, t = blank
    frames = [t.exchange(0x60), t.exchange(0xAF), t.exchange(0xAF)]
    assert [(len(data), status) for data, status in frames] == [(7, 0xAF), (7, 0xAF), (14, 0)]
    assert frames[0][0][:2] == b"\x04\x01"
    assert frames[0][0][3] == 0x33
    assert frames[2][0][:7] == UID


def test_the_version_is_maced_inside_a_session(blank: Pair) -> None:
    _, t = blank
    t.authenticate(0, ZERO_KEY)
    assert t.maced(0x60)[14:21] == UID
    assert t.ctr == 1


def test_the_uid_is_enciphered_inside_a_session(fare_card: Pair) -> None:
    _, t = fare_card
    t.select()
    assert t.exchange(0x51)[1] == 0xAE
    t.open()
    assert t.full(0x51) == UID


def test_native_framing_is_served_beside_the_wrapped_one(fare_card: Pair) -> None:
    card, t = fare_card
    assert card.transmit(b"\x5a" + AID) == b"\x00"
    reply = card.transmit(b"\x71\x01\x00")
    assert reply[0] == 0xAF
    rnd_b = cbc(K1, reply[1:], decrypt=True)
    assert card.transmit(b"\xaf" + cbc(K1, bytes(16) + rnd_b[1:] + rnd_b[:1]))[0] == 0x00
    assert card.transmit(b"\x64\x01") == b"\x7e"  # inside the session it must carry a MAC
    assert t.exchange(0x64, b"\x01") == (b"\x01", 0)


@pytest.mark.parametrize(
    ("apdu", "answer"),
    [
        ("", "6700"),
        ("9060", "6700"),
        ("90600000", "6700"),
        ("9060010000", "6A86"),
        ("90600001" + "00", "6A86"),
        ("9060000001", "6700"),  # no Lc without data
        ("905A000004" + "F54D43" + "00", "6700"),
        ("905A000003" + "F54D43", "6700"),  # Le is missing
        ("905A000003" + "F54D43" + "01", "6700"),
        ("00A4040000", "6E00"),
    ],
)
def test_a_malformed_wrapper_ends_the_session(fare_card: Pair, apdu: str, answer: str) -> None:
    card, t = fare_card
    t.open()
    assert card.transmit(raw(apdu)) == raw(answer)
    assert t.exchange(0x6C, b"\x02")[1] == 0xAE


def test_an_unknown_command_is_illegal_and_ends_the_session(fare_card: Pair) -> None:
    _, t = fare_card
    t.open()
    assert t.status(lambda: t.maced(0x6D, b"\x00")) == 0x1C
    assert t.exchange(0x6C, b"\x02")[1] == 0xAE


def test_continue_out_of_the_blue(blank: Pair) -> None:
    _, t = blank
    assert t.exchange(0xAF)[1] == 0xCA


def test_without_a_field_the_card_is_torn_and_power_brings_it_back(fare_card: Pair) -> None:
    card, t = fare_card
    t.open()
    card.power(False)
    assert not card.powered
    assert card.transmit(bytes.fromhex("FFCA000000")) == b""
    card.power(True)
    assert t.exchange(0x6C, b"\x02")[1] == 0x9D  # at card level again
    t.open()
    assert t.value() == UPPER


def test_a_reset_rolls_back_what_was_not_committed(fare_card: Pair) -> None:
    card, t = fare_card
    t.open()
    t.debit(300)
    t.record(b"X" * 32)
    t.write(b"Y" * 128)
    card.power(True)
    t.open()
    assert (UPPER - t.value(), t.records(), t.read(1)) == (0, b"R" * 32, b"E" * 128)
    assert t.status(t.commit) == 0x0C


def test_selecting_ends_the_session_and_the_transaction(fare_card: Pair) -> None:
    _, t = fare_card
    t.open()
    t.debit(300)
    t.select()
    assert t.exchange(0x6C, b"\x02")[1] == 0xAE
    t.authenticate(1, K1)
    assert t.value() == UPPER
    assert t.exchange(0x5A, b"\x01\x02\x03")[1] == 0xA0
    assert t.exchange(0x5A, b"\x01\x02")[1] == 0x7E


def test_a_wrong_mac_moves_nothing_and_ends_the_session(fare_card: Pair) -> None:
    card, t = fare_card
    t.open()
    t.ctr += 1  # as if one command had been lost: every MAC from here on is for another counter
    assert t.status(lambda: t.debit(100)) == 0x1E
    t.open()
    assert t.value() == UPPER
    assert card.transmit(bytes.fromhex("906C000001" + "02" + "00"))[-1] == 0x7E


def test_a_replayed_debit_is_refused(fare_card: Pair) -> None:
    card, t = fare_card
    t.open()
    t.debit(100)
    assert card.transmit(t.sent[-1])[-1] == 0x1E


def test_the_counter_moves_on_plain_commands_too(blank: Pair) -> None:
    _, t = blank
    t.plain(0xCA, raw("F54D43 0F 81"))
    t.select()
    t.authenticate(0, ZERO_KEY)
    t.maced(0xCD, raw("05 00 EEEE 100000"))
    t.plain(0xAD, head(5, 0, 0))
    t.ctr += 1
    assert t.maced(0xF5, b"\x05")[:2] == b"\x00\x00"


@given(st.lists(st.binary(max_size=64), max_size=8))
def test_no_bytes_make_the_card_raise(apdus: list[bytes]) -> None:
    card = VirtualCard.factory(UID)
    terminal = Terminal(card.transmit)
    terminal.plain(0xCA, raw("F54D43 0F 81"))
    terminal.select()
    for apdu in apdus:
        assert len(card.transmit(apdu)) >= 1


@given(st.sampled_from([0x71, 0x8D, 0xC4, 0xC7, 0xCE, 0x64, 0xDC, 0xAB, 0x5F]), st.binary(max_size=80))
def test_no_command_data_makes_the_card_raise(ins: int, data: bytes) -> None:
    card = VirtualCard.factory(UID)
    terminal = Terminal(card.transmit)
    terminal.prepare()
    terminal.open()
    lc = bytes([len(data)]) + data if data else b""
    reply = card.transmit(bytes([0x90, ins, 0, 0]) + lc + b"\x00")
    assert reply[-2] == 0x91
    # Whatever came back, k1's session never changed what the card holds.
    terminal.transmit(bytes.fromhex("9060000000"))
    card.power(True)
    terminal.open()
    assert terminal.value() == UPPER
