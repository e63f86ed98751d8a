from __future__ import annotations

from dataclasses import replace
from typing import Any

from fare.core.tariff.context import Rule, TapContext, TapKind
from fare.core.tariff.history import price_history
from fare.core.tariff.model import (
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    DistanceBand,
    DistanceFare,
    FareTime,
    IncompleteFare,
    JoinRule,
    LegRule,
    Overdraft,
    ProductPrice,
    Selection,
    Service,
    Shortfall,
    ShortPurse,
    TapOff,
    TapOffCharge,
    Tariff,
    Timeframe,
    TransferWindow,
    WindowPays,
)
from fare.core.tariff.pricing import close, price
from fare.core.tariff.state import LastBoarding, RiderState
from tests.core.tariff.cities import EIGHT_S, costs, flat, networks, off, on, rules_told, zones

MATRIX = {"12": 325, "23": 550, "13": 730, "21": 325, "32": 550, "31": 730}
ALWAYS = -1
LATE = 3 * 1440


def metro(**more: Any) -> Tariff:
    return zones(MATRIX, tap_off=TapOff(**more))


def at(minute: float, stop: str, **more: Any) -> TapContext:
    return on(minute, stop=stop, **more)


def test_the_dearest_fare_reachable_is_charged_first_and_the_rest_comes_back() -> None:
    assert costs(metro(), at(0, "1"), off(5, "2")) == [730, -405]
    assert costs(metro(), at(0, "2"), off(5, "3")) == [550, 0]
    later = metro(charge=TapOffCharge.AT_TAP_OFF)
    assert costs(later, at(0, "1"), off(5, "2")) == [0, 325]


def test_with_priorities_a_destination_counts_as_what_it_is_priced_by() -> None:
    # In the evening one rule of higher priority prices every destination: nothing dearer can be reached.
    rules = (
        LegRule("", "near", "", "1", "1"),
        LegRule("", "far", "", "1", "2"),
        LegRule("", "evening", "", "1", "", "evening", priority=5),
    )
    tariff = flat(
        leg_rules=rules,
        uses_priority=True,
        products=tuple(
            ProductPrice(each, "", cost) for each, cost in (("near", 10), ("far", 90), ("evening", 20))
        ),
        timeframes={"evening": (Timeframe(18 * 3600, 86_400, "daily"),)},
        services={"daily": Service((True,) * 7, 1, 3_000_000)},
        tap_off=TapOff(),
    )
    taps = (on(0, area="1"), off(5, area="2"), on(700, area="1"), off(705, area="2"))
    assert costs(tariff, *taps) == [90, 0, 20, 0]


def test_a_journey_without_tap_off() -> None:
    for more, expected in (
        ({}, 730),
        ({"incomplete": IncompleteFare.AMOUNT, "incomplete_amount": 400}, 400),
        ({"incomplete": IncompleteFare.NOTHING}, 0),
    ):
        for charge in TapOffCharge:
            assert costs(metro(charge=charge, **more), at(0, "1"), until_minute=LATE) == [expected]


def test_a_tap_on_closes_the_journey_before() -> None:
    taps = (at(0, "2"), at(9, "1"), off(20, "3"))
    assert costs(metro(), *taps) == [550, 730, 0]
    assert costs(metro(charge=TapOffCharge.AT_TAP_OFF), *taps) == [550, 0, 730]


def test_a_journey_may_end_where_the_next_begins() -> None:
    completed = metro(auto_complete_within_s=3600)
    assert costs(completed, at(0, "1"), at(60, "2"), off(70, "3")) == [325, 550, 0]
    assert costs(completed, at(0, "1"), at(61, "2"), off(70, "3")) == [730, 550, 0]
    priced, _ = price_history(lambda _: completed, [at(0, "1"), at(60, "2")])
    assert (priced[1].price.earlier, priced[0].steps[-1].rule) == (-405, Rule.COMPLETED)


def test_on_and_off_at_the_same_stop_may_cost_nothing() -> None:
    for within_s, minutes, rule in (
        (ALWAYS, 90, "cancelled"),
        (120, 2, "cancelled"),
        (120, 3, "unknown_fare"),
    ):
        tariff = metro(cancel_within_s=within_s)
        assert rules_told(tariff, at(0, "1"), off(minutes, "1"))[1] == rule
    assert costs(metro(cancel_within_s=ALWAYS), at(0, "1"), off(2, "1")) == [730, -730]


def test_a_cancelled_journey_leaves_the_state_as_it_was() -> None:
    tariff = replace(
        metro(cancel_within_s=ALWAYS), caps=(Cap("day", "", CapPeriod.SERVICE_DAY, (CapLevel(800),)),)
    )
    assert costs(tariff, at(0, "1"), off(2, "1"), at(10, "1"), off(20, "3")) == [730, -730, 730, 0]


def test_a_tap_off_without_a_tap_on_pays_from_the_dearest_origin() -> None:
    assert costs(metro(), off(0, "2")) == [550]
    assert costs(metro(incomplete=IncompleteFare.NOTHING), off(0, "2")) == [0]
    told = rules_told(metro(), off(0, "2", vehicle="gate"), off(0.05, "2", vehicle="gate"))
    assert told == ["incomplete", "pass_back"], "a gate tapped twice is one tap"


def test_a_tap_off_where_nobody_has_to_costs_nothing() -> None:
    assert rules_told(flat(), on(0), off(9)) == ["fare", "alighted"]
    assert costs(flat(), on(0, vehicle="7"), off(9, vehicle="7"), on(10, vehicle="7")) == [200, 0, 200]
    assert rules_told(flat(), on(0, vehicle="7"), off(9, vehicle="7"), on(10, vehicle="7"))[2] == "fare"


def test_a_rider_who_got_off_was_last_where_the_exit_is() -> None:
    """The card's record knows the exit alone."""
    for tariff in (flat(), metro()):
        _, boarded = price(tariff, RiderState(), at(0, "1", vehicle="7"))
        _, state = price(tariff, boarded, off(9, "2", vehicle="gate"))
        assert state.last == LastBoarding(EIGHT_S + 540, "gate", None, alighted=True)


def test_a_journey_that_is_completed_by_the_next_leaves_it_its_transfer() -> None:
    window = TransferWindow("hour", "", 3600, Boundary.EXCLUSIVE)
    tariff = flat(windows=(window,), tap_off=TapOff(auto_complete_within_s=1800))
    taps = [on(0, vehicle="7", trip="a"), on(9, vehicle="8", trip="b"), off(20, vehicle="8", trip="b")]
    assert costs(tariff, *taps) == [200, 0, 0]


def test_when_an_open_journey_is_over() -> None:
    tariff = metro(close_after_s=3600, charge=TapOffCharge.AT_TAP_OFF)
    _, state = price(tariff, RiderState(), at(0, "1"))
    assert close(tariff, state, EIGHT_S + 3599) == (None, state)
    ended, after = close(tariff, state, EIGHT_S + 3600)
    assert ended is not None
    assert (ended.amount, ended.adjustment, ended.rule) == (0, 730, Rule.INCOMPLETE)
    assert after.journey is None
    assert costs(tariff, at(0, "1"), off(60, "2")) == [0, 325]
    assert costs(tariff, at(0, "1"), off(61, "2")) == [730, 0], "settled as incomplete, and paid for once"


def test_a_ride_past_midnight_is_still_one_journey() -> None:
    assert costs(metro(), at(955, "1"), off(970, "2")) == [730, -405]  # 23:55 to 00:10


def test_caps_windows_and_transfers_are_those_of_the_whole_journey() -> None:
    caps = (Cap("day", "", CapPeriod.SERVICE_DAY, (CapLevel(800),)),)
    assert costs(replace(metro(), caps=caps), at(0, "1"), off(9, "2"), at(20, "2"), off(30, "3")) == [
        730,
        -405,
        475,
        0,
    ]
    window = TransferWindow("hour", "", 3600, Boundary.EXCLUSIVE, pays=WindowPays.DIFFERENCE)
    tariff = replace(metro(), windows=(window,))
    # The second ride began within the hour of the first, wherever it ended.
    taps = (at(0, "1"), off(9, "2"), at(50, "2"), off(90, "3"))
    assert costs(tariff, *taps) == [730, -405, 225, 0]


def test_the_dearest_level_of_a_cap_decides_what_may_be_reached() -> None:
    levels = (
        CapLevel(80, Selection(products=frozenset({"12"}))),
        CapLevel(120, Selection(products=frozenset({"11"}))),
    )
    tariff = zones(
        {"11": 50, "12": 60}, tap_off=TapOff(), caps=(Cap("day", "", CapPeriod.SERVICE_DAY, levels),)
    )
    taps = (at(0, "1"), off(5, "2"), at(10, "1"), off(15, "1"))
    assert costs(tariff, *taps) == [60, 0, 50, 0]


def test_an_unknown_destination_is_no_fare() -> None:
    priced, state = price_history(lambda _: metro(), [at(0, "1"), off(5, area="nowhere")])
    assert [each.price.known for each in priced] == [True, False]
    assert state.journey is None


def test_the_length_is_known_at_the_end() -> None:
    bands = (DistanceBand(3000, 100), DistanceBand(None, 400))
    tariff = flat(distance_fares=(DistanceFare("d", "", Selection(), bands),), tap_off=TapOff())
    assert costs(tariff, on(0), off(9, distance_m=2500)) == [400, -300]


def test_the_fare_may_go_by_the_time_of_tap_off() -> None:
    cap = Cap("day", "", CapPeriod.SERVICE_DAY, (CapLevel(800),))
    taps = (at(0, "1"), off(9, "3"), at(955, "1"), off(970, "3"))
    by_on = replace(metro(), caps=(cap,))
    assert costs(by_on, *taps) == [730, 0, 70, 0]
    assert costs(replace(metro(fare_time=FareTime.OFF), caps=(cap,)), *taps) == [730, 0, 70, 660]


def test_a_short_purse_is_refused_at_tap_on_and_settled_at_tap_off() -> None:
    assert rules_told(metro(), at(0, "1", balance=700)) == ["short_purse"]
    later = replace(metro(charge=TapOffCharge.AT_TAP_OFF), overdraft=Overdraft(50))
    priced, _ = price_history(lambda _: later, [at(0, "1", balance=100), off(5, "2")])
    assert (priced[1].price.amount, priced[1].price.adjustment, priced[1].price.boards) == (150, 175, True)
    loading = replace(later, shortfall=Shortfall(ShortPurse.LOAD, 10))
    priced, _ = price_history(lambda _: loading, [at(0, "1", balance=100), off(5, "2")])
    assert (priced[1].price.amount, priced[1].price.fee) == (343, 18)


def test_only_the_legs_that_are_covered_tap_off() -> None:
    rail = TapOff(Selection(networks=frozenset({"rail"})))
    tariff = networks({"bus": 100, "rail": 300}, tap_off=rail)
    _, state = price(tariff, RiderState(), on(0, "bus"))
    assert state.journey is None
    _, state = price(tariff, state, on(9, "rail"))
    assert state.journey is not None
    assert costs(tariff, on(0, "bus"), off(5, None, route="bus")) == [100, 0]


def test_two_legs_that_join_are_priced_as_one() -> None:
    tariff = zones(
        {"11": 320, "12": 465, "21": 465, "22": 320}, tap_off=TapOff(), join_rules=(JoinRule("n", "n"),)
    )
    tariff = replace(
        tariff,
        routes={"r": "n", "s": "n"},
        stop_areas={**tariff.stop_areas, "2a": ("2",), "2b": ("2",)},
        stations={"2a": "two", "2b": "two"},
    )
    first = (on(0, "r", stop="1"), off(9, "2a"))
    assert costs(tariff, *first, on(12, "s", stop="2b"), off(20, "1")) == [465, 0, 465, -610]
    assert costs(tariff, *first, on(12, "s", stop="2"), off(20, "1")) == [465, 0, 465, 0], "another station"
    assert costs(tariff, *first, on(40, "s", stop="2b"), off(50, "1")) == [465, 0, 465, 0], "another journey"
    at_stops = replace(tariff, join_rules=(JoinRule("n", "n", "two", "2"),))
    assert costs(at_stops, *first, on(12, "s", stop="2"), off(20, "1")) == [465, 0, 465, -610]


def test_three_legs_join_into_one() -> None:
    tariff = zones(
        {"11": 320, "12": 465, "21": 465, "22": 320}, tap_off=TapOff(), join_rules=(JoinRule("n", "n"),)
    )
    tariff = replace(tariff, routes={"r": "n"})
    legs = [("1", "2"), ("2", "2"), ("2", "1")]
    taps = [
        tap
        for number, (start, end) in enumerate(legs)
        for tap in (on(number * 10, "r", stop=start), off(number * 10 + 9, end))
    ]
    found = costs(tariff, *taps)
    assert sum(found) == 320, "from zone 1 to zone 1"
    assert [sum(found[at : at + 2]) for at in (0, 2, 4)] == [465, 0, -145]


def test_taps_of_one_second_end_a_ride_before_the_next_begins() -> None:
    taps = [at(0, "1"), off(9, "2"), at(9, "2"), off(20, "3")]
    for order in ([0, 1, 2, 3], [0, 2, 1, 3], [3, 2, 1, 0]):
        priced, _ = price_history(lambda _: metro(), [taps[number] for number in order])
        found = {
            number: each.price.amount + each.adjustment for number, each in zip(order, priced, strict=True)
        }
        assert [found[number] for number in range(4)] == [730, -405, 550, 0]
    assert taps[1].kind is TapKind.OFF
