"""Published fare policies of other cities, written as a stranger would from docs/tariff.md, to their boundaries.

The amounts are those that the cities published; what each case costs is worked out by hand from their texts.
"""

from __future__ import annotations

from fare.core.tariff.sentences import sentences
from tests.tariffs.written import dues, quote, tap, tariff

STATIONS = "stop_id,stop_name,stop_lat,stop_lon,parent_station|home,,0,0,|Hub,,0,0,|hub1,,0,0,Hub|hub2,,0,0,Hub|far,,0,0,"


def test_singapore_prices_the_length_of_the_whole_journey() -> None:
    """A change within 45 minutes of alighting goes on with the journey (simplygo.com.sg, travel fares)."""
    files = {
        "products": "fare_product_id,amount,currency|ride,1.28,SGD",
        "legs": "network_id,fare_product_id|bus,ride|rail,ride",
        "joins": "from_network_id,to_network_id,from_stop_id,to_stop_id|bus,bus,,|rail,rail,,|bus,rail,,",
        "stops": STATIONS,
    }
    toml = "[tap_off]\n[[distance]]\nbands = [{ up_to_m = 3200, amount = 1.28 }, { up_to_m = 4200, amount = 1.38 },"
    toml += (
        " { up_to_m = 5200, amount = 1.49 }, { amount = 2.56 }]\n[transfers]\njoin_within_seconds = 2700\n"
    )
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
