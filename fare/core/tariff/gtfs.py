"""The published part of a tariff: the rows of GTFS-Fares v2, and which legs a rule is about.

Names are those of the GTFS reference (https://gtfs.org/documentation/schedule/reference/). Values only.
"""

from __future__ import annotations

from dataclasses import dataclass
from enum import IntEnum, StrEnum

EMPTY = ""
"""An empty field of GTFS. What it means depends on the table."""


class FareMedium(StrEnum):
    """What a rider presents in this system.

    A tariff's own fare media are mapped to these by `Tariff.media`.
    """

    CASH = "cash"
    PAPER = "paper"
    CARD = "card"
    CEMV = "cemv"
    PHONE = "phone"


class Boundary(StrEnum):
    """Whether the last instant, or the last metre, of a range still belongs to it."""

    INCLUSIVE = "inclusive"
    EXCLUSIVE = "exclusive"

    def holds(self, value: int, end: int) -> bool:
        """Whether a value lies before the end of a range, or on an end that belongs to it."""
        return value < end or (self is Boundary.INCLUSIVE and value == end)


class Direction(StrEnum):
    """Which way an amount is rounded to its unit. `nearest`: half a unit goes up."""

    DOWN = "down"
    UP = "up"
    NEAREST = "nearest"
    HALF_EVEN = "half_even"


@dataclass(frozen=True, slots=True)
class Rounding:
    """Amounts become multiples of `unit`."""

    unit: int = 1
    direction: Direction = Direction.NEAREST


TO_ONE_UNIT = Rounding()
"""Whole minor units: what every amount is."""


@dataclass(frozen=True, slots=True)
class Selection:
    """Which legs a rule is about: each field that is not empty must hold the leg's value.

    `areas` holds when origin or destination lies in one of them. `weekdays` are those of the local date of
    boarding, Monday 0; `timeframes` are timeframe groups in which the boarding falls.
    """

    networks: frozenset[str] = frozenset()
    routes: frozenset[str] = frozenset()
    leg_groups: frozenset[str] = frozenset()
    products: frozenset[str] = frozenset()
    from_areas: frozenset[str] = frozenset()
    to_areas: frozenset[str] = frozenset()
    areas: frozenset[str] = frozenset()
    rider_categories: frozenset[str] = frozenset()
    media: frozenset[str] = frozenset()
    timeframes: frozenset[str] = frozenset()
    weekdays: frozenset[int] = frozenset()


EVERY_LEG = Selection()


@dataclass(frozen=True, slots=True)
class ProductPrice:
    """A row of fare_products: what a product costs this category with this medium; empty means any.

    The same product may have many rows: (product_id, rider_category_id, fare_media_id) is unique.
    """

    product_id: str
    name: str
    amount: int
    rider_category_id: str = EMPTY
    fare_media_id: str = EMPTY


@dataclass(frozen=True, slots=True)
class RiderCategory:
    """A row of rider_categories.

    `number` is the one on the card; `falls_back_to` once the concession lapsed.
    """

    rider_category_id: str
    name: str
    number: int
    is_default: bool = False
    falls_back_to: str = EMPTY


@dataclass(frozen=True, slots=True)
class LegRule:
    """A row of fare_leg_rules. `leg_group_id` empty: a group of its own that no transfer rule names."""

    leg_group_id: str
    fare_product_id: str
    network_id: str = EMPTY
    from_area_id: str = EMPTY
    to_area_id: str = EMPTY
    from_timeframe_group_id: str = EMPTY
    to_timeframe_group_id: str = EMPTY
    priority: int = 0


@dataclass(frozen=True, slots=True)
class JoinRule:
    """A row of fare_leg_join_rules: two legs that count as one."""

    from_network_id: str
    to_network_id: str
    from_stop_id: str = EMPTY
    to_stop_id: str = EMPTY


class TransferType(IntEnum):
    """fare_transfer_type: what a transfer costs."""

    FIRST_AND_TRANSFER = 0
    FIRST_TRANSFER_AND_SECOND = 1
    TRANSFER_ONLY = 2


class DurationLimitType(IntEnum):
    """duration_limit_type: from where to where the limit is measured."""

    DEPARTURE_TO_ARRIVAL = 0
    DEPARTURE_TO_DEPARTURE = 1
    ARRIVAL_TO_DEPARTURE = 2
    ARRIVAL_TO_ARRIVAL = 3

    @property
    def from_arrival(self) -> bool:
        """Whether it begins when the rider left the first vehicle."""
        return self in (DurationLimitType.ARRIVAL_TO_DEPARTURE, DurationLimitType.ARRIVAL_TO_ARRIVAL)

    @property
    def to_arrival(self) -> bool:
        """Whether it ends when the rider leaves the second vehicle."""
        return self in (DurationLimitType.DEPARTURE_TO_ARRIVAL, DurationLimitType.ARRIVAL_TO_ARRIVAL)


@dataclass(frozen=True, slots=True)
class TransferRule:
    """A row of fare_transfer_rules. Empty groups mean all that are not listed in that column.

    `count` -1 is unlimited, None where the groups differ. `limit_s` None is no limit; `boundary` says whether
    a transfer at exactly the limit is still one (GTFS does not; `mancard.toml` does).
    """

    from_leg_group_id: str
    to_leg_group_id: str
    transfer_type: TransferType
    fare_product_id: str = EMPTY
    count: int | None = None
    limit_s: int | None = None
    limit_type: DurationLimitType = DurationLimitType.DEPARTURE_TO_DEPARTURE
    boundary: Boundary = Boundary.INCLUSIVE


@dataclass(frozen=True, slots=True)
class Timeframe:
    """A row of timeframes: seconds after local midnight, at most 86,400; the end exclusive, as GTFS says.

    Only `[timeframes.GROUP] end = "inclusive"` in `mancard.toml` lets the very second of the end in.
    """

    start_s: int
    end_s: int
    service_id: str
    end_boundary: Boundary = Boundary.EXCLUSIVE


@dataclass(frozen=True, slots=True)
class Service:
    """Days of a service_id (calendar, calendar_dates), as ordinals of Gregorian local dates, both inclusive.

    `weekdays` has seven truth values, Monday first.
    """

    weekdays: tuple[bool, ...] = (False,) * 7
    first_day: int = 0
    last_day: int = 0
    added: frozenset[int] = frozenset()
    removed: frozenset[int] = frozenset()

    def runs_on(self, day: int) -> bool:
        """Whether the service runs on this local date; 0001-01-01, a Monday, is day 1 (`date.toordinal`)."""
        if day in self.removed:
            return False
        return day in self.added or (self.first_day <= day <= self.last_day and self.weekdays[(day - 1) % 7])
