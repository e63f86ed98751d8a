from __future__ import annotations

from typing import Any

import pytest

from fare.core.tariff.model import (
    Boundary,
    DurationLimitType,
    LimitFrom,
    ProductPrice,
    TapOff,
    Tariff,
    TransferRule,
    TransferType,
)
from tests.core.tariff.cities import costs, flat, networks, off, on

FREE = TransferType.FIRST_AND_TRANSFER
AB, BC = ProductPrice("AB", "", 30), ProductPrice("BC", "", 20)
ABC = (on(0, "A"), on(1, "B"), on(2, "C"))


def three(*rules: TransferRule, **more: Any) -> Tariff:
    return networks({"A": 100, "B": 150, "C": 170}, products=(AB, BC), transfer_rules=rules, **more)


def repeated(count: int = -1, limit_s: int | None = None, **more: Any) -> TransferRule:
    return TransferRule("g", "g", FREE, count=count, limit_s=limit_s, **more)


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        # The table of the GTFS reference: A + AB, A + AB + B, AB; then S + BC, S + BC + C, S + BC.
        (0, 0, [100, 30, 20]),
        (0, 1, [100, 30, 190]),
        (0, 2, [100, 30, 20]),
        (1, 0, [100, 180, 20]),
        (1, 1, [100, 180, 190]),
        (2, 0, [100, -70, 20]),
        (2, 1, [100, -70, 190]),
        (2, 2, [100, -70, 20]),
    ],
)
def test_what_two_transfers_in_a_row_cost(first: int, second: int, expected: list[int]) -> None:
    rules = (
        TransferRule("A", "B", TransferType(first), "AB"),
        TransferRule("B", "C", TransferType(second), "BC"),
    )
    assert costs(three(*rules), *ABC) == expected


def test_a_transfer_of_type_1_with_a_discount_adds_the_second_leg() -> None:
    rule = TransferRule("A", "B", TransferType.FIRST_TRANSFER_AND_SECOND, "less")
    tariff = networks({"A": 100, "B": 150}, products=(ProductPrice("less", "", -40),), transfer_rules=(rule,))
    assert costs(tariff, on(0, "A"), on(1, "B")) == [100, 110]


def test_transfers_are_directional_and_an_empty_product_costs_nothing() -> None:
    tariff = three(TransferRule("A", "B", FREE))
    assert costs(tariff, on(0, "A"), on(1, "B"), on(2, "A"), on(3, "A")) == [100, 0, 100, 100]


def test_an_empty_group_means_all_that_are_not_listed_in_its_column() -> None:
    tariff = three(TransferRule("", "B", FREE))
    assert costs(tariff, on(0, "A"), on(1, "B"), on(2, "B")) == [100, 0, 0]
    listed = three(TransferRule("", "B", FREE), TransferRule("A", "C", FREE))
    assert costs(listed, on(0, "A"), on(1, "B")) == [100, 150], "A is listed in the column, if for another"
    assert costs(listed, on(0, "C"), on(1, "B")) == [170, 0]
    everywhere = three(TransferRule("", "", FREE, count=-1))
    assert costs(everywhere, *ABC) == [100, 0, 0]


def test_the_count_of_transfers_in_a_row() -> None:
    taps = [on(minute) for minute in range(0, 50, 10)]
    # OpenTripPlanner, TransferCountWithTimeLimitTest: with one transfer every other leg is bought.
    assert costs(flat(transfer_rules=(repeated(1, 7200),)), *taps) == [200, 0, 200, 0, 200]
    assert costs(flat(transfer_rules=(repeated(2),)), *taps) == [200, 0, 0, 200, 0]
    assert costs(flat(transfer_rules=(repeated(),)), *taps) == [200, 0, 0, 0, 0]
    ten, fifty = ProductPrice("ten", "", 10), ProductPrice("fifty", "", 50)
    stairs = (
        TransferRule("g", "g", FREE, "ten", 1),
        TransferRule("g", "g", FREE, "fifty", 3),
    )
    tariff = flat(transfer_rules=stairs, products=(ten, fifty))
    assert costs(tariff, *taps) == [200, 10, 50, 50, 200], "the smallest count that is enough applies"


@pytest.mark.parametrize(
    ("limit_type", "limit_s", "within"),
    [
        # OpenTripPlanner, TimeLimitEvaluatorTest: 10:00-10:05, then 10:10-10:20.
        (0, 1200, True), (0, 1180, False),
        (1, 3600, True), (1, 660, True), (1, 599, False),
        (2, 3600, True), (2, 299, False), (2, 300, True),
        (3, 960, True), (3, 899, False),
    ],
)  # fmt: skip
def test_from_where_to_where_a_limit_is_measured(limit_type: int, limit_s: int, within: bool) -> None:
    rule = repeated(-1, limit_s, limit_type=DurationLimitType(limit_type))
    for tap_off in (TapOff(), None):
        if tap_off is None and limit_type in (0, 3):
            continue  # without tap-off the arrival of the second leg is told too late
        tariff = flat(transfer_rules=(rule,), tap_off=tap_off)
        found = costs(tariff, on(0), off(5), on(10), off(20))
        assert sum(found) == (200 if within else 400)


def test_exactly_the_limit_belongs_to_it_where_the_tariff_says_so() -> None:
    for boundary, at_the_limit in ((Boundary.INCLUSIVE, 0), (Boundary.EXCLUSIVE, 200)):
        tariff = flat(transfer_rules=(repeated(-1, 600, boundary=boundary),))
        assert costs(tariff, on(0), on(10)) == [200, at_the_limit]


def test_repeats_are_measured_from_the_first_leg_and_do_not_anchor_anew() -> None:
    # The case OpenTripPlanner re-anchors (FreeTransferTimeLimitTest); the reference says: the first leg.
    tariff = flat(transfer_rules=(repeated(-1, 600),))
    assert costs(tariff, on(0), on(4), on(12)) == [200, 0, 200]


def test_another_rule_measures_from_its_own_first_leg_or_from_the_journeys() -> None:
    rules = (TransferRule("A", "B", FREE, limit_s=600), TransferRule("B", "C", FREE, limit_s=600))
    taps = (on(0, "A"), on(8, "B"), on(16, "C"))
    assert costs(three(*rules), *taps) == [100, 0, 0]
    assert costs(three(*rules, transfer_limit_from=LimitFrom.JOURNEY), *taps) == [100, 0, 170]


def test_a_tap_off_nobody_has_to_make_tells_when_the_first_leg_arrived() -> None:
    from_arrival = DurationLimitType.ARRIVAL_TO_DEPARTURE
    for limit_from in LimitFrom:
        tariff = flat(
            transfer_rules=(repeated(-1, 300, limit_type=from_arrival),), transfer_limit_from=limit_from
        )
        assert costs(tariff, on(0), off(5), on(10)) == [200, 0, 0]
        assert costs(tariff, on(0), on(10)) == [200, 200], "an unknown arrival stands at its departure"


def test_companions_share_a_transfer_as_many_as_began_it() -> None:
    tariff = flat(transfer_rules=(repeated(),))
    assert costs(tariff, on(0, pax=3), on(5, pax=4), on(9, pax=2)) == [600, 200, 0]


def test_a_rule_that_applies_is_the_price_even_where_the_legs_apart_cost_less() -> None:
    rules = (TransferRule("A", "B", FREE, "dear"),)
    tariff = networks({"A": 100, "B": 150}, products=(ProductPrice("dear", "", 400),), transfer_rules=rules)
    assert costs(tariff, on(0, "A"), on(1, "B")) == [100, 400]
