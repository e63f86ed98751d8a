"""What the GTFS reference says of Fares v2, from the file to the quote: no `mancard.toml` but for a zone.

Source: https://gtfs.org/documentation/schedule/reference/, fare_leg_rules to timeframes.
"""

from __future__ import annotations

import pytest

from tests.tariffs.written import dues, quote, tap, tariff

TEHRAN = '[tariff]\nzone = "Asia/Tehran"'
ABC = {
    "toml": TEHRAN,
    "products": "fare_product_id,amount,currency|a,1.00,USD|b,2.00,USD|c,4.00,USD|ab,0.30,USD|bc,0.60,USD",
    "legs": "leg_group_id,network_id,fare_product_id|A,a,a|B,b,b|C,c,c",
}
COLUMNS = (
    "from_leg_group_id,to_leg_group_id,transfer_count,duration_limit,duration_limit_type,"
    "fare_transfer_type,fare_product_id|"
)
DAYS = "monday,tuesday,wednesday,thursday,friday,saturday,sunday"


def test_an_empty_network_is_what_is_not_listed_until_there_are_priorities() -> None:
    files = {
        "toml": TEHRAN,
        "products": "fare_product_id,amount,currency|any,1.00,USD|bus,2.00,USD",
        "routes": "route_id,route_type,network_id|r1,3,bus|r2,3,rail|r3,3,",
    }
    expected = {
        "network_id,fare_product_id|,any|bus,bus": [200, 100, 100],
        # The column is there: empty matters no more, both match, and the cheaper one is paid.
        "network_id,fare_product_id,rule_priority|,any,|bus,bus,": [100, 100, 100],
        "network_id,fare_product_id,rule_priority|,any,0|bus,bus,5": [200, 100, 100],
    }
    for legs, amounts in expected.items():
        city = tariff(**files, legs=legs)
        assert [quote(city, tap("08:00", route_id=route)).total for route in ("r1", "r2", "r3")] == amounts


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ("A,B,,,,0,ab|B,C,,,,0,bc", [100, 30, 60]),
        ("A,B,,,,1,ab|B,C,,,,0,bc", [100, 230, 60]),
        ("A,B,,,,0,ab|B,C,,,,1,bc", [100, 30, 460]),
        ("A,B,,,,2,b|B,C,,,,2,bc", [100, 100, 60]),
        ("A,B,,,,0,", [100, 0, 400]),
        # Directional, and an empty group is only what the column does not list: A is listed.
        ("B,A,,,,0,|A,B,,,,0,|,C,,,,0,ab", [100, 0, 400]),
        ("A,B,,,,0,|,C,,,,0,ab", [100, 0, 30]),
    ],
)
def test_transfers_of_all_types_in_a_chain(rules: str, expected: list[int]) -> None:
    city = tariff(**ABC, transfers=COLUMNS + rules)
    taps = [
        tap(clock, route_id=network) for clock, network in (("08:00", "a"), ("08:10", "b"), ("08:20", "c"))
    ]
    assert dues(city, *taps) == expected


def test_the_smallest_count_that_is_enough_applies() -> None:
    taps = [tap(f"08:{minute:02}", route_id="a") for minute in range(0, 60, 10)]
    city = tariff(**ABC, transfers=COLUMNS + "A,A,1,,,0,|A,A,3,,,0,ab")
    assert dues(city, *taps) == [100, 0, 30, 30, 100, 0]
    city = tariff(**ABC, transfers=COLUMNS + "A,A,1,,,0,|A,A,-1,,,0,ab")
    assert dues(city, *taps) == [100, 0, 30, 30, 30, 30]


def test_an_hour_from_the_first_leg_by_each_way_to_measure_it() -> None:
    # Type, and when a second leg boards and alights that is just within the hour. The first: 08:00 to 08:20.
    for kind, boards, alights in (
        (0, "08:30", "09:00"),
        (1, "09:00", "09:30"),
        (2, "09:20", "09:40"),
        (3, "08:50", "09:20"),
    ):
        city = tariff(**ABC, transfers=f"{COLUMNS}A,A,-1,3600,{kind},0,")
        first = [tap("08:00", route_id="a"), tap("08:20", "off", route_id="a")]
        for late, total in (("", 100), (":01", 200)):
            second = [tap(boards + late, route_id="a"), tap(alights + late, "off", route_id="a")]
            assert quote(city, *first, *second).total == total, (kind, late)


def test_a_stop_in_two_areas_and_a_platform_of_a_station() -> None:
    city = tariff(
        toml=TEHRAN,
        products="fare_product_id,amount,currency|near,1.00,USD|far,3.00,USD",
        legs="from_area_id,to_area_id,fare_product_id|z1,z1,near|z1,z2,far|z2,z1,far|z2,z2,near",
        areas="area_id|z1|z2",
        stop_areas="area_id,stop_id|z1,west|z1,border|z2,border|z2,station",
        stops="stop_id,stop_name,stop_lat,stop_lon,parent_station|west,,0,0,|border,,0,0,|station,,0,0,|p1,,0,0,station",
    )
    for origin, destination, total in (
        ("west", "border", 100),
        ("border", "station", 100),
        ("west", "station", 300),
        ("west", "p1", 300),
    ):
        taps = tap("08:00", stop_id=origin), tap("08:20", "off", stop_id=destination)
        assert quote(city, *taps).total == total
    lost = quote(city, tap("08:00", stop_id="west"), tap("08:20", "off", stop_id="statoin"))
    assert lost.total is None
    assert lost.error == (
        'cases[0].taps[1]: no rule of the tariff prices this ride. The stop "statoin" lies in no area.'
        ' Do: write "station" if that was meant.'
    )


def test_timeframes_end_before_their_end_and_follow_the_dates_of_their_service() -> None:
    city = tariff(
        toml=TEHRAN,
        products="fare_product_id,amount,currency|peak,3.00,USD|low,2.00,USD|holiday,1.00,USD",
        legs="from_timeframe_group_id,to_timeframe_group_id,fare_product_id,rule_priority"
        "|peak,peak,peak,1|,,low,|holiday,,holiday,2",
        times="timeframe_group_id,start_time,end_time,service_id|peak,07:00:00,09:00:00,work|holiday,,,feast",
        cal=f"service_id,{DAYS},start_date,end_date"
        "|work,1,1,1,1,1,0,0,20260101,20261231|feast,0,0,0,0,0,0,0,20260101,20261231",
        dates="service_id,date,exception_type|feast,20260305,1",
    )
    for boards, alights, total in (
        ("07:00", "08:59:59", 300),
        ("06:59:59", "08:00", 200),
        ("08:00", "09:00", 200),
        ("04T23:59:59", "05T00:10", 200),
        ("05T00:00", "05T08:00", 100),
        ("07T08:00", "07T08:10", 200),
    ):
        assert quote(city, tap(boards), tap(alights, "off")).total == total, boards


def test_categories_and_media_take_the_most_specific_price() -> None:
    city = tariff(
        toml=TEHRAN,
        products="fare_product_id,rider_category_id,fare_media_id,amount,currency"
        "|ride,,,4.00,USD|ride,child,,3.00,USD|ride,,card,2.00,USD|ride,child,card,1.00,USD",
        legs="fare_product_id|ride",
        cats="rider_category_id,rider_category_name,is_default_fare_category|adult,,1|child,,0",
        media="fare_media_id,fare_media_name,fare_media_type|card,,2|coins,,0",
    )
    for category, medium, total in (
        (None, None, 400),
        ("adult", "coins", 400),
        ("child", "cash", 300),
        ("adult", "card", 200),
        ("child", "card", 100),
    ):
        assert quote(city, "08:00", rider_category=category, fare_media=medium).total == total


def test_joined_legs_are_one() -> None:
    city = tariff(
        toml=TEHRAN + '\n[tap_off]\ncharge = "at_tap_off"',
        products="fare_product_id,amount,currency|short,2.00,USD|long,3.00,USD",
        legs="network_id,from_area_id,to_area_id,fare_product_id|m,x,y,short|m,y,z,short|m,x,z,long",
        joins="from_network_id,to_network_id,from_stop_id,to_stop_id|m,m,s2,s2",
        stops="stop_id,stop_name,stop_lat,stop_lon|s1,,0,0|s2,,0,0|s3,,0,0",
        areas="area_id|x|y|z",
        stop_areas="area_id,stop_id|x,s1|y,s2|z,s3",
    )
    legs = [("08:00", "on", "s1"), ("08:10", "off", "s2"), ("08:12", "on", "s2"), ("08:20", "off", "s3")]
    taps = [tap(clock, kind, stop_id=stop, route_id="m") for clock, kind, stop in legs]
    assert dues(city, *taps) == [0, 200, 0, 100]
