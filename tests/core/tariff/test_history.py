"""Laws of a rider's history, on generated taps and a tariff that remembers nearly everything."""

from __future__ import annotations

from dataclasses import replace
from random import Random

from hypothesis import given, settings
from hypothesis import strategies as st

from fare.core.tariff.ceiling import max_fare
from fare.core.tariff.context import HeldPass, TapContext, TapKind
from fare.core.tariff.history import price_history
from fare.core.tariff.model import (
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    PassPeriod,
    PassProduct,
    ProductPrice,
    Selection,
    Shortfall,
    ShortPurse,
    TapOff,
    Tariff,
    TransferRule,
    TransferType,
    TransferWindow,
    WindowAnchor,
    WindowPays,
)
from tests.core.tariff.cities import EIGHT_S, costs, flat, networks, on

LAST_S = 10 * 86_400
TEN = HeldPass("ten", rides=2)
CITY = networks(
    {"bus": 100, "rail": 350, "boat": 500},
    windows=(
        TransferWindow("difference", "", 3600, Boundary.INCLUSIVE, anchor=WindowAnchor.LAST_PAID,
                       pays=WindowPays.DIFFERENCE, covers=Selection(networks=frozenset({"bus", "rail"}))),
        TransferWindow("half", "", 7200, Boundary.EXCLUSIVE, pays=WindowPays.PERCENT, percent=50,
                       transfers=2),
    ),
    caps=(Cap("day", "", CapPeriod.SERVICE_DAY, (CapLevel(700),)),
          Cap("days", "", CapPeriod.ROLLING, (CapLevel(900),), days=3)),
    passes=(PassProduct("ten", "", 2, PassPeriod.UNLIMITED, rides=2),),
    default_products={"": "bus"},
    tap_off=TapOff(Selection(networks=frozenset({"rail"}))),
)  # fmt: skip

TAPS = st.lists(
    st.builds(
        lambda minute, route, kind, vehicle, pax, rides: TapContext(
            EIGHT_S + minute * 60,
            kind,
            route=route,
            vehicle=vehicle,
            pax=pax,
            passes=(TEN,) if rides else (),
        ),
        st.integers(0, 4000),
        st.sampled_from(["bus", "rail", "boat", None]),
        st.sampled_from([TapKind.ON, TapKind.ON, TapKind.OFF]),
        st.sampled_from(["7", "8", None]),
        st.sampled_from([1, 1, 2]),
        st.booleans(),
    ),
    min_size=1,
    max_size=9,
)


def due(tariff: Tariff, taps: list[TapContext]) -> list[int]:
    priced, _ = price_history(lambda _: tariff, taps, EIGHT_S + LAST_S)
    assert all(each.price.amount >= 0 for each in priced)
    return [each.price.amount + each.adjustment for each in priced]


@settings(max_examples=60)
@given(TAPS, st.randoms(use_true_random=False))
def test_the_order_of_delivery_changes_nothing(taps: list[TapContext], chance: Random) -> None:
    order = list(range(len(taps)))
    chance.shuffle(order)
    straight, state = price_history(lambda _: CITY, taps, EIGHT_S + LAST_S)
    mixed, after = price_history(lambda _: CITY, [taps[number] for number in order], EIGHT_S + LAST_S)
    assert after == state
    # Which of two equal taps is which nobody can say: the prices of equal taps are the same together.
    told = sorted((repr(each.tap), each.price.amount, each.adjustment) for each in straight)
    assert sorted((repr(each.tap), each.price.amount, each.adjustment) for each in mixed) == told


@settings(max_examples=60)
@given(TAPS)
def test_no_ride_is_paid_back_more_than_it_cost_and_caps_and_windows_only_help(
    taps: list[TapContext],
) -> None:
    paying = [replace(tap, passes=(), pax=1) for tap in taps]
    total = sum(due(CITY, paying))
    assert 0 <= total <= sum(due(replace(CITY, caps=()), paying))
    assert total <= max_fare(CITY) * len(taps)


def test_what_a_later_tap_finds_is_told_of_the_tap_that_began() -> None:
    tariff = replace(CITY, caps=(), windows=())
    tariff = replace(tariff, tap_off=replace(tariff.tap_off or TapOff(), auto_complete_within_s=600))
    priced, _ = price_history(lambda _: tariff, [on(9, "bus"), on(0, "rail")])
    assert [each.tap.route for each in priced] == ["bus", "rail"], "answers come in the order given"
    assert priced[1].steps[-1].rule == "completed"
    assert priced[0].price.earlier == priced[1].adjustment == 0


def test_each_tap_is_priced_by_the_tariff_of_its_time() -> None:
    spring = EIGHT_S + 3600
    old, new = flat(200), flat(250)
    priced, _ = price_history(lambda tap: new if tap.at_s >= spring else old, [on(60), on(59), on(61)])
    assert [each.price.amount for each in priced] == [250, 200, 250]


def test_the_ceiling_holds_what_a_boarding_may_cost() -> None:
    assert max_fare(flat(200)) == 200
    assert max_fare(flat(200, passes=(PassProduct("month", "", 1, PassPeriod.MONTH),),
                         products=(ProductPrice("month", "", 9000),))) == 200  # fmt: skip
    dear = TransferRule("g", "g", TransferType.FIRST_TRANSFER_AND_SECOND, "on top", -1)
    assert max_fare(flat(200, transfer_rules=(dear,), products=(ProductPrice("on top", "", 30),))) == 230
    loading = flat(200, shortfall=Shortfall(ShortPurse.LOAD, 10))
    assert max_fare(loading) == costs(loading, on(0, balance=0))[0] == 220
    assert max_fare(flat(200, tap_off=TapOff())) == 200
