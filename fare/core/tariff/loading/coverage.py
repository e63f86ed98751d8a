"""Legs without a fare: no rule matches, or none at some time of day, or none for a rider category.

"No match" is an unknown fare, never zero, so each is a fault unless `[default_fare]` gives a product.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from itertools import chain
from typing import Final

from fare.core.tariff.fares import default_product
from fare.core.tariff.loading.fares import CATEGORIES, LEG_RULES, PRODUCTS
from fare.core.tariff.loading.findings import Findings, shown
from fare.core.tariff.loading.naming_legs import named_legs
from fare.core.tariff.loading.patterns import Patterns, PossibleLeg
from fare.core.tariff.loading.saying import all_of, one_after_another, say
from fare.core.tariff.matching import LegIndex, index_of
from fare.core.tariff.model import EMPTY, Boundary, LegRule, Tariff

_DAY_S: Final = 86_400
_MAX_DAYS: Final = 1_500
"""Days of services that are looked at, from the first on."""
_MAX_SERVICE_DAYS: Final = 300_000
_MAX_GAP_KINDS: Final = 5_000
_OUTSIDE: Final = say("outside all areas")
_MEND: Final = say("add a leg rule, or a product under [default_fare] in mancard.toml")


@dataclass(slots=True)
class _Checked:
    tariff: Tariff
    index: LegIndex
    patterns: Patterns
    findings: Findings
    days: dict[tuple[str, ...], int]
    gaps: dict[frozenset[str], str]
    buyers: dict[str, set[str]]
    """product -> the rider categories it is sold to; passes, which no tap buys, are left out"""
    conceded: frozenset[str]
    """rider categories with a concession: it is one of their fallback's fare"""


def check_coverage(tariff: Tariff, patterns: Patterns, findings: Findings) -> None:
    """Note each leg that has no fare."""
    if not tariff.leg_rules or not tariff.products:
        return
    if patterns.problem:
        findings.warn(
            "stop_times.txt",
            None,
            "",
            say("{problem}: legs without a fare may be overlooked", problem=patterns.problem),
            say("give the trips to the check if the fares depend on areas"),
        )
    checked = _Checked(
        tariff,
        index_of(tariff),
        patterns,
        findings,
        _days(tariff),
        {},
        _buyers(tariff),
        frozenset(one for each in tariff.concessions for one in each.covers.rider_categories),
    )
    prices_read = not any(each.file in (PRODUCTS, CATEGORIES) for each in findings.faults)
    told: set[tuple[str, str]] = set()
    covered: set[tuple[LegRule, ...]] = set()
    for leg, route in chain(patterns.legs.items(), named_legs(tariff, checked.index, patterns)):
        if default_product(tariff, route, leg.network) is not None:
            continue
        rules = _matching(checked, leg)
        if not rules:
            _unpriced(checked, leg, _named(tariff, leg, route))
        elif rules not in covered:
            covered.add(rules)
            where = _named(tariff, leg, route)
            if prices_read:
                _check_riders(checked, rules, where, told)
            gap = _gap(checked, leg, rules)
            if gap and (gap, leg.network) not in told:
                told.add((gap, leg.network))
                problem = say("no rule gives a fare {where} {gap}", where=where, gap=gap)
                findings.fault(LEG_RULES, None, "from_timeframe_group_id", problem, _MEND)


def _unpriced(checked: _Checked, leg: PossibleLeg, where: str) -> None:
    if leg.from_areas == leg.to_areas and (leg.network, leg.from_areas) in checked.patterns.closed:
        checked.findings.warn(
            LEG_RULES,
            None,
            "",
            say(
                "no rule gives a fare {where}; most stops there allow either boarding or "
                "alighting alone, but not all",
                where=where,
            ),
            say("close the others too in stop_times.txt (pickup_type, drop_off_type), or add a leg rule"),
        )
    else:
        checked.findings.fault(LEG_RULES, None, "", say("no rule gives a fare {where}", where=where), _MEND)


def _matching(checked: _Checked, leg: PossibleLeg) -> tuple[LegRule, ...]:
    if checked.tariff.tap_off is None:
        return checked.index.candidates(leg.network, leg.from_areas, ())
    return checked.index.candidates(leg.network, leg.from_areas, leg.to_areas)


def _check_riders(
    checked: _Checked, rules: Iterable[LegRule], where: str, told: set[tuple[str, str]]
) -> None:
    """Each rider category must be able to buy one of the rules' products with some medium."""
    tariff = checked.tariff
    buyers = {one for rule in rules for one in checked.buyers.get(rule.fare_product_id, ())}
    if EMPTY in buyers:
        return
    for category in tariff.rider_categories:
        category_id = category.rider_category_id
        if category_id in buyers or category_id in checked.conceded or (category_id, "") in told:
            continue
        told.add((category_id, ""))
        checked.findings.fault(
            LEG_RULES,
            None,
            "fare_product_id",
            say(
                "rider category {value} has no fare {where}: its products are not sold to it",
                value=shown(category_id),
                where=where,
            ),
            say("add a row to fare_products.txt for this category, or one without a category"),
        )


def _buyers(tariff: Tariff) -> dict[str, set[str]]:
    passes = {each.product_id for each in tariff.passes}
    found: dict[str, set[str]] = {}
    for each in tariff.products:
        if each.product_id not in passes:
            found.setdefault(each.product_id, set()).add(each.rider_category_id)
    return found


def _named(tariff: Tariff, leg: PossibleLeg, route: str) -> str:
    """On route 910 (network REG) from area GAT to area PNT: as far as it is known."""
    parts = [say("on route {route}", route=shown(route)[1:-1])] if route else []
    if leg.network and route:
        parts.append(say("(network {network})", network=leg.network))
    elif leg.network:
        parts.append(say("on network {network}", network=leg.network))
    if leg.from_areas or leg.to_areas:
        start = say("area {areas}", areas=all_of(leg.from_areas[:3])) if leg.from_areas else _OUTSIDE
        end = say("area {areas}", areas=all_of(leg.to_areas[:3])) if leg.to_areas else _OUTSIDE
        parts.append(say("from {start} to {end}", start=start, end=end))
    return one_after_another(parts) or say("on any route")


# --- times ------------------------------------------------------------------------------------------------


def _days(tariff: Tariff) -> dict[tuple[str, ...], int]:
    """The services that run together, -> the first day on which just these do; no day without any."""
    services = {frame.service_id for frames in tariff.timeframes.values() for frame in frames}
    known = {one: tariff.services[one] for one in sorted(services) if one in tariff.services}
    ends = [day for one in known.values() for day in (one.first_day, one.last_day, *one.added) if day]
    found: dict[tuple[str, ...], int] = {}
    most = min(_MAX_DAYS, _MAX_SERVICE_DAYS // max(1, len(known)))
    if ends:
        for day in range(min(ends), min(max(ends), min(ends) + most) + 1):
            running = tuple(one for one, service in known.items() if service.runs_on(day))
            if running:
                found.setdefault(running, day)
    return found


def _gap(checked: _Checked, leg: PossibleLeg, rules: tuple[LegRule, ...]) -> str:
    """A time at which none of the rules matches, as words; empty where there is none that matters."""
    groups = frozenset(rule.from_timeframe_group_id for rule in rules)
    if EMPTY in groups or len(checked.gaps) > _MAX_GAP_KINDS:
        return ""
    key = groups | {f"\0{leg.network}"}
    if key not in checked.gaps:
        minutes = checked.patterns.minutes.get(leg.network)
        checked.gaps[key] = _first_gap(checked, groups, minutes)
    return checked.gaps[key]


def _first_gap(checked: _Checked, groups: frozenset[str], minutes: set[int] | None) -> str:
    for running, day in checked.days.items():
        spans = sorted(
            (frame.start_s, frame.end_s + (frame.end_boundary is Boundary.INCLUSIVE))
            for group in groups
            for frame in checked.tariff.timeframes.get(group, ())
            if frame.service_id in running
        )
        at = 0
        for start, end in [*spans, (_DAY_S, _DAY_S)]:
            if start > at and (minutes is None or any(at <= minute * 60 < start for minute in minutes)):
                return say(
                    "from {start} to {end} on days like {day}",
                    start=_clock(at),
                    end=_clock(start),
                    day=date.fromordinal(day).isoformat(),
                )
            at = max(at, end)
    return ""


def _clock(second: int) -> str:
    return f"{second // 3600:02}:{second // 60 % 60:02}"
