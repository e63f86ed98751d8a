"""The worked fares of cases/fares.json as cases for `mancard tariff quote`: one small table per policy.

The sources write taps in their own ways (minutes, agencies, zones, cards); here each becomes our JSON.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

HERE = Path(__file__).parent
POLICIES = HERE / "policies"
WORKED: list[dict[str, Any]] = json.loads((HERE / "cases" / "fares.json").read_text(encoding="utf-8"))[
    "cases"
]

Taps = list[dict[str, Any]]


def worked(policy: str) -> list[dict[str, Any]]:
    """The worked fares of one policy."""
    return [case for case in WORKED if case["policy"] == policy]


def _minutes(zone: str, start: str = "2026-03-04T08:00") -> Callable[[float], str]:
    first = datetime.fromisoformat(start).replace(tzinfo=ZoneInfo(zone))
    return lambda minutes: (first + timedelta(minutes=minutes)).isoformat()


def _tigercard(case: Mapping[str, Any]) -> Taps:
    taps: Taps = []
    for tap in case["taps"]:
        at = datetime.fromisoformat(f"{tap['t']}:00+00:00")
        taps.append({"at": at.isoformat(), "kind": "on", "area_id": str(tap["from_zone"])})
        ended = at + timedelta(minutes=5)
        taps.append({"at": ended.isoformat(), "kind": "off", "area_id": str(tap["to_zone"])})
    return taps


def _littlepay(case: Mapping[str, Any]) -> Taps:
    return [
        {"at": f"{tap['t']}+00:00", "kind": tap["dir"].lower(), "stop_id": tap["stop"]}
        for tap in case["taps"]
    ]


def _orca(case: Mapping[str, Any]) -> Taps:
    at = _minutes("America/Los_Angeles")
    return [{"at": at(tap["min"]), "route_id": tap["agency"]} for tap in case["taps"]]


def _hfw150(case: Mapping[str, Any]) -> Taps:
    at = _minutes("UTC", "2026-03-04T00:00")
    return [{"at": at(tap["sec"] / 60), "route_id": tap["route"]} for tap in case["taps"]]


def _translink(case: Mapping[str, Any]) -> Taps:
    routes = {"bus": "10232", "skytrain_seabus": "13686"}
    taps: Taps = []
    for tap in case["taps"]:
        on = datetime.fromisoformat(tap["t"]).replace(tzinfo=ZoneInfo("America/Vancouver"))
        journey = {"route_id": routes[tap["network"]]}
        if "from_area" not in tap:
            taps.append({"at": on.isoformat(), **journey})
            continue
        taps.append({"at": on.isoformat(), "kind": "on", "area_id": tap["from_area"], **journey})
        off = on + timedelta(minutes=15)
        taps.append({"at": off.isoformat(), "kind": "off", "area_id": tap["to_area"], **journey})
    return taps


def _by_minute(zone: str, route: str | None = None) -> Callable[[Mapping[str, Any]], Taps]:
    def taps(case: Mapping[str, Any]) -> Taps:
        saturday = any(tap.get("day") == "Sat" for tap in case["taps"])
        at = _minutes(zone, "2026-03-07T08:00" if saturday else "2026-03-04T08:00")
        return [
            {"at": at(tap.get("min", 0))}
            | ({"route_id": route or tap["mode"]} if route or "mode" in tap else {})
            for tap in case["taps"]
        ]

    return taps


def _media_price(case: Mapping[str, Any]) -> Taps:
    return [{"at": "2026-03-04T08:00:00-08:00", "route_id": tap["agency"]} for tap in case["taps"]]


def _omny(case: Mapping[str, Any]) -> Taps:
    # Eight hours apart from Monday morning on: within one week, and no ride can be a transfer.
    at = _minutes("America/New_York", "2022-06-13T07:00")
    return [{"at": at(480 * ride), "route_id": "local"} for ride in range(case["taps"][0]["n"])]


def _one_ride(case: Mapping[str, Any]) -> Taps:
    tap: dict[str, Any] = {"at": "2026-03-04T08:00:00+03:30"}
    if case["taps"][0].get("device") == "out_of_service":
        tap["validator_status"] = "out_of_service"
    return [tap]


TAPS: dict[str, Callable[[Mapping[str, Any]], Taps]] = {
    "tigercard": _tigercard,
    "littlepay-exercise": _littlepay,
    "orca-otp": _orca,
    "hfw150": _hfw150,
    "translink-faresv2": _translink,
    "mta-md": _by_minute("America/New_York", "core"),
    "media-price": _media_price,
    "omny-2022": _omny,
    "tfl-hopper-2018": _by_minute("Europe/London"),
    "myki": _by_minute("Australia/Melbourne"),
    "qazvin-1404": _one_ride,
    "tehran-broken-reader": _one_ride,
    "suica-refund": lambda _: [],
}
RIDERS: dict[str, Mapping[str, str]] = {
    "orca-otp": {"adult": "adult", "senior": "senior", "youth": "youth", "low-income": "low-income"},
    "translink-faresv2": {"adult": "adult", "concession": "concession"},
    "omny-2022": {"adult": "full", "reduced": "reduced"},
    "myki": {"adult": "full", "concession": "concession"},
}
# The guide prices SkyTrain by contactless alone, and its cases name no medium.
MEDIA: dict[str, Mapping[str | None, str]] = {
    "translink-faresv2": {None: "contactless", "contactless": "contactless", "card": "card"},
    "media-price": {"cash": "cash", "card": "card", "cEMV": "cemv"},
    "orca-otp": {"cash": "cash", "card": "card"},
    "qazvin-1404": {"cash": "cash", "card": "card"},
}


def as_case(case: Mapping[str, Any]) -> dict[str, Any]:
    """One worked fare as a case of `mancard tariff quote`."""
    policy = case["policy"]
    taps = TAPS[policy](case)
    found: dict[str, Any] = {"id": case["id"], "taps": taps}
    if policy in RIDERS:
        found["rider_category"] = RIDERS[policy][case["rider"]]
    if policy in MEDIA:
        found["fare_media"] = MEDIA[policy][case.get("media")]
    if policy == "littlepay-exercise":
        last = max(datetime.fromisoformat(tap["at"]) for tap in taps)
        found["until"] = (last + timedelta(days=1)).isoformat()
    if policy == "suica-refund":
        found |= {"balance": case["taps"][0]["balance"], "refund": True}
    return found
