from __future__ import annotations

from fare.core.calendar import Calendar
from fare.core.tariff.loading import TariffFaults, load_tariff
from fare.core.tariff.model import (
    Boundary,
    CapPeriod,
    Direction,
    DurationLimitType,
    Selection,
    TapOff,
    TransferType,
    WindowPays,
)
from tests.core.tariff.loading.folders import PRODUCTS, load, told

EVERYTHING = """
[tariff]
name = "شهر"
calendar = "jalali"
service_day_starts = "03:00"
pass_back_seconds = 8
out_of_service = "ride_free"
[rounding]
unit = 500
direction = "down"
[default_fare]
product = "single"
[[windows]]
id = "hour"
seconds = 3600
pays = "percent"
percent = 30
boundary = "inclusive"
weekdays = ["friday"]
[[caps]]
id = "day"
period = "rolling"
days = 3
levels = [{ amount = 100000, leg_groups = ["bus"] }, { amount = 150000 }]
[[passes]]
product = "month"
number = 3
period = "month"
starts = "calendar"
[[concessions]]
id = "half"
percent = 50
from = "1405-01-01"
rounding = { unit = 1000, direction = "half_even" }
[[distance]]
bands = [{ up_to_m = 3000, amount = 10000 }, { amount = 20000 }]
leg_groups = ["bus"]
[tap_off]
charge = "at_tap_off"
cancel_within_seconds = -1
[companions]
second_tap = "already_paid"
most = 4
[overdraft]
amount = 20000
[shortfall]
action = "load"
fee_percent = 2
[[free_days]]
name = "Nowruz"
dates = ["01-01", "2026-06-05"]
[card]
deposit = 150000
[numbers]
lines = { 5 = "five" }
"""


def test_every_table_reaches_the_tariff() -> None:
    tariff = load(EVERYTHING).tariff
    assert tariff is not None
    assert (tariff.name, tariff.currency, tariff.exponent) == ("شهر", "IRR", 0)
    assert (tariff.calendar, tariff.week_starts) == (Calendar.JALALI, 5)
    assert (tariff.service_day_starts_s, tariff.pass_back_s, tariff.out_of_service) == (
        10_800,
        8,
        "ride_free",
    )
    assert (tariff.rounding.unit, tariff.rounding.direction) == (500, Direction.DOWN)
    assert tariff.default_products == {"": "single"}
    [window] = tariff.windows
    assert (window.window_id, window.seconds, window.percent) == ("hour", 3600, 30)
    assert (window.pays, window.boundary) == (WindowPays.PERCENT, Boundary.INCLUSIVE)
    assert window.covers == Selection(weekdays=frozenset((4,)))
    [cap] = tariff.caps
    assert (cap.period, cap.days, [level.amount for level in cap.levels]) == (
        CapPeriod.ROLLING,
        3,
        [100_000, 150_000],
    )
    [held] = tariff.passes
    assert (held.product_id, held.name, held.number) == ("month", "Month", 3)
    [half] = tariff.concessions
    assert (half.percent, half.first_day, half.rounding.unit) == (50, 739_696, 1000)
    [distance] = tariff.distance_fares
    assert [(band.up_to_m, band.amount) for band in distance.bands] == [(3000, 10_000), (None, 20_000)]
    assert tariff.tap_off == TapOff(charge=tariff.tap_off.charge, cancel_within_s=-1)
    assert (tariff.companions.second_tap, tariff.companions.most) == ("already_paid", 4)
    assert (tariff.overdraft.amount, tariff.shortfall.fee_percent, tariff.card.deposit) == (
        20_000,
        2,
        150_000,
    )
    [free] = tariff.free_days
    assert len(free.days) == 31  # Nowruz of thirty years, and one other day
    assert tariff.lines == {5: "five"}


def test_what_gtfs_says_reaches_the_tariff() -> None:
    loaded = load(
        fare_leg_rules="leg_group_id,network_id,from_area_id,to_area_id,from_timeframe_group_id,fare_product_id,"
        "rule_priority\nbus,city,a,b,peak,single,\nbus,,,,,single,2\n",
        fare_transfer_rules="from_leg_group_id,to_leg_group_id,transfer_count,duration_limit,duration_limit_type,"
        "fare_transfer_type,fare_product_id\nbus,bus,-1,3600,2,0,\n",
        timeframes="timeframe_group_id,start_time,end_time,service_id\npeak,7:00:00,24:00:00,s\n",
        calendar="service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"
        "s,1,1,1,1,1,0,0,20260101,20261231\n",
        calendar_dates="service_id,date,exception_type\ns,20260321,2\ns,20260322,1\nother,20260322,1\n",
        networks="network_id\ncity\n",
        routes="route_id,route_short_name,route_type\nr,7,3\n",
        route_networks="network_id,route_id\ncity,r\n",
        areas="area_id,area_name\na,Old town\nb,\n",
        stops="stop_id,parent_station\nstation,\nplatform,station\nown,station\n",
        stop_areas="area_id,stop_id\na,station\nb,own\n",
        agency="agency_timezone\nAsia/Baku\n",
    )
    assert told(loaded) == []
    tariff = loaded.tariff
    assert tariff is not None
    assert tariff.zone_name == "Asia/Baku"
    assert tariff.uses_priority
    assert [rule.priority for rule in tariff.leg_rules] == [0, 2]
    assert (tariff.routes, tariff.lines) == ({"r": "city"}, {7: "r"})
    assert tariff.stop_areas == {"station": ("a",), "platform": ("a",), "own": ("b",)}
    assert tariff.names["area:a"] == "Old town"
    [frame] = tariff.timeframes["peak"]
    assert (frame.start_s, frame.end_s) == (25_200, 86_400)
    assert set(tariff.services) == {"s"}  # the other one is in no timeframe
    [rule] = tariff.transfer_rules
    assert (rule.transfer_type, rule.count, rule.limit_s) == (TransferType.FIRST_AND_TRANSFER, -1, 3600)
    assert rule.limit_type is DurationLimitType.ARRIVAL_TO_DEPARTURE
    assert tariff.tap_off == TapOff()  # rules that ask for the destination switch it on


def test_text_files_may_be_written_as_spreadsheets_write_them() -> None:
    products = '\ufeff"fare_product_id","amount","currency"\r\n\r\n" single ","۳۵۰۰۰","IRR"\r\n'
    products += ',,\r\nb,"2.00",IRR,\r\n'
    loaded = load(fare_products=products)
    assert told(loaded) == []
    assert loaded.tariff is not None
    assert [(each.product_id, each.amount) for each in loaded.tariff.products] == [
        ("single", 35_000),
        ("b", 2),
    ]


def test_amounts_follow_the_currency() -> None:
    for currency, text, amount in (
        ("USD", "2.75", 275),
        ("USD", "3", 300),
        ("KWD", "1.5", 1500),
        ("IRR", "35000.00", 35_000),
        ("JPY", "0", 0),
    ):
        loaded = load(fare_products=f"fare_product_id,amount,currency\nsingle,{text},{currency}\n")
        assert loaded.tariff is not None, loaded.faults
        assert loaded.tariff.products[0].amount == amount
    for currency, text in (
        ("USD", "2.755"),
        ("IRR", "0.5"),
        ("IRR", "1e5"),
        ("IRR", "NaN"),
        ("IRR", "35.000.0"),
        ("IRR", "3 500"),
        ("IRR", '"35,000"'),
        ("IRR", "Infinity"),
        ("IRR", "9" * 40),
        ("IRR", "free"),
    ):
        loaded = load(fare_products=f"fare_product_id,amount,currency\nsingle,{text},{currency}\n")
        assert told(loaded) == [("fare_products.txt", 2, "amount")], text


def test_a_thousand_faults_are_all_told() -> None:
    products = PRODUCTS + "".join(f"p{number},P,x{number},IRR\n" for number in range(1000))
    loaded = load(fare_products=products)
    assert [row for _, row, _ in told(loaded)] == list(range(4, 1004))
    text = str(TariffFaults(loaded.faults))
    assert text.count("\n") == 1000
    assert "fare_products.txt, row 1003, column amount: 'x999' is not an amount. Do: write digits" in text


def test_nothing_that_is_in_the_files_raises() -> None:
    hostile = [
        b"",
        b"\0",
        b"\xff\xfe",
        b'"',
        b"a,b\n\x80,",
        b",\n,\n",
        b"\n\n",
        b"a,a\n1,2\n",
        b"\x1f\x8b\x08",
    ]
    names = ["fare_products", "fare_leg_rules", "timeframes", "calendar", "stops", "trips", "stop_times"]
    for content in hostile:
        for name in names:
            files = {
                "fare_products.txt": PRODUCTS.encode(),
                "fare_leg_rules.txt": b"fare_product_id\nsingle\n",
            }
            loaded = load_tariff({**files, f"{name}.txt": content})
            assert (loaded.tariff is None) == bool(loaded.faults)
            assert all(str(each).startswith(each.file) for each in loaded.faults)
        assert load_tariff({"mancard.toml": content}).faults
