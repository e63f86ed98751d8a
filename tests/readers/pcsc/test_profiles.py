"""Profiles: the built-in ones are sound, a wrong one names file, field and mend."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from fare.core.errors import OperatorError
from readers.pcsc.profiles import PLAIN, load_profiles, profile_of, read_profile

GOOD = """
model = "ACME 1"
names = ["ACME Reader"]
contact_slot_marks = ["SAM"]
usb_ids = ["1234:abcd"]
setup = ["FF 00 52 00 00"]
install = ["E0 00 00 23 01 8F"]
card_lost = ["63 00"]
hold_ms = 900
unconfirmed = ["card_lost"]
[lamps]
green = ["E0 00 00 29 01 02", "E0 00 00 28 01 0A"]
[sources]
setup = "manual"
install = "manual"
card_lost = "manual"
lamps = "manual"
"""
READERS = {
    "ACS ACR122U PICC Interface 00 00": "ACS ACR122U",
    "ACS ACR1252 Reader [ACR1252 Reader PICC] 00 00": "ACS ACR1252U",
    "ACS ACR1252 Dual Reader [ACR1252 Dual Reader PICC] 00 00": "ACS ACR1252U",
    "ACS ACR1252 1S CL Reader PICC 0": "ACS ACR1252U",
    "ACS ACR1252 Dual Reader [ACR1252 Dual Reader SAM] 01 00": "ACS ACR1252U",
    "HID Global OMNIKEY 5022 Smart Card Reader [OMNIKEY 5022 Smart Card Reader] 00 00": "HID OMNIKEY 5022",
    "HID OMNIKEY 5427 CK (0101005) 00 00": "HID OMNIKEY 5427 CK",
    "Identiv uTrust 3700 F CL Reader [uTrust 3700 F CL Reader] (5502) 00 00": "Identiv uTrust 3700 F",
    "Virtual PCD 00 00": "vsmartcard vpcd (virtual)",
    "ACME 00 00": PLAIN.model,
}


def write(folder: Path, text: str) -> Path:
    path = folder / "acme.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_each_reader_finds_its_built_in_profile() -> None:
    profiles = load_profiles()
    assert {name: profile_of(name, profiles).model for name in READERS} == READERS


def test_what_no_public_source_confirms_is_marked_and_said() -> None:
    doubtful = {profile.model: profile.unconfirmed for profile in load_profiles() if profile.unconfirmed}
    assert doubtful == {
        "HID OMNIKEY 5022": ("card_lost",),
        "HID OMNIKEY 5427 CK": ("card_lost",),
        "Identiv uTrust 3700 F": ("card_lost",),
    }


def test_no_built_in_profile_takes_an_answer_of_a_desfire_card_for_a_lost_one() -> None:
    for profile in load_profiles():
        assert all(len(answer) == 2 and answer[0] in (0x63, 0x64) for answer in profile.card_lost)
        assert all(
            len(command) >= 5 for command in (*profile.setup, *profile.lamps.green, *profile.lamps.red)
        )


def test_every_field_of_a_file_arrives(tmp_path: Path) -> None:
    profile = read_profile(write(tmp_path, GOOD))
    assert profile.contact_slots == (("ACME Reader", "SAM"),)
    assert profile.setup == (bytes.fromhex("FF00520000"),)
    assert profile.install == (bytes.fromhex("E0000023018F"),)
    assert profile.card_lost == {b"\x63\x00"}
    assert (profile.hold_ms, profile.apdu_timeout_ms, profile.usb_ids) == (900, 2000, ("1234:abcd",))
    assert profile.lamps.green == (bytes.fromhex("E00000290102"), bytes.fromhex("E0000028010A"))
    assert (profile.lamps.red, profile.has_lamps) == ((), True)
    assert profile.doubts == ("what it answers when a card has left (card_lost)",)


def test_a_wrong_file_is_one_sentence_with_file_field_and_mend(tmp_path: Path) -> None:
    for old, new, field, mend in (
        ('model = "ACME 1"', "", "model", "write model"),
        ('names = ["ACME Reader"]', "names = []", "names", "give the beginning"),
        ('names = ["ACME Reader"]', "names = 7", "names", "write names"),
        ("hold_ms", "hold_msec", "hold_msec", "take it out"),
        ("hold_ms = 900", "hold_ms = true", "hold_ms", "a number from 0"),
        ("FF 00 52 00 00", "FF 00 5", "setup", "hexadecimal"),
        ("FF 00 52 00 00", "", "setup", "write setup"),
        ('"63 00"', '"63"', "card_lost", "two bytes"),
        ('"63 00"', '"91 AF"', "card_lost", "two bytes"),
        ("green", "gren", "lamps.gren", "amber, green"),
        ("E0 00 00 29 01 02", "nothing", "lamps.green", "hexadecimal"),
        ('lamps = "manual"', "", "sources.lamps", "where these bytes come from"),
        ('setup = "manual"', "", "sources.setup", "where these bytes come from"),
        ('install = "manual"', "", "sources.install", "where these bytes come from"),
        ('unconfirmed = ["card_lost"]', 'unconfirmed = ["notes"]', "unconfirmed", "fields of this file"),
        ("1234:abcd", "1234-ABCD", "usb_ids", "lsusb"),
        ("[lamps]", "[[lamps]]", "lamps", "under [lamps]"),
    ):
        path = write(tmp_path, GOOD.replace(old, new))
        with pytest.raises(OperatorError, match=re.escape(f"{path}: the field '{field}' ")) as caught:
            read_profile(path)
        assert mend in str(caught.value), (field, str(caught.value))
    for text in ("model = ", "\x00"):
        with pytest.raises(OperatorError, match="cannot be read"):
            read_profile(write(tmp_path, text))


def test_a_sites_own_folder_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, GOOD.replace("ACME Reader", "Virtual PCD"))
    monkeypatch.setenv("MANCARD_READER_PROFILES", str(tmp_path))
    assert profile_of("Virtual PCD 00 00", load_profiles()).model == "ACME 1"
    monkeypatch.setenv("MANCARD_READER_PROFILES", str(tmp_path / "none"))
    with pytest.raises(OperatorError, match="not there: make it"):
        load_profiles()


def test_every_reader_with_a_profile_is_kept_awake() -> None:
    rules = (Path(__file__).parents[3] / "hardware/udev/70-mancard-readers.rules").read_text(encoding="utf-8")
    awake = {
        f"{maker}:{product}"
        for maker, products in re.findall(r'idVendor}=="(\w+)", ATTR{idProduct}=="([\w|]+)"', rules)
        for product in products.split("|")
    }
    assert awake == {usb_id for profile in load_profiles() for usb_id in profile.usb_ids}
