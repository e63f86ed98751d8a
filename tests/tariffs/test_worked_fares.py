"""The worked fares of public sources, each priced by a tariff folder of ours: data, no code.

Every case is expressed. One is told differently on purpose, `otpv2-chain-diverges`: see there.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from fare.core.tariff.loading import load_tariff
from fare.core.tariff.matching import matched_rules
from fare.core.tariff.model import Tariff
from fare.tariffs.cases import read_cases
from fare.tariffs.quoting import Quote, quote_cases
from fare.tariffs.source import open_tariff, read_tariff_files
from tests.tariffs.policies_as_cases import POLICIES, TAPS, WORKED, as_case, worked

RAIL_FARE = 240
"""Of the hopper folder: its source gives none."""


def quotes(tariff: Tariff, cases: list[dict[str, Any]]) -> list[Quote]:
    return quote_cases(tariff, read_cases(json.dumps({"cases": cases}).encode()))


def journeys(quote: Quote, case: dict[str, Any]) -> list[int | None]:
    """What each tap of the source cost: there a journey is one entry, here its two taps are."""
    dues = [tap.due for tap in quote.taps]
    if len(dues) == len(case["taps"]):
        return dues
    return [(on or 0) + (off or 0) for on, off in zip(dues[::2], dues[1::2], strict=True)]


@pytest.mark.parametrize("policy", sorted(TAPS))
def test_the_policy_charges_what_its_source_says(policy: str) -> None:
    tariff = open_tariff(POLICIES / policy, unfinished=True)
    cases = worked(policy)
    wrong: list[str] = []
    for case, quote in zip(cases, quotes(tariff, [as_case(case) for case in cases]), strict=True):
        expected = case["expect"]
        if "error" in expected:
            if quote.error is None or quote.total is not None:
                wrong.append(f"{case['id']}: {quote.total}, not refused")
            continue
        total = quote.refund if policy == "suica-refund" else quote.total
        if quote.error is not None or ("total" in expected and total != expected["total"]):
            wrong.append(f"{case['id']}: {total}, not {expected.get('total')} {quote.error or ''}")
        per_tap = [RAIL_FARE if each == "rail_fare" else each for each in expected.get("per_tap", [])]
        if per_tap and journeys(quote, case) != per_tap:
            wrong.append(f"{case['id']}: {journeys(quote, case)}, not {per_tap}")
    assert not wrong


@pytest.mark.parametrize("case", worked("geektrust-metro"), ids=lambda case: case["id"])
def test_the_metro_collects_at_each_station_what_its_source_says(case: dict[str, Any]) -> None:
    balances = {tap["card"]: tap["bal"] for tap in case["taps"] if "bal" in tap}
    rides = [
        (f"2026-03-04T08:{minute:02}:00+00:00", tap) for minute, tap in enumerate(case["taps"]) if "at" in tap
    ]
    cards = list(dict.fromkeys(tap["card"] for _, tap in rides))
    found = quotes(
        open_tariff(POLICIES / "geektrust-metro"),
        [
            {
                "id": card,
                "rider_category": next(tap["rider"] for _, tap in rides if tap["card"] == card),
                "balance": balances.get(card, 1_000),
                "taps": [{"at": at, "area_id": tap["at"]} for at, tap in rides if tap["card"] == card],
            }
            for card in cards
        ],
    )
    stations: dict[str, dict[str, int]] = {}
    for card, quote in zip(cards, found, strict=True):
        assert quote.error is None
        for (_, tap), quoted in zip(
            [each for each in rides if each[1]["card"] == card], quote.taps, strict=True
        ):
            station = stations.setdefault(tap["at"], {"collected": 0, "discount": 0})
            station["collected"] += quoted.due or 0
            station["discount"] += quoted.price.steps[0].amount - quoted.price.fare
    if "total" in case["expect"]:
        assert [tap.due for tap in found[0].taps] == case["expect"]["per_tap"]
        assert found[0].total == case["expect"]["total"]
    else:
        assert stations == case["expect"]


# Folder, and what each leg costs a rider who buys the cheapest of the offers that OpenTripPlanner makes.
CHAINS = {
    "otpv2-AAB": ("networks", [500, 0, 100]),
    "otpv2-ABA": ("networks", [500, 100, 0]),
    # Free from B to A, then the price from A to B: S+BC, as the GTFS reference adds up a chain of type 0.
    "otpv2-BAB": ("networks", [500, 0, 100]),
    "otpv2-count1-2h": ("count", [500, 0, 500, 0]),
    "otpv2-type0-over": ("costed-type0", [500, 500]),
    "otpv2-type0-under": ("costed-type0", [500, 100]),
    "otpv2-type1-out": ("costed-type1", [500, 500]),
    # OpenTripPlanner measures the third leg from the second and lets it ride free; GTFS measures it
    # from the first leg that the rule matched, 12 minutes before: the third leg pays anew.
    "otpv2-chain-diverges": ("free-type1", [500, 0, 500]),
}


def legs(case: dict[str, Any]) -> list[dict[str, Any]]:
    taps: list[dict[str, Any]] = []
    for index, leg in enumerate(case["taps"]):
        if "-" not in leg:
            taps.append({"at": f"2026-03-04T10:{10 * index:02}:00+01:00", "route_id": leg})
            continue
        on, off = leg.split("-")
        taps.append({"at": f"2026-03-04T{on}:00+01:00", "kind": "on", "route_id": "A"})
        taps.append({"at": f"2026-03-04T{off}:00+01:00", "kind": "off", "route_id": "A"})
    return taps


@pytest.mark.parametrize("case_id", sorted(CHAINS))
def test_opentripplanner(case_id: str) -> None:
    folder, expected = CHAINS[case_id]
    case = next(each for each in worked("otp-v2") if each["id"] == case_id)
    tariff = open_tariff(POLICIES / "otp-v2" / folder)
    (quote,) = quotes(tariff, [{"id": case_id, "taps": legs(case), "until": "2026-03-05T00:00:00+01:00"}])
    assert quote.error is None
    assert journeys(quote, case) == expected


def test_a_transfer_keeps_its_limit_by_each_way_to_measure_it() -> None:
    files = dict(read_tariff_files(POLICIES / "otp-v2" / "limit"))
    cases = [case for case in worked("otp-v2") if "within" in case["expect"]]
    assert len(cases) == 8
    for case in cases:
        limit, kind = (part.split("=")[1].rstrip("s") for part in case["rules"].split())
        rules = files["fare_transfer_rules.txt"].replace(b"1200,0,", f"{limit},{kind},".encode())
        tariff = load_tariff({**files, "fare_transfer_rules.txt": rules}).tariff
        assert tariff is not None
        (quote,) = quotes(tariff, [{"id": case["id"], "taps": legs(case)}])
        assert journeys(quote, case)[1] == (0 if case["expect"]["within"] else 500), case["id"]


@pytest.mark.parametrize(
    "case", [case for case in worked("otp-v2") if "matched" in case["expect"]], ids=lambda case: case["id"]
)
def test_the_leg_rules_match_as_their_priorities_say(case: dict[str, Any]) -> None:
    tariff = open_tariff(POLICIES / "otp-v2" / case["id"].removeprefix("otpv2-"))
    at_s = 1_772_600_000
    matched = matched_rules(tariff, "A", frozenset({"A1"}), frozenset({"A1"}), at_s, at_s)
    assert sorted(rule.leg_group_id for rule in matched) == case["expect"]["matched"]


def test_no_worked_fare_is_left_out() -> None:
    tried = set(TAPS) | {"geektrust-metro", "otp-v2"}
    assert {case["policy"] for case in WORKED} == tried
    assert len(WORKED) == 137
    chains = {
        case["id"]
        for case in worked("otp-v2")
        if "within" not in case["expect"] and "matched" not in case["expect"]
    }
    assert chains == set(CHAINS)
    for policy in tried:
        folder = POLICIES / policy
        readmes = list(folder.rglob("README.md"))
        assert readmes, f"{policy} names no source"
        assert all("Source: " in readme.read_text(encoding="utf-8") for readme in readmes)
