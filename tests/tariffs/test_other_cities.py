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


def test_istanbul_prices_each_transfer_by_its_number() -> None:
    """UKOME, 15 September 2025: five transfers within two hours of the first boarding, each for less."""
    city = tariff(
        products="fare_product_id,amount,currency|full,35.00,TRY|1,26.06,TRY|2,20.02,TRY|3,13.02,TRY"
        "|metrobus,51.96,TRY",
        legs="leg_group_id,network_id,fare_product_id|std,iett,full|mb,metrobus,metrobus",
        transfers="from_leg_group_id,to_leg_group_id,transfer_count,duration_limit,duration_limit_type,"
        "fare_transfer_type,fare_product_id"
        "|std,std,1,7200,1,0,1|std,std,2,7200,1,0,2|std,std,5,7200,1,0,3|mb,std,,7200,1,0,1",
    )
    buses = [tap(f"08:{8 * ride:02}", route_id="iett") for ride in range(7)]
    assert dues(city, *buses) == [3500, 2606, 2002, 1302, 1302, 1302, 3500]
    late = tap("08:00", route_id="iett"), tap("10:00", route_id="iett"), tap("10:00:01", route_id="iett")
    assert dues(city, *late) == [3500, 2606, 3500]
    onto = tap("08:00", route_id="iett"), tap("08:20", route_id="metrobus"), tap("08:50", route_id="iett")
    assert dues(city, *onto) == [3500, 5196, 2606]


def test_boston_pays_the_dearest_of_three_boardings_but_not_for_the_same_route() -> None:
    """mbta.com/fares/transfers: two transfers within two hours, with a card, to another route."""
    city = tariff(
        products="fare_product_id,amount,currency|bus,1.70,USD|subway,2.40,USD|express,4.25,USD",
        legs="network_id,fare_product_id|bus,bus|subway,subway|express,express",
        media="fare_media_id,fare_media_name,fare_media_type|charlie,,2|coins,,0",
        routes="route_id,route_type,network_id|1,3,bus|66,3,bus|red,1,subway|501,3,express",
        toml='[[windows]]\nseconds = 7200\nboundary = "inclusive"\npays = "difference"\ntransfers = 2\n'
        'same_route = false\nmedia = ["charlie"]',
    )

    def paid(*rides: tuple[str, str], medium: str = "card") -> list[int | None]:
        return dues(city, *(tap(clock, route_id=route) for clock, route in rides), fare_media=medium)

    there = ("08:00", "1"), ("08:20", "red")
    assert paid(*there, ("08:50", "66"), ("09:00", "1")) == [170, 70, 0, 170]
    assert paid(("08:00", "66"), ("08:40", "66")) == [170, 170]
    assert paid(*there, medium="cash") == [170, 240]
    assert paid(("08:00", "1"), ("10:00", "501"), ("10:00:01", "red")) == [170, 255, 240]


def test_london_caps_by_where_one_has_been_and_by_days_from_half_past_four() -> None:
    """TfL: buses alone 5.25 a day, with the Tube in zones 1-2 8.90; the Hopper beside them."""
    city = tariff(
        products="fare_product_id,amount,currency|bus,1.75,GBP|tube,2.90,GBP",
        legs="leg_group_id,network_id,fare_product_id|bus,bus,bus|z12,tube,tube",
        toml='[tariff]\nservice_day_starts = "04:30"\n'
        '[[windows]]\nseconds = 3600\nboundary = "inclusive"\nnetworks = ["bus"]\n'
        '[[caps]]\nlevels = [{ amount = 5.25, networks = ["bus"] }, { amount = 8.90, leg_groups = ["z12"] }]',
    )
    buses = [tap(clock, route_id="bus") for clock in ("05:00", "07:00", "09:00", "11:00")]
    tubes = [tap(clock, route_id="tube") for clock in ("12:00", "14:00")]
    assert dues(city, *buses, *tubes) == [175, 175, 175, 0, 290, 75]
    # A boarding that the cap made free opens the Hopper all the same; the next day begins at 04:30.
    night = [tap(clock, route_id="bus") for clock in ("05T03:29:59", "05T04:30", "05T05:30:01")]
    assert dues(city, *buses, *night) == [175, 175, 175, 0, 0, 175, 175]


def test_berlin_counts_hours_that_pass_where_the_clock_is_changed() -> None:
    """A ticket of two hours, one of 24 hours, and the hour that comes twice in autumn and never in spring."""
    city = tariff(
        products="fare_product_id,amount,currency|ab,4.00,EUR|night,3.00,EUR|day,11.20,EUR",
        legs="from_timeframe_group_id,fare_product_id,rule_priority|,ab,|two,night,1",
        times="timeframe_group_id,start_time,end_time,service_id|two,02:00:00,03:00:00,all",
        dates="service_id,date,exception_type|all,20260329,1|all,20261025,1",
        toml='[tariff]\nzone = "Europe/Berlin"\n[[windows]]\nseconds = 7200\n'
        '[[passes]]\nproduct = "day"\nperiod = "hours"\nlength = 24\nstarts = "first_use"',
    )
    spring, autumn = "2026-03-29T", "2026-10-25T"

    def paid(*times: str, **case: object) -> list[int | None]:
        return dues(city, *({"at": at} for at in times), **case)

    assert paid(f"{spring}01:30:00+01:00", f"{spring}04:29:59+02:00", f"{spring}04:30:00+02:00") == [
        400,
        0,
        400,
    ]
    assert paid(f"{autumn}01:30:00+02:00", f"{autumn}02:29:59+01:00", f"{autumn}02:30:00+01:00") == [
        400,
        0,
        300,
    ]
    assert paid(f"{autumn}02:30:00+02:00") == paid(f"{autumn}02:59:59+01:00") == [300]
    assert paid(f"{spring}01:59:59+01:00") == paid(f"{spring}03:00:00+02:00") == [400]
    day = [{"product": "day"}]
    times = "2026-03-28T10:00:00+01:00", f"{spring}10:59:59+02:00", f"{spring}11:00:00+02:00"
    assert paid(*times, passes=day) == [0, 0, 400]


def test_shiraz_sells_months_to_their_last_night() -> None:
    """Passes of the Jalali calendar: Esfand of 30 days in 1403 and of 29 in 1404, weeks from Saturday."""
    city = tariff(
        products="fare_product_id,amount,currency|ride,30000,IRR|month,900000,IRR|thirty,900000,IRR|week,1,IRR",
        legs="fare_product_id|ride",
        toml='[tariff]\ncalendar = "jalali"\nservice_day_starts = "03:00"\n'
        '[[passes]]\nproduct = "month"\nperiod = "month"\nstarts = "calendar"\n'
        '[[passes]]\nproduct = "thirty"\nperiod = "month"\n'
        '[[passes]]\nproduct = "week"\nperiod = "week"\nstarts = "calendar"',
    )
    for product, bought, last, after in (
        ("month", "2025-02-25", "2025-03-21T02:59:59", "2025-03-21T03:00:00"),
        ("month", "2026-02-25", "2026-03-21T02:59:59", "2026-03-21T03:00:00"),
        ("week", "2026-03-04", "2026-03-07T02:59:59", "2026-03-07T03:00:00"),
        # From 31 Shahrivar: Mehr has no 31st, so that the month ends with its 30th, 22 October.
        ("thirty", "2025-09-22", "2025-10-23T02:59:59", "2025-10-23T03:00:00"),
        # From 30 Esfand 1403 to 29 Farvardin.
        ("thirty", "2025-03-20", "2025-04-19T02:59:59", "2025-04-19T03:00:00"),
    ):
        taps = [{"at": f"{at}+03:30"} for at in (last, after)]
        assert dues(city, *taps, passes=[{"product": product, "valid_from": bought}]) == [0, 30_000], bought


def test_what_is_held_does_not_hope_for_a_transfer_that_ends_at_the_arrival() -> None:
    """Limits of type 0 and 3 end with the arrival, which nobody knows at tap-on."""
    for kind, last in ((0, "08:30"), (3, "08:40")):
        city = tariff(
            products="fare_product_id,amount,currency|ride,2.00,USD",
            legs="leg_group_id,fare_product_id|g,ride",
            transfers="from_leg_group_id,to_leg_group_id,transfer_count,duration_limit,duration_limit_type,"
            f"fare_transfer_type|g,g,1,1800,{kind},0",
        )
        first = "08:00", tap("08:10", "off")
        assert dues(city, *first, "08:20", tap(last, "off")) == [200, 0, 200, -200]
        assert dues(city, *first, "08:20", tap(f"{last}:01", "off")) == [200, 0, 200, 0]
        assert dues(city, *first, "08:41", tap("08:50", "off")) == [200, 0, 200, 0]
