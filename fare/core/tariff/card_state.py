"""The rider's state in the seven bytes that a card's record leaves for it, and in full for the ledger.

The seven bytes are one little-endian number. Its lowest digit, of 16 values, is the mark of the tariff
version that wrote it; 0 tells nothing. Above it stands one number for each part of the state that the tariff
carries (0: the part is absent), in the order and with the room that follow from the tariff alone. Times are
ages before the record's own time, amounts are counted in the greatest amount that divides all of the
tariff's. The last boarding, an open journey's tap and its charge are in the record already.

What does not fit is not carried: `not_on_card` names it, and the ledger settles it. It prices nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fare.core.card_record import RIDER_STATE_SIZE
from fare.core.errors import MalformedDocument
from fare.core.tariff.card_layout import (
    CapPart,
    Found,
    JourneyPart,
    Part,
    PassPart,
    amount_unit,
    chain_part,
    room,
    window_part,
)
from fare.core.tariff.context import TapContext
from fare.core.tariff.model import CapPeriod, PassStart, Tariff
from fare.core.tariff.plain import as_map, from_map
from fare.core.tariff.state import LastBoarding, OpenJourney, RiderState
from fare.core.tariff.state_life import expire

MARKS: Final = 16
_NOTHING: Final = bytes(RIDER_STATE_SIZE)
_ROOM: Final = 1 << 8 * RIDER_STATE_SIZE
_PERIODS: Final = (CapPeriod.SERVICE_DAY, CapPeriod.WEEK, CapPeriod.MONTH, CapPeriod.FROM_FIRST_USE)


@dataclass(frozen=True, slots=True)
class Layout:
    """What a tariff writes on a card: its parts, the lowest digit first, and what has no room, by name."""

    parts: tuple[Part, ...]
    left_out: tuple[str, ...]

    @property
    def bits(self) -> int:
        """How many of the 56 bits are used, the mark included; 0 for a tariff that writes nothing."""
        values = MARKS
        for part in self.parts:
            values *= room(part)
        return (values - 1).bit_length() if self.parts else 0


def layout(tariff: Tariff) -> Layout:
    """The card's layout for a tariff, made once."""
    return tariff.derive(_make_layout)


def not_on_card(tariff: Tariff) -> list[str]:
    """What a card does not carry and the ledger settles: "cap:ID", "window:ID", "pass:ID", "transfers",
    "joins".
    """
    return list(layout(tariff).left_out)


def to_card(tariff: Tariff, state: RiderState, at_s: int) -> bytes:
    """The card's bytes of the state after a tap at `at_s`, which is the record's own time."""
    parts = layout(tariff).parts
    if not parts:
        return _NOTHING
    state = expire(tariff, state, at_s)
    number = 0
    for part in reversed(parts):
        number = number * room(part) + _value(part, state, at_s)
    return (number * MARKS + mark(tariff)).to_bytes(RIDER_STATE_SIZE, "little")


def from_card(
    tariffs: tuple[Tariff, ...],
    raw: bytes,
    at_s: int,
    *,
    tap_of: Callable[[Tariff], TapContext] | None = None,
    fare: int = 0,
    boarded: bool = True,
) -> RiderState:
    """The state of a record that was written at `at_s`; bytes of a tariff that is not here know nothing.

    `tariffs`: those that may have written it, the likeliest first. `tap_of`: the tap that left the record, as
    a tariff sees it (vehicle, route, area, category); None for a record that is no tap of a bus
    (personalisation, a desk, a block). `fare` is what that tap debited; `boarded` False for an alighting.
    """
    if len(raw) != RIDER_STATE_SIZE:
        raise MalformedDocument(f"a rider's state on a card has {RIDER_STATE_SIZE} bytes")
    number, written_by = divmod(int.from_bytes(raw, "little"), MARKS)
    for tariff in tariffs:
        if written_by == mark(tariff) and layout(tariff).parts:
            found = _found(layout(tariff), number, at_s)
            if found is not None:
                tap = None if tap_of is None else tap_of(tariff)
                return expire(tariff, _state(found, tap, at_s, fare, boarded), at_s)
    tap = tap_of(tariffs[0]) if tap_of is not None and tariffs else None
    return _state(Found(), tap, at_s, fare, boarded)


def mark(tariff: Tariff) -> int:
    """1 to 15: tells a version from those before and after it."""
    return tariff.version % (MARKS - 1) + 1


def to_wide(tariff: Tariff, state: RiderState, at_s: int) -> bytes:
    """All of a state as the ledger keeps it between two foldings: what still lives at `at_s`, as JSON in
    UTF-8.
    """
    alive = as_map(expire(tariff, state, at_s))
    return json.dumps(alive, ensure_ascii=False, separators=(",", ":"), sort_keys=True).encode()


def from_wide(raw: bytes) -> RiderState:
    """The state that `to_wide` wrote. Raises MalformedDocument that names the field."""
    try:
        found = json.loads(raw)
    except ValueError as broken:
        raise MalformedDocument("rider's state: this is not JSON") from broken
    return from_map(RiderState, found, "rider's state")


def _make_layout(tariff: Tariff) -> Layout:
    parts: list[Part] = []
    left_out: list[str] = []
    values = MARKS
    for part in _wanted(tariff):
        if values * room(part) <= _ROOM:
            values *= room(part)
            parts.append(part)
        else:
            left_out.append(part.ref)
    left_out += [f"cap:{each.cap_id}" for each in tariff.caps if each.period is CapPeriod.ROLLING]
    left_out += ["joins"] if tariff.join_rules else []
    return Layout(tuple(parts), tuple(left_out))


def _wanted(tariff: Tariff) -> list[Part]:
    """The parts in the order in which they get room: what is missed at the very next tap comes first."""
    unit = amount_unit(tariff)
    parts: list[Part] = []
    if tariff.tap_off is not None:
        parts.append(JourneyPart())
    if tariff.transfer_rules:
        parts.append(chain_part(tariff, unit))
    parts += [window_part(tariff, each, unit) for each in tariff.windows]
    parts += [PassPart(tariff, each) for each in tariff.passes if each.rides is not None]
    for period in _PERIODS:
        parts += [CapPart(tariff, each, unit) for each in tariff.caps if each.period is period]
    first_use = (each for each in tariff.passes if each.start is PassStart.FIRST_USE and each.rides is None)
    parts += [PassPart(tariff, each) for each in first_use]
    return parts


def _value(part: Part, state: RiderState, at_s: int) -> int:
    digits = part.digits(state, at_s)
    if digits is None:
        return 0
    value = 0
    for digit, size in zip(digits, part.sizes, strict=True):
        if not 0 <= digit < size:
            return 0
        value = value * size + digit
    return value + 1


def _found(written: Layout, number: int, at_s: int) -> Found | None:
    found = Found()
    for part in written.parts:
        number, value = divmod(number, room(part))
        if value:
            part.restore(_digits(part, value - 1), at_s, found)
    return None if number else found


def _digits(part: Part, value: int) -> tuple[int, ...]:
    digits: list[int] = []
    for size in reversed(part.sizes):
        value, digit = divmod(value, size)
        digits.append(digit)
    return tuple(reversed(digits))


def _state(found: Found, tap: TapContext | None, at_s: int, fare: int, boarded: bool) -> RiderState:
    last = journey = None
    if tap is not None:
        last = LastBoarding(at_s, tap.vehicle, tap.trip, alighted=not boarded)
        journey = OpenJourney(tap, fare) if found.journey and boarded else None
    return RiderState(
        last=last,
        chain=found.chain,
        windows=found.windows,
        caps=found.caps,
        passes=found.passes,
        journey=journey,
    )
