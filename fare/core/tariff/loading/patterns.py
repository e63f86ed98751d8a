"""Which legs a feed's trips make possible: from where to where on which network, and when vehicles leave.

From trips and stop_times, which may be missing, large or faulty: then nothing is known of them, and the check
says so instead of refusing the tariff.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from fare.core.tariff.loading.findings import Findings
from fare.core.tariff.loading.saying import say
from fare.core.tariff.loading.tables import Tables
from fare.core.tariff.loading.values import time_of_day
from fare.core.tariff.model import Tariff

MAX_STOP_TIMES: Final = 200_000
MAX_LEGS: Final = 200_000
_MAX_PAIRS: Final = 3_000_000
_DAY_MINUTES: Final = 1_440
_NOT_AVAILABLE: Final = "1"  # pickup_type and drop_off_type

Areas = tuple[str, ...]


@dataclass(frozen=True, slots=True)
class PossibleLeg:
    """A leg that some trip makes: network, areas of origin and destination."""

    network: str
    from_areas: Areas
    to_areas: Areas


@dataclass(slots=True)
class Patterns:
    """`legs` -> a route that makes them; `minutes`: network -> minutes of the day at which vehicles leave.

    `orders`: network and areas passed, for each distinct trip. `closed`: network and areas within which trips
    carry nobody, as most of their calls there allow either boarding or alighting alone. `problem` says why
    trips were not looked at, or not all of them; empty otherwise.
    """

    legs: dict[PossibleLeg, str] = field(default_factory=dict[PossibleLeg, str])
    minutes: dict[str, set[int]] = field(default_factory=dict[str, set[int]])
    orders: dict[tuple[str, tuple[Areas, ...]], str] = field(
        default_factory=dict[tuple[str, tuple[Areas, ...]], str]
    )
    closed: set[tuple[str, Areas]] = field(default_factory=set[tuple[str, Areas]])
    problem: str = ""


@dataclass(frozen=True, slots=True)
class _Call:
    sequence: int
    areas: Areas
    boards: bool
    alights: bool


def read_patterns(tables: Tables, tariff: Tariff) -> Patterns:
    """The legs of the feed's trips, as far as the tariff's rules tell places apart."""
    patterns = Patterns()
    if not tables.has("trips.txt"):
        return patterns
    content = tables.content("stop_times.txt")
    if content is None or content.count(b"\n") > MAX_STOP_TIMES:
        patterns.problem = say(
            "stop_times.txt is missing or has more than {most:,} rows", most=MAX_STOP_TIMES
        )
        return patterns
    findings = Findings()
    quiet = Tables({name: tables.content(name) or b"" for name in ("trips.txt", "stop_times.txt")}, findings)
    routes = {
        row.get("trip_id"): row.get("route_id") for row in quiet.rows("trips.txt", ("trip_id", "route_id"))
    }
    calls = _calls(quiet, tariff, routes, patterns)
    if findings.faults:
        patterns.problem = say(
            "the trips could not be read ({file}: {problem})",
            file=findings.faults[0].file,
            problem=findings.faults[0].problem,
        )
        return patterns
    _legs(calls, tariff, routes, patterns)
    return patterns


def _calls(
    tables: Tables, tariff: Tariff, routes: Mapping[str, str], patterns: Patterns
) -> dict[str, list[_Call]]:
    calls: dict[str, list[_Call]] = {}
    shared: dict[_Call, _Call] = {}
    for row in tables.rows("stop_times.txt", ("trip_id", "stop_id", "stop_sequence")):
        trip_id, sequence = row.get("trip_id"), row.get("stop_sequence")
        if trip_id not in routes or not sequence.isdigit():
            continue
        call = _Call(
            int(sequence[:9]),
            tariff.stop_areas.get(row.get("stop_id"), ()),
            row.get("pickup_type") != _NOT_AVAILABLE,
            row.get("drop_off_type") != _NOT_AVAILABLE,
        )
        calls.setdefault(trip_id, []).append(shared.setdefault(call, call))
        departure = time_of_day(row.get("departure_time")) if call.boards else None
        if departure is not None:
            network = tariff.routes.get(routes[trip_id], "")
            patterns.minutes.setdefault(network, set()).add(departure // 60 % _DAY_MINUTES)
    return calls


def _legs(
    calls: Mapping[str, list[_Call]], tariff: Tariff, routes: Mapping[str, str], patterns: Patterns
) -> None:
    named = (
        {rule.to_area_id for rule in tariff.leg_rules} - {""},
        {rule.from_area_id for rule in tariff.leg_rules} - {""},
    )
    by_end, by_start = bool(named[0]), bool(named[1])
    seen: set[tuple[str, tuple[tuple[Areas, bool, bool], ...]]] = set()
    doors: dict[tuple[str, Areas], list[int]] = {}
    pairs = 0
    for trip_id, unsorted in calls.items():
        route_id = routes[trip_id]
        network = tariff.routes.get(route_id, "")
        order = sorted(unsorted, key=_sequence)
        key = (network, tuple((call.areas, call.boards, call.alights) for call in order))
        if key in seen:
            continue
        seen.add(key)
        patterns.orders[network, tuple(call.areas for call in order)] = route_id
        for call in order[1:-1]:
            doors.setdefault((network, call.areas), [0, 0])[call.boards and call.alights] += 1
        first_boarding: dict[Areas, int] = {}
        last_alighting: dict[Areas, int] = {}
        for place, call in enumerate(order):
            if call.boards:
                first_boarding.setdefault(call.areas if by_start else (), place)
            if call.alights:
                last_alighting[call.areas if by_end else ()] = place
        pairs += len(first_boarding) * len(last_alighting)
        if pairs > _MAX_PAIRS or len(patterns.legs) > MAX_LEGS:
            patterns.problem = say("the feed has more different trips than are looked at")
            return
        for start, on in first_boarding.items():
            for end, off in last_alighting.items():
                if on < off:
                    patterns.legs.setdefault(PossibleLeg(network, start, end), route_id)
    patterns.closed = {key for key, (one_way, both_ways) in doors.items() if one_way > both_ways}


def _sequence(call: _Call) -> int:
    return call.sequence
