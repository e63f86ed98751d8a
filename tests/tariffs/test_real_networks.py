"""Two real networks, priced whole: the stations of a metro, and a rural feed with its areas."""

from __future__ import annotations

import csv
import json
from typing import Any

from fare.core.tariff.context import Rule
from fare.core.tariff.loading import load_tariff
from fare.tariffs.cases import read_cases
from fare.tariffs.quoting import Quote, quote_cases
from fare.tariffs.source import open_tariff
from tests.tariffs.policies_as_cases import HERE

METRORAIL = HERE / "data" / "r5_dc_metrorail_od.csv"
"""https://github.com/conveyal/r5, MIT: fares between each two of 91 stations."""
TRANSCOLLINES = HERE.parent / "core" / "tariff" / "loading" / "data" / "gtfs-transcollines" / "feed.zip"
"""A whole live feed, https://github.com/transcollines/GTFS; its terms are beside it."""

# The whole difference between a senior's fares and everybody's.
SENIORS = """
[tariff]
zone = "America/New_York"

[[concessions]]
id = "senior"
name = "Half fare for seniors"
percent = 50
rounding = { unit = 0.05, direction = "down" }
rider_categories = ["senior"]

[tap_off]
charge = "at_tap_off"
"""


def cents(text: str) -> int:
    whole, _, part = text.partition(".")
    return int(whole) * 100 + int(part.ljust(2, "0") or 0)


def metrorail() -> tuple[dict[str, bytes], list[dict[str, str]]]:
    with METRORAIL.open(encoding="utf-8", newline="") as opened:
        pairs = list(csv.DictReader(opened))
    amounts = sorted({cents(pair["peak_fare"]) for pair in pairs})
    stations = sorted({pair["from_stop_id"] for pair in pairs})
    files = {
        "mancard.toml": SENIORS,
        "rider_categories.txt": "rider_category_id,rider_category_name,is_default_fare_category\n"
        "adult,Adult,1\nsenior,Senior,0\n",
        "areas.txt": "\n".join(["area_id", *stations, ""]),
        "fare_products.txt": "fare_product_id,fare_product_name,amount,currency\n"
        + "".join(f"p{each},Peak,{each / 100:.2f},USD\n" for each in amounts),
        "fare_leg_rules.txt": "from_area_id,to_area_id,fare_product_id\n"
        + "".join(
            f"{pair['from_stop_id']},{pair['to_stop_id']},p{cents(pair['peak_fare'])}\n" for pair in pairs
        ),
    }
    return {name: text.encode() for name, text in files.items()}, pairs


def quotes(tariff: Any, cases: list[dict[str, Any]]) -> list[Quote]:
    return quote_cases(tariff, read_cases(json.dumps({"cases": cases}).encode()))


def test_one_concession_with_one_rounding_gives_all_8190_senior_fares_of_a_metro() -> None:
    files, pairs = metrorail()
    loaded = load_tariff(files)
    assert loaded.tariff is not None, loaded.faults
    assert len(loaded.tariff.concessions) == 1
    riders = ("senior", "adult")
    cases = [
        {
            "id": f"{number} {rider}",
            "rider_category": rider,
            "taps": [
                {"at": "2026-03-04T08:00:00-05:00", "kind": "on", "area_id": pair["from_stop_id"]},
                {"at": "2026-03-04T08:30:00-05:00", "kind": "off", "area_id": pair["to_stop_id"]},
            ],
        }
        for number, pair in enumerate(pairs)
        for rider in riders[: 1 if number % 10 else 2]
    ]
    expected = {
        f"{number} {rider}": cents(pair["senior_fare" if rider == "senior" else "peak_fare"])
        for number, pair in enumerate(pairs)
        for rider in riders
    }
    found = quotes(loaded.tariff, cases)
    assert sum(quote.case_id.endswith("senior") for quote in found) == 8_190
    wrong = [(each.case_id, each.total, each.error) for each in found if each.total != expected[each.case_id]]
    assert not wrong
    assert {step.rule for step in found[0].taps[1].price.steps} >= {Rule.FARE, Rule.CONCESSION}


# What fare_leg_rules.txt of the feed says, cents; from Gatineau to Gatineau nobody may ride.
TRANSCOLLINES_FARES = {
    ("GAT", "COL"): 500,
    ("GAT", "PNT"): 2_000,
    ("COL", "COL"): 500,
    ("COL", "GAT"): 500,
    ("COL", "PNT"): 500,
    ("PNT", "COL"): 500,
    ("PNT", "GAT"): 2_000,
    ("PNT", "PNT"): 500,
    ("GAT", "GAT"): None,
}


def test_a_whole_real_feed_prices_and_explains_each_pair_of_its_areas() -> None:
    tariff = open_tariff(TRANSCOLLINES)
    stops: dict[str, str] = {}
    for stop, areas in sorted(tariff.stop_areas.items()):
        for area in areas:
            stops.setdefault(area, stop)
    wednesday, saturday, after_the_feed = "2026-04-15", "2026-04-18", "2026-09-16"
    cases = [
        {
            "id": f"{origin} {destination} {day}",
            "taps": [
                {"at": f"{day}T08:00:00-04:00", "kind": "on", "route_id": "910", "stop_id": stops[origin]},
                {
                    "at": f"{day}T08:40:00-04:00",
                    "kind": "off",
                    "route_id": "910",
                    "stop_id": stops[destination],
                },
            ],
        }
        for origin, destination in TRANSCOLLINES_FARES
        for day in (wednesday, saturday, after_the_feed)
    ]
    for quote in quotes(tariff, cases):
        origin, destination, day = quote.case_id.split()
        expected = None if day == after_the_feed else TRANSCOLLINES_FARES[origin, destination]
        assert quote.total == expected, quote.case_id
        assert (quote.error is None) == (expected is not None)
        assert all(tap.why.endswith(".") for tap in quote.taps)
        if expected is not None:
            assert f"{expected / 100:.2f} CAD" in quote.taps[1].why
            assert sum(tap.due or 0 for tap in quote.taps) == expected
