"""`mancard reader scanner list | test`, on names as udev makes them, a pseudo-terminal and pictures."""

from __future__ import annotations

import json
import os
import tomllib
from pathlib import Path

import pytest
from qrcode.main import QRCode
from typer.testing import CliRunner, Result

from fare.core.errors import OperatorError
from hardware.profiles import folder
from readers.scanners.survey import load_models, survey
from readers.technician import app
from tests.readers.bus import NOW_S, Issuer
from tests.readers.scanners.plug import Plug


def mancard_scanner(*arguments: str) -> Result:
    return CliRunner().invoke(app, ["scanner", *arguments], catch_exceptions=False)


def picture(path: Path, text: str) -> None:
    code = QRCode(box_size=4)
    code.add_data(text)
    code.make()
    code.make_image().get_image().save(path)


@pytest.fixture
def devices(tmp_path: Path) -> Path:
    """A /dev with a scanner in each mode, a person's keyboard and mouse, a camera, and its name in /sys."""
    for name in (
        "dev/serial/by-id/usb-Newland_Auto-ID_NLS_IOTC_PRDsUSBVCP_1-if00",
        "dev/serial/by-id/usb-FTDI_FT232R-if00-port0",
        "dev/input/by-id/usb-Symbol_Technologies__Inc__2008_Symbol_Bar_Code_Scanner::EA_25-event-kbd",
        "dev/input/by-id/usb-Logitech_USB_Keyboard-event-kbd",
        "dev/input/by-id/usb-Logitech_USB_Mouse-event-mouse",
        "dev/video0",
        "sys/video0/name",
    ):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("Wide Camera\n" if name.endswith("name") else "")
    return tmp_path


def test_the_list_names_scanners_and_what_may_be_one(devices: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    found = {
        one.address.rpartition("/")[2]: one for one in survey(load_models(), devices / "dev", devices / "sys")
    }
    assert len(found) == 5
    newland = found["usb-Newland_Auto-ID_NLS_IOTC_PRDsUSBVCP_1-if00"]
    assert newland.address.startswith("serial:/")
    assert (newland.kind, newland.model, newland.advice) == ("a scanner as a serial device", "Newland", "")
    assert found["usb-FTDI_FT232R-if00-port0"].model == ""
    zebra = found["usb-Symbol_Technologies__Inc__2008_Symbol_Bar_Code_Scanner::EA_25-event-kbd"]
    assert zebra.address.startswith("keyboard:/")
    assert zebra.model == "Zebra or Symbol"
    assert zebra.advice.startswith("serial mode is better: ")
    assert zebra.advice.endswith("(unconfirmed)")
    assert "keyboard of a person" in found["usb-Logitech_USB_Keyboard-event-kbd"].advice
    assert found["video0"].model == "Wide Camera"
    monkeypatch.setattr("readers.scanners.commands.survey", lambda models: list(found.values()))
    text = mancard_scanner("list").stdout
    assert f"{newland.address}\n  a scanner as a serial device: Newland\n" in text
    assert json.loads(mancard_scanner("list", "--json").stdout)[0]["kind"] == "a serial device"
    monkeypatch.setattr("readers.scanners.commands.survey", lambda models: [])
    assert mancard_scanner("list").stdout.startswith("There is no scanner and no camera")


def test_each_profile_says_where_its_facts_come_from() -> None:
    files = sorted((folder() / "scanners").glob("*.toml"))
    assert [model.model for model in load_models()] == ["Honeywell", "Newland", "Zebra or Symbol"]
    rules = (folder().parent / "udev" / "71-mancard-scanners.rules").read_text()
    for path in files:
        document = tomllib.loads(path.read_text())
        facts = {"marks", "usb_vendor", "serial_mode"}
        assert set(document) == facts | {"model", "sources"} | ({"unconfirmed"} & set(document)), path
        assert set(document["sources"]) | set(document.get("unconfirmed", ())) == facts, path
        assert document["usb_vendor"] in rules


def test_a_profile_that_is_none_is_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "scanners").mkdir()
    for wrong in ("model = ", 'model = "X"', 'model = "X"\nmarks = 3'):
        (tmp_path / "scanners" / "x.toml").write_text(wrong)
        monkeypatch.setattr("hardware.profiles.folder", lambda: tmp_path)
        with pytest.raises(OperatorError, match=r"The scanner profile .*x.toml cannot be read"):
            load_models()


def test_a_ticket_before_the_scanner_is_named(
    plug: Plug, issuer: Issuer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ticket = issuer.phone().ticket_text(NOW_S, 2, 3)
    heard = iter([ticket, "WIFI:S:bus;;\x1b[2J"])
    monkeypatch.setattr(
        "readers.scanners.streaming.StreamingScanner.read", lambda self, timeout_s: next(heard, None)
    )
    result = mancard_scanner("test", f"serial:{plug.path}", "--count", "2")
    assert result.exit_code == 0
    assert f"read   {len(ticket)} characters: MC1:" in result.stdout
    assert "ok     It has the form of a phone's ticket: ride 2 of 5, 3 persons, valid until" in result.stdout
    assert "Its signatures were not checked" in result.stdout
    assert "FAULT  It is no ticket (not_a_ticket): This code is not a ticket of this system" in result.stdout
    assert "WIFI:S:bus;;·[2J" in result.stdout
    assert "better give its name under /dev/serial/by-id/" in result.stdout


def test_pictures_are_tested_too(tmp_path: Path, issuer: Issuer) -> None:
    address = f"frames:{tmp_path}"
    picture(tmp_path / "one.png", issuer.phone().ticket_text(NOW_S, 1))
    assert "1 person, valid until" in mancard_scanner("test", address).stdout
    picture(tmp_path / "one.png", "hello")
    result = mancard_scanner("test", address)
    assert (result.exit_code, "It is no ticket" in result.stdout) == (1, True)
    (tmp_path / "one.png").write_bytes(b"torn")
    result = mancard_scanner("test", address, "--wait", "0.3")
    assert result.exit_code == 1
    assert "Nothing was read in 0.3 s.\n       mend: pictures that could not be read: 1;" in result.stdout


def test_a_scanner_without_a_suffix_is_found_out(plug: Plug, monkeypatch: pytest.MonkeyPatch) -> None:
    result = mancard_scanner("test", f"serial:{plug.path}", "--wait", "0.1")
    assert "mend: does it beep at a code?" in result.stdout
    say_half = os.fdopen(os.dup(plug.master), "wb", 0)
    real_wait = __import__("select").select

    def select(*arguments: object) -> object:
        if not say_half.closed:
            say_half.write(b"MC1:NO END")
            say_half.close()
        return real_wait(*arguments)

    monkeypatch.setattr("readers.scanners.serial.select.select", select)
    result = mancard_scanner("test", f"serial:{plug.path}", "--wait", "0.6")
    assert result.exit_code == 1
    assert "mend: it sends texts without an ending: scan the code for the suffix CR" in result.stdout


def test_a_scanner_that_is_not_there_has_a_mend(tmp_path: Path) -> None:
    result = mancard_scanner("test", f"camera:{tmp_path}/video0")
    assert result.exit_code == 1
    mend = "plug it in, or test another address: 'mancard reader scanner list' shows them"
    assert f"FAULT  There is no camera {tmp_path}/video0.\n       mend: {mend}" in result.stdout
    for kind in ("serial", "keyboard", "frames"):
        told = mancard_scanner("test", f"{kind}:{tmp_path}/none").stdout
        assert ("test another address" in told, "--scanner" in told) == (True, False), told
