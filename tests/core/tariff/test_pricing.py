from __future__ import annotations

from dataclasses import replace

from fare.core.tariff.context import Rule
from fare.core.tariff.history import price_history
from fare.core.tariff.model import (
    Boundary,
    Companions,
    Concession,
    Direction,
    DistanceBand,
    DistanceFare,
    FreeDays,
    OutOfService,
    ProductPrice,
    RiderCategory,
    Rounding,
    SecondTap,
    Selection,
    Tariff,
    TransferWindow,
)
from fare.core.tariff.pricing import is_memoryless, price
from fare.core.tariff.state import RiderState
from tests.core.tariff.cities import costs, flat, networks, on, rules_told

ADULT = RiderCategory("adult", "Adult", 0, is_default=True)
SENIOR = RiderCategory("senior", "Senior", 1)
STUDENT = RiderCategory("student", "Student", 2, falls_back_to="senior")
SENIORS = Selection(rider_categories=frozenset({"senior"}))
EIGHTH_OF_MARCH = 739_318  # 2025-03-08


def test_the_most_specific_row_of_a_product_is_its_price() -> None:
    rows = (
        ProductPrice("single", "", 150, "senior"),
        ProductPrice("single", "", 180, "", "card"),
        ProductPrice("single", "", 90, "senior", "card"),
    )
    tariff = flat(200, products=rows, rider_categories=(ADULT, SENIOR))
    for category, medium, amount in (
        (None, None, 200),
        ("senior", None, 150),
        (None, "card", 180),
        ("senior", "card", 90),
        ("senior", "app", 150),
    ):
        assert costs(tariff, on(0, rider_category=category, medium=medium)) == [amount]


def test_a_lapsed_or_unknown_category_pays_what_it_falls_back_to() -> None:
    rows = (ProductPrice("single", "", 100, "senior"), ProductPrice("single", "", 50, "student"))
    tariff = flat(200, products=rows, rider_categories=(ADULT, SENIOR, STUDENT))
    assert costs(tariff, on(0, rider_category="student")) == [50]
    assert costs(tariff, on(0, rider_category="student", category_valid=False)) == [100]
    assert costs(tariff, on(0, rider_category="senior", category_valid=False)) == [200]
    assert costs(tariff, on(0, rider_category="pirate")) == [200]


def test_no_rule_is_no_fare_and_never_zero() -> None:
    tariff = networks({"bus": 100})
    found, state = price(tariff, RiderState(), on(0, "ferry"))
    assert (found.known, found.boards, found.rule) == (False, False, Rule.UNKNOWN_FARE)
    assert state == RiderState()
    not_sold = flat(products=(), leg_rules=flat().leg_rules)
    not_sold = replace(not_sold, products=(ProductPrice("single", "", 100, "", "card"),))
    assert not price(not_sold, RiderState(), on(0))[0].known, (
        "a medium that is not known buys nothing of another"
    )


def test_the_lines_default_fare_is_charged_and_flagged() -> None:
    tariff = networks({"bus": 100, "boat": 300}, leg_rules=networks({"bus": 100}).leg_rules)
    tariff = replace(tariff, default_products={"": "bus", "boat": "boat"})
    for route, amount, flagged in (("bus", 100, False), ("boat", 300, True), (None, 100, True)):
        found, _ = price(tariff, RiderState(), on(0, route))
        assert (found.amount, found.flagged, found.known) == (amount, flagged, True)


def test_the_cheapest_of_several_products_is_charged() -> None:
    rules = (*flat().leg_rules, *networks({"cheap": 50}).leg_rules)
    tariff = flat(200, leg_rules=rules, uses_priority=True, products=(ProductPrice("cheap", "", 50),))
    assert costs(tariff, on(0), on(1, "cheap")) == [200, 50]


def test_a_concession_is_the_part_that_is_paid_rounded_its_own_way() -> None:
    for direction, amount in ((Direction.DOWN, 60), (Direction.UP, 65), (Direction.NEAREST, 65)):
        half = Concession("half", "", SENIORS, percent=50, rounding=Rounding(5, direction))
        tariff = flat(125, concessions=(half,), rider_categories=(ADULT, SENIOR))
        assert costs(tariff, on(0), on(1, rider_category="senior")) == [125, amount]
    even = Rounding(10, Direction.HALF_EVEN)
    for fare, amount in ((50, 20), (70, 40)):  # halves of 25 and 35
        half = Concession("half", "", SENIORS, percent=50, rounding=even)
        tariff = flat(fare, concessions=(half,), rider_categories=(ADULT, SENIOR))
        assert costs(tariff, on(0, rider_category="senior")) == [amount]


def test_a_concession_holds_on_its_days_and_may_be_a_product() -> None:
    ticket = ProductPrice("ticket", "", 30)
    concession = Concession(
        "march", "", SENIORS, fare_product_id="ticket", first_day=EIGHTH_OF_MARCH, last_day=EIGHTH_OF_MARCH
    )
    tariff = flat(concessions=(concession,), products=(ticket,), rider_categories=(ADULT, SENIOR))
    days = [on(1440 * day, rider_category="senior") for day in (2, 3, 4)]
    assert costs(tariff, *days) == [200, 30, 200]


def test_a_percentage_of_a_fare_that_is_listed_for_the_default_category_alone() -> None:
    half = Concession("half", "", SENIORS, percent=50)
    tariff = flat(concessions=(half,), rider_categories=(ADULT, SENIOR))
    tariff = replace(tariff, products=(ProductPrice("single", "", 200, "adult"),))
    assert costs(tariff, on(0), on(1, rider_category="senior")) == [200, 100]


def test_a_free_day_costs_nothing_and_opens_no_window() -> None:
    window = TransferWindow("hour", "", 3600 * 24, Boundary.EXCLUSIVE)
    free = FreeDays("holiday", frozenset({EIGHTH_OF_MARCH}))
    tariff = flat(free_days=(free,), windows=(window,))
    assert costs(tariff, on(1440 * 3 + 900), on(1440 * 4)) == [0, 200]
    fridays = FreeDays("fridays", covers=Selection(weekdays=frozenset({4})))
    assert costs(flat(free_days=(fridays,)), *(on(1440 * day) for day in range(4))) == [200, 200, 0, 200]


def test_distance_bands_and_kilometres() -> None:
    bands = (DistanceBand(3000, 100), DistanceBand(8000, 150), DistanceBand(None, 400))
    for boundary, at_three in ((Boundary.INCLUSIVE, 100), (Boundary.EXCLUSIVE, 150)):
        tariff = flat(distance_fares=(DistanceFare("d", "", Selection(), bands, boundary),))
        lengths = (0, 2999, 3000, 3001, 9000, None)
        found = [costs(tariff, on(0, distance_m=length))[0] for length in lengths]
        assert found == [100, 100, at_three, 150, 400, 400], "an unknown length pays the dearest band"
    by_km = DistanceFare(
        "km", "", Selection(), base=100, per_km=30, free_m=2000, minimum=110, maximum=300,
        rounding=Rounding(10, Direction.UP), percents={"senior": 50},
    )  # fmt: skip
    tariff = flat(distance_fares=(by_km,), rider_categories=(ADULT, SENIOR))
    found = [costs(tariff, on(0, distance_m=length))[0] for length in (1000, 2500, 4000, 99_000)]
    assert found == [110, 120, 160, 300]
    assert costs(tariff, on(0, distance_m=4000, rider_category="senior")) == [80]


def test_pass_back_is_no_charge_and_nothing_of_it_is_remembered() -> None:
    tariff = flat()
    _, state = price(tariff, RiderState(), on(0, vehicle="7"))
    for second, expected in ((4, 0), (5, 200)):
        found, after = price(tariff, state, on(second / 60, vehicle="7"))
        assert found.amount == expected
        assert (after is state) == (found.rule is Rule.PASS_BACK)
    assert costs(tariff, on(0), on(0.05)) == [200, 200], "vehicles that nobody knows are never the same"
    assert costs(replace(tariff, pass_back_s=0), on(0, vehicle="7"), on(0, vehicle="7")) == [200, 200]


def test_a_second_tap_on_the_same_ride_is_a_companion_or_paid_already() -> None:
    window = TransferWindow("hour", "", 3600, Boundary.EXCLUSIVE)
    taps = (on(0, vehicle="7"), on(1, vehicle="7"), on(2, vehicle="8"))
    assert costs(flat(windows=(window,)), *taps) == [200, 200, 0]
    paid = flat(windows=(window,), companions=Companions(SecondTap.ALREADY_PAID))
    assert costs(paid, *taps) == [200, 0, 0]
    assert rules_told(paid, *taps) == ["fare", "already_paid", "window"]
    child = flat(
        rider_categories=(ADULT, SENIOR),
        products=(ProductPrice("single", "", 80, "senior"),),
        companions=Companions(rider_category_id="senior"),
    )
    assert costs(child, *taps) == [200, 80, 200]


def test_a_route_change_on_the_same_vehicle_and_trip_is_no_transfer() -> None:
    window = TransferWindow("hour", "", 3600, Boundary.EXCLUSIVE)
    tariff = networks({"1": 100, "2": 100}, windows=(window,))
    same = (on(0, "1", vehicle="7", trip="a"), on(9, "2", vehicle="7", trip="a"))
    other = (on(0, "1", vehicle="7", trip="a"), on(9, "2", vehicle="7", trip="b"))
    assert costs(tariff, *same) == [100, 100]
    assert costs(tariff, *other) == [100, 0]


def test_the_same_vehicle_is_the_same_trip_for_as_long_as_transfers_last() -> None:
    window = TransferWindow("hour", "", 3600, Boundary.EXCLUSIVE)
    tariff = flat(windows=(window,))
    assert rules_told(tariff, on(0, vehicle="7"), on(60, vehicle="7"))[1] == "companions"
    assert rules_told(tariff, on(0, vehicle="7"), on(61, vehicle="7"))[1] == "fare"


def test_persons_on_one_medium() -> None:
    tariff = flat(rider_categories=(ADULT, SENIOR), companions=Companions(SecondTap.COMPANION, "senior", 3))
    tariff = replace(tariff, products=(*tariff.products, ProductPrice("single", "", 80, "senior")))
    assert costs(tariff, on(0, pax=3)) == [360]
    found, _ = price(tariff, RiderState(), on(0, pax=4))
    assert (found.boards, found.rule) == (False, Rule.TOO_MANY)


def test_companions_ride_in_the_riders_window_as_many_as_boarded_before() -> None:
    window = TransferWindow("hour", "", 3600, Boundary.EXCLUSIVE)
    taps = (on(0, pax=2), on(9, pax=3), on(18, pax=1))
    assert costs(flat(windows=(window,)), *taps) == [400, 200, 0]
    assert costs(flat(windows=(window,), companions=Companions(transfer=False)), *taps) == [400, 400, 0]


def test_a_validator_out_of_service() -> None:
    free = flat(out_of_service=OutOfService.RIDE_FREE)
    found, state = price(free, RiderState(), on(0, in_service=False))
    assert (found.amount, found.boards, state) == (0, True, RiderState())
    elsewhere = flat(out_of_service=OutOfService.PAY_ON_ANOTHER_DOOR)
    assert not price(elsewhere, RiderState(), on(0, in_service=False))[0].boards


def test_what_a_tariff_without_memory_is() -> None:
    assert is_memoryless(flat())
    assert not is_memoryless(flat(windows=(TransferWindow("hour", "", 3600, Boundary.EXCLUSIVE),)))


def test_steps_tell_the_amount_as_it_became() -> None:
    half = Concession("half", "", SENIORS, percent=50)
    window = TransferWindow("hour", "", 3600, Boundary.EXCLUSIVE)
    tariff: Tariff = flat(concessions=(half,), rider_categories=(ADULT, SENIOR), windows=(window,))
    priced, _ = price_history(
        lambda _: tariff, [on(0, rider_category="senior", pax=2), on(9, rider_category="senior")]
    )
    told = [[(step.rule.value, step.ref, step.amount) for step in each.steps] for each in priced]
    assert told == [
        [("fare", "single", 200), ("concession", "half", 100), ("companions", "1", 300)],
        [("fare", "single", 200), ("concession", "half", 100), ("window", "hour", 0)],
    ]
