"""`mancard reader list | test | watch`, on a real pcscd."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from fare.core.errors import OperatorError
from hardware.emulator.vpcd import VpcdTray
from readers.pcsc.examination import Examination, Finding
from readers.pcsc.sightings import Sightings
from readers.technician import app
from tests.readers.pcsc.conftest import HurtPcscd, pcscd, tray
from tests.services.pcsc import PcscService

__all__ = ["pcscd", "tray"]

ESCAPES_EXPECTED = """
model = "Virtual with lamps"
names = ["Virtual PCD"]
unconfirmed = ["lamps"]
[lamps]
green = ["FF 00 40 0E 04 01 00 01 01"]
[sources]
lamps = "a test"
"""


def mancard_reader(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments), catch_exceptions=False)


def findings(name: str, **more: object) -> tuple[bool, list[Finding]]:
    told: list[Finding] = []
    sound = Examination(name, told.append, **more).run()  # type: ignore[arg-type]
    return sound, told


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    """A kernel without the stealing driver."""
    path = tmp_path / "modules"
    path.write_text("snd 16384 0 - Live 0x0\n")
    return path


def test_list_names_readers_profiles_and_cards(tray: VpcdTray, pcsc_service: PcscService) -> None:
    tray.place("one")
    with Sightings() as sightings:
        _until(sightings, "card in")
    told = {reader["name"]: reader for reader in json.loads(mancard_reader("list", "--json").stdout)}
    here, other = told[pcsc_service.reader_name], told["Virtual PCD 00 01"]
    assert (here["profile"], here["card"], here["atr"]) == ("vsmartcard vpcd (virtual)", True, "3B8180018080")
    assert (other["card"], other["atr"]) == (False, "")
    text = mancard_reader("list").stdout
    assert f"{pcsc_service.reader_name}\n  vsmartcard vpcd (virtual)\n" in text
    assert "a card lies on it (ATR 3B 81 80 01 80 80)" in text


def test_a_sound_reader_passes_every_step(tray: VpcdTray, pcsc_service: PcscService, modules: Path) -> None:
    tray.place("one")
    sound, told = findings(pcsc_service.reader_name, modules=modules)
    sentences = [one.sentence for one in told if one.ok]
    assert sound
    assert [one for one in told if one.ok is False] == []
    for beginning in (
        "The kernel's own NFC driver is not loaded",
        "The PC/SC service runs and has the reader 'Virtual PCD 00 00'",
        "A card is there, ATR 3B 81",
        "The chip is MIFARE DESFire EV3",
        "A command takes ",
        "The card came back 10 times of 10",
    ):
        assert [one for one in sentences if one.startswith(beginning)], beginning


def test_every_failure_has_its_mend(
    pcscd: HurtPcscd, modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    modules.write_text("pn533_usb 16384 0 - Live 0x0\npn533 1 1 pn533_usb, Live 0x0\n")
    site = tmp_path / "profiles"
    site.mkdir()
    (site / "virtual.toml").write_text(ESCAPES_EXPECTED)
    monkeypatch.setenv("MANCARD_READER_PROFILES", str(site))
    sound, told = findings("Virtual PCD", modules=modules, card_wait_s=0.05)
    faults = {one.sentence.split(":")[0]: one.mend for one in told if one.ok is False}
    assert not sound
    assert "modprobe -r pn533_usb" in faults["The kernel's own NFC driver is loaded (pn533, pn533_usb)"]
    assert "ifdDriverOptions to 0x0001" in faults["Lamp and buzzer stay silent"]
    assert "lay a DESFire card" in faults["No card was found, or another program holds it."]
    doubt = "No public source confirms of this model: its lamp and buzzer commands (lamps)."
    assert doubt in [one.sentence for one in told]
    assert "  unconfirmed: its lamp and buzzer commands (lamps)\n" in mancard_reader("list").stdout
    assert json.loads(mancard_reader("list", "--json").stdout)[0]["unconfirmed"] == ["lamps"]
    result = mancard_reader("test", "ACME")
    assert result.exit_code == 1
    assert "There is no PC/SC reader 'ACME'" in result.stdout
    assert "mend: plug it in or give another" in result.stdout
    pcscd.kill()
    result = mancard_reader("test")
    assert result.exit_code == 1
    assert "There is no PC/SC service" in result.stdout
    assert "mend: start pcscd" in result.stdout
    with pytest.raises(OperatorError, match="no PC/SC service"):
        mancard_reader("list")


def test_a_slow_reader_is_named(
    tray: VpcdTray, pcsc_service: PcscService, modules: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    tray.place("one")
    monkeypatch.setattr("readers.pcsc.examination.SLOW_APDU_MS", 0.0)
    sound, told = findings(pcsc_service.reader_name, modules=modules)
    assert not sound
    assert ["without a hub" in one.mend for one in told if one.ok is False] == [True]


def test_watch_sees_cards_readers_and_the_service_come_and_go(tray: VpcdTray, pcscd: HurtPcscd) -> None:
    with Sightings() as sightings:
        assert _until(sightings, "reader in  Virtual PCD 00 01")[0] == "reader in  Virtual PCD 00 00"
        tray.place("one")
        seen = _until(sightings, "card in")[-1]
        assert seen == "card in  Virtual PCD 00 00  ATR 3B 81 80 01 80 80  MIFARE DESFire EV3"
        tray.remove()
        assert _until(sightings, "card out") == ["card out  Virtual PCD 00 00"]
        pcscd.kill()
        assert "start pcscd" in _until(sightings, "service lost")[-1]
        assert sightings.next_lines(0.05) == [], "said once"
        pcscd.come_back()
        assert _until(sightings, "reader in  Virtual PCD 00 00")[0] == "service back"


def test_watch_ends_when_its_time_is_over(pcsc_service: PcscService) -> None:
    result = mancard_reader("watch", "--for", "0.2")
    assert result.exit_code == 0
    assert f"reader in  {pcsc_service.reader_name}" in result.stdout


def _until(sightings: Sightings, event: str) -> list[str]:
    lines: list[str] = []
    give_up_s = time.monotonic() + 10
    while not any(line.startswith(event) for line in lines):
        assert time.monotonic() < give_up_s, lines
        lines += sightings.next_lines(0.5)
    return lines
