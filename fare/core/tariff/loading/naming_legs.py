"""Legs that a tariff's own rules make one expect, on networks whose trips are not known."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from fare.core.tariff.loading.patterns import Areas, Patterns, PossibleLeg
from fare.core.tariff.matching import LegIndex
from fare.core.tariff.model import EMPTY, Tariff

_MAX_MATRIX = 40_000


def named_legs(tariff: Tariff, index: LegIndex, patterns: Patterns) -> Iterator[tuple[PossibleLeg, str]]:
    """Each network's legs between areas that its rules name, with a route of the network.

    Where the rules price most pairs of areas, all pairs are expected; one area to itself only where they price
    that for others. Few of many pairs are a list of what is served.
    """
    with_trips = {leg.network for leg in patterns.legs}
    routes: dict[str, str] = {}
    for route, network in tariff.routes.items():
        routes.setdefault(network, route)
    if not tariff.routes:
        routes = dict.fromkeys((rule.network_id for rule in tariff.leg_rules), EMPTY)
    for network, route in routes.items():
        if network not in with_trips:
            for start, end in _pairs(tariff, index, network):
                yield PossibleLeg(network, start, end), route


def _pairs(tariff: Tariff, index: LegIndex, network: str) -> list[tuple[Areas, Areas]]:
    named = network if network in index.networks else EMPTY
    ours = {named, EMPTY} if tariff.uses_priority else {named}
    own = dict.fromkeys(
        (rule.from_area_id, rule.to_area_id) for rule in tariff.leg_rules if rule.network_id in ours
    )
    if not own:
        return [((), ())]
    priced = {pair for pair in own if all(pair)}
    origins, destinations = sorted({pair[0] for pair in priced}), sorted({pair[1] for pair in priced})
    expected = dict.fromkeys(priced)
    if 0 < len(origins) * len(destinations) <= min(2 * len(priced) + len(origins), _MAX_MATRIX):
        within = any(start == end for start, end in priced)
        expected.update(
            dict.fromkeys(
                (start, end) for start, end in product(origins, destinations) if within or start != end
            )
        )
    found = [((start,), (end,)) for start, end in expected]
    for start, end in own:
        if not (start and end):
            places = (
                _standing_for(tariff, start, index.origins),
                _standing_for(tariff, end, index.destinations),
            )
            if not (priced and (places[0] == () or places[1] == ())):
                found.append(places)
    return found


def _standing_for(tariff: Tariff, area: str, listed: frozenset[str]) -> Areas:
    """An area for a field; for an empty one an area that is not listed in its column, or none."""
    if area:
        return (area,)
    unlisted = sorted(tariff.area_ids - listed)
    return (unlisted[0],) if unlisted and listed else ()
