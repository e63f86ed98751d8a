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
