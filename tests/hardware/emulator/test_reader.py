"""The in-process reader: two sides, two threads, and faults on the way."""

from __future__ import annotations

import json
import threading
from pathlib import Path

import pytest

from hardware.emulator.faults import Fault, FaultKind, Faults, advance, arm_in_folder, instruction, read_fault
from hardware.emulator.memory import BadDocument
from hardware.emulator.reader import InProcessReader, TrayError, VirtualLink
from tests.hardware.emulator.conftest import UID
from tests.hardware.emulator.terminal import UPPER, Terminal, Torn

GET_UID = bytes.fromhex("FFCA000000")
WAIT_S = 10.0


@pytest.fixture
def reader(folder: Path) -> InProcessReader:
    return InProcessReader(folder)


def link_to(reader: InProcessReader, name: str = "one") -> VirtualLink:
    reader.place(name)
    link = reader.wait_for_card(WAIT_S)
    assert link is not None
    return link


def test_cards_are_listed_with_their_labels(reader: InProcessReader, folder: Path) -> None:
    (folder / "zz.card.json").write_text("{")
    listed = [(card.name, card.label, card.uid_hex) for card in reader.cards()]
    assert listed == [
        ("one", "کارت ۱ – بزرگسال", "04A1B2C3D4E5F6"),
        ("two", "کارت ۲", "04A1B2C3D4E5F7"),
        ("zz", "zz (unreadable image)", ""),
    ]


def test_a_ride(reader: InProcessReader) -> None:
    link = link_to(reader)
    assert link.atr == bytes.fromhex("3B8180018080")
    terminal = Terminal(link.transmit)
    terminal.prepare()
    assert terminal.tap(20, b"S" * 32)[0] == 2
    assert reader.placed == "one"
    link.close()
    assert link.transmit(GET_UID) == b""
    reader.remove()
    assert reader.wait_for_removal(WAIT_S)
    assert reader.placed is None


def test_nobody_comes(reader: InProcessReader) -> None:
    assert reader.wait_for_card(0) is None
    assert reader.wait_for_removal(0)
    reader.remove()


def test_a_card_that_stays_is_not_removed(reader: InProcessReader) -> None:
    link_to(reader)
    assert not reader.wait_for_removal(0)


def test_another_card_in_its_place_is_a_removal(reader: InProcessReader) -> None:
    first = link_to(reader)
    reader.remove()
    reader.place("two")
    assert reader.wait_for_removal(0)
    second = reader.wait_for_card(WAIT_S)
    assert second is not None
    assert not reader.wait_for_removal(0)
    assert first.transmit(GET_UID) == b""
    assert second.transmit(GET_UID)[6] == 0xF7


def test_a_new_link_resets_the_card_and_tears_the_old_one(reader: InProcessReader) -> None:
    first = link_to(reader)
    terminal = Terminal(first.transmit)
    terminal.prepare()
    terminal.open()
    terminal.debit(9)
    second = reader.wait_for_card(WAIT_S)
    assert second is not None
    with pytest.raises(Torn):
        terminal.commit()
    first.close()  # closing the old link leaves the new one alone
    again = Terminal(second.transmit)
    again.open()
    assert again.value() == UPPER


def test_the_driver_waits_in_its_own_thread(reader: InProcessReader) -> None:
    seen: list[bytes] = []
    removed = threading.Event()

    def driver() -> None:
        link = reader.wait_for_card(WAIT_S)
        assert link is not None
        seen.append(link.transmit(GET_UID))
        told.set()
        if reader.wait_for_removal(WAIT_S):
            seen.append(link.transmit(GET_UID))
            removed.set()

    told = threading.Event()
    thread = threading.Thread(target=driver)
    thread.start()
    reader.place("two")
    assert told.wait(WAIT_S)
    reader.remove()
    assert removed.wait(WAIT_S)
    thread.join()
    assert seen == [UID[:-1] + b"\xf7\x90\x00", b""]


def test_what_the_hand_cannot_do(reader: InProcessReader, folder: Path) -> None:
    with pytest.raises(TrayError, match="no card 'nobody'"):
        reader.place("nobody")
    reader.place("one")
    with pytest.raises(TrayError, match="'one' is already on the reader"):
        reader.place("two")
    other = InProcessReader(folder, "Other reader")
    with pytest.raises(TrayError, match="field of another reader"):
        other.place("one")
    reader.remove()
    other.place("one")
    assert other.placed == "one"


@pytest.fixture
def prepared(reader: InProcessReader) -> Terminal:
    link = link_to(reader)
    terminal = Terminal(link.transmit)
    terminal.prepare()
    return terminal


@pytest.mark.parametrize(("kind", "spent"), [(FaultKind.CUT_BEFORE, 0), (FaultKind.CUT_AFTER, 50)])
def test_a_cut_takes_the_card_away(
    reader: InProcessReader, prepared: Terminal, kind: FaultKind, spent: int
) -> None:
    reader.faults.arm(Fault(kind, 0xC7))
    with pytest.raises(Torn):
        prepared.tap(50, b"S" * 32)
    assert reader.wait_for_removal(0)
    assert reader.placed is None
    again = Terminal(link_to(reader).transmit)
    again.open()
    assert UPPER - again.value() == spent


def test_a_tap_can_be_cut_at_every_one_of_its_apdus(reader: InProcessReader, prepared: Terminal) -> None:
    spent = 0
    reader.remove()
    for kind in (FaultKind.CUT_BEFORE, FaultKind.CUT_AFTER):
        for nth in range(1, 12):
            reader.faults.arm(Fault(kind, nth=nth))
            with pytest.raises(Torn):
                Terminal(link_to(reader).transmit).tap(10, b"S" * 32)
            assert reader.placed is None
            spent += 10 if (kind, nth) == (FaultKind.CUT_AFTER, 11) else 0
            again = Terminal(link_to(reader).transmit)
            again.open()
            assert UPPER - again.value() == spent, (kind, nth)
            reader.remove()


def test_a_dropped_reply_leaves_the_card(reader: InProcessReader, prepared: Terminal) -> None:
    reader.faults.arm(Fault(FaultKind.DROP_REPLY, 0xC7))
    with pytest.raises(Torn):
        prepared.tap(50, b"S" * 32)
    assert reader.placed == "one"
    prepared.open()
    assert UPPER - prepared.value() == 50


def test_a_late_reply_comes_and_one_whose_card_left_does_not(
    reader: InProcessReader, prepared: Terminal
) -> None:
    reader.faults.arm(Fault(FaultKind.DELAY_REPLY, 0xFFCA, delay_ms=1))
    assert prepared.transmit(GET_UID) == UID + b"\x90\x00"
    reader.faults.arm(Fault(FaultKind.DELAY_REPLY, 0xFFCA, delay_ms=600_000))
    threading.Timer(0.01, reader.remove).start()
    assert prepared.transmit(GET_UID) == b""


def test_corrupt_bytes_are_found_by_the_macs(reader: InProcessReader, prepared: Terminal) -> None:
    prepared.open()
    reader.faults.arm(Fault(FaultKind.CORRUPT_COMMAND, 0xDC, byte=6, mask=0x01))
    assert prepared.status(lambda: prepared.debit(2)) == 0x1E
    prepared.open()
    reader.faults.arm(Fault(FaultKind.CORRUPT_REPLY, 0x6C, byte=0, mask=0x80))
    with pytest.raises(AssertionError):
        prepared.value()
    reader.faults.arm(Fault(FaultKind.CORRUPT_REPLY, 0xFFCA, byte=-1, mask=0xFF))
    assert prepared.transmit(GET_UID) == UID + b"\x90\xff"
    reader.faults.arm(Fault(FaultKind.CORRUPT_REPLY, 0xFFCA, byte=99))
    assert prepared.transmit(GET_UID) == UID + b"\x90\x00"


def test_a_fault_fires_once_unless_it_repeats(reader: InProcessReader, prepared: Terminal) -> None:
    def lost() -> list[bool]:
        return [prepared.transmit(GET_UID) == b"" for _ in range(4)]

    reader.faults.arm(Fault(FaultKind.DROP_REPLY, nth=2))
    assert lost() == [False, True, False, False]
    reader.faults.arm(Fault(FaultKind.DROP_REPLY, nth=3, repeat=True))
    assert lost() == [False, False, True, True]
    reader.faults.clear()
    assert lost() == [False] * 4


def test_two_faults_on_one_apdu_take_turns() -> None:
    faults = [Fault(FaultKind.DROP_REPLY), Fault(FaultKind.CUT_AFTER)]
    left, due = advance(faults, "one", "r", 0xC7)
    assert (left, due) == ([faults[1]], faults[0])
    assert advance(left, "one", "r", 0xC7) == ([], faults[1])


def test_a_fault_may_name_its_card_and_reader() -> None:
    faults = Faults()
    faults.arm(Fault(FaultKind.DROP_REPLY, card="two", reader="back door"))
    assert faults.take("one", "back door", 0x6C) is None
    assert faults.take("two", "front door", 0x6C) is None
    assert faults.take("two", "back door", 0x6C) is not None


def test_faults_of_a_folder_reach_any_reader_and_count_across_them(
    reader: InProcessReader, prepared: Terminal, folder: Path
) -> None:
    arm_in_folder(folder, Fault(FaultKind.DROP_REPLY, 0xFFCA, nth=2))
    arm_in_folder(folder, Fault(FaultKind.DELAY_REPLY, 0x60, delay_ms=5, card="two"))
    assert prepared.transmit(GET_UID) != b""
    reader.remove()
    other = InProcessReader(folder, "Other reader")
    assert link_to(other).transmit(GET_UID) == b""
    left = json.loads((folder / "faults.json").read_text())
    assert left == [{"kind": "delay_reply", "nth": 1, "ins": "60", "delay_ms": 5, "card": "two"}]


@pytest.mark.parametrize(
    "content", ["{", "{}", '[{"kind": "explode"}]', '[{"kind": "drop_reply", "ins": "zz"}]']
)
def test_an_unreadable_fault_list_harms_no_tap(prepared: Terminal, folder: Path, content: str) -> None:
    (folder / "faults.json").write_text(content)
    assert prepared.tap(1, b"S" * 32)[0] == 2


@pytest.mark.parametrize(
    "fault",
    [
        Fault(FaultKind.CUT_AFTER, 0xC7),
        Fault(FaultKind.CORRUPT_REPLY, None, 3, byte=-2, mask=4, card="a", reader="b", repeat=True),
        Fault(FaultKind.DELAY_REPLY, 0xFFCA, delay_ms=9),
    ],
)
def test_a_fault_survives_its_document(fault: Fault) -> None:
    assert read_fault(json.loads(json.dumps(fault.document()))) == fault
    with pytest.raises(BadDocument):
        read_fault({**fault.document(), "nth": "many"})


@pytest.mark.parametrize(
    ("apdu", "ins"), [("90C7000000", 0xC7), ("C701", 0xC7), ("FFCA000000", 0xFFCA), ("FF", 0xFF), ("", 0)]
)
def test_the_instruction_of_an_apdu(apdu: str, ins: int) -> None:
    assert instruction(bytes.fromhex(apdu)) == ins
