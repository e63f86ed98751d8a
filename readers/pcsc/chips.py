"""What kind of chip lies on a reader, in words, without any key. It decides nothing: issuing does.

GetVersion tells the chip (fare.core.desfire.chip); the ATR cannot, but names the storage cards that a reader
serves itself: RID A0 00 00 03 06 of the PC/SC workgroup, standard, name. The names are those of PC/SC part 3,
supplement, as pcsc-tools' smartcard_list.txt and ACS's ACR1252U manual (V1.17, 5.2.1.1) print them. FF and a
SAK are ACS's own for a card without a name; pcsc-tools has a DESFire EV3 that was seen so (FF 20).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fare.core.desfire.chip import ChipKind, Version
from fare.core.desfire.commands import get_version
from fare.core.desfire.errors import CardFault, CardTorn
from fare.core.desfire.frames import run

VENDOR_NXP: Final = 0x04
_STORAGE_CARD: Final = bytes.fromhex("4F0CA000000306")
_STORAGE_NAMES: Final = {
    0x0001: "MIFARE Classic 1K",
    0x0002: "MIFARE Classic 4K",
    0x0003: "MIFARE Ultralight",
    0x0026: "MIFARE Mini",
    0x0036: "MIFARE Plus SL1 2K",
    0x0037: "MIFARE Plus SL1 4K",
    0x0038: "MIFARE Plus SL2 2K",
    0x0039: "MIFARE Plus SL2 4K",
    0x003A: "MIFARE Ultralight C",
    0x003D: "MIFARE Ultralight EV1",
}
_UNNAMED: Final = 0xFF
_SAK_OF_A_SMART_CARD: Final = 0x20


def chip_kind(atr: bytes, transmit: Callable[[bytes], bytes]) -> tuple[str, bool]:
    """The chip in words, and whether Mancard can use it. Raises what `transmit` raises, and CardTorn."""
    stored = _storage_card(atr)
    if stored:
        return stored, False
    try:
        version = run(get_version(), transmit)
    except CardTorn:
        raise
    except CardFault:
        return "a chip that does not know GetVersion (no DESFire)", False
    return version_in_words(version), version.issuable


def version_in_words(version: Version) -> str:
    """For example "MIFARE DESFire EV3"."""
    if version.vendor != VENDOR_NXP:
        return f"a chip of vendor {version.vendor:02X} (not NXP: maybe a copy)"
    if version.kind is ChipKind.OTHER:
        of_type, major = version.hardware_type, version.hardware_major
        return f"an unknown chip of hardware type {of_type:02X}, version {major:02X}"
    return version.kind.value


def _storage_card(atr: bytes) -> str:
    at = atr.find(_STORAGE_CARD)
    name = atr[at + 8 : at + 10]
    if at < 0 or len(name) < 2:
        return ""
    number = int.from_bytes(name, "big")
    if name[0] == _UNNAMED and name[1] & _SAK_OF_A_SMART_CARD:
        return f"a smart card (SAK {name[1]:02X}) that this reader did not switch to ISO 14443-4"
    return _STORAGE_NAMES.get(number, f"a storage card of number {number:04X}")
