"""What kind of chip lies on a reader, in words, without any key. It decides nothing: issuing does.

GetVersion tells a DESFire's generation (hardware type and major version, NXP AN10833); the ATR cannot, but
names the storage cards that a reader serves itself (PC/SC part 3 supplement: RID A0 00 00 03 06, SS, name).
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fare.core.desfire.commands import Version, get_version
from fare.core.desfire.errors import CardFault, CardTorn
from fare.core.desfire.frames import run

VENDOR_NXP: Final = 0x04
_TYPES: Final = {0x02: "MIFARE Plus", 0x03: "MIFARE Ultralight", 0x04: "NTAG", 0x08: "MIFARE DESFire Light"}
_GENERATIONS: Final = {0x00: "D40", 0x01: "EV1", 0x12: "EV2", 0x33: "EV3"}
USABLE_MAJORS: Final = frozenset((0x12, 0x33))
_STORAGE_CARD: Final = bytes.fromhex("4F0CA000000306")
_STORAGE_NAMES: Final = {
    0x0001: "MIFARE Classic 1K",
    0x0002: "MIFARE Classic 4K",
    0x0003: "MIFARE Ultralight",
    0x0026: "MIFARE Mini",
    0x0036: "MIFARE Plus SL1 2K",
    0x0037: "MIFARE Plus SL1 4K",
    0x003A: "MIFARE Ultralight C",
}


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
    return version_in_words(version), is_usable(version)


def version_in_words(version: Version) -> str:
    """For example "MIFARE DESFire EV3"."""
    maker = "" if version.vendor == VENDOR_NXP else f" of vendor {version.vendor:02X} (not NXP: maybe a copy)"
    # The upper half of the type tells the antenna's capacitance and packages.
    kind = version.hardware_type & 0x0F
    if kind != 0x01:
        return _TYPES.get(kind, f"an unknown chip of type {version.hardware_type:02X}") + maker
    known = _GENERATIONS.get(version.hardware_major)
    return f"MIFARE DESFire {known or f'of unknown version {version.hardware_major:02X}'}{maker}"


def is_usable(version: Version) -> bool:
    """Whether it is a DESFire EV2 or EV3."""
    return version.hardware_type & 0x0F == 0x01 and version.hardware_major in USABLE_MAJORS


def _storage_card(atr: bytes) -> str:
    at = atr.find(_STORAGE_CARD)
    name = atr[at + 8 : at + 10]
    if at < 0 or len(name) < 2:
        return ""
    number = int.from_bytes(name, "big")
    return _STORAGE_NAMES.get(number, f"a storage card of number {number:04X}")
