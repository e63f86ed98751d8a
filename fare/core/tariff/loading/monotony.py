"""Whether travelling further can cost less. It compares fares of the tariff; it prices no journey."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import pairwise

from fare.core.tariff.fares import prices_of
from fare.core.tariff.loading.patterns import Areas
from fare.core.tariff.loading.saying import say
from fare.core.tariff.matching import LegIndex, index_of, selections
from fare.core.tariff.model import EMPTY, DistanceFare, FareTime, LegRule, Tariff

_MAX_COMPARISONS = 300_000

Orders = Mapping[tuple[str, tuple[Areas, ...]], str]
"""Network and the areas passed in order -> a route that does."""


def monotone(tariff: Tariff, orders: Orders | None = None) -> bool:
    """Whether a complete journey never costs more than the same one continued further.

    Fares by distance say it themselves. Fares by area need `orders`, the areas in which vehicles pass them:
    without those, whether one area lies beyond another is not known, and the answer is False.
    """
    return not finding(tariff, orders)


def finding(tariff: Tariff, orders: Orders | None = None) -> str:
    """What keeps the tariff from being monotone, as half a sentence; empty where it is."""
    for distance in tariff.distance_fares:
        problem = _distance(distance)
        if problem:
            return problem
    if any(rule.to_timeframe_group_id for rule in tariff.leg_rules):
        return say("a fare depends on the time of alighting, and who travels further arrives later")
    if tariff.tap_off is not None and tariff.tap_off.fare_time is FareTime.OFF:
        return say("the tap-off decides timeframes and caps, and who travels further arrives later")
    if not any(rule.to_area_id for rule in tariff.leg_rules):
        return _selections(tariff, by_rules=False)
    if orders is None:
        return say("fares depend on areas, and no trips tell which area lies beyond another")
    if tariff.transfer_rules and len({rule.leg_group_id for rule in tariff.leg_rules}) > 1:
        return say("transfers depend on leg groups, and those on where riders alight")
    return _selections(tariff, by_rules=True) or _areas(tariff, orders)


def _distance(distance: DistanceFare) -> str:
    amounts = [band.amount for band in distance.bands]
    for place, (near, far) in enumerate(pairwise(amounts), 2):
        if far < near:
            return say(
                "in distance fare {name} band {place} costs less than the band before",
                name=repr(distance.distance_id),
                place=place,
            )
    return ""


def _selections(tariff: Tariff, *, by_rules: bool) -> str:
    """Reductions for some destinations only may make the longer journey the cheaper one."""
    for each in selections(tariff):
        if each.to_areas or each.areas or (by_rules and (each.leg_groups or each.products)):
            return say("a reduction or a distance fare holds for some destinations only")
    return ""


def _areas(tariff: Tariff, orders: Orders) -> str:
    """Compares each fare along the trips with those to the stops before, for each rider and timeframe."""
    index = index_of(tariff)
    kinds = [(prices, group) for prices in _prices(tariff) for group in (EMPTY, *index.timeframes)]
    left = _MAX_COMPARISONS
    for (network, order), route in orders.items():
        places = _without_repeats(order)
        left -= len(kinds) * len(places) ** 2 // 2
        if left < 0:
            return say("the trips are too many to compare all fares along them")
        for start, origin in enumerate(places):
            reached = [(place, index.candidates(network, origin, place)) for place in places[start:]]
            for prices, group in kinds:
                found = _cheaper_beyond(index, reached, prices, group)
                if found is not None:
                    here, beyond, before = (
                        "/".join(each) or say("outside all areas") for each in (origin, *found)
                    )
                    return say(
                        "on route {route} {here} to {beyond} costs less than to {before} before it",
                        route=route,
                        here=here,
                        beyond=beyond,
                        before=before,
                    )
    return ""


def _cheaper_beyond(
    index: LegIndex, reached: list[tuple[Areas, tuple[LegRule, ...]]], prices: Mapping[str, int], group: str
) -> tuple[Areas, Areas] | None:
    """A destination, and one before it that costs more."""
    dearest: tuple[int, Areas] | None = None
    active = frozenset((group,))
    for place, rules in reached:
        best = index.at_times(rules, active, active)
        amount = min(
            (prices[each.fare_product_id] for each in best if each.fare_product_id in prices), default=None
        )
        if amount is None:
            continue
        if dearest is not None and amount < dearest[0]:
            return place, dearest[1]
        if dearest is None or amount > dearest[0]:
            dearest = amount, place
    return None


def _without_repeats(order: Iterable[Areas]) -> list[Areas]:
    places: list[Areas] = []
    for areas in order:
        if not places or places[-1] != areas:
            places.append(areas)
    return places


def _prices(tariff: Tariff) -> list[dict[str, int]]:
    """Product -> amount, once for each rider category and medium that products name; passes are no fares."""
    index = prices_of(tariff)
    products = {each.product_id for each in tariff.products} - index.passes.keys()
    found: list[dict[str, int]] = []
    for rider in sorted({(each.rider_category_id, each.fare_media_id) for each in tariff.products}):
        rows = ((product, index.row(product, *rider)) for product in products)
        prices = {product: row.amount for product, row in rows if row is not None}
        if prices not in found:
            found.append(prices)
    return found
