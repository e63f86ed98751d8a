"""A chip's kind in words, from GetVersion or from a storage card's ATR."""

from __future__ import annotations

import pytest

from fare.core.desfire.errors import CardTorn
from readers.pcsc.chips import chip_kind

DESFIRE_ATR = bytes.fromhex("3B8180018080")
CLASSIC_ATR = bytes.fromhex("3B8F8001804F0CA000000306030001000000006A")


def versions(vendor: int, kind: int, major: int) -> list[bytes]:
    hardware = bytes([vendor, kind, 1, major, 0, 0x1A, 5])
    return [hardware + b"\x91\xaf", hardware + b"\x91\xaf", bytes(14) + b"\x91\x00"]


def test_the_kinds_in_words() -> None:
    for vendor, kind, major, words, usable in (
        (4, 0x01, 0x33, "MIFARE DESFire EV3", True),
        (4, 0x01, 0x12, "MIFARE DESFire EV2", True),
        (4, 0x01, 0x01, "MIFARE DESFire EV1", False),
        (4, 0x01, 0x00, "MIFARE DESFire D40", False),
        (4, 0x08, 0x30, "MIFARE DESFire Light", False),
        (4, 0x02, 0x11, "MIFARE Plus", False),
        (4, 0x04, 0x30, "NTAG", False),
        (4, 0x01, 0x78, "an unknown chip of hardware type 01, version 78", False),
        (9, 0x01, 0x33, "a chip of vendor 09 (not NXP: maybe a copy)", False),
    ):
        answers = iter(versions(vendor, kind, major))
        assert chip_kind(DESFIRE_ATR, lambda _, left=answers: next(left)) == (words, usable)


def test_a_storage_card_is_named_by_its_atr_and_asked_nothing() -> None:
    def never(_: bytes) -> bytes:
        raise AssertionError("asked")

    assert chip_kind(CLASSIC_ATR, never) == ("MIFARE Classic 1K", False)
    # pcsc-tools, smartcard_list.txt: a DESFire EV3 4K on a reader that left it in ISO 14443-3.
    ev3 = bytes.fromhex("3B8F8001804F0CA00000030603FF2000000000B4")
    assert chip_kind(ev3, never) == (
        "a smart card (SAK 20) that this reader did not switch to ISO 14443-4",
        False,
    )
    assert (
        chip_kind(CLASSIC_ATR.replace(b"\x00\x01", b"\x12\x34"), never)[0] == "a storage card of number 1234"
    )


def test_a_chip_without_getversion_and_one_that_left() -> None:
    assert chip_kind(DESFIRE_ATR, lambda _: b"\x6e\x00") == (
        "a chip that does not know GetVersion (no DESFire)",
        False,
    )
    with pytest.raises(CardTorn):
        chip_kind(DESFIRE_ATR, lambda _: b"")
