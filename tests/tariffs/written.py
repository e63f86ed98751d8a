"""Writes small tariffs and cases for tests: CSV and TOML as finance would, priced through `quote_case`."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from fare.core.tariff.loading import load_tariff
from fare.core.tariff.model import Tariff
from fare.tariffs.cases import read_cases
from fare.tariffs.quoting import Quote, quote_case

FILES = {
    "areas": "areas.txt",
    "cal": "calendar.txt",
    "dates": "calendar_dates.txt",
    "cats": "rider_categories.txt",
    "joins": "fare_leg_join_rules.txt",
    "legs": "fare_leg_rules.txt",
    "media": "fare_media.txt",
    "products": "fare_products.txt",
    "routes": "routes.txt",
    "stop_areas": "stop_areas.txt",
    "stops": "stops.txt",
    "times": "timeframes.txt",
    "toml": "mancard.toml",
    "transfers": "fare_transfer_rules.txt",
}
RIDE = {"products": "fare_product_id,amount,currency|ride,10000,IRR", "legs": "fare_product_id|ride"}
"""One product for every leg."""


def tariff(**files: str) -> Tariff:
    """A tariff of these files; `|` ends a row. Leg rules without a fare are allowed."""
    written = {FILES[name]: text.replace("|", "\n").encode() for name, text in files.items()}
    loaded = load_tariff(written, unfinished=True)
    assert loaded.tariff is not None, loaded.faults
    return loaded.tariff


def tap(clock: str, kind: str = "on", **ids: object) -> dict[str, Any]:
    """A tap in Tehran: at 08:00 on 4 March 2026, 05T08:00 on another day of March, 04-01T08:00 of 2026."""
    day, _, time = clock.rpartition("T")
    day = {0: "2026-03-04", 2: f"2026-03-{day}", 5: f"2026-{day}"}[len(day)]
    seconds = time if time.count(":") == 2 else f"{time}:00"
    return {"at": f"{day}T{seconds}+03:30", "kind": kind} | ids


def quote(priced_by: Tariff, *taps: Mapping[str, Any] | str, **case: object) -> Quote:
    """The quote of one case; a tap may be its time alone."""
    listed = [tap(each) if isinstance(each, str) else each for each in taps]
    (read,) = read_cases(json.dumps({"cases": [{"id": "case", "taps": listed, **case}]}).encode())
    return quote_case(priced_by, read)


def dues(priced_by: Tariff, *taps: Mapping[str, Any] | str, **case: object) -> list[int | None]:
    """What each tap costs in the end."""
    return [each.due for each in quote(priced_by, *taps, **case).taps]
