"""The tray over real PC/SC: pcscd, vpcd and the card, seen through the PC/SC interface alone."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import cast

import pytest
from smartcard.scard import (
    SCARD_LEAVE_CARD,
    SCARD_PCI_T1,
    SCARD_PROTOCOL_T1,
    SCARD_S_SUCCESS,
    SCARD_SCOPE_SYSTEM,
    SCARD_SHARE_EXCLUSIVE,
    SCARD_STATE_EMPTY,
    SCARD_STATE_PRESENT,
    SCARD_STATE_UNAWARE,
    SCARD_UNPOWER_CARD,
    SCardConnect,
    SCardDisconnect,
    SCardEstablishContext,
    SCardGetStatusChange,
    SCardReleaseContext,
    SCardStatus,
    SCardTransmit,
)

from hardware.emulator.faults import Fault, FaultKind
from hardware.emulator.field import TrayError
from hardware.emulator.image import create_image, read_image
from hardware.emulator.kinds import TRAITS, ChipKind
from hardware.emulator.vpcd import VpcdTray, receive_frame
from tests.hardware.emulator.terminal import K1, UPPER, Terminal, Torn
from tests.services.pcsc import PcscService

WAIT_MS = 10_000


def wait_for(reader: str, wanted: int) -> bool:
    """Does PC/SC report the wanted state within the time allowed?"""
    result, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
    assert result == SCARD_S_SUCCESS
    try:
        seen = SCARD_STATE_UNAWARE
        give_up_at = time.monotonic() + WAIT_MS / 1000
        while time.monotonic() < give_up_at:
            _, states = SCardGetStatusChange(context, WAIT_MS, [(reader, seen)])
            seen = states[0][1]
            if seen & wanted:
                return True
        return False
    finally:
        SCardReleaseContext(context)


@contextmanager
def connected(
    reader: str, ending: int = SCARD_UNPOWER_CARD
) -> Generator[tuple[Callable[[bytes], bytes], bytes], None, None]:
    """A T=1 connection as the validator makes it: transmit (a failed one is a torn card) and the ATR."""
    assert wait_for(reader, SCARD_STATE_PRESENT)
    _, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
    result, handle, _ = SCardConnect(context, reader, SCARD_SHARE_EXCLUSIVE, SCARD_PROTOCOL_T1)
    assert result == SCARD_S_SUCCESS, hex(result & 0xFFFFFFFF)
    atr = bytes(SCardStatus(handle)[4])

    def transmit(apdu: bytes) -> bytes:
        outcome, reply = SCardTransmit(handle, SCARD_PCI_T1, list(apdu))
        return bytes(reply) if outcome == SCARD_S_SUCCESS else b""

    try:
        yield transmit, atr
    finally:
        SCardDisconnect(handle, ending)
        SCardReleaseContext(context)


@pytest.fixture
def tray(folder: Path, pcsc_service: PcscService) -> Iterator[VpcdTray]:
    made = VpcdTray(folder, pcsc_service.host, pcsc_service.port)
    yield made
    made.remove()


def test_a_whole_ride_through_pcscd(tray: VpcdTray, pcsc_service: PcscService, folder: Path) -> None:
    tray.place("one")
    with connected(pcsc_service.reader_name) as (transmit, atr):
        assert atr == bytes.fromhex("3B8180018080")
        terminal = Terminal(transmit)
        terminal.prepare()
        terminal.sent.clear()
        tmc, tmv = terminal.tap(12_000, b"S" * 32)
        assert (tmc, len(terminal.sent)) == (2, 11)
        terminal.open()
        assert UPPER - terminal.value() == 12_000
        assert terminal.read(0x0F) == (2).to_bytes(4, "little") + tmv
    tray.remove()
    assert wait_for(pcsc_service.reader_name, SCARD_STATE_EMPTY)
    assert read_image(folder / "one.card.json").state.applications


def test_disconnecting_with_unpower_forgets_the_session_but_not_the_card(
    tray: VpcdTray, pcsc_service: PcscService
) -> None:
    tray.place("one")
    with connected(pcsc_service.reader_name) as (transmit, _):
        terminal = Terminal(transmit)
        terminal.prepare()
        terminal.open()
        terminal.debit(500)
    with connected(pcsc_service.reader_name, SCARD_LEAVE_CARD) as (transmit, _):
        again = Terminal(transmit)
        _, status = again.exchange(0x6C, b"\x02")
        assert status == 0x9D  # the card level is selected after power-on
        again.open(1, K1)
        assert UPPER - again.value() == 0


def test_a_cut_after_commit_is_a_torn_card_whose_debit_stands(
    tray: VpcdTray, pcsc_service: PcscService
) -> None:
    tray.place("one")
    with connected(pcsc_service.reader_name) as (transmit, _):
        terminal = Terminal(transmit)
        terminal.prepare()
        tray.faults.arm(Fault(FaultKind.CUT_AFTER, 0xC7))
        with pytest.raises(Torn):
            terminal.tap(700, b"S" * 32)
    assert wait_for(pcsc_service.reader_name, SCARD_STATE_EMPTY)
    assert tray.placed is None
    tray.place("one")
    with connected(pcsc_service.reader_name) as (transmit, _):
        terminal = Terminal(transmit)
        terminal.open()
        assert UPPER - terminal.value() == 700
        assert terminal.records() == b"S" * 32


def test_a_dropped_reply_is_shorter_than_a_status_word(tray: VpcdTray, pcsc_service: PcscService) -> None:
    tray.place("one")
    with connected(pcsc_service.reader_name) as (transmit, _):
        tray.faults.arm(Fault(FaultKind.DROP_REPLY, 0x60))
        assert len(transmit(bytes.fromhex("9060000000"))) < 2


def test_two_cards_after_each_other(tray: VpcdTray, pcsc_service: PcscService) -> None:
    for name, last in (("one", 0xF6), ("two", 0xF7), ("one", 0xF6)):
        tray.place(name)
        with connected(pcsc_service.reader_name) as (transmit, _):
            assert transmit(bytes.fromhex("FFCA000000"))[6] == last
        tray.remove()
        assert wait_for(pcsc_service.reader_name, SCARD_STATE_EMPTY)


def test_two_slots_hold_two_cards_at_once(tray: VpcdTray, pcsc_service: PcscService, folder: Path) -> None:
    """A card lies on each of vpcd's two readers; what one does is nothing to the other."""
    create_image(folder, "classic", b"\x04\x05\x06\x07", kind=ChipKind.CLASSIC)
    second = VpcdTray(folder, pcsc_service.host, pcsc_service.port + 1)
    second_name = pcsc_service.reader_name[:-1] + "1"
    tray.place("one")
    with pytest.raises(TrayError, match="field of another reader"):
        second.place("one")
    second.place("two")
    try:
        with connected(pcsc_service.reader_name) as (first, _), connected(second_name) as (other, _):
            one, two = Terminal(first), Terminal(other)
            one.prepare()
            two.prepare()
            one.open()
            two.open()
            one.debit(5)
            two.debit(7)
            for terminal in (one, two):
                terminal.record(b"S" * 32)
                assert terminal.commit()[0] == 2
            one.open()
            two.open()
            assert (UPPER - one.value(), UPPER - two.value()) == (5, 7)
        second.remove()
        second.place("classic")
        with connected(second_name) as (other, atr):
            assert atr == TRAITS[ChipKind.CLASSIC].atr
            assert other(bytes.fromhex("FFCA000000")) == b"\x04\x05\x06\x07\x90\x00"
            assert other(bytes.fromhex("9060000000")) == b"\x6e\x00"
    finally:
        second.remove()


class RecordingWire:
    """Hands out bytes one at a time and remembers in which order it was asked and told what."""

    def __init__(self, incoming: bytes) -> None:
        self.incoming = incoming
        self.calls: list[str] = []

    def setsockopt(self, level: int, option: int, value: int) -> None:
        assert (level, option, value) == (socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        self.calls.append("quick acknowledgement")

    def recv(self, size: int) -> bytes:
        assert size > 0
        self.calls.append("receive")
        part, self.incoming = self.incoming[:1], self.incoming[1:]
        return part


def test_every_receive_asks_for_a_quick_acknowledgement() -> None:
    """The kernel forgets the option after each receive, and an APDU would take 44 ms."""
    wire = RecordingWire(bytes.fromhex("0003 FFCA00") + b"\x00")
    assert receive_frame(cast(socket.socket, wire)) == bytes.fromhex("FFCA00")
    assert receive_frame(cast(socket.socket, wire)) is None
    assert wire.calls == ["quick acknowledgement", "receive"] * 7


def test_a_restarted_pcscd_is_served_again(tray: VpcdTray, pcsc_service: PcscService, folder: Path) -> None:
    tray.place("one")
    assert wait_for(pcsc_service.reader_name, SCARD_STATE_PRESENT)
    if pcsc_service.ours:
        pcsc_service.stop()
        tray.wait()
        assert tray.placed is None
        with pytest.raises(TrayError, match="start pcscd"):
            tray.place("one")
        pcsc_service.start()
        tray.place("one")
    with connected(pcsc_service.reader_name) as (transmit, _):
        assert transmit(bytes.fromhex("FFCA000000")).endswith(b"\x90\x00")


def test_without_pcscd_the_hand_is_told_what_to_do(folder: Path) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        tray = VpcdTray(folder, port=int(unused.getsockname()[1]))
        with pytest.raises(TrayError, match="start pcscd with vsmartcard-vpcd"):
            tray.place("one")
    # The card was given back: another reader can have it.
    other = VpcdTray(folder, port=1)
    with pytest.raises(TrayError, match="start pcscd"):
        other.place("one")
