"""The 32-byte record that a tap writes into file 03 of the card.

    offset size  field
      0     1    high nibble: layout version (1); low nibble: bit 0 blocked, bit 1 ridden on a pass,
                                    bit 2 alighting: the tap ended a ride and began none
      1     3    validator, LE          device id, 0 = personalisation
      4     4    seq, LE                of the tap in the validator's journal
      8     4    at, LE                 unix seconds
     12     2    line, LE
     14     2    area, LE
     16     3    fare, LE               rial debited by this tap
     19     4    spent after, LE        rial
     23     2    entitlement version, LE   in force after this tap
     25     7    rider state            the tariff's own bytes (`tariff.card_state`); zero tells nothing

A reader must ignore records of an unknown version nibble, never guess at them.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass

from fare.core.errors import MalformedDocument

SIZE = 32
LAYOUT_VERSION = 1
MAX_FARE_RIAL = 0xFF_FFFF
RIDER_STATE_SIZE = 7
_LAYOUT = struct.Struct("<B3sIIHH3sIH7s")
_BLOCKED = 0x1
_ON_PASS = 0x2
_ALIGHTING = 0x4


@dataclass(frozen=True, slots=True)
class CardRecord:
    """What one tap left on the card. Amounts in rial."""

    validator: int
    seq: int
    at_s: int
    line: int
    area: int
    fare_rial: int
    spent_after_rial: int
    entitlement_version: int
    rider_state: bytes = bytes(RIDER_STATE_SIZE)
    blocked: bool = False
    on_pass: bool = False
    alighting: bool = False

    def encode(self) -> bytes:
        """The 32 bytes for WriteRecord. Raises ValueError or struct.error when a field does not fit."""
        if len(self.rider_state) != RIDER_STATE_SIZE:
            raise ValueError(f"rider state has {RIDER_STATE_SIZE} bytes")
        flags = (
            (_BLOCKED if self.blocked else 0)
            | (_ON_PASS if self.on_pass else 0)
            | (_ALIGHTING if self.alighting else 0)
        )
        return _LAYOUT.pack(
            LAYOUT_VERSION << 4 | flags, self.validator.to_bytes(3, "little"), self.seq, self.at_s, self.line,
            self.area, self.fare_rial.to_bytes(3, "little"), self.spent_after_rial, self.entitlement_version,
            self.rider_state,
        )  # fmt: skip


def decode(raw: bytes) -> CardRecord:
    """Read a record. Raises MalformedDocument for another size or layout version."""
    if len(raw) != SIZE:
        raise MalformedDocument("a card record has 32 bytes")
    first, validator, seq, at_s, line, area, fare, spent, version, state = _LAYOUT.unpack(raw)
    if first >> 4 != LAYOUT_VERSION or first & 0x0F & ~(_BLOCKED | _ON_PASS | _ALIGHTING):
        raise MalformedDocument(f"card record layout {first:#04x} is not known here")
    return CardRecord(
        validator=int.from_bytes(validator, "little"),
        seq=seq,
        at_s=at_s,
        line=line,
        area=area,
        fare_rial=int.from_bytes(fare, "little"),
        spent_after_rial=spent,
        entitlement_version=version,
        rider_state=state,
        blocked=bool(first & _BLOCKED),
        on_pass=bool(first & _ON_PASS),
        alighting=bool(first & _ALIGHTING),
    )


def record_without_ride(
    *,
    blocked: bool,
    validator: int,
    seq: int,
    at_s: int,
    line: int = 0,
    area: int = 0,
    spent_rial: int,
    entitlement_version: int,
) -> bytes:
    """The record that blocks or unblocks a card: fare 0, and a rider's state that tells nothing.

    The state of the ride before is measured from that ride's time, which this record no longer has: what the
    rider loses by it (the rest of a transfer window, what was paid towards a cap) the ledger gives back.
    `validator` 0 is a desk. `spent_rial` is the chip's own counter, `entitlement_version` the one on the
    card. Raises as `CardRecord.encode`.
    """
    return CardRecord(
        validator=validator,
        seq=seq,
        at_s=at_s,
        line=line,
        area=area,
        fare_rial=0,
        spent_after_rial=spent_rial,
        entitlement_version=entitlement_version,
        blocked=blocked,
    ).encode()


def first_record(at_s: int, entitlement_version: int = 1) -> bytes:
    """The record that personalisation commits, since reading an empty file is an error on the card."""
    return CardRecord(0, 0, at_s, 0, 0, 0, 0, entitlement_version).encode()
