"""The tariff as data: GTFS-Fares v2 and what it lacks, in one value that bus and ledger hold alike.

Names are those of the GTFS reference (`fare.core.tariff.gtfs`) and of `mancard.toml`
(`fare.core.tariff.terms`). Ids are the text of the tariff folder. Amounts are whole minor units of the
tariff's currency (the rial has no minor unit: there an amount is rial), durations seconds, distances metres.
Nothing here prices, reads a file or knows a clock.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, fields
from functools import cached_property
from typing import Any, Final, TypeVar
from zoneinfo import ZoneInfo

from fare.core.calendar import Calendar
from fare.core.tariff.gtfs import (
    EMPTY,
    EVERY_LEG,
    TO_ONE_UNIT,
    Boundary,
    Direction,
    DurationLimitType,
    FareMedium,
    JoinRule,
    LegRule,
    ProductPrice,
    RiderCategory,
    Rounding,
    Selection,
    Service,
    Timeframe,
    TransferRule,
    TransferType,
)
from fare.core.tariff.plain import as_map
from fare.core.tariff.terms import (
    NO_CARD_TERMS,
    NO_OVERDRAFT,
    SHORT_IS_REFUSED,
    USUAL_COMPANIONS,
    Cap,
    CapLevel,
    CapPeriod,
    CardTerms,
    Companions,
    Concession,
    DistanceBand,
    DistanceFare,
    FareTime,
    FreeDays,
    IncompleteFare,
    LastTap,
    LimitFrom,
    OutOfService,
    Overdraft,
    PassPeriod,
    PassProduct,
    PassStart,
    SecondTap,
    Shortfall,
    ShortPurse,
    TapOff,
    TapOffCharge,
    TransferWindow,
    WindowAnchor,
    WindowPays,
)

__all__ = [
    "DOCUMENT_FORMAT",
    "EMPTY",
    "EVERY_LEG",
    "Boundary",
    "Cap",
    "CapLevel",
    "CapPeriod",
    "CardTerms",
    "Companions",
    "Concession",
    "Direction",
    "DistanceBand",
    "DistanceFare",
    "DurationLimitType",
    "FareMedium",
    "FareProduct",
    "FareTime",
    "FreeDays",
    "IncompleteFare",
    "JoinRule",
    "LastTap",
    "LegRule",
    "LimitFrom",
    "OutOfService",
    "Overdraft",
    "PassPeriod",
    "PassProduct",
    "PassStart",
    "ProductPrice",
    "RiderCategory",
    "Rounding",
    "SecondTap",
    "Selection",
    "Service",
    "ShortPurse",
    "Shortfall",
    "TapOff",
    "TapOffCharge",
    "Tariff",
    "Timeframe",
    "TransferRule",
    "TransferType",
    "TransferWindow",
    "WindowAnchor",
    "WindowPays",
    "flat_tariff",
]

_Made = TypeVar("_Made")

DOCUMENT_FORMAT: Final = 1
"""Of the compiled form; a reader refuses any other."""


@dataclass(frozen=True)
class Tariff:
    """One tariff. `version` rises with every publication; 0 is one that was never published.

    `routes`: route_id -> network_id (EMPTY without one). `stop_areas`: stop_id -> its areas. `lines` and
    `areas` map the small numbers on taps and cards to route_id and area_id. `default_products`: network or
    route id, or EMPTY for all, -> the product charged when no rule matches. `media`: FareMedium -> the
    fare_media_id it stands for. `names`: display names by kind and id, such as "route:5", "area:north",
    "media:card". `stations`: stop_id -> its parent_station, where legs may join;
    `join_within_s`: how long a change between two legs that join may take; `join_anywhere`: between any two
    stops, where the rule names none.
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
    rounding: Rounding = TO_ONE_UNIT
    windows: tuple[TransferWindow, ...] = ()
    caps: tuple[Cap, ...] = ()
    passes: tuple[PassProduct, ...] = ()
    concessions: tuple[Concession, ...] = ()
    distance_fares: tuple[DistanceFare, ...] = ()
    tap_off: TapOff | None = None
    pass_back_s: int = 5
    companions: Companions = USUAL_COMPANIONS
    out_of_service: OutOfService = OutOfService.PAY_ON_ANOTHER_DOOR
    overdraft: Overdraft = NO_OVERDRAFT
    shortfall: Shortfall = SHORT_IS_REFUSED
    free_days: tuple[FreeDays, ...] = ()
    card: CardTerms = NO_CARD_TERMS
    stations: Mapping[str, str] = field(default_factory=dict[str, str])
    join_within_s: int = 1_800
    join_anywhere: bool = False

    @cached_property
    def zone(self) -> ZoneInfo:
        """The city's time zone."""
        return ZoneInfo(self.zone_name)

    @cached_property
    def derived(self) -> dict[Any, Any]:
        """What was made of the tariff once, by what made it; no part of its value, and never pickled."""
        return {}

    def derive(self, make: Callable[[Tariff], _Made]) -> _Made:
        """What `make` makes of the tariff (an index, a layout), made once.

        Threads may ask at the same time: the first answer stays. A memory within what was made must allow for
        that itself.
        """
        if make not in self.derived:
            self.derived.setdefault(make, make(self))
        return self.derived[make]

    def __getstate__(self) -> dict[str, Any]:
        return {each.name: getattr(self, each.name) for each in fields(self)}

    @property
    def max_fare_rial(self) -> int:
        """The most that one boarding of one person may cost: what an owner is credited for it, at most."""
        from fare.core.tariff.ceiling import max_fare  # noqa: PLC0415 - it looks at the whole model

        return self.derive(max_fare)

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
