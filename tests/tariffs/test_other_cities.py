"""Published fare policies of other cities, written as a stranger would from docs/tariff.md.

The amounts are those that the cities published; what each case costs is worked out by hand from their
texts, to the second at which a rule ends.
"""

from __future__ import annotations

from pathlib import Path
from zipfile import ZipFile

import pytest

from fare.core.tariff.loading import TariffFaults
from fare.core.tariff.sentences import sentences
from fare.tariffs.source import open_tariff
from tests.tariffs.written import dues, quote, tap, tariff

STATIONS = (
    "stop_id,stop_name,stop_lat,stop_lon,parent_station"
    "|home,,0,0,|Hub,,0,0,|hub1,,0,0,Hub|hub2,,0,0,Hub|far,,0,0,"
)


def test_singapore_prices_the_length_of_the_whole_journey() -> None:
    """A change within 45 minutes of alighting goes on with the journey (simplygo.com.sg, travel fares)."""
    files = {
        "products": "fare_product_id,amount,currency|ride,1.28,SGD",
        "legs": "network_id,fare_product_id|bus,ride|rail,ride",
        "joins": "from_network_id,to_network_id,from_stop_id,to_stop_id|bus,bus,,|rail,rail,,|bus,rail,,",
        "stops": STATIONS,
    }
    bands = (3200, 1.28), (4200, 1.38), (5200, 1.49)
    listed = ", ".join(f"{{ up_to_m = {metres}, amount = {amount} }}" for metres, amount in bands)
    toml = f"[tap_off]\n[[distance]]\nbands = [{listed}, {{ amount = 2.56 }}]\n"
    toml += "[transfers]\njoin_within_seconds = 2700\n"
    city = tariff(**files, toml=toml)

    def journey(change: str, stop: str = "hub2", on: str = "bus") -> int | None:
        first = (
            tap("10:00", stop_id="home", route_id="bus"),
            tap("10:10", "off", stop_id="hub1", distance_m=3200),
        )
        then = tap(change, stop_id=stop, route_id=on), tap("11:30", "off", stop_id="far", distance_m=1500)
        return quote(city, *first, *then).total

    assert journey("10:55") == 149  # another platform of the same station
    assert journey("10:55:01") == 128 + 128
    assert journey("10:30", stop="home") == 128 + 128
    told = [each.text for each in sentences(city, "en") if each.ref == "join_rules"]
    assert told[0].endswith("when changing at the same stop or station, within 45 minutes of alighting.")
    city = tariff(**files, toml=toml + "join_anywhere = true")
    assert journey("10:30", stop="home") == 149


def test_a_cap_of_weekends_goes_by_its_service_days() -> None:
    """Opal's day runs from 04:00: the small hours of Monday still belong to Sunday and its lower cap."""
    city = tariff(
        products="fare_product_id,amount,currency|train,5.00,AUD",
        legs="fare_product_id|train",
        toml='[tariff]\nservice_day_starts = "04:00"\n'
        '[[caps]]\nid = "week"\namount = 19.30\nweekdays = ["monday", "tuesday", "wednesday", "thursday"]\n'
        '[[caps]]\nid = "weekend"\namount = 9.65\nweekdays = ["friday", "saturday", "sunday"]',
    )
    sunday = dues(city, "08T10:00", "08T20:00", "09T03:59:59", "09T04:00", "09T12:00")
    assert sunday == [500, 465, 0, 500, 500]


def test_tfl_gives_the_hopper_back_once_the_purse_is_no_longer_below_zero() -> None:
    """A negative balance suspends the Hopper fare; loading the card between two taps restores it."""
    city = tariff(
        products="fare_product_id,amount,currency|bus,1.75,GBP",
        legs="fare_product_id|bus",
        toml="[[windows]]\nseconds = 3600\nneeds_balance = true\n[overdraft]\namount = 5.25",
    )
    clocks = ("08:00", "08:10", "08:20")
    assert dues(city, *clocks, balance=100) == [175, 175, 175]
    assert dues(city, "08:00", tap("08:10", balance=500), "08:20", balance=100) == [175, 0, 0]
    refund = quote(city, "08:00", tap("08:10", balance=500), "11:00", balance=100, refund=True)
    assert refund.refund == 500 - 175


def test_a_zip_as_a_mac_makes_it_and_one_that_holds_another(tmp_path: Path) -> None:
    made = tmp_path / "feed.zip"
    with ZipFile(made, "w") as archive:
        archive.writestr("feed/fare_products.txt", "fare_product_id,amount,currency\nride,1,IRR\n")
        archive.writestr("feed/fare_leg_rules.txt", "fare_product_id\nride\n")
        archive.writestr("__MACOSX/feed/._fare_products.txt", "x")
    assert open_tariff(made).products[0].amount == 1
    with ZipFile(tmp_path / "outer.zip", "w") as archive:
        archive.write(made, "feed.zip")
    with pytest.raises(
        TariffFaults, match=r"outer\.zip: the zip holds no file of a tariff\. Do: zip the files"
    ):
        open_tariff(tmp_path / "outer.zip")


def test_ottawa_lets_the_first_boarding_say_how_long_a_transfer_lasts() -> None:
    """90 minutes, and 105 of a boarding after 18:00, whenever the next one is (OC Transpo)."""
    city = tariff(
        products="fare_product_id,amount,currency|ride,4.00,CAD",
        legs="fare_product_id|ride",
        times="timeframe_group_id,start_time,end_time,service_id|day,00:00:00,18:00:00,all"
        "|evening,18:00:00,24:00:00,all",
        cal="service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date"
        "|all,1,1,1,1,1,1,1,20260101,20261231",
        toml='[[windows]]\nid = "day"\nseconds = 5400\nopened_by = { timeframes = ["day"] }\n'
        '[[windows]]\nid = "evening"\nseconds = 6300\nopened_by = { timeframes = ["evening"] }',
    )
    assert dues(city, "17:50", "18:30", "19:19:59", "19:20", "21:04:59") == [400, 0, 0, 400, 0]
    told = [each.text for each in sentences(city, "en") if each.ref == "window:day"]
    assert told == ["A further boarding within 90 minutes is free, after one during day."]


def test_moscow_lets_only_a_bus_open_the_way_to_the_metro() -> None:
    """Of 90 minutes with any number of buses and one ride on the metro."""
    city = tariff(
        products="fare_product_id,amount,currency|one,62.00,RUB",
        legs="network_id,fare_product_id|metro,one|bus,one",
        toml='[[windows]]\nid = "bus"\nseconds = 5400\nnetworks = ["bus"]\nopened_by = {}\n'
        '[[windows]]\nid = "metro"\nseconds = 5400\nnetworks = ["metro"]\ntransfers = 1\n'
        'opened_by = { networks = ["bus"] }',
    )

    def paid(*networks: str) -> list[int | None]:
        rides = enumerate(networks)
        return dues(city, *(tap(f"08:{15 * place:02}", route_id=network) for place, network in rides))

    assert paid("metro", "bus", "bus", "metro") == [6200, 0, 0, 6200]
    assert paid("bus", "metro", "bus", "metro") == [6200, 0, 0, 6200]


def test_a_journey_goes_on_within_an_hour_of_each_tap_off() -> None:
    """Opal: the next tap-on within 60 minutes of the last tap-off is the same journey."""
    city = tariff(
        products="fare_product_id,amount,currency|bus,3.20,AUD|train,4.20,AUD",
        legs="network_id,fare_product_id|bus,bus|train,train",
        toml='[tap_off]\n[[windows]]\nseconds = 3600\nboundary = "inclusive"\nanchor = "last_exit"\n'
        'pays = "difference"',
    )
    bus = tap("08:00", route_id="bus"), tap("08:50", "off", route_id="bus")
    again = tap("09:50", route_id="bus"), tap("10:30", "off", route_id="bus")
    train = tap("11:30", route_id="train"), tap("12:00", "off", route_id="train")
    late = tap("11:30:01", route_id="train"), tap("12:00", "off", route_id="train")
    assert dues(city, *bus, *again, *train) == [320, 0, 0, 0, 100, 0]
    assert quote(city, *bus, *again, *late).total == 320 + 420


def test_seoul_adds_for_every_five_kilometres_of_a_journey_with_changes() -> None:
    """1,400 won to 10 km, 100 for each 5 km begun; early birds, before 06:30, pay 80 % of all of it."""
    city = tariff(
        products="fare_product_id,amount,currency|base,1400,KRW",
        legs="network_id,fare_product_id|tmoney,base",
        routes="route_id,route_type,network_id|metro,1,tmoney|bus,3,tmoney",
        joins="from_network_id,to_network_id|tmoney,tmoney",
        times="timeframe_group_id,start_time,end_time,service_id|early,00:00:00,06:30:00,all",
        dates="service_id,date,exception_type|all,20260304,1",
        toml="[tap_off]\n[transfers]\njoin_anywhere = true\n"
        "[[distance]]\nbase = 1400\nper_km = 20\nfree_m = 10000\nmaximum = 3500\n"
        'rounding = { unit = 100, direction = "up" }\n[[concessions]]\npercent = 80\ntimeframes = ["early"]',
    )

    def journey(clock: str, metro_m: int, change: str, bus_m: int) -> int | None:
        return quote(
            city,
            tap(clock, route_id="metro"),
            tap("08:10", "off", route_id="metro", distance_m=metro_m),
            tap(change, route_id="bus"),
            tap("09:00", "off", route_id="bus", distance_m=bus_m),
        ).total

    assert journey("08:00", 8_000, "08:40", 2_000) == 1_400
    assert journey("08:00", 8_000, "08:40", 2_001) == 1_500
    assert journey("08:00", 8_000, "08:40", 7_001) == 1_600
    assert journey("08:00", 8_000, "08:40:01", 7_001) == 2_800
    assert journey("06:29:59", 8_000, "08:40", 7_000) == 1_200


def test_who_alights_in_the_peak_has_boarded_before_it() -> None:
    """`to_timeframe_group_id` is not known at tap-on: the dearest fare is held of all ends that may come."""
    files = {
        "products": "fare_product_id,amount,currency|peak,3.00,USD|low,2.00,USD|early,1.00,USD",
        "times": "timeframe_group_id,start_time,end_time,service_id|peak,07:00:00,09:00:00,all"
        "|rest,09:00:00,24:00:00,all",
        "dates": "service_id,date,exception_type|all,20260304,1",
    }
    rules = "fare_product_id,to_timeframe_group_id|peak,peak|low,rest"
    city = tariff(**files, legs=rules, toml="[tap_off]\nclose_after_seconds = 7200")
    for boards, alights, held, due in (
        ("06:50", "07:00", 300, 300),
        ("08:00", "09:00", 300, 200),
        ("09:00", "10:00", 200, 200),
    ):
        found = quote(city, boards, tap(alights, "off"))
        assert (found.taps[0].charge, found.total) == (held, due), boards
    # Two hours before the peak nothing of it can be reached, and no fare is known.
    assert quote(city, "04:59:59").total is None
    by_exit = tariff(
        **files,
        legs="fare_product_id,from_timeframe_group_id|peak,peak|low,rest",
        toml='[tap_off]\nfare_time = "off"',
    )
    assert dues(by_exit, "06:50", tap("07:10", "off")) == [300, 0]
