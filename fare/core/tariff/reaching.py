"""What a tap may turn out to be while its other end is not known, and what of it costs a rider most.

It knows no rider's state: of fares that something may change, all are kept.
"""

from __future__ import annotations

from fare.core.tariff.fares import Leg, choices, prices_of
from fare.core.tariff.matching import Reached, active_timeframes, index_of
from fare.core.tariff.model import LegRule, Tariff


def reachable(tariff: Tariff, leg: Leg, *, backwards: bool = False) -> Reached:
    """The rules of every leg that this tap may turn out to be, each kind once."""
    areas = (leg.to_areas or ()) if backwards else leg.from_areas
    return index_of(tariff).reached(tariff, leg.network, areas, leg.decided_s, backwards=backwards)


def dearest_kinds(
    tariff: Tariff, leg: Leg, reached: Reached, *, by_group: bool
) -> tuple[tuple[LegRule, ...], ...]:
    """The kinds of leg among which is the one that costs this rider most; one at least.

    That is the highest full fare of those to which the same transfers (`by_group`) and passes apply. Kinds
    that mix leg groups are all kept: what a transfer makes of them is not known before.
    """
    index = prices_of(tariff)
    by_pass = bool(leg.on.passes)
    if by_pass and index.passes_pick_legs:
        return reached.kinds
    key = (leg.category, leg.medium, by_group, by_pass)
    if not index.plain:
        now = active_timeframes(tariff, index.clock, leg.decided_s)
        key = (*key, leg.route, leg.day, leg.on.distance_m, now)
    return reached.dearest.answer(key, lambda: _dearest_kinds(tariff, leg, reached, by_group, by_pass))


def _dearest_kinds(
    tariff: Tariff, leg: Leg, reached: Reached, by_group: bool, by_pass: bool
) -> tuple[tuple[LegRule, ...], ...]:
    passes = prices_of(tariff).passes
    best: dict[object, tuple[int, tuple[LegRule, ...]]] = {}
    for place, rules in enumerate(reached.kinds):
        groups = {rule.leg_group_id for rule in rules} if by_group else set[str]()
        named = frozenset(
            rule.fare_product_id for rule in rules if by_pass and rule.fare_product_id in passes
        )
        alike = place if len(groups) > 1 else (*groups, named)
        fare = _full_fare(tariff, leg, rules)
        if alike not in best or fare > best[alike][0]:
            best[alike] = fare, rules
    return tuple(rules for _, rules in best.values())


def _full_fare(tariff: Tariff, leg: Leg, rules: tuple[LegRule, ...]) -> int:
    return min((each.amount for each in choices(tariff, leg, rules, leg.category)), default=-1)
