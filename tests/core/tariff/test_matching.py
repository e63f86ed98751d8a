from __future__ import annotations

from fare.core.tariff.matching import index_of, matched_rules
from fare.core.tariff.model import Boundary, LegRule, Service, Tariff, Timeframe
from tests.core.tariff.cities import EIGHT_S, flat

EVERY_DAY = Service((True,) * 7, 1, 3_000_000)


def tariff_of(*rules: LegRule, uses_priority: bool = False) -> Tariff:
    return flat(leg_rules=rules, uses_priority=uses_priority, products=())


def matched(tariff: Tariff, network: str, start: str = "", end: str = "") -> list[str]:
    areas = ((start,) if start else (), (end,) if end else ())
    return [rule.fare_product_id for rule in matched_rules(tariff, network, *areas, EIGHT_S, EIGHT_S)]


def test_an_empty_column_means_all_that_are_not_listed_in_it() -> None:
    # OpenTripPlanner, SameGroupIdPriorityTest ("mixed-no-priority"): neither rule matches.
    mixed = tariff_of(LegRule("", "r1", "A"), LegRule("", "r2", "", "A1", "A1"))
    assert matched(mixed, "A", "A1", "A1") == []
    assert matched(mixed, "A", "A2", "A2") == ["r1"], "an area that is not listed is held by the empty column"
    assert matched(mixed, "B", "A1", "A1") == ["r2"]
    assert matched(mixed, "B", "A1", "A2") == []
    assert matched(mixed, "", "A1", "A1") == ["r2"], "a route without a network is in none that is listed"
    both = tariff_of(LegRule("", "r1", "A"), LegRule("", "r2", "A"))
    assert matched(both, "A", "A1", "A1") == ["r1", "r2"]


def test_with_priorities_empty_does_not_matter_and_the_highest_wins() -> None:
    # The same source: "priority-area-wins", "conflict-prio", "equal-prio-both".
    for rules, expected in (
        ((LegRule("", "r1", "A"), LegRule("", "r2", "", "A1", "A1", priority=2)), ["r2"]),
        ((LegRule("", "r1", "A", priority=1), LegRule("", "r2", "A", priority=2)), ["r2"]),
        ((LegRule("", "r1", "A", priority=10), LegRule("", "r2", "A", priority=10)), ["r1", "r2"]),
        ((LegRule("", "r1"), LegRule("", "r2", "A", "A1")), ["r1", "r2"]),
    ):
        assert sorted(matched(tariff_of(*rules, uses_priority=True), "A", "A1", "A1")) == expected
    assert matched(tariff_of(LegRule("", "r1", "A"), uses_priority=True), "B") == []


def test_an_origin_in_several_areas_is_in_any_of_them() -> None:
    tariff = tariff_of(LegRule("", "r1", "", "A1"), LegRule("", "r2", "", "A2"), LegRule("", "r3"))
    both = matched_rules(tariff, "", ("A1", "A2"), (), EIGHT_S, EIGHT_S)
    assert [rule.fare_product_id for rule in both] == ["r1", "r2"], "a listed area leaves the empty row out"
    one = matched_rules(tariff, "", ("A1", "elsewhere"), (), EIGHT_S, EIGHT_S)
    assert [rule.fare_product_id for rule in one] == ["r1"]


def test_a_timeframe_begins_with_its_start_and_ends_before_its_end() -> None:
    rule = LegRule("", "peak", from_timeframe_group_id="peak")
    for end, last_in in ((Boundary.EXCLUSIVE, False), (Boundary.INCLUSIVE, True)):
        frames = {"peak": (Timeframe(8 * 3600, 9 * 3600, "every", end),)}
        tariff = flat(leg_rules=(rule,), timeframes=frames, services={"every": EVERY_DAY})
        inside = [bool(matched_rules(tariff, "", (), (), EIGHT_S + s, 0)) for s in (-1, 0, 3599, 3600, 3601)]
        assert inside == [False, True, True, last_in, False]


def test_an_empty_timeframe_is_ignored_and_the_arrival_has_its_own() -> None:
    frames = {
        "now": (Timeframe(8 * 3600, 9 * 3600, "every"),),
        "late": (Timeframe(9 * 3600, 86_400, "every"),),
    }
    rules = (
        LegRule("", "always"),
        LegRule("", "early", from_timeframe_group_id="now", to_timeframe_group_id="now"),
        LegRule("", "ends late", to_timeframe_group_id="late"),
    )
    for uses_priority in (False, True):
        tariff = flat(
            leg_rules=rules, timeframes=frames, services={"every": EVERY_DAY}, uses_priority=uses_priority
        )
        for minutes, expected in ((30, ["always", "early"]), (90, ["always", "ends late"])):
            found = matched_rules(tariff, "", (), (), EIGHT_S, EIGHT_S + minutes * 60)
            assert [rule.fare_product_id for rule in found] == expected


def test_a_lookup_sees_only_the_rules_of_its_own_leg() -> None:
    rules = tuple(LegRule("", f"p{i}", f"n{i % 10}", f"a{i}", f"a{i + 1}") for i in range(1_000))
    for uses_priority in (False, True):
        index = index_of(tariff_of(*rules, uses_priority=uses_priority))
        assert [rule.fare_product_id for rule in index.candidates("n7", ("a77",), ("a78",))] == ["p77"]
        assert index.candidates("n7", ("a77",), ("a79",)) == ()
