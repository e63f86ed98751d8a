"""Other chips on the reader, and DESFire of other generations: what each lets a reader find out."""

from __future__ import annotations

from pathlib import Path

import pytest

from hardware.emulator.card import VirtualCard
from hardware.emulator.image import ImageError, create_image, hold_image, image_path, read_image
from hardware.emulator.kinds import TRAITS, ChipKind
from hardware.emulator.other_chips import OtherChip
from hardware.emulator.reader import InProcessReader
from hardware.emulator.state import CardState
from tests.hardware.emulator.conftest import UID
from tests.hardware.emulator.ev1_terminal import Ev1Terminal
from tests.hardware.emulator.terminal import AID, K0, K1, ZERO_KEY, Terminal, head, u

GET_UID = bytes.fromhex("FFCA000000")
TYPES_AND_MAJORS = {
    ChipKind.EV1: (0x01, 0x01),
    ChipKind.EV2: (0x01, 0x12),
    ChipKind.EV3: (0x01, 0x33),
    ChipKind.PLUS: (0x02, 0x11),
    ChipKind.NTAG: (0x04, 0x30),
}


def test_every_kind_lies_on_a_tray_and_tells_what_it_is(tmp_path: Path) -> None:
    reader = InProcessReader(tmp_path)
    for kind in ChipKind:
        create_image(tmp_path, kind.value, UID[: kind.uid_bytes], kind=kind)
        assert read_image(image_path(tmp_path, kind.value)).state.kind is kind
        reader.place(kind.value)
        link = reader.wait_for_card(0)
        assert link is not None
        assert link.transmit(GET_UID) == UID[: kind.uid_bytes] + b"\x90\x00"
        assert link.atr == TRAITS[kind].atr
        checked = 0
        for byte in link.atr[1:]:
            checked ^= byte
        assert checked == 0, "the check byte of the ATR"
        if kind in TYPES_AND_MAJORS:
            version = Terminal(link.transmit).plain(0x60)
            assert (version[1], version[3]) == TYPES_AND_MAJORS[kind]
            assert version[14:21] == UID
        reader.remove()
        assert link.transmit(GET_UID) == b""


def test_a_classic_answers_its_uid_and_nothing_else() -> None:
    card = OtherChip(CardState(UID[:4], kind=ChipKind.CLASSIC))
    assert card.atr == bytes.fromhex("3B8F8001804F0CA0000003060300010000000 06A".replace(" ", ""))
    assert card.transmit(GET_UID) == UID[:4] + b"\x90\x00"
    assert card.transmit(bytes.fromhex("FFCA010000")) == b"\x6a\x81"
    for apdu in ("9060000000", "905A000003F54D4300", "60", "00A4040000", "", "9071000002010000"):
        assert card.transmit(bytes.fromhex(apdu)) == b"\x6e\x00"
    card.power(False)
    assert (card.powered, card.transmit(GET_UID)) == (False, b"")


def test_a_plus_knows_get_version_alone() -> None:
    card = OtherChip(CardState(UID, kind=ChipKind.PLUS))
    assert card.transmit(bytes.fromhex("905A000003F54D4300")) == b"\x91\x1c"
    assert card.transmit(bytes.fromhex("90AF000000")) == b"\x91\x1c"
    assert card.transmit(b"\x60")[:2] == b"\xaf\x04"
    assert card.transmit(b"\x60")[:2] == b"\xaf\x04"
    assert card.transmit(b"\xaf")[:2] == b"\xaf\x04"
    card.power(True)
    assert card.transmit(b"\xaf") == b"\x1c"


def test_an_ev1_knows_no_command_of_ev2() -> None:
    card = VirtualCard.factory(UID, kind=ChipKind.EV1)
    t = Ev1Terminal(card.transmit)
    assert t.native(0xCA, AID + bytes.fromhex("0993 01 00 02 10 00"))[1] == 0x9E
    t.frames(0xCA, AID + b"\x0f\x82")
    t.select(AID)
    for ins in (0x71, 0x77, 0xAD, 0xAB, 0x8D, 0x8B, 0xC6, 0x55, 0x56, 0x57, 0xCE, 0xC8):
        t.authenticate(0, ZERO_KEY)
        assert t.native(ins, bytes(8))[1] == 0x1C, hex(ins)
    t.authenticate(0, ZERO_KEY)
    t.plain(0xCC, bytes([1, 1, 0, 0]) + u(0, 4) + u(9, 4) + u(9, 4) + b"\x00")
    t.maced(0xDC, b"\x01" + u(4, 4))
    assert t.status(lambda: t.plain(0xC7, b"\x01")) == 0x7E
    t.authenticate(0, ZERO_KEY)
    t.maced(0xDC, b"\x01" + u(4, 4))
    t.plain(0xC7)
    assert t.plain(0x6C, b"\x01") == u(5, 4)


def test_an_ev2_does_all_that_an_ev3_does() -> None:
    card = VirtualCard.factory(UID, kind=ChipKind.EV2)
    terminal = Terminal(card.transmit)
    terminal.prepare()
    assert terminal.tap(5, b"S" * 32)[0] == 2


def test_what_no_card_of_that_kind_can_be(tmp_path: Path) -> None:
    with pytest.raises(ImageError, match="4 bytes, not 7"):
        create_image(tmp_path, "a", UID, kind=ChipKind.CLASSIC)
    with pytest.raises(ImageError, match="no DES master key"):
        create_image(tmp_path, "a", UID, kind=ChipKind.PLUS, des_master=True)
    with pytest.raises(ValueError, match="is no DESFire"):
        VirtualCard(CardState(UID, kind=ChipKind.NTAG))
    with pytest.raises(ValueError, match="at least one byte"):
        VirtualCard(CardState(UID), frame_bytes=0)
    path = create_image(tmp_path, "a", UID, kind=ChipKind.EV1)
    path.write_text(path.read_text().replace('"ev1"', '"ev9"'))
    with pytest.raises(ImageError, match="kind of chip is unknown"):
        hold_image(tmp_path, "a")


def test_answers_come_in_frames_of_the_size_that_was_ordered() -> None:
    for frame_bytes in (1, 59, 60, 128, 253):
        card = VirtualCard.factory(UID, frame_bytes=frame_bytes)
        terminal = Terminal(card.transmit)
        terminal.prepare()
        terminal.open()
        for ins in (0xAD, 0xBD):
            frames = [terminal.exchange(ins, head(1, 0, 0) + terminal._mac(ins, head(1, 0, 0)))]
            while frames[-1][1] == 0xAF:
                frames.append(terminal.exchange(0xAF))
            terminal.ctr += 1
            assert [len(data) for data, _ in frames[:-1]] == [frame_bytes] * ((136 - 1) // frame_bytes)
            assert sum(len(data) for data, _ in frames) == 136
        assert terminal.tap(5, b"S" * 32)[0] == 2
        old = Ev1Terminal(card.transmit)
        old.select(AID)
        old.authenticate(1, K1)
        assert old.read(1, 0, 128) == b"E" * 128
        assert [len(old.native(0x60)[0]) for _ in range(1)] == [7]


def test_a_delivered_ev2_card_on_a_tray(tmp_path: Path) -> None:
    create_image(tmp_path, "new", UID, des_master=True, kind=ChipKind.EV2)
    held = hold_image(tmp_path, "new")
    t = Ev1Terminal(held.card.transmit)
    t.authenticate(0, ZERO_KEY, des=True)
    held.release()
    held = hold_image(tmp_path, "new")
    t = Ev1Terminal(held.card.transmit)
    t.authenticate(0, ZERO_KEY, des=True)
    t.change_key(0x80, K0, None, 1)
    held.release()
    again = hold_image(tmp_path, "new")
    Ev1Terminal(again.card.transmit).authenticate(0, K0)
    again.release()
