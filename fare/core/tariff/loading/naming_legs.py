"""Legs that a tariff's own rules make one expect, on networks whose trips are not known."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import product

from fare.core.tariff.loading.patterns import MAX_LEGS, Areas, Patterns, PossibleLeg
from fare.core.tariff.matching import LegIndex
from fare.core.tariff.model import EMPTY, Tariff

_MAX_MATRIX = 40_000


def named_legs(tariff: Tariff, index: LegIndex, patterns: Patterns) -> Iterator[tuple[PossibleLeg, str]]:
    """Each network's legs between areas that its rules name, with a route of the network.

    Where the rules price most pairs of areas, all pairs are expected; one area to itself only where they
    price that for others. Few of many pairs are a list of what is served.
    """
    with_trips = {leg.network for leg in patterns.legs}
    routes: dict[str, str] = {}
    for route, network in tariff.routes.items():
        routes.setdefault(network, route)
    if not tariff.routes:
        routes = dict.fromkeys((rule.network_id for rule in tariff.leg_rules), EMPTY)
    by_network: dict[str, dict[tuple[str, str], None]] = {}
    for rule in tariff.leg_rules:
        by_network.setdefault(rule.network_id, {})[rule.from_area_id, rule.to_area_id] = None
    sides = (index.origins, index.destinations)
    unlisted = tuple(_first(tariff.area_ids - listed) if listed else () for listed in sides)
    left = MAX_LEGS
    for network, route in routes.items():
        if network in with_trips or left < 0:
            continue
        own = by_network.get(network, {})
        if tariff.uses_priority or network not in index.networks:
            own = {**own, **by_network.get(EMPTY, {})}
        pairs = _pairs(own, unlisted)
        left -= len(pairs) + len(own)
        for start, end in pairs:
            yield PossibleLeg(network, start, end), route


def _first(areas: frozenset[str]) -> Areas:
    return (min(areas),) if areas else ()


def _pairs(own: dict[tuple[str, str], None], unlisted: tuple[Areas, ...]) -> list[tuple[Areas, Areas]]:
    """Pairs of areas that a network's rules name; `unlisted` is what an empty origin or destination means."""
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
    found: list[tuple[Areas, Areas]] = [((start,), (end,)) for start, end in expected]
    for start, end in own:
        if not (start and end):
            places = (start,) if start else unlisted[0], (end,) if end else unlisted[1]
            if not (priced and (places[0] == () or places[1] == ())):
                found.append(places)
    return found
