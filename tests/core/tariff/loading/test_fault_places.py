"""Each kind of fault, with the file, row and column it is told at."""

from __future__ import annotations

from tests.core.tariff.loading.folders import PRODUCTS, RULES, load, told

CALENDAR = (
    "service_id,monday,tuesday,wednesday,thursday,friday,saturday,sunday,start_date,end_date\n"
    "s,1,1,1,1,1,1,1,20260101,20261231\n"
)
BY_CATEGORY = "fare_product_id,rider_category_id,amount,currency\n"
TRANSFERS = (
    "from_leg_group_id,to_leg_group_id,transfer_count,duration_limit,duration_limit_type,fare_transfer_type,"
    "fare_product_id\n"
)

# files, then where the only fault is
FILES: list[tuple[dict[str, str], tuple[str, int | None, str]]] = [
    ({"fare_leg_rules": ""}, ("fare_leg_rules.txt", None, "")),
    ({"fare_leg_rules": "leg_group_id\nbus\n"}, ("fare_leg_rules.txt", 1, "fare_product_id")),
    ({"fare_leg_rules": RULES + "bus,singel\n"}, ("fare_leg_rules.txt", 3, "fare_product_id")),
    ({"fare_leg_rules": RULES + "tram,single\n"}, ("fare_leg_rules.txt", 3, "")),
    ({"fare_leg_rules": RULES + "bus,single,x\n"}, ("fare_leg_rules.txt", 3, "")),
    ({"fare_leg_rules": "leg_group_id;fare_product_id\nbus;single\n"}, ("fare_leg_rules.txt", 1, "")),
    ({"fare_products": PRODUCTS + "single,Again,1,IRR\n"}, ("fare_products.txt", 4, "fare_product_id")),
    ({"fare_products": PRODUCTS + "dollar,D,1,USD\n"}, ("fare_products.txt", 4, "currency")),
    ({"fare_products": PRODUCTS + ",D,1,IRR\n"}, ("fare_products.txt", 4, "fare_product_id")),
    ({"fare_products": PRODUCTS.replace("35000", "-5")}, ("fare_products.txt", 2, "amount")),
    (
        {
            "rider_categories": "rider_category_id,is_default_fare_category\na,1\nb,1\n",
            "fare_products": PRODUCTS,
        },
        ("rider_categories.txt", 3, "is_default_fare_category"),
    ),
    (
        {
            "rider_categories": "rider_category_id\na\nb\n",
            "fare_products": BY_CATEGORY + "single,a,1,IRR\nsingle,b,2,IRR\n",
        },
        ("rider_categories.txt", None, "is_default_fare_category"),
    ),
    (
        {
            "rider_categories": "rider_category_id,is_default_fare_category\na,1\nb,\n",
            "fare_products": BY_CATEGORY + "single,a,1,IRR\nsingle,c,1,IRR\nsingle,b,1,IRR\n",
        },
        ("fare_products.txt", 3, "rider_category_id"),
    ),
    ({"fare_media": "fare_media_id,fare_media_type\ncard,9\n"}, ("fare_media.txt", 2, "fare_media_type")),
    (
        {"fare_transfer_rules": TRANSFERS + "bus,bus,,,,0,\n"},
        ("fare_transfer_rules.txt", 2, "transfer_count"),
    ),
    (
        {"fare_transfer_rules": TRANSFERS + "bus,bus,0,,,0,\n"},
        ("fare_transfer_rules.txt", 2, "transfer_count"),
    ),
    (
        {"fare_transfer_rules": TRANSFERS + "bus,bus,-2,,,0,\n"},
        ("fare_transfer_rules.txt", 2, "transfer_count"),
    ),
    ({"fare_transfer_rules": TRANSFERS + "bus,,1,,,0,\n"}, ("fare_transfer_rules.txt", 2, "transfer_count")),
    (
        {"fare_transfer_rules": TRANSFERS + "bus,bus,1,60,,0,\n"},
        ("fare_transfer_rules.txt", 2, "duration_limit_type"),
    ),
    (
        {"fare_transfer_rules": TRANSFERS + "bus,bus,1,,1,0,\n"},
        ("fare_transfer_rules.txt", 2, "duration_limit_type"),
    ),
    (
        {"fare_transfer_rules": TRANSFERS + "bus,bus,1,0,1,0,\n"},
        ("fare_transfer_rules.txt", 2, "duration_limit"),
    ),
    (
        {"fare_transfer_rules": TRANSFERS + "bus,bus,1,,,3,\n"},
        ("fare_transfer_rules.txt", 2, "fare_transfer_type"),
    ),
    (
        {"fare_transfer_rules": TRANSFERS + "bus,tram,,,,0,\n"},
        ("fare_transfer_rules.txt", 2, "to_leg_group_id"),
    ),
    (
        {
            "fare_transfer_rules": TRANSFERS + "bus,bus,-1,,,0,off\n",
            "fare_products": PRODUCTS + "off,O,-1,IRR\n",
        },
        ("fare_transfer_rules.txt", 2, "fare_product_id"),
    ),
    (
        {
            "fare_transfer_rules": TRANSFERS + "bus,bus,2,,,0,off\n",
            "fare_products": PRODUCTS + "off,O,-17501,IRR\n",
        },
        ("fare_transfer_rules.txt", 2, "fare_product_id"),
    ),
    (
        {"fare_leg_join_rules": "from_network_id,to_network_id,from_stop_id,to_stop_id\na,b,c,\n"},
        ("fare_leg_join_rules.txt", 2, "to_stop_id"),
    ),
    (
        {
            "timeframes": "timeframe_group_id,start_time,end_time,service_id\ng,07:00:00,25:00:00,s\n",
            "calendar": CALENDAR,
        },
        ("timeframes.txt", 2, "end_time"),
    ),
    (
        {
            "timeframes": "timeframe_group_id,start_time,end_time,service_id\ng,07:00:00,,s\n",
            "calendar": CALENDAR,
        },
        ("timeframes.txt", 2, "end_time"),
    ),
    (
        {
            "timeframes": "timeframe_group_id,start_time,end_time,service_id\n"
            "g,7:00:00,9:00:00,s\ng,8:00:00,10:00:00,s\n",
            "calendar": CALENDAR,
        },
        ("timeframes.txt", 3, "start_time"),
    ),
    (
        {"timeframes": "timeframe_group_id,service_id\ng,t\n", "calendar": CALENDAR},
        ("timeframes.txt", 2, "service_id"),
    ),
    ({"calendar": CALENDAR.replace("20261231", "20260231")}, ("calendar.txt", 2, "end_date")),
    ({"stop_areas": "area_id,stop_id\na,s\n", "areas": "area_id\nb\n"}, ("stop_areas.txt", 2, "area_id")),
    ({"agency": "agency_timezone\nMars/Base\n"}, ("agency.txt", 2, "agency_timezone")),
    ({"routes": "route_id,network_id\nr,n\n", "networks": "network_id\nn\n"}, ("networks.txt", None, "")),
]

TOML: list[tuple[str, int | None, str]] = [
    ("[tariff]\ncalender = 'jalali'", 2, "tariff.calender"),
    ("[tarif]\n", 1, "tarif"),
    ("[tariff]\ncalendar = 'lunar'", 2, "tariff.calendar"),
    ("[tariff]\nzone = 'Asia/Urmia'", 2, "tariff.zone"),
    ("[tariff]\nservice_day_starts = '24:00'", 2, "tariff.service_day_starts"),
    ("[tariff\n", 1, ""),
    ("[tariff]\nname = 'a'\nname = 'b'", 3, ""),
    ("[[windows]]\nseconds = 60\n\n[[windows]]\npays = 'percent'", 4, "windows[2].percent"),
    ("[[windows]]\npays = 'amount'", 1, "windows[1].amount"),
    ("[[windows]]\nid = 'a'\n[[windows]]\nid = 'a'", 4, "windows[2].id"),
    ("[[caps]]\namount = 100\nproducts = ['moon']", 3, "caps[1].products"),
    ("[[caps]]\nperiod = 'week'", 1, "caps[1].amount"),
    ("[[caps]]\namount = 10\nperiod = 'rolling'", 1, "caps[1].days"),
    ("[[caps]]\nlevels = [{ amount = 1.5 }]", 2, "caps[1].levels[1].amount"),
    ("[[concessions]]\npercent = 50\nrider_categories = ['elder']", 3, "concessions[1].rider_categories"),
    ("[[concessions]]\nid = 'a'", 1, "concessions[1].percent"),
    ("[[passes]]\nproduct = 'year'", 2, "passes[1].product"),
    ("[[passes]]\nproduct = 'month'\nnumber = 70000", 3, "passes[1].number"),
    ("[[distance]]\nbands = [{ amount = 1 }, { amount = 2 }]", 2, "distance[1].bands[1].up_to_m"),
    ("[[distance]]\nid = 'd'", 1, "distance[1].bands"),
    ("[tap_off]\nincomplete = 'amount'", 1, "tap_off.amount"),
    (
        "[rider_categories.a]\nfalls_back_to = 'b'\n[rider_categories.b]\nnumber = 3\n"
        "[rider_categories.c]\nnumber = 3",
        6,
        "rider_categories.c.number",
    ),
    ("[rider_categories.a]\nfalls_back_to = 'a'", 2, "rider_categories.a.falls_back_to"),
    ("[rider_categories.a]\nnumber = 256", 2, "rider_categories.a.number"),
    ("[numbers]\nlines = { 0 = 'r' }", 2, "numbers.lines.0"),
    ("[numbers]\nlines = { 5 = 'r', 05 = 'q' }", 2, "numbers.lines.05"),
    ("[default_fare]\nproduct = 'moon'", 2, "default_fare.product"),
    ("[[free_days]]\nname = 'x'", 1, "free_days[1]"),
    ("[[free_days]]\ndates = ['2026-02-30']", 2, "free_days[1].dates"),
    ("[overdraft]\namount = '20000'", 2, "overdraft.amount"),
    ("[overdraft]\namount = -1", 2, "overdraft.amount"),
    ("[card]\nrefund_deposit = 1", 2, "card.refund_deposit"),
    ("[timeframes.night]\nend = 'inclusive'", 1, "timeframes.night"),
    ("windows = 3", 1, "windows"),
]


def test_each_fault_of_a_text_file_is_told_where_it_is() -> None:
    for files, place in FILES:
        loaded = load(**files)
        assert told(loaded) == [place], (files, [str(each) for each in loaded.faults])
        assert loaded.tariff is None


def test_each_fault_of_the_toml_file_is_told_where_it_is() -> None:
    for toml, row, column in TOML:
        loaded = load(toml)
        assert told(loaded) == [("mancard.toml", row, column)], (toml, [str(each) for each in loaded.faults])


def test_a_misspelt_key_is_told_with_the_nearest_known_one() -> None:
    assert "write calendar if that is meant" in str(load("[tariff]\ncalender = 'jalali'").faults[0])
    assert "write 'single' if that is meant" in str(load("[default_fare]\nproduct = 'singel'").faults[0])


def test_every_fault_says_what_to_do_in_one_line() -> None:
    for loaded in [*(load(**files) for files, _ in FILES), *(load(toml) for toml, _, _ in TOML)]:
        for fault in loaded.faults:
            assert str(fault).count(". Do: ") == 1
            assert "\n" not in str(fault)
