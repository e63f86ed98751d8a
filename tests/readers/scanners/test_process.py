"""A whole validator with a scanner: a ticket held before it turns the lamp green, and it stops cleanly."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from qrcode.main import QRCode

from fare.core.tap import Outcome
from hardware.emulator.reader import InProcessReader
from readers.addresses import Equipment
from readers.process import ValidatorOptions, ValidatorProcess, compose
from readers.scanners.opening import open_scanner
from readers.shown import Lamp
from tests.readers.bus import NOW_S, Disk, Issuer, ManualClock
from tests.readers.scanners.plug import Plug


@dataclass
class Door:
    process: ValidatorProcess
    pictures: Path


@pytest.fixture
def door(
    tmp_path: Path, issuer: Issuer, cards: Path, plug: Plug, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Door]:
    """A running validator with a serial scanner and a folder of pictures; its folder is not there yet."""
    monkeypatch.setattr("readers.scanners.serving.AGAIN_S", 0.05)
    pictures = tmp_path / "pictures"
    reader = InProcessReader(cards)
    serial = open_scanner(f"serial:{plug.path}")
    assert serial.read(0) is None  # opened, so that nothing said now is forgotten
    process = compose(
        issuer.kit(),
        Equipment(reader, reader),
        ValidatorOptions(tmp_path / "state"),
        clock=ManualClock(),
        storage=Disk(),
        scanners=[serial, open_scanner(f"frames:{pictures}")],
    )
    process.bundles.offer(issuer.bundle())
    process.start()
    yield Door(process, pictures)
    process.stop()


def held(folder: Path, text: str) -> None:
    code = QRCode(box_size=4)
    code.add_data(text)
    code.make()
    code.make_image().get_image().save(folder / ".one.png", "PNG")
    (folder / ".one.png").rename(folder / "one.png")


def test_tickets_before_either_scanner_ride_once_for_the_whole_door(
    door: Door, issuer: Issuer, plug: Plug
) -> None:
    process = door.process
    give_up_s = time.monotonic() + 10
    while not process.scanner_problem and time.monotonic() < give_up_s:
        threading.Event().wait(0.01)
    assert f"There is no folder {door.pictures} with pictures" in process.scanner_problem
    door.pictures.mkdir()
    ticket = issuer.phone().ticket_text(NOW_S, 1)
    held(door.pictures, ticket)
    shown = process.display.wait_after(0, 10)
    assert shown is not None
    assert (shown.lamp, shown.seq) == (Lamp.GREEN, 1)
    assert process.scanner_problem == ""
    before = process.display.now().number
    plug.say(f"]Q1{issuer.phone().ticket_text(NOW_S, 1)}\r\n".encode())
    shown = process.display.wait_after(before, 10)
    assert shown is not None
    assert shown.lamp is Lamp.GREEN
    assert [tap.outcome for tap in process.journal.recent_taps(10)] == [Outcome.ACCEPTED] * 2
    process.stop()
    assert [thread.name for thread in threading.enumerate() if thread.name.startswith("scanner ")] == []
