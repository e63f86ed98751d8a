"""The kinds of chip a reader may meet: what names each to the outside (ATR, UID length, GetVersion).

Only the three DESFire kinds can do more than be recognised. Sources: GetVersion of EV1 from the trace of a
real card (see the tests), product types and major versions of the others from Proxmark3's ``cmdhfmfdes.c``,
their remaining bytes made up in its likeness; ATRs of storage cards from PC/SC part 3, supplement 2.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class ChipKind(StrEnum):
    """What lies on the reader."""

    EV1 = "ev1"
    EV2 = "ev2"
    EV3 = "ev3"
    PLUS = "plus"  # MIFARE Plus EV1 in security level 3
    NTAG = "ntag"  # NTAG 424 DNA
    ULTRALIGHT = "ultralight"
    CLASSIC = "classic"

    @property
    def is_desfire(self) -> bool:
        return self in (ChipKind.EV1, ChipKind.EV2, ChipKind.EV3)

    @property
    def uid_bytes(self) -> int:
        return 4 if self is ChipKind.CLASSIC else 7

    @property
    def traits(self) -> Traits:
        return TRAITS[self]


@dataclass(frozen=True, slots=True)
class Traits:
    """``version`` is hardware and software, 7 bytes each, of GetVersion; empty when the chip has no such
    command behind a PC/SC reader.
    """

    atr: bytes
    version: bytes = b""


def _storage_card(name: str) -> bytes:
    """PC/SC's ATR of an ISO 14443-3 card of that two-byte name; the last byte makes the sum of all zero."""
    body = bytes.fromhex("8F8001804F0CA00000030603" + name + "00000000")
    check = 0
    for byte in body:
        check ^= byte
    return b"\x3b" + body + bytes((check,))


_ONE_HISTORICAL_BYTE = bytes.fromhex("3B8180018080")
TRAITS = {
    ChipKind.EV1: Traits(_ONE_HISTORICAL_BYTE, bytes.fromhex("04010101001A05 04010101041A05")),
    ChipKind.EV2: Traits(_ONE_HISTORICAL_BYTE, bytes.fromhex("04010112001A05 04010102011A05")),
    ChipKind.EV3: Traits(_ONE_HISTORICAL_BYTE, bytes.fromhex("04010133001A05 04010103001A05")),
    ChipKind.PLUS: Traits(
        bytes.fromhex("3B878001C1052F2F01BCD6A9"), bytes.fromhex("04020111001604 04020101001604")
    ),
    ChipKind.NTAG: Traits(_ONE_HISTORICAL_BYTE, bytes.fromhex("04040230001105 04040201021105")),
    ChipKind.ULTRALIGHT: Traits(_storage_card("0003")),
    ChipKind.CLASSIC: Traits(_storage_card("0001")),
}
# Week and year of production after a batch number of five bytes.
PRODUCTION = bytes.fromhex("0000000000 01 24")
VERSION_FRAME_BYTES = 7


def version_frames(kind: ChipKind, uid: bytes) -> list[bytes]:
    """GetVersion's three frames: hardware, software, UID and production; the last one may carry a MAC too."""
    version = kind.traits.version
    return [version[:VERSION_FRAME_BYTES], version[VERSION_FRAME_BYTES:], uid + PRODUCTION]
