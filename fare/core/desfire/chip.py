"""Which chip a card is, from its GetVersion answer. Never asks the card itself, never trusts it.

GetVersion is not authenticated: it tells a clerk what lies on the reader, and keeps unsuitable chips from
being issued. Source of the bytes: the public data sheets (AN10833, MIFARE type identification)
and what Proxmark3 prints for the chips it has met.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Final

_NXP: Final = 0x04
VERSION_SIZE: Final = 28


class ChipKind(StrEnum):
    """A chip's name as people know it."""

    EV3 = "MIFARE DESFire EV3"
    EV2 = "MIFARE DESFire EV2"
    EV1 = "MIFARE DESFire EV1"
    D40 = "MIFARE DESFire D40"
    LIGHT = "MIFARE DESFire Light"
    DUOX = "MIFARE DUOX"
    PLUS = "MIFARE Plus"
    ULTRALIGHT = "MIFARE Ultralight"
    NTAG = "NTAG"
    PLAYED = "DESFire played by another device, such as a phone"
    OTHER = "an unknown chip"


_DESFIRE_BY_MAJOR: Final = {
    0x00: ChipKind.D40,
    0x01: ChipKind.EV1,
    0x12: ChipKind.EV2,
    0x22: ChipKind.EV2,
    0x33: ChipKind.EV3,
    0xA0: ChipKind.DUOX,
}
_BY_TYPE: Final = {
    0x02: ChipKind.PLUS,
    0x03: ChipKind.ULTRALIGHT,
    0x04: ChipKind.NTAG,
    0x08: ChipKind.LIGHT,
}
ISSUED_KINDS: Final = frozenset({ChipKind.EV2, ChipKind.EV3})
"""The chips Mancard cards are made of."""


@dataclass(frozen=True, slots=True)
class Version:
    """GetVersion: vendor, hardware type and version, storage, UID (zeros where random), all 28 raw bytes."""

    vendor: int
    hardware_type: int
    hardware_major: int
    storage_bytes: int
    uid: bytes
    raw: bytes

    @classmethod
    def decode(cls, raw: bytes) -> Version:
        """hardware(7) ‖ software(7) ‖ UID(7) batch(5) week year [fab]; ValueError below 28 bytes.

        The storage byte is twice a power of two; its lowest bit says that there is somewhat more.
        """
        if len(raw) < VERSION_SIZE:
            raise ValueError(f"{len(raw)} bytes instead of {VERSION_SIZE}")
        return cls(
            vendor=raw[0],
            hardware_type=raw[1],
            hardware_major=raw[3],
            storage_bytes=1 << (raw[5] >> 1),
            uid=raw[14:21],
            raw=raw,
        )

    @property
    def kind(self) -> ChipKind:
        """The chip's kind; OTHER for what no published table names."""
        if self.vendor != _NXP:
            return ChipKind.OTHER
        kind, body = self.hardware_type & 0x0F, self.hardware_type >> 4
        if kind == 0x01:
            # 81, 91 and A1 were met as a microcontroller, a Java applet and a phone: no chip to keep a purse.
            if body:
                return ChipKind.PLAYED
            return _DESFIRE_BY_MAJOR.get(self.hardware_major, self._generation())
        return _BY_TYPE.get(kind, ChipKind.OTHER)

    @property
    def issuable(self) -> bool:
        """Whether a Mancard card can be made of it: DESFire EV2 or EV3."""
        return self.kind in ISSUED_KINDS

    def _generation(self) -> ChipKind:
        """A DESFire of another product variant: the low nibble is the generation."""
        return {1: ChipKind.EV1, 2: ChipKind.EV2, 3: ChipKind.EV3}.get(
            self.hardware_major & 0x0F, ChipKind.OTHER
        )
