"""What a leg costs one person before transfers, passes and caps: product, distance, concession, free day.

Also the leg itself as the tariff's rules see it, and whether a selection holds it. It knows no rider's state.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fare.core.tariff.context import Rule, Step, TapContext
from fare.core.tariff.matching import Areas, active_timeframes, matched_rules, named_networks
from fare.core.tariff.memory import Memory
from fare.core.tariff.model import (
    EMPTY,
    Concession,
    Direction,
    DistanceFare,
    FareTime,
    LegRule,
    PassProduct,
    ProductPrice,
    RiderCategory,
    Rounding,
    Selection,
    Tariff,
)
from fare.core.tariff.periods import local_time

_PERCENT: Final = 100
_KM: Final = 1_000
Situation = tuple[int, str, str]
_ANYWHERE: Final[Situation] = (0, EMPTY, EMPTY)


@dataclass(slots=True, eq=False)
class Leg:
    """One leg of travel. `decided_s` is the instant by which timeframes, caps and passes go.

    `to_areas` None: the destination is not known. `day` is the local date of `decided_s`.
    """

    on: TapContext
    off: TapContext | None
    route: str
    network: str
    from_areas: Areas
    to_areas: Areas | None
    decided_s: int
    day: int
    category: str
    medium: str


@dataclass(slots=True, eq=False)
class Candidate:
    """One way to pay a leg: a product at its amount, in minor units, for one person."""

    group: str
    product_id: str
    amount: int
    steps: tuple[Step, ...]


class PriceIndex:
    """What is looked up by id at every tap."""

    def __init__(self, tariff: Tariff) -> None:
        self.rows = {
            (each.product_id, each.rider_category_id, each.fare_media_id): each for each in tariff.products
        }
        self.categories = {each.rider_category_id: each for each in tariff.rider_categories}
        default = next((each for each in tariff.rider_categories if each.is_default), None)
        self.default_category = EMPTY if default is None else default.rider_category_id
        self.passes: dict[str, PassProduct] = {each.product_id: each for each in tariff.passes}
        tables = [each.covers for each in (*tariff.windows, *tariff.caps)]
        tables += [each.opened_by for each in tariff.windows if each.opened_by is not None]
        tables += [level.covers for cap in tariff.caps for level in cap.levels]
        self.picks_products = any(each.leg_groups or each.products for each in tables)
        """Whether a window or a cap holds for some of a leg's products and not for others."""
        by_day = [each.covers for each in (*tariff.concessions, *tariff.free_days)]
        self.plain = not (tariff.distance_fares or by_day)
        self._by_place = bool(tariff.distance_fares) or any(
            each.from_areas or each.to_areas or each.areas or each.timeframes for each in by_day
        )
        turning = (*tariff.distance_fares, *tariff.concessions, *tariff.free_days)
        self.clock = frozenset(group for each in turning for group in each.covers.timeframes)
        """The timeframes that decide about fares beyond those of the leg rules."""
        self.passes_pick_legs = any(
            each.covers.leg_groups or not each.covers.products <= self.passes.keys() for each in tariff.passes
        )
        self._listed = Memory[tuple[str, str, str], ProductPrice | None]()
        self.made = Memory[tuple[str, str, str, str, Rule, Situation], Candidate | None]()

    def situation(self, leg: Leg) -> Situation | None:
        """What of a leg decides about fares beside rider and medium; None: nearly everything does."""
        if self.plain:
            return _ANYWHERE
        return None if self._by_place else (leg.day, leg.route, leg.network)

    def row(self, product_id: str, category: str, medium: str) -> ProductPrice | None:
        """The most specific price of a product; None: it is not for sale to this rider with this medium."""
        key = (product_id, category, medium)
        return self._listed.answer(key, lambda: self._row(product_id, category, medium))

    def _row(self, product_id: str, category: str, medium: str) -> ProductPrice | None:
        keys = ((category, medium), (category, EMPTY), (EMPTY, medium), (EMPTY, EMPTY))
        rows = (self.rows.get((product_id, *each)) for each in keys)
        return next((row for row in rows if row is not None), None)


def prices_of(tariff: Tariff) -> PriceIndex:
    """The tariff's index, made on first use."""
    return tariff.derive(PriceIndex)


def leg_of(tariff: Tariff, on: TapContext, off: TapContext | None = None) -> Leg:
    """The leg between two taps, or from a tap to where nobody knows."""
    route = on.route if on.route is not None or off is None else off.route
    by_off = off is not None and tariff.tap_off is not None and tariff.tap_off.fare_time is FareTime.OFF
    decided_s = off.at_s if by_off and off is not None else on.at_s
    return Leg(
        on=on,
        off=off,
        route=route or EMPTY,
        network=_network(tariff, route),
        from_areas=areas_of(tariff, on),
        to_areas=None if off is None else areas_of(tariff, off),
        decided_s=decided_s,
        day=local_time(tariff, decided_s)[0],
        category=category_of(tariff, on),
        medium=on.medium or EMPTY,
    )


def areas_of(tariff: Tariff, tap: TapContext) -> Areas:
    """The areas in which a tap was."""
    areas = tariff.stop_areas.get(tap.stop, ()) if tap.stop is not None else ()
    return areas if tap.area is None or tap.area in areas else (*areas, tap.area)


def category_of(tariff: Tariff, tap: TapContext) -> str:
    """The category that the rider pays as: one that has lapsed falls back, one not known is the default."""
    index = prices_of(tariff)
    category = None if tap.rider_category is None else index.categories.get(tap.rider_category)
    if category is None:
        return index.default_category
    return category.rider_category_id if tap.category_valid else fallback(index, category)


def fallback(index: PriceIndex, category: RiderCategory) -> str:
    """What a category falls back to."""
    return category.falls_back_to if category.falls_back_to in index.categories else index.default_category


def companions_category(tariff: Tariff, leg: Leg) -> str:
    """The category that companions pay as."""
    index = prices_of(tariff)
    if tariff.companions.rider_category_id != EMPTY:
        return tariff.companions.rider_category_id
    own = index.categories.get(leg.category)
    return index.default_category if own is None else fallback(index, own)


def rules_of(tariff: Tariff, leg: Leg) -> tuple[LegRule, ...]:
    """The leg rules that match."""
    off_s = leg.on.at_s if leg.off is None else leg.off.at_s
    return matched_rules(tariff, leg.network, leg.from_areas, leg.to_areas or (), leg.decided_s, off_s)


def choices(tariff: Tariff, leg: Leg, rules: tuple[LegRule, ...], category: str) -> list[Candidate]:
    """Every way in which a person of this category may pay the leg; the default fare where there is none."""
    found: list[Candidate] = []
    for rule in rules:
        one = _candidate(tariff, leg, rule.fare_product_id, rule.leg_group_id, category, Rule.FARE)
        if one is not None:
            found.append(one)
    if not found:
        product_id = default_product(tariff, leg.route, leg.network)
        if product_id is not None:
            one = _candidate(tariff, leg, product_id, EMPTY, category, Rule.DEFAULT_FARE)
            found += [] if one is None else [one]
    return found


def default_product(tariff: Tariff, route: str, network: str) -> str | None:
    """The product that is charged where no leg rule matches: the route's, the network's, or that of all."""
    named = (tariff.default_products.get(each) for each in (route, network, EMPTY))
    return next((each for each in named if each is not None), None)


def _candidate(
    tariff: Tariff, leg: Leg, product_id: str, group: str, category: str, rule: Rule
) -> Candidate | None:
    index = prices_of(tariff)
    if product_id in index.passes:
        return None  # a tap never buys a pass
    situation = index.situation(leg)
    if situation is None:
        return _make(tariff, leg, product_id, group, category, rule)
    key = (product_id, group, category, leg.medium, rule, situation)
    return index.made.answer(key, lambda: _make(tariff, leg, product_id, group, category, rule))


def _make(
    tariff: Tariff, leg: Leg, product_id: str, group: str, category: str, rule: Rule
) -> Candidate | None:
    index = prices_of(tariff)
    row = index.row(product_id, category, leg.medium)
    conceded = [
        each for each in tariff.concessions if _concedes(tariff, each, leg, group, product_id, category)
    ]
    if row is None and any(category in each.covers.rider_categories for each in conceded):
        # A percentage for a category that the table of products does not name is one of the full fare.
        own = index.categories.get(category)
        row = None if own is None else index.row(product_id, fallback(index, own), leg.medium)
    if row is None:
        return None
    amount, steps = row.amount, [Step(rule, product_id, row.amount)]
    for each in tariff.distance_fares:
        if covers(tariff, each.covers, leg, group, product_id, category):
            amount = distance_amount(each, leg, category)
            steps.append(Step(Rule.DISTANCE, each.distance_id, amount))
            break
    offers = [(_conceded(index, each, amount, leg, category), each) for each in conceded]
    if offers:
        amount, concession = min(offers, key=lambda offer: offer[0])
        if concession.fare_product_id != EMPTY:
            product_id = concession.fare_product_id
        steps.append(Step(Rule.CONCESSION, concession.concession_id, amount))
    amount = rounded(amount, 1, tariff.rounding)
    if amount != steps[-1].amount:
        steps[-1] = Step(steps[-1].rule, steps[-1].ref, amount)
    free = _free_day(tariff, leg, group, product_id, category)
    if free is not None and amount > 0:
        amount = 0
        steps.append(Step(Rule.FREE_DAY, free, 0))
    return Candidate(group, product_id, max(0, amount), tuple(steps))


def _concedes(
    tariff: Tariff, concession: Concession, leg: Leg, group: str, product_id: str, category: str
) -> bool:
    return (
        (concession.first_day is None or leg.day >= concession.first_day)
        and (concession.last_day is None or leg.day <= concession.last_day)
        and covers(tariff, concession.covers, leg, group, product_id, category)
    )


def _conceded(index: PriceIndex, concession: Concession, amount: int, leg: Leg, category: str) -> int:
    if concession.percent is not None:
        return percent_of(amount, concession.percent, concession.rounding)
    row = index.row(concession.fare_product_id, category, leg.medium)
    return amount if row is None else row.amount


def _free_day(tariff: Tariff, leg: Leg, group: str, product_id: str, category: str) -> str | None:
    for each in tariff.free_days:
        service = tariff.services.get(each.service_id) if each.service_id != EMPTY else None
        today = leg.day in each.days or (service is not None and service.runs_on(leg.day))
        # Neither dates nor a service: the selection's weekdays alone say when.
        always = not each.days and each.service_id == EMPTY
        if (today or always) and covers(tariff, each.covers, leg, group, product_id, category):
            return each.name
    return None


def distance_amount(fare: DistanceFare, leg: Leg, category: str) -> int:
    """What the leg's length costs; the dearest where its length is not known."""
    off_m = None if leg.off is None else leg.off.distance_m
    length_m = leg.on.distance_m if off_m is None else off_m
    if length_m is None:
        amount = dearest_distance(fare)
    elif fare.bands:
        held = (
            band.amount
            for band in fare.bands
            if band.up_to_m is None or fare.boundary.holds(length_m, band.up_to_m)
        )
        amount = next(held, fare.bands[-1].amount)
    else:
        beyond_m = max(0, length_m - fare.free_m)
        amount = rounded(fare.base * _KM + fare.per_km * beyond_m, _KM, fare.rounding)
        amount = max(amount, fare.minimum)
        amount = amount if fare.maximum is None else min(amount, fare.maximum)
    percent = fare.percents.get(category, _PERCENT)
    return amount if percent == _PERCENT else percent_of(amount, percent, fare.rounding)


def dearest_distance(fare: DistanceFare) -> int:
    """The most that a table of distances asks; without bands and maximum only its beginning is sure."""
    if fare.bands:
        return max(band.amount for band in fare.bands)
    return max(fare.base, fare.minimum) if fare.maximum is None else fare.maximum


def covers(
    tariff: Tariff, one: Selection, leg: Leg, group: str | None, product_id: str | None, category: str
) -> bool:
    """Whether a selection holds the leg, paid by a rule of `group` with this product; None: not known yet.

    What is not known yet does not exclude; an unknown destination lies in no area that is asked for.
    """
    return (
        (not one.networks or leg.network in one.networks)
        and (not one.routes or leg.route in one.routes)
        and (not one.leg_groups or group is None or group in one.leg_groups)
        and (not one.products or product_id is None or product_id in one.products)
        and (not one.rider_categories or category in one.rider_categories)
        and (not one.media or leg.medium in one.media)
        and (not one.weekdays or (leg.day - 1) % 7 in one.weekdays)
        and (not one.from_areas or not one.from_areas.isdisjoint(leg.from_areas))
        and (not one.to_areas or not one.to_areas.isdisjoint(leg.to_areas or ()))
        and (not one.areas or not one.areas.isdisjoint((*leg.from_areas, *(leg.to_areas or ()))))
        and (not one.timeframes or bool(active_timeframes(tariff, one.timeframes, leg.decided_s)))
    )


def rounded(numerator: int, denominator: int, rounding: Rounding) -> int:
    """The fraction as a multiple of the unit, exactly: no float, no rounding twice."""
    parts = denominator * rounding.unit
    if parts == 1:
        return numerator
    whole, rest = divmod(numerator, parts)
    match rounding.direction:
        case Direction.DOWN:
            up = False
        case Direction.UP:
            up = rest > 0
        case Direction.NEAREST:
            up = 2 * rest >= parts
        case Direction.HALF_EVEN:
            up = 2 * rest > parts or (2 * rest == parts and whole % 2 == 1)
    return (whole + up) * rounding.unit


def percent_of(amount: int, percent: int, rounding: Rounding) -> int:
    """So many hundredths of an amount, as a multiple of the unit."""
    return rounded(amount * percent, _PERCENT, rounding)


def _network(tariff: Tariff, route: str | None) -> str:
    if route is None:
        return EMPTY
    network = tariff.routes.get(route)
    if network is not None:
        return network
    return route if route in tariff.derive(named_networks) else EMPTY
