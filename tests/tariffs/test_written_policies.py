"""Policies of `mancard.toml`, written as finance would and priced to their boundaries, from file to quote."""

from __future__ import annotations

from typing import Any

import pytest

from tests.tariffs.written import RIDE, dues, quote, tap, tariff

ZONES = {
    "products": "fare_product_id,amount,currency|11,2.00,GBP|12,3.00,GBP|22,1.50,GBP",
    "legs": "leg_group_id,from_area_id,to_area_id,fare_product_id|11,1,1,11|12,1,2,12|12,2,1,12|22,2,2,22",
    "areas": "area_id|1|2",
}
STUDENTS = "rider_category_id,rider_category_name,is_default_fare_category|adult,,1|student,,0"
JALALI = '[tariff]\ncalendar = "jalali"\n'


def on(clock: str, area: str) -> dict[str, Any]:
    return tap(clock, "on", area_id=area)


def off(clock: str, area: str) -> dict[str, Any]:
    return tap(clock, "off", area_id=area)


@pytest.mark.parametrize(
    ("cap", "clocks", "expected"),
    [
        ('period = "service_day"\namount = 25000', "08:00 10:00 12:00 14:00", [10_000, 10_000, 5_000, 0]),
        # The whole fare while the cap is not reached, and nothing after it.
        (
            'period = "service_day"\namount = 25000\nlast_tap = "whole"',
            "08:00 10:00 12:00 14:00",
            [10_000] * 3 + [0],
        ),
        # Weeks begin on Saturday, 2026-03-07.
        ('period = "week"\namount = 15000', "05T08:00 06T23:59:59 07T00:00", [10_000, 5_000, 10_000]),
        # Esfand ends with 2026-03-20.
        ('period = "month"\namount = 15000', "02-20T08:00 20T23:59:59 21T00:00", [10_000, 5_000, 10_000]),
        (
            'period = "rolling"\ndays = 3\namount = 25000',
            " ".join(f"0{day}T08:00" for day in range(1, 8)),
            [10_000, 10_000, 5_000, 10_000, 10_000, 5_000, 10_000],
        ),
        (
            'period = "from_first_use"\ndays = 2\namount = 15000',
            " ".join(f"0{day}T08:00" for day in range(1, 5)),
            [10_000, 5_000, 10_000, 5_000],
        ),
    ],
)
def test_caps(cap: str, clocks: str, expected: list[int]) -> None:
    city = tariff(**RIDE, toml=f'{JALALI}\n[[caps]]\nid = "cap"\nname = "cap"\n{cap}')
    assert dues(city, *clocks.split()) == expected


@pytest.mark.parametrize(
    ("window", "clocks", "expected"),
    [
        ("seconds = 3600", "08:00 08:59:59 09:00", [10_000, 0, 10_000]),
        ('seconds = 3600\nboundary = "inclusive"', "08:00 09:00 09:00:01", [10_000, 0, 10_000]),
        ('seconds = 3600\nanchor = "last"', "08:00 08:50 09:40 10:40", [10_000, 0, 0, 10_000]),
        (
            'seconds = 5400\npays = "percent"\npercent = 50\ntransfers = 2',
            "08:00 08:20 08:40 09:00",
            [10_000, 5_000, 5_000, 10_000],
        ),
        (
            'seconds = 5400\npays = "amount"\namount = 2000\ntransfers = 1',
            "08:00 08:20 08:40 09:00",
            [10_000, 2_000, 10_000, 2_000],
        ),
        ('until = "end_of_service_day"', "08:00 05T02:59:59 05T03:00", [10_000, 0, 10_000]),
        ("seconds = 86400\nends_with_service_day = true", "08:00 05T02:59 05T03:01", [10_000, 0, 10_000]),
    ],
)
def test_windows(window: str, clocks: str, expected: list[int]) -> None:
    toml = f'[tariff]\nservice_day_starts = "03:00"\n[[windows]]\nid = "w"\nname = "w"\n{window}'
    assert dues(tariff(**RIDE, toml=toml), *clocks.split()) == expected


def test_a_window_that_pays_the_difference_under_a_cap() -> None:
    city = tariff(
        products="fare_product_id,amount,currency|a,100,IRR|b,300,IRR",
        legs="network_id,fare_product_id|a,a|b,b",
        toml='[[windows]]\nid = "w"\nname = "w"\nseconds = 3600\npays = "difference"\n'
        '[[caps]]\nid = "c"\nname = "c"\nperiod = "service_day"\namount = 250',
    )
    a, b = {"route_id": "a"}, {"route_id": "b"}
    assert dues(city, tap("08:00", **a), tap("08:10", **b), tap("10:00", **a)) == [100, 150, 0]
    assert dues(city, tap("08:00", **b), tap("08:10", **a)) == [250, 0]


def test_distances_by_bands_and_by_the_kilometre() -> None:
    bands = "[{ up_to_m = 3000, amount = 10000 }, { up_to_m = 7000, amount = 15000 }, { amount = 20000 }]"
    start = '[[distance]]\nid = "d"\nname = "d"\n'
    city = tariff(**RIDE, toml=f"{start}bands = {bands}\n[tap_off]\n")
    for metres, total in ((0, 10_000), (3_000, 10_000), (3_001, 15_000), (7_000, 15_000), (7_001, 20_000)):
        assert quote(city, "08:00", tap("08:10", "off", distance_m=metres)).total == total
    alone = quote(city, "08:00", until="2026-03-05T08:00:00+03:30")
    assert alone.total == 20_000
    rate = "base = 5000\nper_km = 1000\nfree_m = 2000\nminimum = 6000\nmaximum = 12000\n"
    rate += 'rounding = { unit = 500, direction = "up" }'
    city = tariff(**RIDE, toml=start + rate)
    for metres, total in ((0, 6_000), (3_000, 6_000), (3_001, 6_500), (4_000, 7_000), (50_000, 12_000)):
        assert quote(city, tap("08:00", distance_m=metres)).total == total


def test_zones_with_the_dearest_fare_held_under_a_cap_of_the_service_day() -> None:
    city = tariff(
        **ZONES,
        toml='[tariff]\nservice_day_starts = "04:30"\n[tap_off]\n'
        '[[caps]]\nid = "c"\nname = "c"\nperiod = "service_day"\namount = 7.00',
    )
    day = [
        on("08:00", "1"),
        off("08:20", "1"),
        on("09:00", "1"),
        off("09:20", "2"),
        on("10:00", "2"),
        off("10:10", "2"),
    ]
    night = [on("05T04:29", "2"), off("05T04:50", "1")]
    found = quote(city, *day, *night)
    assert [each.charge for each in found.taps] == [300, 0, 300, 0, 200, 0, 50, 0]
    assert [each.adjustment for each in found.taps] == [0, -100, 0, 0, 0, -50, 0, 0]
    assert found.total == 700


def test_a_journey_with_one_end() -> None:
    toml = '[tap_off]\nincomplete = "amount"\namount = 9.00\n'
    toml += "auto_complete_within_seconds = 1800\ncancel_within_seconds = 120"
    city = tariff(**ZONES, toml=toml)
    assert dues(city, on("08:00", "1"), on("08:30", "1"), off("09:00", "1")) == [200, 300, -100]
    assert dues(city, on("08:00", "1"), on("08:30:01", "1"), off("09:00", "2")) == [900, 300, 0]
    assert quote(city, on("08:00", "1"), off("08:02", "1")).total == 0
    assert quote(city, on("08:00", "1"), off("08:02:01", "1")).total == 200
    assert quote(city, on("08:00", "1"), until="2026-03-04T09:00:00+03:30").total == 900
    assert quote(tariff(**ZONES, toml="[tap_off]"), off("08:00", "2")).total == 300
    for_nothing = tariff(**ZONES, toml='[tap_off]\nincomplete = "nothing"\ncharge = "at_tap_off"')
    assert quote(for_nothing, on("08:00", "1"), until="2026-03-05T09:00:00+03:30").total == 0


def test_companions_by_persons_and_by_a_second_tap() -> None:
    prices = {
        "products": "fare_product_id,rider_category_id,amount,currency"
        "|ride,adult,10000,IRR|ride,student,5000,IRR",
        "legs": "fare_product_id|ride",
        "cats": STUDENTS,
    }
    hour = '[[windows]]\nid = "w"\nname = "w"\nseconds = 3600\n'
    city = tariff(**prices, toml=hour)
    assert quote(city, tap("08:00", pax=2), rider_category="student").total == 15_000
    assert dues(city, tap("08:00", pax=2), tap("08:20", pax=2)) == [20_000, 0]
    assert dues(city, tap("08:00"), tap("08:20", pax=2)) == [10_000, 10_000]
    ride = {"vehicle_id": "v", "trip_id": "1"}
    assert dues(city, tap("08:00", **ride), tap("08:20", **ride)) == [10_000, 10_000]
    # Another route on the same vehicle and trip is no transfer; the vehicle's next trip is.
    assert dues(city, tap("08:00", **ride, route_id="1"), tap("08:20", **ride, route_id="2")) == [
        10_000,
        10_000,
    ]
    assert dues(city, tap("08:00", **ride), tap("08:20", vehicle_id="v", trip_id="2")) == [10_000, 0]
    paid = tariff(**prices, toml=f'{hour}[companions]\nsecond_tap = "already_paid"')
    assert dues(paid, tap("08:00", **ride), tap("08:20", **ride)) == [10_000, 0]


def test_concessions_by_date_product_time_and_rounding() -> None:
    half = '[[concessions]]\nid = "s"\nname = "s"\n'
    dated = tariff(
        **RIDE,
        cats=STUDENTS,
        toml=f'{JALALI}{half}percent = 33\nrider_categories = ["student"]\n'
        'from = "1405-01-01"\nuntil = "1405-01-02"\nrounding = { unit = 500, direction = "up" }',
    )
    clocks = ("20T23:59", "21T00:00", "22T23:59", "23T00:00")
    assert dues(dated, *clocks, rider_category="student") == [10_000, 3_500, 3_500, 10_000]
    assert dues(dated, *clocks) == [10_000] * 4
    products = {**RIDE, "products": "fare_product_id,amount,currency|ride,10000,IRR|child,4000,IRR"}
    by_product = tariff(
        **products, cats=STUDENTS, toml=f'{half}product = "child"\nrider_categories = ["student"]'
    )
    assert quote(by_product, "08:00", rider_category="student").total == 4_000
    rounded = tariff(
        **RIDE,
        cats=STUDENTS,
        toml='[rounding]\nunit = 3000\ndirection = "down"\n'
        f'{half}percent = 65\nrider_categories = ["student"]',
    )
    assert quote(rounded, tap("08:00", pax=2), rider_category="student").total == 6_000 + 9_000


def test_free_days_and_a_validator_out_of_service() -> None:
    city = tariff(
        **RIDE,
        toml=f'{JALALI}out_of_service = "ride_free"\n[[free_days]]\nname = "سیزده‌به‌در"\ndates = ["01-13"]',
    )
    clocks = ("04-01T23:59:59", "04-02T00:00", "04-02T23:59:59", "04-03T00:00")
    assert dues(city, *clocks) == [10_000, 0, 0, 10_000]
    assert [each.boards for each in quote(city, tap("08:00", validator_status="out_of_service")).taps] == [
        True
    ]
    other = quote(tariff(**RIDE, toml=""), tap("08:00", validator_status="out_of_service"))
    assert [(each.charge, each.boards) for each in other.taps] == [(0, False)]


def test_passes_end_as_their_product_says() -> None:
    sold = {**RIDE, "products": "fare_product_id,amount,currency|ride,10000,IRR|pass,30000,IRR"}
    first_use = 'starts = "first_use"'
    bought = {"valid_from": "2026-03-01"}
    start = f'{JALALI}[[passes]]\nproduct = "pass"\nnumber = 1\n'
    for kind, held, clocks in (
        (f'period = "hours"\nlength = 24\n{first_use}', {}, ("04T08:00", "05T07:59:59", "05T08:00")),
        (
            f'period = "hours"\nlength = 24\n{first_use}\nboundary = "inclusive"',
            {},
            ("04T08:00", "05T08:00", "05T08:00:01"),
        ),
        (f'period = "days"\nlength = 7\n{first_use}', {}, ("04T08:00", "10T23:59:59", "11T00:00")),
        ('period = "month"\nstarts = "calendar"', bought, ("01T08:00", "20T23:59:59", "21T00:00")),
        # Bought on 10 Esfand 1404: until 9 Farvardin 1405, 29 March.
        ('period = "month"', bought, ("01T08:00", "29T23:59:59", "30T00:00")),
    ):
        city = tariff(**sold, toml=start + kind)
        assert dues(city, *clocks, passes=[{"product": "pass", **held}]) == [0, 0, 10_000], kind


def test_the_purse_with_an_overdraft_and_with_a_forced_load() -> None:
    overdraft = tariff(**RIDE, toml="[overdraft]\namount = 5000")
    for balance, charges in ((5_000, [10_000, 0]), (4_999, [0, 0]), (15_000, [10_000, 10_000])):
        assert [each.charge for each in quote(overdraft, "08:00", "10:00", balance=balance).taps] == charges
    load = tariff(**RIDE, toml='[shortfall]\naction = "load"\nfee_percent = 2')
    assert [each.charge for each in quote(load, "08:00", "10:00", balance=5_000).taps] == [10_100, 10_200]


def test_what_is_loaded_on_the_way_leaves_the_overdraft_owed() -> None:
    terms = "[overdraft]|amount = 100|[shortfall]|action = 'load'|fee_percent = 10|[card]|deposit = 300"
    found = quote(tariff(**{**RIDE, "toml": terms}), "08:00", balance=50, refund=True)
    # Of 10,000 the purse and the overdraft pay 150: 9,850 are loaded with their fee, and 100 stay owed.
    assert (found.total, found.refund) == (10_985, 300 - 100)
