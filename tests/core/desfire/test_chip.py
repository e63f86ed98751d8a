"""Which chips may become cards, by their GetVersion answers."""

from __future__ import annotations

import pytest

from fare.core.desfire.chip import ChipKind, Version


def version(hardware_type: int, major: int, vendor: int = 0x04, storage: int = 0x1A) -> Version:
    raw = bytes([vendor, hardware_type, 1, major, 0, storage, 5]) + bytes([4, 1, 1, major, 0, storage, 5])
    return Version.decode(raw + bytes.fromhex("04A1B2C3D4E5F6") + bytes(7))


def test_desfire_ev2_and_ev3_alone_become_cards() -> None:
    known = {
        (0x01, 0x00): ChipKind.D40,
        (0x01, 0x01): ChipKind.EV1,
        (0x01, 0x12): ChipKind.EV2,
        (0x01, 0x33): ChipKind.EV3,
        (0x01, 0x43): ChipKind.EV3,
        (0x01, 0x05): ChipKind.OTHER,
        (0x02, 0x33): ChipKind.PLUS,
        (0x03, 0x33): ChipKind.ULTRALIGHT,
        (0x04, 0x33): ChipKind.NTAG,
        (0x08, 0x30): ChipKind.LIGHT,
        (0x0F, 0x33): ChipKind.OTHER,
    }
    for (hardware_type, major), kind in known.items():
        found = version(hardware_type, major)
        assert found.kind is kind
        assert found.issuable is (kind in {ChipKind.EV2, ChipKind.EV3})


@pytest.mark.parametrize("hardware_type", [0x81, 0x83, 0x91, 0xA1])
def test_a_device_that_plays_a_desfire_becomes_none(hardware_type: int) -> None:
    assert not version(hardware_type, 0x33).issuable


def test_another_makers_chip_becomes_none() -> None:
    assert version(0x01, 0x33, vendor=0x05).kind is ChipKind.OTHER


def test_the_storage_and_the_uid_are_told() -> None:
    assert version(0x01, 0x33).storage_bytes == 8192
    assert version(0x01, 0x33).uid.hex().upper() == "04A1B2C3D4E5F6"
    with pytest.raises(ValueError, match="27 bytes instead of 28"):
        Version.decode(bytes(27))
