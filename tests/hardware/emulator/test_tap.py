"""The transaction of the fare application: rights, modes, commit, rollback, and a field cut at any moment."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from hardware.emulator.card import VirtualCard
from hardware.emulator.state import CardState
from tests.hardware.emulator.card_vectors import raw
from tests.hardware.emulator.conftest import UID
from tests.hardware.emulator.terminal import K0, K1, K2, LOWER, UPPER, ZERO_KEY, Terminal, Torn, head, u

Pair = tuple[VirtualCard, Terminal]
Act = Callable[[Terminal], object]

READ_01: Act = lambda t: t.read(1)  # noqa: E731
READ_0F: Act = lambda t: t.read(0x0F)  # noqa: E731
READ_03: Act = lambda t: t.records()  # noqa: E731
VALUE: Act = lambda t: t.value()  # noqa: E731
DEBIT: Act = lambda t: t.debit(10)  # noqa: E731
WRITE_01: Act = lambda t: t.write(b"N" * 128)  # noqa: E731
RECORD: Act = lambda t: t.record(b"N" * 32)  # noqa: E731
CREDIT: Act = lambda t: t.maced(0x0C, b"\x02" + u(1, 4))  # noqa: E731
LIMITED: Act = lambda t: t.maced(0x1C, b"\x02" + u(1, 4))  # noqa: E731
SETTINGS: Act = lambda t: t.maced(0xF5, b"\x02")  # noqa: E731
CHANGE_02: Act = lambda t: t.full(0x5F, b"\x02", raw("01 EEEE"))  # noqa: E731
CREATE: Act = lambda t: t.maced(0xCD, raw("05 01 FF11 100000"))  # noqa: E731

RIGHTS: list[tuple[str, Act, dict[int, int]]] = [
    # what, how, {key: status}
    ("read the entitlement", READ_01, {0: 0xAE, 1: 0, 2: 0}),
    ("read the last proof", READ_0F, {0: 0xAE, 1: 0, 2: 0xAE}),
    ("read the records", READ_03, {0: 0xAE, 1: 0, 2: 0xAE}),
    ("read the value", VALUE, {0: 0xAE, 1: 0, 2: 0xAE}),
    ("debit", DEBIT, {0: 0xAE, 1: 0, 2: 0xAE}),
    ("write the entitlement", WRITE_01, {0: 0xAE, 1: 0, 2: 0}),
    ("write a record", RECORD, {0: 0xAE, 1: 0, 2: 0xAE}),
    ("credit", CREDIT, {0: 0x9D, 1: 0x9D, 2: 0x9D}),
    ("credit a little", LIMITED, {0: 0xAE, 1: 0x9D, 2: 0xAE}),
    ("list settings", SETTINGS, {0: 0, 1: 0xAE, 2: 0xAE}),
    ("change rights", CHANGE_02, {0: 0x9D, 1: 0x9D, 2: 0x9D}),
    ("create a file", CREATE, {0: 0, 1: 0xAE, 2: 0xAE}),
]
KEYS = {0: K0, 1: K1, 2: K2}


@pytest.mark.parametrize("key_no", [0, 1, 2])
@pytest.mark.parametrize(("act", "statuses"), [case[1:] for case in RIGHTS], ids=[case[0] for case in RIGHTS])
def test_rights_of_each_key(fare_card: Pair, act: Act, statuses: dict[int, int], key_no: int) -> None:
    _, t = fare_card
    t.open(key_no, KEYS[key_no])
    assert t.status(lambda: act(t)) == statuses[key_no]


@pytest.mark.parametrize(
    ("ins", "data"),
    [
        (0xAD, head(1, 0, 0)),
        (0xBD, head(0x0F, 0, 0)),
        (0xAB, head(3, 0, 1)),
        (0x6C, b"\x02"),
        (0xDC, b"\x02" + u(1, 4)),
        (0x8D, head(1, 0, 1) + b"x"),
        (0x8B, head(3, 0, 1) + b"x"),
        (0xF5, b"\x01"),
        (0xC4, b"\x01" + bytes(40)),
        (0x54, bytes(24)),
        (0x5F, b"\x01" + bytes(24)),
        (0xCE, bytes(45)),
    ],
)
def test_nothing_of_the_application_without_authentication(fare_card: Pair, ins: int, data: bytes) -> None:
    _, t = fare_card
    t.select()
    assert t.exchange(ins, data)[1] in (0xAE, 0x9D)


@pytest.mark.parametrize("ins", [0xAD, 0xAB, 0x6C, 0xDC, 0x0C, 0x8D, 0x8B, 0xF5, 0xC7, 0xA7, 0xC8, 0xCB])
def test_file_commands_mean_nothing_at_card_level(blank: Pair, ins: int) -> None:
    _, t = blank
    assert t.exchange(ins, bytes(7) if ins not in (0xC7, 0xA7) else b"")[1] in (0x9D, 0x7E)


def test_a_debit_counts_only_after_commit(fare_card: Pair) -> None:
    _, t = fare_card
    t.open()
    t.debit(70)
    assert t.value() == UPPER
    t.debit(30)
    t.commit()
    assert UPPER - t.value() == 100


def test_abort_forgets_everything_pending_and_keeps_the_session(fare_card: Pair) -> None:
    _, t = fare_card
    t.open()
    for act in (DEBIT, RECORD, WRITE_01):
        act(t)
    t.maced(0xA7)
    assert (t.value(), t.records(), t.read(1)) == (UPPER, b"R" * 32, b"E" * 128)
    assert t.status(t.commit) == 0x0C


@pytest.mark.parametrize(
    ("wrong", "status"),
    [
        (lambda t: t.read(1, 100, 29), 0xBE),
        (lambda t: t.read(1, 128, 0), 0xBE),
        (lambda t: t.read(9), 0xF0),
        (lambda t: t.read(2), 0x9D),
        (lambda t: t.maced(0x6C, b"\x01"), 0x9D),
        (lambda t: t.records(1, 1), 0xBE),
        (lambda t: t.records(0, 2), 0xBE),
        (lambda t: t.write(b"x" * 2, 127), 0xBE),
        (lambda t: t.record(b"x" * 2, 31), 0xBE),
        (lambda t: t.maced(0x8D, head(3, 0, 1) + b"x"), 0x9D),
        (lambda t: t.maced(0x8B, head(1, 0, 1) + b"x"), 0x9D),
        (lambda t: t.maced(0x8D, head(0x0F, 0, 1) + b"x"), 0x9D),
        (lambda t: t.maced(0x8D, head(1, 0, 0)), 0x7E),
        (lambda t: t.maced(0xDC, b"\x02" + u(-1, 4)), 0x9E),
        (lambda t: t.maced(0xDC, b"\x02" + u(1, 3)), 0x7E),
        (lambda t: t.maced(0xC7, b"\x02"), 0x9E),
        (lambda t: t.maced(0xC7, b"\x01\x01"), 0x7E),
        (lambda t: t.maced(0xA7, b"\x01"), 0x7E),
        (lambda t: t.maced(0xAD, head(1, 0, 0)[:6]), 0x7E),
    ],
)
def test_any_error_rolls_back_and_ends_the_session(fare_card: Pair, wrong: Act, status: int) -> None:
    _, t = fare_card
    t.open()
    t.debit(10)
    assert t.status(lambda: wrong(t)) == status
    assert t.exchange(0x6C, b"\x02")[1] == 0xAE
    t.open()
    assert (t.value(), t.read(0x0F)[:4]) == (UPPER, u(1, 4))
    assert t.status(t.commit) == 0x0C


def test_the_value_stops_at_its_lower_limit(fare_card: Pair) -> None:
    _, t = fare_card
    t.open()
    t.debit(UPPER)
    t.debit(UPPER)
    t.debit(1)
    t.commit()
    assert t.value() == LOWER
    assert t.status(lambda: t.debit(1)) == 0xBE
    t.open()
    t.debit(0)
    assert t.commit()[0] == 3


def test_reads_inside_the_file(fare_card: Pair) -> None:
    _, t = fare_card
    t.open()
    t.write(bytes(range(16)), 8)
    t.commit()
    assert t.read(1, 6, 4) == b"EE\x00\x01"
    assert t.read(1, 120, 0) == b"E" * 8
    assert t.read(1) == t.read(1, 0, 128)


def test_records_turn_round_and_keep_one_place_spare(fare_card: Pair) -> None:
    _, t = fare_card
    t.open()
    for n in range(1, 10):
        t.record(bytes([n]) * 32)
        t.commit()
    assert t.records() == bytes([9]) * 32
    assert t.records(0, 0) == b"".join(bytes([n]) * 32 for n in range(4, 10))  # six, oldest first
    assert t.records(2, 2) == bytes([6]) * 32 + bytes([7]) * 32
    assert t.records(4, 0) == bytes([4]) * 32 + bytes([5]) * 32
    assert t.status(lambda: t.records(6, 1)) == 0xBE


def test_one_record_is_pending_in_a_transaction(fare_card: Pair) -> None:
    _, t = fare_card
    t.open()
    t.record(b"aa", 4)
    t.record(b"b", 5)
    assert t.records() == b"R" * 32
    t.commit()
    assert t.records() == bytes(4) + b"ab" + bytes(26)
    assert t.records(1, 1) == b"R" * 32


def test_an_empty_record_file_cannot_be_read(blank: Pair) -> None:
    _, t = blank
    t.personalise()
    t.open()
    assert t.status(lambda: t.records(0, 0)) == 0xBE


def test_commit_with_nothing_to_store(fare_card: Pair) -> None:
    _, t = fare_card
    t.open()
    t.read(1)
    assert t.status(t.commit) == 0x0C


def test_commit_without_the_option_says_nothing_but_counts(fare_card: Pair) -> None:
    _, t = fare_card
    for option in (b"", b"\x00"):
        t.open()
        t.debit(1)
        assert t.maced(0xC7, option) == b""
    assert t.read(0x0F)[:4] == u(3, 4)


def test_long_data_travels_in_frames_both_ways(blank: Pair) -> None:
    _, t = blank
    t.plain(0xCA, raw("F54D43 0F 81"))
    t.select()
    t.authenticate(0, ZERO_KEY)
    t.maced(0xCD, raw("05 01 0000") + u(600, 3))
    data = bytes(n % 251 for n in range(600))
    t.maced(0x8D, head(5, 0, 600) + data, frame_bytes=200)
    t.maced(0x3D, head(5, 0, 120) + data[:120], frame_bytes=52)
    assert t.maced(0xAD, head(5, 0, 0)) == data
    t.sent.clear()
    assert t.maced(0xBD, head(5, 0, 150)) == data[:150]
    assert len(t.sent) == 3  # 158 bytes with the MAC, 59 to a frame


def test_too_many_bytes_in_a_frame(fare_card: Pair) -> None:
    _, t = fare_card
    t.open()
    t.exchange(0x8D, head(1, 0, 128) + bytes(60))
    assert t.exchange(0xAF, bytes(100))[1] == 0x7E


def test_a_frame_without_bytes_or_another_command_in_between(fare_card: Pair) -> None:
    _, t = fare_card
    for ins, data, status in ((0xAF, b"", 0x7E), (0x6C, b"\x02", 0xCA)):
        t.open()
        t.exchange(0x8D, head(1, 0, 128) + bytes(60))
        assert t.exchange(ins, data)[1] == status


def test_enciphered_files(blank: Pair) -> None:
    _, t = blank
    t.plain(0xCA, raw("F54D43 0F 81"))
    t.select()
    t.authenticate(0, ZERO_KEY)
    t.maced(0xCB, raw("05 03 0000") + u(40, 3))
    t.maced(0xCC, raw("06 03 0000") + u(0, 4) + u(100, 4) + u(50, 4) + b"\x01")
    t.full(0x8D, head(5, 0, 40), b"q" * 40)
    t.full(0xDC, b"\x06", u(20, 4))
    t.maced(0xC7)
    assert t.full(0xAD, head(5, 0, 0)) == b"q" * 40
    assert t.full(0x6C, b"\x06") == u(30, 4)


def test_limited_credit_gives_back_at_most_the_last_debits(blank: Pair) -> None:
    _, t = blank
    t.plain(0xCA, raw("F54D43 0F 81"))
    t.select()
    t.authenticate(0, ZERO_KEY)
    t.maced(0xCC, raw("02 01 0FF0") + u(0, 4) + u(100, 4) + u(50, 4) + b"\x01")
    t.debit(20)
    t.debit(5)
    t.maced(0xC7)
    LIMITED(t)
    t.maced(0xC7)
    assert t.value() == 26
    assert t.status(lambda: t.maced(0x1C, b"\x02" + u(1, 4))) == 0xBE  # it can be used once


def test_a_free_right_forces_plain_mode(blank: Pair) -> None:
    _, t = blank
    t.plain(0xCA, raw("F54D43 0F 81"))
    t.select()
    t.authenticate(0, ZERO_KEY)
    t.maced(0xCC, raw("02 01 0FE0") + u(0, 4) + u(100, 4) + u(50, 4) + b"\x00")  # R E, W 0, RW 0, C F
    assert t.plain(0x6C, b"\x02") == u(50, 4)
    t.select()
    assert t.plain(0x6C, b"\x02") == u(50, 4)


def test_free_get_value_option(blank: Pair) -> None:
    _, t = blank
    t.plain(0xCA, raw("F54D43 0F 81"))
    t.select()
    t.plain(0xCC, raw("02 01 00F0") + u(0, 4) + u(100, 4) + u(50, 4) + b"\x02")
    assert t.plain(0x6C, b"\x02") == u(50, 4)


class Image:
    """Counts what the card saves, and can be full."""

    def __init__(self) -> None:
        self.saved: list[CardState] = []
        self.full = False

    def save(self, state: CardState) -> None:
        if self.full:
            raise OSError("no space left")
        self.saved.append(state)


def test_only_what_is_durable_is_saved_and_one_commit_is_one_save(fare_card: Pair) -> None:
    image = Image()
    card = VirtualCard(fare_card[0].state, image.save)
    t = Terminal(card.transmit)
    t.tap(10, b"S" * 32)
    assert image.saved == [card.state]


def test_a_commit_that_cannot_be_saved_has_not_happened(fare_card: Pair) -> None:
    image = Image()
    card = VirtualCard(fare_card[0].state, image.save)
    t = Terminal(card.transmit)
    image.full = True
    assert t.status(lambda: t.tap(10, b"S" * 32)) == 0xEE
    assert card.state == fare_card[0].state
    image.full = False
    assert t.tap(10, b"S" * 32)[0] == 2


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("cut_at", range(1, 13))
def test_a_cut_around_any_apdu_leaves_none_or_all_of_the_tap(cut_at: int, after: bool) -> None:
    """Twelve APDUs, with the entitlement: whatever is cut, debit, record, entitlement and proof agree."""
    card = VirtualCard.factory(UID)
    terminal = Terminal(card.transmit)
    terminal.prepare()
    count = 0

    def cutting(apdu: bytes) -> bytes:
        nonlocal count
        count += 1
        if count == cut_at and not after:
            card.power(False)
        reply = card.transmit(apdu)
        if count == cut_at:
            card.power(False)
            return b""
        return reply

    torn = Terminal(cutting)

    def tap() -> None:
        torn.raw(bytes.fromhex("FFCA000000"))
        torn.open()
        for act in (READ_01, READ_0F, READ_03, VALUE, DEBIT, WRITE_01, RECORD):
            act(torn)
        torn.commit()

    with pytest.raises(Torn):
        tap()
    assert count == cut_at
    card.power(True)
    terminal.open()
    found = (UPPER - terminal.value(), terminal.records(), terminal.read(1), terminal.read(0x0F)[:4])
    committed = cut_at == 12 and after
    expected = (10, b"N" * 32, b"N" * 128, u(2, 4)) if committed else (0, b"R" * 32, b"E" * 128, u(1, 4))
    assert found == expected
