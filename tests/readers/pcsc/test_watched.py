"""The worker process and its watchdog, on a real pcscd: hung, killed, torn, and with several readers."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from hardware.emulator.faults import Fault, FaultKind
from hardware.emulator.image import create_image
from hardware.emulator.vpcd import VpcdTray
from readers.pcsc.watched import INHERITED, ServiceFault, WatchedLink, WatchedReader, Worker
from readers.pcsc.wire import Order
from readers.ports import ReaderFault
from tests.readers.pcsc.conftest import BACK_WITHIN_S, IMPATIENT_S, HurtPcscd, alive, impatient, wait_for
from tests.services.pcsc import PcscService
from tests.services.started import find_program

READ_UID = bytes.fromhex("FFCA000000")
GET_VERSION = bytes.fromhex("9060000000")


def card_on(reader: WatchedReader) -> WatchedLink:
    """A card within ten seconds, whatever the reader's trouble until then: as the validator's card thread."""
    found: list[WatchedLink] = []

    def tried() -> bool:
        try:
            link = reader.wait_for_card(0.5)
        except ReaderFault:
            return False
        found.extend([] if link is None else [link])
        return bool(found)

    wait_for("a card", tried, BACK_WITHIN_S)
    return found[0]


def test_the_worker_speaks_to_a_card_and_is_gone_when_closed(tray: VpcdTray, reader: WatchedReader) -> None:
    tray.place("one")
    link = card_on(reader)
    pid = reader.worker_pid
    assert pid is not None
    assert pid != os.getpid()
    assert link.atr == bytes.fromhex("3B8180018080")
    assert link.transmit(READ_UID)[-2:] == b"\x90\x00"
    assert link.transmit(GET_VERSION)[-2:] == b"\x91\xaf"
    link.close()
    assert link.transmit(READ_UID) == b""
    assert not reader.wait_for_removal(0.05)
    tray.remove()
    assert reader.wait_for_removal(BACK_WITHIN_S)
    reader.close()
    assert not Path(f"/proc/{pid}").exists(), "not even a zombie"


def test_the_worker_inherits_no_secret_of_the_environment(
    reader: WatchedReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MANCARD_KEYS", "a secret")
    reader.survey()
    names = {
        line.partition("=")[0]
        for line in Path(f"/proc/{reader.worker_pid}/environ").read_text().split("\0")
        if line
    }
    # Python itself sets LC_CTYPE in a C locale.
    assert names <= {*INHERITED, "LC_CTYPE"}


def test_a_hung_apdu_is_a_reader_fault_and_the_next_worker_goes_on(
    tray: VpcdTray, reader: WatchedReader
) -> None:
    tray.faults.arm(Fault(FaultKind.DELAY_REPLY, ins=0x60, delay_ms=60_000))
    tray.place("one")
    link = card_on(reader)
    hung = reader.worker_pid
    with pytest.raises(ReaderFault, match=f"did not answer within {IMPATIENT_S} s"):
        link.transmit(GET_VERSION)
    assert hung is not None
    assert not Path(f"/proc/{hung}").exists()
    with pytest.raises(ReaderFault):
        link.transmit(READ_UID)
    link.close()
    tray.remove()
    tray.place("one")
    again = card_on(reader)
    assert again.transmit(READ_UID)[-2:] == b"\x90\x00"
    assert reader.worker_pid != hung
    again.close()


def test_a_worker_that_was_killed_is_replaced(tray: VpcdTray, reader: WatchedReader) -> None:
    tray.place("one")
    link = card_on(reader)
    killed = reader.worker_pid
    assert killed is not None
    os.kill(killed, signal.SIGKILL)
    with pytest.raises(ReaderFault, match="ended by itself"):
        link.transmit(READ_UID)
    assert not Path(f"/proc/{killed}").exists(), "not even a zombie"
    assert card_on(reader).transmit(READ_UID)[-2:] == b"\x90\x00"


def test_a_worker_ends_with_its_parent_even_when_it_hangs(pcscd: HurtPcscd) -> None:
    pcscd.freeze()
    program = (
        "import os, sys, threading\n"
        "from readers.pcsc.watched import Worker\n"
        "from readers.pcsc.wire import Order\n"
        "worker = Worker()\n"
        "worker.tell(Order.SURVEY, bytes(4))\n"  # hangs in a call into the frozen service
        "print(worker.pid, flush=True)\n"
        "sys.stdin.read()\n"
    )
    with subprocess.Popen(
        [sys.executable, "-c", program], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as parent:
        assert parent.stdout is not None
        worker = int(parent.stdout.readline())
        assert alive(worker)
        parent.kill()
    wait_for("the worker to end with its parent", lambda: not alive(worker))


@pytest.mark.usefixtures("seen_removals")
def test_pcscd_killed_and_restarted(tray: VpcdTray, reader: WatchedReader, pcscd: HurtPcscd) -> None:
    tray.place("one")
    link = card_on(reader)
    pcscd.kill()
    with pytest.raises(ReaderFault):
        link.transmit(READ_UID)
    link.close()
    with pytest.raises(ServiceFault, match=r"There is no PC/SC service .*start pcscd"):
        reader.wait_for_card(0.2)
    tray.remove()
    pcscd.come_back()  # a new service: it has seen no card, and none leave
    tray.place("one")
    assert card_on(reader).transmit(READ_UID)[-2:] == b"\x90\x00"


def test_pcscd_frozen_and_continued(tray: VpcdTray, reader: WatchedReader, pcscd: HurtPcscd) -> None:
    tray.place("one")
    link = card_on(reader)
    pcscd.freeze()
    with pytest.raises(ReaderFault, match="did not answer"):
        link.transmit(READ_UID)
    with impatient(), pytest.raises(ReaderFault, match="did not answer"):
        reader.wait_for_card(0)
    pcscd.thaw()
    assert card_on(reader).transmit(READ_UID)[-2:] == b"\x90\x00"


def test_a_reader_that_is_plugged_in_later_is_found(
    tray: VpcdTray, reader: WatchedReader, pcscd: HurtPcscd, tmp_path: Path
) -> None:
    """As near to a plug as vpcd comes: a service without the reader, then one with it."""
    assert reader.wait_for_card(0.05) is None
    pcscd.kill()
    empty = tmp_path / "reader.conf.d"
    empty.mkdir()
    program = find_program("pcscd", folders=("usr/sbin", "usr/local/sbin"))
    with subprocess.Popen(
        [program, "--foreground", "--config", str(empty)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as bare:
        try:
            wait_for("a service without the reader", lambda: _trouble(reader, "is not plugged in"))
        finally:
            bare.terminate()
    pcscd.come_back()
    tray.place("one")
    assert card_on(reader).transmit(READ_UID)[-2:] == b"\x90\x00"


def _trouble(reader: WatchedReader, word: str) -> bool:
    try:
        reader.wait_for_card(0.1)
    except ReaderFault as fault:
        return word in str(fault)
    return False


def test_two_readers_on_one_machine(
    cards: Path, tray: VpcdTray, reader: WatchedReader, pcsc_service: PcscService
) -> None:
    create_image(cards, "two", bytes.fromhex("04112233445566"))
    other_tray = VpcdTray(cards, pcsc_service.host, pcsc_service.port + 1)
    with WatchedReader(pcsc_service.reader_name.replace("00 00", "00 01")) as other:
        try:
            other_tray.place("two")
            second = card_on(other)
            assert reader.wait_for_card(0.05) is None
            tray.place("one")
            first = card_on(reader)
            assert second.transmit(READ_UID)[:7] == bytes.fromhex("04112233445566")
            assert first.transmit(READ_UID)[:7] != second.transmit(READ_UID)[:7]
            assert reader.worker_pid != other.worker_pid
        finally:
            other_tray.remove()


def test_an_answer_that_this_reader_gives_for_a_lost_card_is_a_torn_card(
    tray: VpcdTray, pcsc_service: PcscService
) -> None:
    tray.place("one")
    unknown = bytes.fromhex("00A4040000")
    with WatchedReader(pcsc_service.reader_name) as plain:
        link = card_on(plain)
        answer = link.transmit(unknown)
        assert len(answer) == 2
    with WatchedReader(pcsc_service.reader_name, card_lost=frozenset((answer,))) as profiled:
        assert card_on(profiled).transmit(unknown) == b""


def test_lamp_wishes_that_a_reader_refuses_disturb_nothing(tray: VpcdTray, reader: WatchedReader) -> None:
    tray.place("one")
    link = card_on(reader)
    for _ in range(50):
        reader.show((bytes.fromhex("FF00400E0400000000"),), 0.01, (bytes.fromhex("FF00400C0400000000"),))
        assert link.transmit(READ_UID)[-2:] == b"\x90\x00"
    link.close()
    assert card_on(reader).transmit(READ_UID)[-2:] == b"\x90\x00"
    reader.close()
    with pytest.raises(ReaderFault, match="refused an escape command"):
        reader.escape(reader.name, b"\xff")


def test_a_program_that_is_no_worker_is_one_sentence() -> None:
    for command, sentence in (
        (("/nonexistent/python",), "cannot be started"),
        ((sys.executable, "-c", ""), "ended by itself"),
        ((sys.executable, "-c", "print('hello, who are you?')"), "is not understood"),
    ):
        with pytest.raises(ReaderFault, match=sentence):
            Worker(command)


def test_a_command_too_long_for_any_reader_is_refused(reader: WatchedReader) -> None:
    reader.survey()
    worker = Worker()
    with pytest.raises(ReaderFault, match="too long"):
        worker.tell(Order.TRANSMIT, bytes(5000))
    assert worker.call(Order.CLOSE, b"", 5.0) == b""
    worker.end()
    worker.end()
