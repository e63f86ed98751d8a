"""A validator with its threads on real PC/SC, left alone while its reader and pcscd misbehave.

It must be back within 10 s of the trouble's end, and phones ride meanwhile.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from hardware.emulator.vpcd import VpcdTray
from readers.addresses import resolve
from readers.process import ValidatorOptions, ValidatorProcess, compose
from readers.shown import Lamp
from tests.readers.bus import NOW_S, Disk, Issuer, ManualClock
from tests.readers.conftest import cards, issuer
from tests.readers.pcsc.conftest import HurtPcscd, impatient, pcscd, tray, wait_for
from tests.services.pcsc import PcscService

__all__ = ["cards", "issuer", "pcscd", "tray"]

Start = Callable[[str], ValidatorProcess]


@pytest.fixture
def start(issuer: Issuer, tmp_path: Path, pcsc_service: PcscService) -> Iterator[Start]:
    """Starts validators by the names of their readers, and stops them."""
    with ExitStack() as stack:

        def started(reader: str) -> ValidatorProcess:
            state = tmp_path / reader.replace(" ", "-")
            process = compose(
                issuer.kit(), resolve(reader), ValidatorOptions(state), clock=ManualClock(), storage=Disk()
            )
            stack.callback(process.stop)
            process.bundles.offer(issuer.bundle())
            process.start()
            return process

        yield started


def ride(process: ValidatorProcess, hand: VpcdTray, card: str) -> None:
    """Lay a card on the reader until it has ridden, and take it away."""
    before = process.display.now().number
    hand.place(card)
    try:
        assert (shown := process.display.wait_after(before, 10)) is not None, process.reader_problem
        assert shown.lamp is Lamp.GREEN, shown
    finally:
        hand.remove()


def test_phones_ride_while_the_reader_hangs_and_cards_ride_again_afterwards(
    start: Start, tray: VpcdTray, pcscd: HurtPcscd, pcsc_service: PcscService, issuer: Issuer
) -> None:
    process = start(pcsc_service.reader_name)
    phone = issuer.phone()
    with impatient():
        ride(process, tray, "one")
        pcscd.freeze()
        wait_for("the validator to notice", lambda: "did not answer" in process.reader_problem)
    assert process.scan(phone.ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    pcscd.thaw()
    wait_for("the reader to be back", lambda: not process.reader_problem)
    ride(process, tray, "one")
    pcscd.kill()
    wait_for("the validator to notice", lambda: "no PC/SC service" in process.reader_problem)
    assert process.scan(phone.ticket_text(NOW_S, 2)).lamp is Lamp.GREEN
    pcscd.come_back()
    ride(process, tray, "one")
    wait_for("the trouble to be forgotten", lambda: not process.reader_problem)


def test_a_card_that_lay_there_before_the_start_rides(
    start: Start, tray: VpcdTray, pcsc_service: PcscService
) -> None:
    tray.place("one")
    process = start(pcsc_service.reader_name)
    shown = process.display.wait_after(0, 10)
    assert shown is not None
    assert shown.lamp is Lamp.GREEN


def test_two_validators_share_a_machine_with_two_readers(
    start: Start, tray: VpcdTray, pcsc_service: PcscService, issuer: Issuer, cards: Path
) -> None:
    issuer.make_card(cards, "two", 1002)
    other_tray = VpcdTray(cards, pcsc_service.host, pcsc_service.port + 1)
    first = start(pcsc_service.reader_name)
    second = start(pcsc_service.reader_name.replace("00 00", "00 01"))
    ride(first, tray, "one")
    ride(second, other_tray, "two")
    assert (first.display.now().number, second.display.now().number) == (1, 1)
