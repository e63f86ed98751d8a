from __future__ import annotations

from dataclasses import replace
from typing import Any

from fare.core.tariff.model import (
    Boundary,
    Calendar,
    Cap,
    CapLevel,
    CapPeriod,
    Companions,
    LastTap,
    Overdraft,
    Rounding,
    Selection,
    TransferWindow,
    WindowAnchor,
    WindowPays,
)
from tests.core.tariff.cities import costs, flat, networks, on

HOUR = TransferWindow("hour", "", 3600, Boundary.EXCLUSIVE)
DAY = 1440


def cap(amount: int, period: CapPeriod = CapPeriod.SERVICE_DAY, **more: Any) -> Cap:
    return Cap("cap", "", period, (CapLevel(amount),), **more)


def test_a_windows_boundary_and_anchors() -> None:
    for boundary, at_the_hour in ((Boundary.EXCLUSIVE, 200), (Boundary.INCLUSIVE, 0)):
        assert costs(flat(windows=(replace(HOUR, boundary=boundary),)), on(0), on(60)) == [200, at_the_hour]
    taps = (on(0), on(40), on(80), on(130))
    for anchor, expected in (
        (WindowAnchor.FIRST, [200, 0, 200, 0]),
        (WindowAnchor.LAST, [200, 0, 0, 0]),
        (WindowAnchor.LAST_PAID, [200, 0, 200, 0]),
    ):
        assert costs(flat(windows=(replace(HOUR, anchor=anchor),)), *taps) == expected


def test_a_dearer_ride_pays_the_difference_and_may_begin_the_window_anew() -> None:
    difference = replace(HOUR, pays=WindowPays.DIFFERENCE)
    taps = (on(0, "low"), on(40, "high"), on(70, "low"), on(80, "high"))
    fares = {"low": 300, "high": 525}
    assert costs(networks(fares, windows=(difference,)), *taps) == [300, 225, 300, 225]
    anew = replace(difference, anchor=WindowAnchor.LAST_PAID)
    assert costs(networks(fares, windows=(anew,)), *taps) == [300, 225, 0, 0]


def test_a_second_ride_at_a_part_of_its_fare() -> None:
    half = replace(HOUR, seconds=None, pays=WindowPays.PERCENT, percent=50, transfers=1)
    assert costs(flat(windows=(half,)), on(0), on(DAY), on(2 * DAY), on(3 * DAY)) == [200, 100, 200, 100]
    third = replace(half, percent=33, rounding=Rounding(10))
    assert costs(flat(windows=(third,)), on(0), on(1)) == [200, 70]
    fixed = replace(HOUR, pays=WindowPays.AMOUNT, amount=30)
    assert costs(networks({"a": 200, "b": 20}, windows=(fixed,)), on(0, "a"), on(1, "a"), on(2, "b")) == [
        200,
        30,
        20,
    ], "never more than the fare itself"


def test_which_legs_a_window_holds() -> None:
    buses = replace(HOUR, covers=Selection(networks=frozenset({"bus"})))
    fares = {"bus": 150, "rail": 240}
    taps = (on(0, "bus"), on(10, "rail"), on(50, "bus"))
    assert costs(networks(fares, windows=(buses,)), *taps) == [150, 240, 0]
    assert costs(networks(fares, windows=(replace(buses, ended_by_other_legs=True),)), *taps) == [
        150,
        240,
        150,
    ]
    same = networks(fares, windows=(replace(HOUR, same_network=True),))
    assert costs(same, on(0, "bus"), on(1, "bus"), on(2, "rail"), on(3, "rail")) == [150, 0, 240, 0]
    lines = networks({"1": 100, "2": 100}, windows=(replace(HOUR, same_route=False),))
    assert costs(lines, on(0, "1"), on(10, "1"), on(20, "2"), on(30, "2")) == [100, 100, 0, 100]


def test_a_window_may_end_with_the_day_and_needs_a_purse_above_zero() -> None:
    long = replace(HOUR, seconds=2 * 86_400, ends_with_service_day=True)
    assert costs(flat(windows=(long,)), on(0), on(900), on(1000)) == [200, 0, 200]
    hopper = flat(windows=(replace(HOUR, needs_balance=True),), overdraft=Overdraft(1000))
    assert costs(hopper, on(0, balance=-200), on(9)) == [200, 200]
    assert costs(hopper, on(0, balance=300), on(9)) == [200, 0]


def test_a_free_leg_opens_no_window() -> None:
    tariff = networks({"shuttle": 0, "bus": 100}, windows=(HOUR,))
    assert costs(tariff, on(0, "shuttle"), on(1, "bus"), on(2, "shuttle"), on(3, "bus")) == [0, 100, 0, 0]


def test_a_ride_that_was_free_in_one_window_opens_no_other() -> None:
    rail = TransferWindow("rail", "", 3600, Boundary.EXCLUSIVE, Selection(networks=frozenset({"rail"})))
    tariff = networks({"bus": 100, "rail": 300}, windows=(HOUR, rail))
    assert costs(tariff, on(0, "bus"), on(50, "rail"), on(70, "rail")) == [100, 0, 300]


def test_the_last_tap_of_a_cap_pays_the_rest_or_all() -> None:
    taps = [on(minute) for minute in range(4)]
    assert costs(flat(caps=(cap(500),)), *taps) == [200, 200, 100, 0]
    assert costs(flat(caps=(cap(500, last_tap=LastTap.WHOLE),)), *taps) == [200, 200, 200, 0]


def test_every_period_of_a_cap() -> None:
    days = [on(DAY * day) for day in range(8)]  # from a Wednesday on
    for period, expected in (
        (CapPeriod.SERVICE_DAY, [200] * 8),
        (CapPeriod.WEEK, [200, 200, 100, 0, 0, 200, 200, 100]),
        (CapPeriod.MONTH, [200, 200, 100, 0, 0, 0, 0, 0]),
        (CapPeriod.ROLLING, [200, 200, 100, 200, 200, 100, 200, 200]),
        (CapPeriod.FROM_FIRST_USE, [200, 200, 100, 200, 200, 100, 200, 200]),
    ):
        assert costs(flat(caps=(cap(500, period, days=3),)), *days) == expected, period
    saturday = flat(caps=(cap(500, CapPeriod.WEEK),), week_starts=5)
    assert costs(saturday, *days) == [200, 200, 100, 200, 200, 100, 0, 0]
    # 21 March 2025 is 1 Farvardin 1404: day 16 from here.
    jalali = flat(caps=(cap(500, CapPeriod.MONTH),), calendar=Calendar.JALALI)
    assert costs(jalali, *(on(DAY * day) for day in (12, 13, 14, 15, 16))) == [200, 200, 100, 0, 200]


def test_a_rolling_cap_with_gaps_forgets_day_by_day() -> None:
    tariff = flat(caps=(cap(500, CapPeriod.ROLLING, days=3),))
    assert costs(tariff, on(0), on(DAY), on(DAY + 1), on(DAY * 3), on(DAY * 3 + 1)) == [200, 200, 100, 200, 0]


def test_the_highest_level_met_in_the_period_is_the_limit() -> None:
    levels = tuple(CapLevel(amount, Selection(leg_groups=frozenset({group}))) for group, amount in
                   (("short", 80), ("long", 120)))  # fmt: skip
    tariff = networks({"short": 50, "long": 60}, caps=(Cap("day", "", CapPeriod.SERVICE_DAY, levels),))
    short, long = (on(minute, "short") for minute in (0, 1, 2)), on(3, "long")
    assert costs(tariff, *short, long, on(4, "short")) == [50, 30, 0, 40, 0]
    assert costs(tariff, on(0, "long"), on(1, "short"), on(2, "short")) == [60, 50, 10]


def test_a_cap_looks_at_its_own_legs_and_several_hold_at_once() -> None:
    buses = replace(cap(150), cap_id="bus", covers=Selection(networks=frozenset({"bus"})))
    tariff = networks({"bus": 100, "rail": 300}, caps=(buses, cap(450)))
    assert costs(tariff, on(0, "bus"), on(1, "bus"), on(2, "rail"), on(3, "rail"), on(4, "bus")) == [
        100,
        50,
        300,
        0,
        0,
    ]


def test_a_window_counts_the_fare_and_not_what_a_cap_left_of_it() -> None:
    # Else a capped first ride would make the next one dearer.
    difference = replace(HOUR, pays=WindowPays.DIFFERENCE)
    tariff = flat(windows=(difference,), caps=(cap(250),))
    assert costs(tariff, on(0), on(70), on(80), on(140)) == [200, 50, 0, 0]


def test_companions_count_to_the_riders_caps_only_where_they_do() -> None:
    taps = (on(0, pax=2), on(1), on(2, pax=2))
    assert costs(flat(caps=(cap(300),)), *taps) == [400, 100, 200]
    assert costs(flat(caps=(cap(300),), companions=Companions(count_to_caps=True)), *taps) == [300, 0, 0]
