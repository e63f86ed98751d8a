"""Warnings: what a tariff says without effect, and what surprises those who publish it. None is a fault."""

from __future__ import annotations

from itertools import product
from typing import Final

from fare.core.tariff.loading import monotony
from fare.core.tariff.loading.calendars import TIMEFRAMES
from fare.core.tariff.loading.card_room import warn_of_what_has_no_room
from fare.core.tariff.loading.charging import needs_tap_off
from fare.core.tariff.loading.fares import LEG_RULES, PRODUCTS, TRANSFER_RULES, Fares
from fare.core.tariff.loading.findings import Findings, shown
from fare.core.tariff.loading.network import Network
from fare.core.tariff.loading.patterns import Patterns
from fare.core.tariff.loading.saying import say
from fare.core.tariff.loading.soundness import unsold
from fare.core.tariff.loading.toml_text import FILE, TomlText
from fare.core.tariff.model import EMPTY, LegRule, Tariff

_MAX_SHADOWED: Final = 50_000
"""Leg rules among which shadowed ones are looked for."""


def warn_of_oddities(
    tariff: Tariff, fares: Fares, network: Network, patterns: Patterns, text: TomlText, findings: Findings
) -> None:
    """Note all warnings about a tariff that has no faults."""
    _never_matching(tariff, fares, network, findings)
    if tariff.uses_priority and len(tariff.leg_rules) <= _MAX_SHADOWED:
        _shadowed(fares, findings)
    _transfers(tariff, fares, findings)
    _unsold(tariff, fares, findings)
    _tap_off(tariff, fares, text, findings)
    warn_of_what_has_no_room(tariff, text, findings)
    if patterns.orders or tariff.distance_fares:
        problem = monotony.finding(tariff, patterns.orders)
        if problem:
            file = FILE if tariff.distance_fares else LEG_RULES
            findings.warn(
                file,
                None,
                "",
                say("travelling further may cost less: {problem}", problem=problem),
                say("look whether that is meant"),
            )


def _never_matching(tariff: Tariff, fares: Fares, network: Network, findings: Findings) -> None:
    running = {
        group
        for group, frames in tariff.timeframes.items()
        if any(_runs(tariff, frame.service_id) for frame in frames)
    }
    with_routes = frozenset(filter(None, network.routes.values())) if network.listed_routes else None
    placed = {area for areas in tariff.stop_areas.values() for area in areas} if network.stop_areas else None
    named = tuple(
        {getattr(rule, column) for rule in fares.leg_rules}
        for column in ("network_id", "from_area_id", "to_area_id")
    )
    everything = (with_routes, placed, placed)
    outside = (
        any(not one for one in network.routes.values()),
        bool(network.listed_stops and len(network.stop_areas) < len(network.listed_stops)),
    )
    for rule, line in zip(fares.leg_rules, fares.leg_lines, strict=True):
        for column, group in (
            ("from_timeframe_group_id", rule.from_timeframe_group_id),
            ("to_timeframe_group_id", rule.to_timeframe_group_id),
        ):
            if group and group not in running:
                findings.warn(
                    LEG_RULES,
                    line,
                    column,
                    say(
                        "the services of {value} in {timeframes} run on no day, so the rule can never match",
                        value=shown(group),
                        timeframes=TIMEFRAMES,
                    ),
                    say("correct the calendar or delete the rule"),
                )
        values = (rule.network_id, rule.from_area_id, rule.to_area_id)
        columns = ("network_id", "from_area_id", "to_area_id")
        for place, (column, value, there) in enumerate(zip(columns, values, everything, strict=True)):
            if there is None:
                continue
            if value and value not in there:
                what = say("route") if place == 0 else say("stop")
                findings.warn(
                    LEG_RULES,
                    line,
                    column,
                    say("{value} has no {what}, so the rule can never match", value=shown(value), what=what),
                    say("give it a {what} or delete the rule", what=what),
                )
            listed = named[place]
            if (
                not value
                and not tariff.uses_priority
                and there
                and there <= listed
                and not outside[place > 0]
            ):
                findings.warn(
                    LEG_RULES,
                    line,
                    column,
                    say(
                        "an empty field means all that is not listed in this column, and all is listed, "
                        "so the rule can never match"
                    ),
                    say("delete the rule, or add rule_priority"),
                )


def _runs(tariff: Tariff, service_id: str) -> bool:
    service = tariff.services.get(service_id)
    if service is None:
        return False
    if service.added - service.removed:
        return True
    last = min(service.last_day, service.first_day + 4_000)
    return any(service.weekdays) and any(service.runs_on(day) for day in range(service.first_day, last + 1))


def _shadowed(fares: Fares, findings: Findings) -> None:
    """A rule is never chosen where one of higher priority asks for nothing beyond what it asks for."""
    highest: dict[tuple[str, ...], tuple[int, int]] = {}
    for rule, line in zip(fares.leg_rules, fares.leg_lines, strict=True):
        key = _key(rule)
        highest[key] = max(highest.get(key, (-1, 0)), (rule.priority, line))
    for rule, line in zip(fares.leg_rules, fares.leg_lines, strict=True):
        wider = product(*({value, EMPTY} for value in _key(rule)))
        above = [highest[key] for key in wider if key in highest and highest[key][0] > rule.priority]
        if above:
            findings.warn(
                LEG_RULES,
                line,
                "rule_priority",
                say(
                    "row {row} holds for the same legs with a higher priority, so the rule can never match",
                    row=max(above)[1],
                ),
                say("raise its priority or delete it"),
            )


def _key(rule: LegRule) -> tuple[str, ...]:
    return (
        rule.network_id,
        rule.from_area_id,
        rule.to_area_id,
        rule.from_timeframe_group_id,
        rule.to_timeframe_group_id,
    )


def _transfers(tariff: Tariff, fares: Fares, findings: Findings) -> None:
    groups = {rule.leg_group_id for rule in tariff.leg_rules} - {EMPTY}
    without_group = any(not rule.leg_group_id for rule in tariff.leg_rules)
    for column in ("from_leg_group_id", "to_leg_group_id"):
        listed = {getattr(rule, column) for rule in tariff.transfer_rules} - {EMPTY}
        for rule, line in zip(fares.transfer_rules, fares.transfer_lines, strict=True):
            if not getattr(rule, column) and groups <= listed and not without_group:
                findings.warn(
                    TRANSFER_RULES,
                    line,
                    column,
                    say(
                        "an empty field means all groups that are not listed in this column, and all are "
                        "listed, so the rule can never match"
                    ),
                    say("delete the rule"),
                )


def _unsold(tariff: Tariff, fares: Fares, findings: Findings) -> None:
    lines = {
        each.product_id: line
        for each, line in zip(reversed(fares.products), reversed(fares.product_lines), strict=True)
    }
    for each in unsold(tariff):
        findings.warn(
            PRODUCTS,
            lines[each.product_id],
            "fare_product_id",
            say(
                "no rule, pass or concession names {value}, so nobody can buy it",
                value=shown(each.product_id),
            ),
            say("name it in a rule, or delete it"),
        )
    standing = set(tariff.media.values())
    for medium in sorted(fares.media_ids - standing):
        findings.warn(
            "fare_media.txt",
            None,
            "fare_media_id",
            say("no tap here is made with {value}, so its prices are never charged", value=shown(medium)),
            say("say under [media] in mancard.toml what it stands for"),
        )


def _tap_off(tariff: Tariff, fares: Fares, text: TomlText, findings: Findings) -> None:
    if not needs_tap_off(fares):
        return
    if tariff.tap_off is None:
        findings.warn(
            FILE,
            text.line(("tap_off", "enabled")),
            "tap_off.enabled",
            say(
                "some rules ask where or when riders alight, but nobody taps off, so they match "
                "as if nobody alighted"
            ),
            say("enable tap_off or rewrite those rules"),
        )
    elif "tap_off" not in text.values:
        findings.warn(
            FILE,
            None,
            "tap_off",
            say(
                "some rules ask where or when riders alight, so riders have to tap off at a "
                "reader at the exit"
            ),
            say("write a table [tap_off] that says how, or enabled = false"),
        )
