"""The ride over a real pcscd and vpcd, and what happens when they go away."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path

import pytest

from fare.core.errors import OperatorError
from hardware.emulator.faults import Fault, FaultKind
from hardware.emulator.vpcd import VpcdTray
from readers.addresses import resolve
from readers.pcsc.opening import open_reader, reader_names
from readers.ports import ReaderFault
from readers.process import ValidatorOptions, ValidatorProcess, compose
from readers.shown import Lamp, Shown
from tests.readers.bus import FARE_RIAL, Disk, Issuer, ManualClock, spent_on
from tests.readers.pcsc.conftest import HurtPcscd, impatient
from tests.services.pcsc import PcscService

QUICK_PROFILE = """
model = "Virtual"
names = ["Virtual PCD"]
apdu_timeout_ms = 600
"""


class PcscBus:
    """A validator on one slot of the virtual PC/SC reader."""

    def __init__(self, issuer: Issuer, cards: Path, state: Path, service: PcscService, slot: int = 0) -> None:
        self.tray = VpcdTray(cards, service.host, service.port + slot)
        self.process: ValidatorProcess = compose(
            issuer.kit(),
            resolve(service.reader_name.replace("00 00", f"00 0{slot}")),
            ValidatorOptions(state),
            clock=ManualClock(),
            storage=Disk(),
        )
        self.process.bundles.offer(issuer.bundle())

    def tap(self, name: str) -> Shown:
        self.tray.place(name)
        shown = self.process.tap_next_card(10)
        self.tray.remove()
        assert self.process.equipment.reader.wait_for_removal(10)
        assert shown is not None
        return shown


Slot = Callable[[int], PcscBus]


@pytest.fixture
def on_slot(issuer: Issuer, cards: Path, tmp_path: Path, pcsc_service: PcscService) -> Iterator[Slot]:
    """A bus on slot 0 or 1 of the reader, stopped at the end."""
    with ExitStack() as stack:

        def started(slot: int) -> PcscBus:
            bus = PcscBus(issuer, cards, tmp_path / f"state-{slot}", pcsc_service, slot)
            stack.callback(bus.process.stop)
            stack.callback(bus.tray.remove)
            return bus

        yield started


@pytest.fixture
def pcsc_bus(on_slot: Slot) -> PcscBus:
    return on_slot(0)


@pytest.mark.usefixtures("seen_removals")
def test_a_card_rides_through_pcsc(pcsc_bus: PcscBus, issuer: Issuer, cards: Path) -> None:
    assert [pcsc_bus.tap("one").lamp for _ in range(2)] == [Lamp.GREEN] * 2
    taps = pcsc_bus.process.journal.recent_taps(9)
    assert [issuer.proof_verifies(tap) for tap in taps] == [True] * 2
    assert spent_on(issuer, cards, "one") == 2 * FARE_RIAL


def test_a_card_torn_from_a_pcsc_reader_in_any_phase_is_debited_once(
    on_slot: Slot, issuer: Issuer, cards: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The phases in two halves, each with a card and a slot of its own, at the same time.

    Each ends at Commit: one card is torn away after it, the other's reader hangs.
    """
    (tmp_path / "quick.toml").write_text(QUICK_PROFILE)
    monkeypatch.setenv("MANCARD_READER_PROFILES", str(tmp_path))
    issuer.make_card(cards, "two", 1002)
    halves = {
        "one": (
            Fault(FaultKind.CUT_BEFORE, ins=0xFFCA),
            Fault(FaultKind.CUT_BEFORE, ins=0xAD),
            Fault(FaultKind.DROP_REPLY, ins=0x8B),
            Fault(FaultKind.DELAY_REPLY, ins=0xC7, delay_ms=60_000),
        ),
        "two": (
            Fault(FaultKind.CUT_AFTER, ins=0x71),
            Fault(FaultKind.CUT_AFTER, ins=0xDC),
            Fault(FaultKind.CUT_BEFORE, ins=0x8B),
            Fault(FaultKind.CUT_AFTER, ins=0xC7),
        ),
    }

    def ride(bus: PcscBus, card: str) -> Shown:
        for fault in halves[card]:
            bus.tray.faults.arm(fault)
            assert bus.tap(card).lamp is Lamp.AMBER, fault
        return bus.tap(card)

    buses = [on_slot(slot) for slot in range(2)]
    with ThreadPoolExecutor(2) as hands:
        for recovered in hands.map(ride, buses, halves):
            assert (recovered.lamp, recovered.recovered) == (Lamp.GREEN, True)
    assert [spent_on(issuer, cards, card) for card in halves] == [FARE_RIAL] * 2


def test_a_card_that_already_lies_there_is_seen_and_an_empty_field_ends_the_wait(
    pcsc_bus: PcscBus, pcsc_service: PcscService
) -> None:
    assert pcsc_bus.process.tap_next_card(0.05) is None
    pcsc_bus.tray.place("one")
    with open_reader(pcsc_service.reader_name) as fresh:
        link = fresh.wait_for_card(10)
        assert link is not None
        assert link.atr == bytes.fromhex("3B8180018080")
        link.close()
        assert not fresh.wait_for_removal(0.05)
    with open_reader(pcsc_service.reader_name) as another:
        assert another.wait_for_card(0) is not None


def test_a_restarted_pcscd_is_found_again_unattended(pcsc_bus: PcscBus, pcsc_service: PcscService) -> None:
    if not pcsc_service.ours:
        pytest.fail("this test restarts pcscd: stop the one that is running")
    assert pcsc_bus.process.tap_next_card(0.05) is None, "it already waits on the service that will go"
    answers: list[Shown | None] = []
    pcsc_service.stop()
    with pytest.raises(ReaderFault, match="no PC/SC service"):
        pcsc_bus.process.tap_next_card(0.5)
    waiting = threading.Thread(target=lambda: answers.append(pcsc_bus.process.tap_next_card(20)))
    waiting.start()
    pcsc_service.start()
    pcsc_bus.tray.place("one")
    waiting.join(20)
    assert answers[0] is not None
    assert answers[0].lamp is Lamp.GREEN


def test_a_service_that_hangs_is_one_sentence(pcscd: HurtPcscd) -> None:
    pcscd.freeze()
    with impatient(), pytest.raises(OperatorError, match=r"PC/SC service does not answer .*: restart it"):
        resolve("ACME")


def test_no_service_or_no_such_reader_is_one_sentence(pcsc_service: PcscService) -> None:
    with pytest.raises(OperatorError, match=r"no PC/SC reader 'ACME'.*'Virtual PCD 00 00'"):
        resolve("ACME")
    assert pcsc_service.reader_name in reader_names()
    if not pcsc_service.ours:
        return
    pcsc_service.stop()
    with pytest.raises(OperatorError, match=r"^There is no PC/SC service .*start pcscd"):
        resolve("ACME")
    with pytest.raises(OperatorError, match="no PC/SC service"):
        reader_names()
