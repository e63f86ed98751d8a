"""The tariff as data: GTFS-Fares v2 and what it lacks, in one value that bus and ledger hold alike.

Names are those of the GTFS reference (https://gtfs.org/documentation/schedule/reference/) and of
`mancard.toml` (docs/tariff.md). Ids are the text of the tariff folder. Amounts are whole minor units of the
tariff's currency (the rial has no minor unit: there an amount is rial), durations seconds, distances metres.
Nothing here prices, reads a file or knows a clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from functools import cached_property
from typing import Any, Final
from zoneinfo import ZoneInfo

from fare.core.calendar import Calendar
from fare.core.tariff.plain import as_map

DOCUMENT_FORMAT: Final = 1
"""Of the compiled form; a reader refuses any other."""

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


class WindowPays(StrEnum):
    """What a boarding inside a transfer window costs."""

    NOTHING = "nothing"
    DIFFERENCE = "difference"
    PERCENT = "percent"
    AMOUNT = "amount"


class WindowAnchor(StrEnum):
    """From which boarding a window is measured: the first, each one anew, or each that cost money."""

    FIRST = "first"
    LAST = "last"
    LAST_PAID = "last_paid"


@dataclass(frozen=True, slots=True)
class TransferWindow:
    """A `[[windows]]` table: after a paid boarding, further ones cost less for `seconds` (None: no end).

    `transfers` -1 is unlimited. PERCENT pays `percent` of the fare, AMOUNT pays `amount`. DIFFERENCE pays
    what the dearest fare so far in the window does not cover. The same vehicle and trip is never a transfer.
    `covers`: legs that open the window and ride in it; a leg outside leaves it as it is, or ends it where
    `ended_by_other_legs`.
    """

    window_id: str
    name: str
    seconds: int | None
    boundary: Boundary
    covers: Selection = EVERY_LEG
    anchor: WindowAnchor = WindowAnchor.FIRST
    pays: WindowPays = WindowPays.NOTHING
    percent: int = 0
    amount: int = 0
    rounding: Rounding = Rounding()
    transfers: int = -1
    same_network: bool = False
    same_route: bool = True
    needs_balance: bool = False
    ended_by_other_legs: bool = False
    ends_with_service_day: bool = False


class CapPeriod(StrEnum):
    """Over which time a cap counts. Days are service days; the week begins on `Tariff.week_starts`.

    ROLLING: this service day and the N-1 before. FROM_FIRST_USE: N service days from the first fare on.
    """

    SERVICE_DAY = "service_day"
    WEEK = "week"
    MONTH = "month"
    ROLLING = "rolling"
    FROM_FIRST_USE = "from_first_use"


class LastTap(StrEnum):
    """The tap that reaches a cap: pays what is left, or its whole fare while the cap is not reached."""

    PARTIAL = "partial"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class CapLevel:
    """How much a rider pays at most, once a leg of `covers` was ridden in the period."""

    amount: int
    covers: Selection = EVERY_LEG


@dataclass(frozen=True, slots=True)
class Cap:
    """A `[[caps]]` table.

    Fares of legs in `covers` add up; the highest level met in the period is the limit.
    """

    cap_id: str
    name: str
    period: CapPeriod
    levels: tuple[CapLevel, ...]
    covers: Selection = EVERY_LEG
    days: int = 1
    last_tap: LastTap = LastTap.PARTIAL


class PassStart(StrEnum):
    """When a pass begins: on the day it is bought for, with its first ride, or with the calendar's period."""

    PURCHASE = "purchase"
    FIRST_USE = "first_use"
    CALENDAR = "calendar"


class PassPeriod(StrEnum):
    """How a pass's length is counted. HOURS from the minute on; the others in whole service days."""

    HOURS = "hours"
    DAYS = "days"
    WEEK = "week"
    MONTH = "month"
    UNLIMITED = "unlimited"


@dataclass(frozen=True, slots=True)
class PassProduct:
    """A `[[passes]]` table: a product that pays for legs instead of the purse.

    `number` is the product on the card; `length` counts periods; `rides` None is unlimited. `boundary` is
    that of `valid_until`.
    """

    product_id: str
    name: str
    number: int
    period: PassPeriod
    length: int = 1
    start: PassStart = PassStart.PURCHASE
    rides: int | None = None
    covers: Selection = EVERY_LEG
    boundary: Boundary = Boundary.EXCLUSIVE


@dataclass(frozen=True, slots=True)
class Concession:
    """A `[[concessions]]` table: `percent` of the fare is paid, or `fare_product_id` replaces the product.

    `first_day`, `last_day`: local dates as ordinals, both inclusive; None is open.
    """

    concession_id: str
    name: str
    covers: Selection
    percent: int | None = None
    fare_product_id: str = EMPTY
    rounding: Rounding = Rounding()
    first_day: int | None = None
    last_day: int | None = None


@dataclass(frozen=True, slots=True)
class DistanceBand:
    """Up to `up_to_m` metres (None: any distance) a leg costs `amount`."""

    up_to_m: int | None
    amount: int


@dataclass(frozen=True, slots=True)
class DistanceFare:
    """A `[[distance]]` table: legs of `covers` cost by their length instead of their product's amount.

    Bands in rising order, or else `base` plus `per_km` for every kilometre beyond `free_m`, rounded, at least
    `minimum` and at most `maximum`. `percents` scales the result by rider category (100 where it names none).
    """

    distance_id: str
    name: str
    covers: Selection
    bands: tuple[DistanceBand, ...] = ()
    boundary: Boundary = Boundary.INCLUSIVE
    base: int = 0
    per_km: int = 0
    free_m: int = 0
    minimum: int = 0
    maximum: int | None = None
    rounding: Rounding = Rounding()
    percents: Mapping[str, int] = field(default_factory=dict[str, int])


class TapOffCharge(StrEnum):
    """When a journey is charged: at tap-on the dearest fare and the rest back, or at tap-off."""

    AT_TAP_ON = "at_tap_on"
    AT_TAP_OFF = "at_tap_off"


class IncompleteFare(StrEnum):
    """What a journey costs whose other end is not known."""

    MAXIMUM = "maximum"
    AMOUNT = "amount"
    NOTHING = "nothing"


class FareTime(StrEnum):
    """Which tap decides timeframes, caps and passes of a journey."""

    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class TapOff:
    """The `[tap_off]` table: on which legs riders tap off, and what happens to a journey with one end.

    `close_after_s`: an open journey is incomplete that long after tap-on (None: at the end of the service
    day). `cancel_within_s`: on and off at the same stop within it cost nothing; None: never; -1: always.
    `auto_complete_within_s`: a journey left open ends where the next one begins, if that comes within it.
    """

    covers: Selection = EVERY_LEG
    charge: TapOffCharge = TapOffCharge.AT_TAP_ON
    incomplete: IncompleteFare = IncompleteFare.MAXIMUM
    incomplete_amount: int = 0
    close_after_s: int | None = None
    cancel_within_s: int | None = None
    auto_complete_within_s: int | None = None
    fare_time: FareTime = FareTime.ON


class SecondTap(StrEnum):
    """What a second tap on the same vehicle and trip means, once the pass-back interval is over."""

    COMPANION = "companion"
    ALREADY_PAID = "already_paid"


@dataclass(frozen=True, slots=True)
class Companions:
    """The `[companions]` table.

    Companions pay as `rider_category_id` (empty: the category that the rider's own falls back to).
    `most`: persons on one medium at once, the rider included. `count_to_caps`: their fares count to the
    rider's caps. `transfer`: they ride in the rider's windows, as many as boarded with the rider before.
    """

    second_tap: SecondTap = SecondTap.COMPANION
    rider_category_id: str = EMPTY
    most: int = 10
    count_to_caps: bool = False
    transfer: bool = True


class OutOfService(StrEnum):
    """What a rider does at a validator that is out of service."""

    RIDE_FREE = "ride_free"
    PAY_ON_ANOTHER_DOOR = "pay_on_another_door"


@dataclass(frozen=True, slots=True)
class Overdraft:
    """The `[overdraft]` table: how far below zero one ride may take the purse, and from where.

    `only_from_positive`: a purse at or below zero pays for nothing.
    """

    amount: int = 0
    only_from_positive: bool = False


class ShortPurse(StrEnum):
    """What happens when the purse does not cover a fare."""

    REFUSE = "refuse"
    LOAD = "load"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """The `[shortfall]` table: refuse, or load exactly what is missing, with a fee of `fee_percent` of it."""

    action: ShortPurse = ShortPurse.REFUSE
    fee_percent: int = 0
    rounding: Rounding = Rounding()


@dataclass(frozen=True, slots=True)
class FreeDays:
    """A `[[free_days]]` table: on these local dates (ordinals), or days of this service, legs are free."""

    name: str
    days: frozenset[int] = frozenset()
    service_id: str = EMPTY
    covers: Selection = EVERY_LEG


@dataclass(frozen=True, slots=True)
class CardTerms:
    """The `[card]` table: what the card itself costs, and what comes back with it.

    `life_days` None: no expiry.
    """

    deposit: int = 0
    refund_fee: int = 0
    refund_deposit: bool = True
    life_days: int | None = None


class LimitFrom(StrEnum):
    """Where a GTFS transfer's duration is measured from when different rules follow each other."""

    RULE = "rule"
    JOURNEY = "journey"


@dataclass(frozen=True)
class Tariff:
    """One tariff. `version` rises with every publication; 0 is one that was never published.

    `routes`: route_id -> network_id (EMPTY without one). `stop_areas`: stop_id -> its areas. `lines` and
    `areas` map the small numbers on taps and cards to route_id and area_id. `default_products`: network or
    route id, or EMPTY for all, -> the product charged when no rule matches. `media`: FareMedium -> the
    fare_media_id it stands for. `names`: display names by kind and id, such as "route:5", "area:north",
    "media:card". `stations`: stop_id -> its parent_station, where legs may join;
    `join_within_s`: how long a change between two legs that join may take.
    """

    version: int
    name: str
    currency: str
    exponent: int
    zone_name: str
    calendar: Calendar = Calendar.GREGORIAN
    service_day_starts_s: int = 0
    week_starts: int = 0
    products: tuple[ProductPrice, ...] = ()
    rider_categories: tuple[RiderCategory, ...] = ()
    media: Mapping[str, str] = field(default_factory=dict[str, str])
    leg_rules: tuple[LegRule, ...] = ()
    uses_priority: bool = False
    join_rules: tuple[JoinRule, ...] = ()
    transfer_rules: tuple[TransferRule, ...] = ()
    transfer_limit_from: LimitFrom = LimitFrom.RULE
    timeframes: Mapping[str, tuple[Timeframe, ...]] = field(default_factory=dict[str, tuple[Timeframe, ...]])
    services: Mapping[str, Service] = field(default_factory=dict[str, Service])
    routes: Mapping[str, str] = field(default_factory=dict[str, str])
    stop_areas: Mapping[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    area_ids: frozenset[str] = frozenset()
    lines: Mapping[int, str] = field(default_factory=dict[int, str])
    areas: Mapping[int, str] = field(default_factory=dict[int, str])
    names: Mapping[str, str] = field(default_factory=dict[str, str])
    default_products: Mapping[str, str] = field(default_factory=dict[str, str])
    rounding: Rounding = Rounding()
    windows: tuple[TransferWindow, ...] = ()
    caps: tuple[Cap, ...] = ()
    passes: tuple[PassProduct, ...] = ()
    concessions: tuple[Concession, ...] = ()
    distance_fares: tuple[DistanceFare, ...] = ()
    tap_off: TapOff | None = None
    pass_back_s: int = 5
    companions: Companions = Companions()
    out_of_service: OutOfService = OutOfService.PAY_ON_ANOTHER_DOOR
    overdraft: Overdraft = Overdraft()
    shortfall: Shortfall = Shortfall()
    free_days: tuple[FreeDays, ...] = ()
    card: CardTerms = CardTerms()
    stations: Mapping[str, str] = field(default_factory=dict[str, str])
    join_within_s: int = 1_800

    @cached_property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.zone_name)

    @cached_property
    def derived(self) -> dict[str, Any]:
        """Indexes that are made of the tariff once, by the name of what made them; no part of its value."""
        return {}

    @property
    def max_fare_rial(self) -> int:
        """The most that one boarding of one person may cost: what an owner is credited for it, at most."""
        from fare.core.tariff.ceiling import max_fare  # noqa: PLC0415 - it looks at the whole model

        return max_fare(self)

    def to_document(self) -> dict[str, Any]:
        """The compiled form that a bundle carries."""
        return {"format": DOCUMENT_FORMAT, **as_map(self)}


@dataclass(frozen=True, slots=True)
class FareProduct:
    """What a flat tariff charges one rider category."""

    product_id: str
    name: str
    amount_rial: int


def flat_tariff(
    version: int,
    name: str,
    rider_categories: Mapping[int, FareProduct],
    zone_name: str = "Asia/Tehran",
) -> Tariff:
    """A tariff in rial that charges every boarding alike, by the category number on the card; 0 is the
    default.
    """
    ids = {number: f"category-{number}" for number in rider_categories}
    return Tariff(
        version=version,
        name=name,
        currency="IRR",
        exponent=0,
        zone_name=zone_name,
        calendar=Calendar.JALALI,
        products=tuple(
            ProductPrice(product.product_id, product.name, product.amount_rial, ids[number])
            for number, product in sorted(rider_categories.items())
        ),
        rider_categories=tuple(
            RiderCategory(ids[number], product.name, number, is_default=number == 0)
            for number, product in sorted(rider_categories.items())
        ),
        leg_rules=tuple(
            LegRule(EMPTY, product_id)
            for product_id in dict.fromkeys(product.product_id for product in rider_categories.values())
        ),
    )
