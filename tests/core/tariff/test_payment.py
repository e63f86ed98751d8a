from __future__ import annotations

from dataclasses import replace

import pytest

from fare.core.tariff.context import HeldPass, Rule, TapContext
from fare.core.tariff.history import price_history
from fare.core.tariff.model import (
    Boundary,
    LegRule,
    Overdraft,
    PassPeriod,
    PassProduct,
    PassStart,
    Selection,
    Shortfall,
    ShortPurse,
    TransferWindow,
)
from fare.core.tariff.pricing import price
from fare.core.tariff.state import RiderState
from tests.core.tariff.cities import EIGHT_S, costs, flat, networks, on, rules_told

MONTH = PassProduct("month", "", 1, PassPeriod.MONTH)
TEN = PassProduct("ten", "", 2, PassPeriod.UNLIMITED, rides=10)
BUSES = Selection(networks=frozenset({"bus"}))


def test_a_pass_pays_then_a_multi_ride_then_the_purse() -> None:
    tariff = flat(passes=(MONTH, TEN))
    month, ten = HeldPass("month"), HeldPass("ten", rides=2)
    assert rules_told(tariff, on(0, passes=(ten, month))) == ["pass"]
    taps = [on(minute, passes=(ten,)) for minute in range(3)]
    assert rules_told(tariff, *taps) == ["multi_ride", "multi_ride", "fare"]
    priced, state = price_history(lambda _: tariff, taps)
    assert [(each.price.amount, each.price.rides_used) for each in priced] == [(0, 1), (0, 1), (200, 0)]
    fresh = on(9, passes=(replace(ten, key=7),))
    assert price(tariff, state, fresh)[0].rule is Rule.MULTI_RIDE, (
        "a new one of the same product has its own rides"
    )


def test_passes_of_one_product_are_used_up_one_after_the_other() -> None:
    tariff = flat(passes=(TEN,))
    held = (HeldPass("ten", EIGHT_S - 60, rides=2, key=5), HeldPass("ten", EIGHT_S - 90, rides=1, key=9))
    priced, state = price_history(lambda _: tariff, [on(minute, passes=held) for minute in range(5)])
    assert [each.price.amount for each in priced] == [0, 0, 0, 200, 200]
    assert state.passes["ten"].key == 5, "the older one was first"
    trip = PassProduct("day", "", 1, PassPeriod.HOURS, 2, PassStart.FIRST_USE)
    held = (HeldPass("day", key=1), HeldPass("day", key=2))
    taps = [on(minute, passes=held) for minute in (0, 119, 120, 239, 240, 400)]
    assert costs(flat(passes=(trip,)), *taps) == [0, 0, 0, 0, 200, 200]


def test_when_a_pass_is_valid() -> None:
    held = HeldPass("month", EIGHT_S, EIGHT_S + 600)
    for boundary, at_the_end in ((Boundary.EXCLUSIVE, 200), (Boundary.INCLUSIVE, 0)):
        tariff = flat(passes=(replace(MONTH, boundary=boundary),))
        found = [costs(tariff, on(minute, passes=(held,)))[0] for minute in (-1, 0, 9, 10, 11)]
        assert found == [200, 0, 0, at_the_end, 200]


def test_a_pass_from_its_first_use() -> None:
    day = PassProduct("day", "", 1, PassPeriod.HOURS, 2, PassStart.FIRST_USE)
    held = (HeldPass("day"),)
    assert costs(flat(passes=(day,)), *(on(minute, passes=held) for minute in (0, 119, 120))) == [0, 0, 200]


def test_a_pass_covers_its_own_legs_and_nobody_else() -> None:
    tariff = networks({"bus": 100, "rail": 300}, passes=(replace(MONTH, covers=BUSES),))
    held = (HeldPass("month"),)
    assert costs(tariff, on(0, "bus", passes=held), on(1, "rail", passes=held)) == [0, 300]
    assert costs(tariff, on(0, "bus", passes=held, pax=3)) == [200]
    assert costs(tariff, on(0, "bus", passes=held, vehicle="7"), on(1, "bus", passes=held, vehicle="7")) == [
        0,
        100,
    ]
    assert costs(flat(), on(0, passes=(HeldPass("pass-9"),))) == [0], (
        "the entitlement says so, the tariff nothing"
    )


def test_a_ride_on_a_pass_opens_no_window_and_one_of_ten_does() -> None:
    hour = TransferWindow("hour", "", 3600, Boundary.EXCLUSIVE)
    tariff = networks(
        {"bus": 100, "rail": 300},
        passes=(replace(MONTH, covers=BUSES), replace(TEN, covers=BUSES)),
        windows=(hour,),
    )
    month, ten = (HeldPass("month"),), (HeldPass("ten"),)
    assert costs(tariff, on(0, "bus", passes=month), on(9, "rail", passes=month)) == [0, 300]
    priced, _ = price_history(lambda _: tariff, [on(0, "bus", passes=ten), on(9, "bus", passes=ten)])
    assert [(each.price.amount, each.price.rides_used) for each in priced] == [(0, 1), (0, 0)]


def test_a_leg_that_only_passes_may_ride() -> None:
    tariff = networks({"bus": 100}, passes=(MONTH,))
    tariff = replace(
        tariff, leg_rules=(*tariff.leg_rules, LegRule("", "month", "night")), routes={"night": "night"}
    )
    assert rules_told(tariff, on(0, "night"), on(9, "night", passes=(HeldPass("month"),))) == [
        "unknown_fare",
        "pass",
    ]


@pytest.mark.parametrize(
    ("balance", "overdraft", "own_overdraft", "amount"),
    [
        (200, Overdraft(), None, 200),
        (199, Overdraft(), None, None),
        (199, Overdraft(1), None, 200),
        (0, Overdraft(200), None, 200),
        (0, Overdraft(200, only_from_positive=True), None, None),
        (1, Overdraft(200, only_from_positive=True), None, 200),
        (-100, Overdraft(300), None, 200),
        (-101, Overdraft(300), None, None),
        (0, Overdraft(300), 100, None),
        (0, Overdraft(), 200, 200),
    ],
)
def test_purse_and_overdraft(
    balance: int, overdraft: Overdraft, own_overdraft: int | None, amount: int | None
) -> None:
    tap = TapContext(EIGHT_S, balance=balance, overdraft=own_overdraft)
    found, state = price(flat(overdraft=overdraft), RiderState(), tap)
    assert (found.amount, found.boards) == ((0, False) if amount is None else (amount, True))
    assert (state == RiderState()) == (amount is None)


def test_what_is_missing_is_loaded_with_its_fee() -> None:
    loading = flat(shortfall=Shortfall(ShortPurse.LOAD, 2))
    found, _ = price(loading, RiderState(), on(0, balance=50))
    assert (found.amount, found.fee, found.rule, found.fare) == (203, 3, Rule.LOADED, 200)
    assert costs(loading, on(0, balance=50), on(1), on(2)) == [203, 204, 204]
    overdrawn = replace(loading, overdraft=Overdraft(100))
    assert costs(overdrawn, on(0, balance=50), on(1)) == [201, 204]


def test_the_purse_runs_on_through_a_history() -> None:
    found = rules_told(flat(), on(0, balance=450), on(1), on(2))
    assert found == ["fare", "fare", "short_purse"]
