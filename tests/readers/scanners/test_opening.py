"""From an address to a scanner, and from the environment to the addresses."""

from __future__ import annotations

from pathlib import Path

import pytest

from fare.core.errors import OperatorError
from readers.ports import ScannerFault
from readers.scanners.camera import CameraScanner
from readers.scanners.opening import open_scanner, open_scanners
from readers.scanners.streaming import StreamingScanner
from readers.settings import ValidatorSettings


def test_an_address_says_what_kind_of_scanner_it_is() -> None:
    address = "serial:/dev/serial/by-id/usb-Honeywell_3330g-if00"
    engine = open_scanner(address)
    assert isinstance(engine, StreamingScanner)
    assert engine.name == address
    assert isinstance(open_scanner("serial@9600:/dev/ttyS0"), StreamingScanner)
    assert isinstance(open_scanner("frames:/srv/pictures"), CameraScanner)


def test_a_device_that_is_not_there_is_a_fault_of_its_scanner_and_no_refusal_to_start(tmp_path: Path) -> None:
    for kind, what in (
        ("serial", "no scanner at"),
        ("keyboard", "no scanner at"),
        ("camera", "no camera"),
        ("frames", "no folder"),
    ):
        engine = open_scanner(f"{kind}:{tmp_path}/none")
        for _ in range(2):
            with pytest.raises(
                ScannerFault, match=f"There is {what} {tmp_path}/none.*: (plug it in|make it), or"
            ):
                engine.read(0)
        engine.close()
        other = open_scanner(f"{kind}:{__file__}")
        with pytest.raises(ScannerFault, match=r": (stop|give another|make it)"):
            other.read(0)


def test_a_wrong_address_is_one_sentence() -> None:
    for address in ("", "serial", "serial:", "usb:/dev/x", "/dev/ttyACM0", "camera@1:/dev/video0"):
        with pytest.raises(OperatorError, match=r"is no scanner: give serial:/dev/serial/by-id/…"):
            open_scanner(address)
    for baud in ("", "0", "9601", "fast", "۹۶۰۰"):
        with pytest.raises(OperatorError, match="names no speed of a serial line: give one of 1200"):
            open_scanner(f"serial@{baud}:/dev/ttyS0")


def test_a_name_that_changes_is_accepted_with_a_doubt() -> None:
    engines, doubts = open_scanners(["serial:/dev/ttyACM0", "serial:/dev/serial/by-id/usb-x"])
    assert len(engines) == 2
    (doubt,) = doubts
    assert "/dev/ttyACM0 is named by a number that changes" in doubt
    assert "under /dev/serial/by-id/" in doubt
    with pytest.raises(OperatorError, match="is given twice"):
        open_scanners(["serial:/dev/ttyACM0", "serial:/dev/ttyACM0"])


def test_the_environment_separates_scanners_by_commas(monkeypatch: pytest.MonkeyPatch) -> None:
    assert ValidatorSettings().scanners == ()
    monkeypatch.setenv("MANCARD_VALIDATOR_SCANNERS", "serial:/dev/a, frames:/srv/b c,")
    assert ValidatorSettings().scanners == ("serial:/dev/a", "frames:/srv/b c")
    assert ValidatorSettings(scanners=("camera:/dev/video0",)).scanners == ("camera:/dev/video0",)
