"""What the parts of a tariff mean together: legs without a fare, rules without effect, what surprises."""

from __future__ import annotations

from pathlib import Path

from fare.core.tariff.loading import load_tariff, monotone
from fare.tariffs.source import read_tariff_files
from tests.core.tariff.loading.folders import PRODUCTS, load, told, warned
from tests.core.tariff.loading.test_fault_places import CALENDAR

DATA = Path(__file__).parent / "data"
PEAK = "timeframe_group_id,start_time,end_time,service_id\npeak,07:00:00,10:30:00,s\n"
NETWORKS = {"networks": "network_id\na\nb\n", "routes": "route_id\n1\n2\n",
            "route_networks": "network_id,route_id\na,1\nb,2\n"}  # fmt: skip
ZONES = "leg_group_id,from_area_id,to_area_id,fare_product_id\n"


def test_the_real_feed_has_no_fault() -> None:
    loaded = load_tariff(read_tariff_files(DATA / "gtfs-transcollines" / "feed.zip"))
    assert told(loaded) == []
    assert loaded.tariff is not None
    assert (len(loaded.tariff.leg_rules), len(loaded.tariff.routes)) == (8, 8)
    assert len(loaded.tariff.stop_areas) == 424
    problems = " ".join(str(each) for each in loaded.warnings)
    assert "route 940 (network REG) from area GAT to area GAT" in problems  # two stops let riders do it
    assert "'PS-0', so nobody can buy it" in problems


def test_the_smallest_folder_has_no_fault() -> None:
    loaded = load_tariff(read_tariff_files(DATA / "gtfs-nelson"))
    assert (told(loaded), warned(loaded)) == ([], [])
    assert loaded.tariff is not None
    assert loaded.tariff.transfer_rules[0].limit_s == 86_400


def test_each_leg_of_the_real_feed_needs_its_rule() -> None:
    files = read_tariff_files(DATA / "gtfs-transcollines" / "feed.zip")
    rules = files["fare_leg_rules.txt"].decode().splitlines(keepends=True)
    for place in range(1, len(rules)):
        without = {**files, "fare_leg_rules.txt": "".join(rules[:place] + rules[place + 1 :]).encode()}
        loaded = load_tariff(without)
        _, start, end = rules[place].split(",")[0].split("-")
        assert any(f"from area {start} to area {end}" in each.problem for each in loaded.faults), rules[place]
        assert load_tariff(without, unfinished=True).tariff is not None


def test_a_route_without_a_rule_is_a_fault_unless_there_is_a_default() -> None:
    rules = "network_id,fare_product_id\na,single\n"
    loaded = load(fare_leg_rules=rules, **NETWORKS)
    assert [each.problem for each in loaded.faults] == ["no rule gives a fare on route 2 (network b)"]
    for default in ("product = 'single'", "routes = { 2 = 'single' }", "networks = { b = 'single' }"):
        assert told(load(f"[default_fare]\n{default}", fare_leg_rules=rules, **NETWORKS)) == []
    assert (
        told(load(fare_leg_rules=rules + ",single\n", **NETWORKS)) == []
    )  # all networks that are not listed


def test_a_pair_of_areas_without_a_rule_is_a_fault_where_the_others_have_one() -> None:
    areas = {"areas": "area_id\nx\ny\nz\n"}
    pairs = [f"g,{start},{end},single\n" for start in "xyz" for end in "xyz"]
    assert told(load(fare_leg_rules=ZONES + "".join(pairs), **areas)) == []
    loaded = load(fare_leg_rules=ZONES + "".join(pairs[:5] + pairs[6:]), **areas)
    assert [each.problem for each in loaded.faults] == ["no rule gives a fare from area y to area z"]
    few = load(fare_leg_rules=ZONES + "g,x,y,single\n", **areas)
    assert told(few) == []  # a list of what is served


def test_a_time_of_day_without_a_rule_is_a_fault() -> None:
    rules = "from_timeframe_group_id,fare_product_id\npeak,single\n"
    loaded = load(fare_leg_rules=rules, timeframes=PEAK, calendar=CALENDAR)
    assert [each.problem for each in loaded.faults] == [
        "no rule gives a fare on any route from 00:00 to 07:00 on days like 2026-01-01"
    ]
    whole = PEAK + "off,00:00:00,07:00:00,s\noff,10:30:00,24:00:00,s\n"
    assert told(load(fare_leg_rules=rules + "off,single\n", timeframes=whole, calendar=CALENDAR)) == []
    assert told(load(fare_leg_rules=rules + ",month\n", timeframes=PEAK, calendar=CALENDAR)) == []


def test_a_category_that_can_buy_nothing_is_a_fault() -> None:
    categories = "rider_category_id,is_default_fare_category\nadult,1\nsenior,0\n"
    products = "fare_product_id,rider_category_id,amount,currency\nsingle,adult,2,IRR\n"
    loaded = load(fare_products=products, rider_categories=categories)
    assert "rider category 'senior' has no fare" in loaded.faults[0].problem
    assert told(load(fare_products=products + "single,,1,IRR\n", rider_categories=categories)) == []
    half = "[[concessions]]\npercent = 50\nrider_categories = ['senior']"
    assert told(load(half, fare_products=products, rider_categories=categories)) == []


def test_a_rule_that_can_never_match_is_a_warning() -> None:
    rules = "network_id,fare_product_id,rule_priority\na,single,1\n,month,2\n"
    loaded = load(fare_leg_rules=rules, **NETWORKS)
    assert ("fare_leg_rules.txt", 2, "rule_priority") in warned(loaded)
    both = load(fare_leg_rules="network_id,fare_product_id\na,single\nb,single\n,month\n", **NETWORKS)
    assert ("fare_leg_rules.txt", 4, "network_id") in warned(both)
    never = PEAK + "never,00:00:00,01:00:00,t\n"
    dead = CALENDAR + "t,0,0,0,0,0,0,0,20260101,20261231\n"
    rules = "from_timeframe_group_id,fare_product_id\nnever,month\n,single\n"
    assert warned(load(fare_leg_rules=rules, timeframes=never, calendar=dead)) == [
        ("fare_leg_rules.txt", 2, "from_timeframe_group_id")
    ]
    places = {"areas": "area_id\nx\ny\n", "stops": "stop_id\ns\n", "stop_areas": "area_id,stop_id\nx,s\n"}
    loaded = load(fare_leg_rules=ZONES + "g,x,x,single\ng,y,x,month\ng,x,y,month\ng,y,y,month\n", **places)
    assert ("fare_leg_rules.txt", 3, "from_area_id") in warned(loaded)


def test_what_has_no_effect_or_no_room_on_the_card_is_a_warning() -> None:
    unsold = warned(load(fare_products=PRODUCTS))
    assert unsold == [("fare_products.txt", 3, "fare_product_id")]
    rolling = "[[passes]]\nproduct = 'month'\n[[caps]]\nid = 'c'\namount = 1000\nperiod = 'rolling'\ndays = 7"
    loaded = load(rolling)
    assert warned(loaded) == [("mancard.toml", 3, "")]
    assert "no room for cap c" in loaded.warnings[0].problem
    misspelt = load(fare_products=PRODUCTS.replace("fare_product_name", "fare_product_nam"))
    assert ("fare_products.txt", 1, "fare_product_nam") in warned(misspelt)
    exit_taps = load(fare_leg_rules=ZONES + "g,x,y,single\ng,y,x,month\n")
    assert ("mancard.toml", None, "tap_off") in warned(exit_taps)


def test_a_pass_whose_rides_no_card_can_count_is_a_fault() -> None:
    ten = "[[passes]]\nproduct = 'month'\nrides = 10\n"
    windows = "".join(f"[[windows]]\nid = '{each}'\nseconds = 3600\ntransfers = 9\n" for each in "abc")
    assert (
        told(load(ten + windows.replace("[[windows]]\nid = 'c'\nseconds = 3600\ntransfers = 9\n", ""))) == []
    )
    [fault] = load(ten + windows).faults
    assert (fault.file, fault.row) == ("mancard.toml", 1)
    assert "no room for pass month: its rides would not be counted" in fault.problem
    assert fault.mend.startswith("leave out window a or window b or window c,")
    phones = "fare_product_id,amount,currency,fare_media_id\nsingle,35000,IRR,\nmonth,1,IRR,phone\n"
    assert told(load(ten + windows, fare_products=phones)) == [], "no card holds it"
    pass_of_days = ten.replace("rides = 10", "starts = 'first_use'\nlength = 30")
    assert told(load(pass_of_days + windows)) == [], "the ledger settles it"


def test_a_fare_by_kilometres_needs_a_highest_where_riders_pay_it_at_tap_on() -> None:
    rate = "[[distance]]\nbase = 100\nper_km = 10\n[[passes]]\nproduct = 'month'\n"
    place = ("mancard.toml", 1, "distance[1].maximum")
    for tap_off in ("", "[tap_off]\ncharge = 'at_tap_off'\n"):
        loaded = load(rate + tap_off)
        assert (told(loaded), warned(loaded)) == ([], [place])
    on_board = load(rate + "[tap_off]\n")
    assert told(on_board) == [place]
    assert "charged the ride's beginning alone" in on_board.faults[0].problem
    assert told(load(rate.replace("base", "maximum = 900\nbase") + "[tap_off]\n")) == []


def test_travelling_further_never_costs_less_is_found_out() -> None:
    rising = (
        "[[distance]]\nbands = [{ up_to_m = 10, amount = 1 }, { amount = 2 }]\n[[passes]]\nproduct = 'month'"
    )
    falling = rising.replace("amount = 2", "amount = 0")
    for toml, expected in ((rising, True), (falling, False), ("", True)):
        loaded = load(toml)
        assert loaded.tariff is not None
        assert monotone(loaded.tariff) is expected
    assert "band 2 costs less than the band before" in load(falling).warnings[0].problem


def test_fares_by_area_are_compared_along_the_trips() -> None:
    products = "fare_product_id,amount,currency\nnear,2,IRR\nfar,{far},IRR\n"
    rules = ZONES + "".join(f"g,{a},{b},{'near' if a == b else 'far'}\n" for a in "xy" for b in "xy")
    trips = {
        "areas": "area_id\nx\ny\n", "stops": "stop_id\n1\n2\n", "stop_areas": "area_id,stop_id\nx,1\ny,2\n",
        "routes": "route_id\nr\n", "trips": "route_id,service_id,trip_id\nr,s,t\n",
        "stop_times": "trip_id,stop_id,stop_sequence,departure_time\nt,1,1,08:00:00\nt,1,2,\nt,2,3,\n",
    }  # fmt: skip
    for far, said in ((3, False), (1, True)):
        loaded = load(fare_products=products.format(far=far), fare_leg_rules=rules, **trips)
        assert told(loaded) == []
        assert (
            any("on route r x to y costs less than to x" in each.problem for each in loaded.warnings) is said
        )


def test_trips_that_cannot_be_read_are_a_warning() -> None:
    loaded = load(trips="route_id,trip_id\nr,t\n", stop_times="trip_id\nt\n")
    assert told(loaded) == []
    assert ("stop_times.txt", None, "") in warned(loaded)


def test_eight_thousand_rules_are_read_without_a_square() -> None:
    """Time is not measured here; a square of these would not end."""
    rules = ZONES + "".join(f"g,a{a},b{b},single\n" for a in range(90) for b in range(91))
    loaded = load(fare_leg_rules=rules)
    assert told(loaded) == []
    assert loaded.tariff is not None
    assert len(loaded.tariff.leg_rules) == 8190
