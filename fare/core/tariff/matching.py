"""Which leg rules match a leg, by an index that is made of a tariff once.

Semantics: GTFS reference, fare_leg_rules. Without `rule_priority` an empty network or area means all that are
not listed in its column; with it, empty does not matter and the highest priority wins. An empty timeframe
never matters. It knows rules only, no amounts.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import product
from typing import Final

from fare.core.tariff.memory import Memory
from fare.core.tariff.model import EMPTY, Boundary, FareTime, LegRule, Selection, Tariff, TransferRule
from fare.core.tariff.periods import local_time

LONGEST_RIDE_S: Final = 14_400
"""No ride takes longer, where the tariff does not say how long a journey may stay open."""
_DAY_S: Final = 86_400

Areas = tuple[str, ...]
Rules = tuple[LegRule, ...]
Active = frozenset[str]
"""The timeframe groups that hold an instant."""


@dataclass(slots=True, eq=False)
class Reached:
    """What a tap may turn out to be: the rules of each kind of leg, and which are the dearest for whom."""

    kinds: tuple[Rules, ...]
    dearest: Memory[tuple[object, ...], tuple[Rules, ...]]


class LegIndex:
    """The leg rules of one tariff by network, origin and destination."""

    def __init__(self, tariff: Tariff) -> None:
        rules = tariff.leg_rules
        self.uses_priority = tariff.uses_priority
        self.networks = frozenset(rule.network_id for rule in rules) - {EMPTY}
        self.origins = frozenset(rule.from_area_id for rule in rules) - {EMPTY}
        self.destinations = frozenset(rule.to_area_id for rule in rules) - {EMPTY}
        self.timeframes = tuple(sorted({group for rule in rules for group in _groups(rule)}))
        self._buckets: dict[tuple[str, str, str], list[LegRule]] = {}
        for rule in sorted(rules, key=lambda each: -each.priority if self.uses_priority else 0):
            key = (rule.network_id, rule.from_area_id, rule.to_area_id)
            self._buckets.setdefault(key, []).append(rule)
        self._told_apart = {each for rule in tariff.transfer_rules for each in _ends(rule)}
        self._told_apart |= {group for each in selections(tariff) for group in each.leg_groups}
        self._places = tuple(dict.fromkeys(tuple(sorted(set(areas))) for areas in tariff.stop_areas.values()))
        self._found = Memory[tuple[str, Areas, Areas], Rules]()
        self._reached = Memory[tuple[str, Areas, bool, Active, frozenset[Active]], Reached]()
        self._by_exit = tariff.tap_off is not None and tariff.tap_off.fare_time is FareTime.OFF
        ends = {rule.to_timeframe_group_id for rule in rules} - {EMPTY}
        begins = {rule.from_timeframe_group_id for rule in rules} - {EMPTY}
        self._at_end = frozenset(self.timeframes if self._by_exit else ends)
        self._at_beginning = frozenset[str]() if self._by_exit else frozenset(begins)

    def candidates(self, network: str, from_areas: Areas, to_areas: Areas) -> Rules:
        """Rules that match at some time; with priorities the highest first."""
        key = (network, from_areas, to_areas)
        return self._found.answer(key, lambda: self._search(network, from_areas, to_areas))

    def _search(self, network: str, from_areas: Areas, to_areas: Areas) -> Rules:
        columns = product(
            self._named((network,), self.networks),
            self._named(from_areas, self.origins),
            self._named(to_areas, self.destinations),
        )
        found = [rule for each in columns for rule in self._buckets.get(each, ())]
        if self.uses_priority:
            found.sort(key=lambda rule: -rule.priority)
        return tuple(found)

    def _named(self, wanted: Areas, listed: frozenset[str]) -> Areas:
        """The values of a column that match a leg whose own are `wanted`."""
        named = tuple(each for each in wanted if each in listed)
        if self.uses_priority:
            return (*named, EMPTY)
        return named or (EMPTY,)

    def places(self, listed: frozenset[str]) -> tuple[Areas, ...]:
        """Every kind of place where a leg may end or begin: by stops, by single areas, and in none."""
        single = ((area,) for area in sorted(listed))
        return tuple(dict.fromkeys((*self._places, *single, ())))

    def reached(
        self, tariff: Tariff, network: str, areas: Areas, at_s: int, *, backwards: bool = False
    ) -> Reached:
        """What matches from `areas` to each place (or from each place to `areas`), without repetition."""
        active = active_timeframes(tariff, self.timeframes, at_s)
        others = self._other_ends(tariff, at_s, active, backwards=backwards)
        key = (network, areas, backwards, active, others)
        return self._reached.answer(
            key, lambda: self._reach(network, areas, active, others, backwards=backwards)
        )

    def _reach(
        self, network: str, areas: Areas, active: Active, others: frozenset[Active], *, backwards: bool
    ) -> Reached:
        listed = self.origins if backwards else self.destinations
        ends = [(place, areas) if backwards else (areas, place) for place in self.places(listed)]
        kinds: dict[frozenset[tuple[str, str]], Rules] = {}
        for other in sorted(others, key=sorted):
            on, off = (other, active) if backwards else (other if self._by_exit else active, other)
            for each in ends:
                rules = self.at_times(self.candidates(network, *each), on, off)
                if rules:
                    kinds[self._kind(rules)] = rules
        return Reached(tuple(kinds.values()), Memory())

    def _other_ends(self, tariff: Tariff, at_s: int, active: Active, *, backwards: bool) -> frozenset[Active]:
        """What may be active at the leg's other end: what is now, or after a timeframe turned meanwhile."""
        groups = self._at_beginning if backwards else self._at_end
        if not groups:
            return frozenset((active,))
        rules, second = tariff.tap_off, local_time(tariff, at_s)[1]
        longest_s = LONGEST_RIDE_S if rules is None or rules.close_after_s is None else rules.close_after_s
        found = {active & groups}
        for turn in _turns(tariff, groups):
            # Backwards the last second before a turn is the one that differs.
            away_s = (second - turn) % _DAY_S + 1 if backwards else (turn - second) % _DAY_S
            if away_s <= longest_s:
                found.add(active_timeframes(tariff, groups, at_s - away_s if backwards else at_s + away_s))
        return frozenset(found)

    def _kind(self, rules: Rules) -> frozenset[tuple[str, str]]:
        """What of these rules makes a difference to a price: products, and the groups that anything names."""
        return frozenset(
            (rule.fare_product_id, rule.leg_group_id if rule.leg_group_id in self._told_apart else EMPTY)
            for rule in rules
        )

    def at_times(self, rules: Rules, on: frozenset[str], off: frozenset[str]) -> Rules:
        """Those of `rules` whose timeframe groups are among `on` and `off`; of the highest priority alone."""
        held = tuple(
            rule
            for rule in rules
            if (rule.from_timeframe_group_id == EMPTY or rule.from_timeframe_group_id in on)
            and (rule.to_timeframe_group_id == EMPTY or rule.to_timeframe_group_id in off)
        )
        return self.best(held)

    def best(self, rules: Rules) -> Rules:
        """Those of the highest priority, of rules that are sorted by it."""
        if not self.uses_priority or len(rules) < 2 or rules[0].priority == rules[-1].priority:
            return rules
        return tuple(rule for rule in rules if rule.priority == rules[0].priority)


def index_of(tariff: Tariff) -> LegIndex:
    """The tariff's index, made on first use."""
    return tariff.derive(LegIndex)


def matched_rules(
    tariff: Tariff, network: str, from_areas: Iterable[str], to_areas: Iterable[str], on_s: int, off_s: int
) -> Rules:
    """The leg rules of a leg; several are a choice between products. None: the fare is unknown.

    `network` EMPTY: the route is in none. `to_areas` empty: nowhere that is listed, or not known. Unix
    seconds.
    """
    index = index_of(tariff)
    rules = index.candidates(network, tuple(from_areas), tuple(to_areas))
    if not index.timeframes:
        return index.best(rules)
    on, off = active_timeframes(tariff, index.timeframes, on_s), frozenset[str]()
    if any(rule.to_timeframe_group_id for rule in rules):
        off = active_timeframes(tariff, index.timeframes, off_s)
    return index.at_times(rules, on, off)


def _turns(tariff: Tariff, groups: Iterable[str]) -> frozenset[int]:
    """The seconds of a day at which one of these timeframe groups begins or has just ended."""
    frames = [frame for group in groups for frame in tariff.timeframes.get(group, ())]
    ends = {frame.end_s + (frame.end_boundary is Boundary.INCLUSIVE) for frame in frames}
    return frozenset(ends | {frame.start_s for frame in frames})


def active_timeframes(tariff: Tariff, groups: Iterable[str], at_s: int) -> frozenset[str]:
    """Which of these timeframe groups hold the instant, by its local date and time."""
    day, second = local_time(tariff, at_s)
    return frozenset(group for group in groups if in_timeframe(tariff, group, day, second))


def in_timeframe(tariff: Tariff, group: str, day: int, second: int) -> bool:
    """Whether a local date (ordinal) and second of the day lie in a timeframe group."""
    for frame in tariff.timeframes.get(group, ()):
        if frame.start_s <= second and frame.end_boundary.holds(second, frame.end_s):
            service = tariff.services.get(frame.service_id)
            if service is not None and service.runs_on(day):
                return True
    return False


def named_networks(tariff: Tariff) -> frozenset[str]:
    """Every network that the tariff speaks of: a route of the same id stands for it where no table tells."""
    named = {rule.network_id for rule in tariff.leg_rules} | set(tariff.routes.values())
    named |= {each for rule in tariff.join_rules for each in (rule.from_network_id, rule.to_network_id)}
    return frozenset(named | {each for one in selections(tariff) for each in one.networks}) - {EMPTY}


def selections(tariff: Tariff) -> tuple[Selection, ...]:
    """Every selection of legs in the tariff."""
    tables = (tariff.windows, tariff.caps, tariff.passes, tariff.concessions, tariff.distance_fares)
    found = [each.covers for table in tables for each in table]
    found += [each.opened_by for each in tariff.windows if each.opened_by is not None]
    found += [each.covers for each in tariff.free_days]
    found += [level.covers for cap in tariff.caps for level in cap.levels]
    found += [] if tariff.tap_off is None else [tariff.tap_off.covers]
    return tuple(found)


def _ends(rule: TransferRule) -> tuple[str, str]:
    return rule.from_leg_group_id, rule.to_leg_group_id


def _groups(rule: LegRule) -> tuple[str, ...]:
    return tuple(
        group for group in (rule.from_timeframe_group_id, rule.to_timeframe_group_id) if group != EMPTY
    )
