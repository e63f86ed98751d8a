"""`mancard tariff quote`: the JSON that docs/tariff.md promises, on a city with a window and passes."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from fare.core.tariff.loading import TariffFaults
from fare.tariffs.cases import read_cases
from fare.tariffs.quoting import Quote, quote_cases
from fare.tariffs.source import open_tariff
from tests.tariffs.commands import Run, tariff_command
from tests.tariffs.policies_as_cases import HERE, POLICIES

__all__ = ["tariff_command"]

CITY = HERE / "city"


def at(clock: str, day: str = "2026-03-04") -> str:
    return f"{day}T{clock}:00+03:30" if clock.count(":") == 1 else f"{day}T{clock}+03:30"


def bus(clock: str, vehicle: str | None = None, **more: object) -> dict[str, Any]:
    return {"at": at(clock), "route_id": "5", "vehicle_id": vehicle, **more}


def quoted(*taps: dict[str, Any], folder: Path = CITY, **case: object) -> Quote:
    document = {"cases": [{"id": "case", "taps": list(taps), **case}]}
    (quote,) = quote_cases(open_tariff(folder, unfinished=True), read_cases(json.dumps(document).encode()))
    return quote


def dues(quote: Quote) -> list[int | None]:
    assert quote.error is None
    return [tap.due for tap in quote.taps]


def rules(quote: Quote) -> list[str]:
    return [tap.rule.value for tap in quote.taps]


def test_the_results_are_the_contract_to_the_key(tariff_command: Run, tmp_path: Path) -> None:
    cases = tmp_path / "cases.json"
    rides = {"id": "rides", "taps": [bus("08:00", "v1"), bus("08:59:59", "v2"), bus("09:00", "v3")]}
    ferry = {"id": "ferry", "taps": [bus("08:00"), {"at": at("09:00"), "route_id": "ferry"}]}
    cases.write_text(json.dumps({"cases": [rides, ferry]}), encoding="utf-8")
    status, out, err = tariff_command("quote", CITY, cases)
    assert (status, err) == (1, "")
    document = json.loads(out)
    assert list(document) == ["results"]
    first, second = document["results"]
    assert {key: first[key] for key in ("id", "total")} == {"id": "rides", "total": 70_000}
    assert [list(tap) for tap in first["taps"]] == [
        ["charge", "adjustment", "product", "why", "rule", "boards"]
    ] * 3
    assert [tap["charge"] for tap in first["taps"]] == [35_000, 0, 35_000]
    assert [tap["adjustment"] for tap in first["taps"]] == [0, 0, 0]
    assert [tap["product"] for tap in first["taps"]] == ["single"] * 3
    assert "35,000" in first["taps"][0]["why"]
    assert "transfer" in first["taps"][1]["why"]
    assert "is free" in first["taps"][1]["why"]
    # The ferry has no fare: unknown is never zero.
    assert (second["total"], second["taps"][1]["charge"], second["taps"][1]["boards"]) == (None, None, False)
    assert second["error"].startswith("cases[1].taps[1]: no rule of the tariff prices this ride. Do: ")
    # In Persian, into a file, and without a fault: status 0.
    cases.write_text(json.dumps({"cases": [rides]}), encoding="utf-8")
    out_file = tmp_path / "out.json"
    assert tariff_command("quote", CITY, cases, "--language", "fa", "--out", out_file) == (0, "", "")
    told = json.loads(out_file.read_text(encoding="utf-8"))["results"][0]
    assert "۳۵٬۰۰۰" in told["taps"][0]["why"]
    assert told["total"] == 70_000


def test_what_cannot_be_read_is_one_sentence_and_status_2(tariff_command: Run, tmp_path: Path) -> None:
    cases = tmp_path / "cases.json"
    cases.write_text("{", encoding="utf-8")
    status, out, err = tariff_command("quote", CITY, cases)
    assert (status, out) == (2, "")
    assert err.startswith(f"mancard: {cases}: it is no JSON at line 1")
    cases.write_text('{"cases": []}', encoding="utf-8")
    assert tariff_command("quote", CITY, cases) == (0, '{\n "results": []\n}\n', "")
    status, _, err = tariff_command("quote", CITY, cases, "--language", "de")
    assert (status, err) == (2, 'mancard: --language: "de" is not known. Do: write fa or en.\n')
    status, _, err = tariff_command("quote", CITY, cases, "--out", tmp_path / "no" / "folder.json")
    assert status == 2
    assert "cannot be written" in err
    broken = tmp_path / "broken"
    broken.mkdir()
    (broken / "fare_products.txt").write_text("fare_product_id,amount,currency\na,x,IRR\nb,1,EUR\n")
    status, _, err = tariff_command("quote", broken, cases)
    assert status == 2
    assert "fare_leg_rules.txt" in err
    assert "row 2" in err
    assert "Traceback" not in err


def test_a_tariff_that_is_not_finished_can_be_tried_but_not_used() -> None:
    with pytest.raises(TariffFaults, match=r"no rule gives a fare on route .*ferry"):
        open_tariff(CITY)
    assert quoted(bus("08:00")).total == 35_000


def test_a_faulty_case_is_told_and_the_others_are_priced(tariff_command: Run, tmp_path: Path) -> None:
    cases = tmp_path / "cases.json"
    faulty = {"id": "faulty", "rider_category": "studnet", "taps": [bus("08:00", rout_id="5")]}
    cases.write_text(json.dumps({"cases": [faulty, {"id": "b", "taps": [bus("08:00")]}]}), encoding="utf-8")
    status, out, _ = tariff_command("quote", CITY, cases)
    assert status == 1
    first, second = json.loads(out)["results"]
    assert first["taps"] == []
    assert 'cases[0].taps[0].rout_id: there is no such key. Do: write "route_id"' in first["error"]
    assert (
        'cases[0].rider_category: the tariff has no rider category "studnet". Do: write "student"'
        in first["error"]
    )
    assert (second["total"], "error" in second) == (35_000, False)


def test_an_id_the_tariff_does_not_know_is_a_fault_with_the_nearest() -> None:
    wrong: list[tuple[dict[str, Any], dict[str, Any], str]] = [
        ({}, {"fare_media": "urmia_card"}, 'write "urmia-card"'),
        ({}, {"passes": [{"product": "monht"}]}, 'write "month"'),
        ({"area_id": "nroth"}, {}, 'write "north"'),
        ({"route_id": "brt-2"}, {}, 'write "brt-1"'),
        ({}, {"rider_category": "x"}, 'use one of "adult", "student"'),
    ]
    for tap, case, told in wrong:
        quote = quoted(bus("08:00") | tap, **case)
        assert quote.error is not None
        assert told in quote.error
        assert (quote.total, quote.taps) == (None, ())


def test_taps_are_priced_in_order_of_time_and_told_in_the_order_given() -> None:
    taps = [bus("11:00", "d"), bus("08:00", "a"), bus("09:30", "c"), bus("08:30", "b"), bus("13:00", "e")]
    quote = quoted(*taps)
    # 35,000, a free transfer, 35,000, what the day's cap of 90,000 leaves, nothing more.
    assert dues(quote) == [20_000, 35_000, 35_000, 0, 0]
    assert quote.total == 90_000
    assert rules(quote) == ["cap", "fare", "fare", "window", "cap"]


def test_taps_of_one_instant_are_taken_in_the_order_given() -> None:
    brt = {"at": at("08:00"), "route_id": "brt-1", "vehicle_id": "z"}
    short: dict[str, Any] = {"balance": 60_000}
    assert [tap.boards for tap in quoted(brt, bus("08:00", "a"), **short).taps] == [True, False]
    assert [tap.boards for tap in quoted(bus("08:00", "a"), brt, **short).taps] == [True, False]
    fractions = [bus("08:00:00.9", "a"), {**brt, "at": at("08:00:00.1")}]
    assert [tap.boards for tap in quoted(*fractions, **short).taps] == [False, True]


def test_pass_back_companions_and_persons() -> None:
    quote = quoted(bus("08:00:00", "v1"), bus("08:00:04", "v1"), bus("08:00:05", "v1"), bus("12:00", pax=2))
    assert dues(quote)[:3] == [35_000, 0, 35_000]
    assert rules(quote)[1:3] == ["pass_back", "companions"]
    three = quoted(bus("08:00", pax=3))
    assert three.total == 105_000
    assert "105,000" in three.taps[0].why
    assert not quoted(bus("08:00", pax=11)).taps[0].boards


def test_who_gets_off_leaves_the_vehicle_that_was_boarded() -> None:
    there, off = {"trip_id": "a"}, {"at": at("08:10"), "kind": "off"}
    again = quoted(bus("08:00", "v1", **there), off, bus("08:20", "v1", **there))
    assert dues(again) == [35_000, 0, 35_000], "the same trip is no transfer"
    other = quoted(bus("08:00", "v1", **there), off, bus("08:20", "v1", trip_id="b"))
    assert dues(other) == [35_000, 0, 0]


def test_medium_and_category_decide() -> None:
    for media, amount in (("coins", 40_000), ("cash", 40_000), ("urmia-card", 35_000), ("card", 35_000),
                          ("phone", 35_000), (None, 35_000)):  # fmt: skip
        assert quoted(bus("08:00"), fare_media=media).total == amount
    assert quoted(bus("08:00"), rider_category="student").total == 17_000


def test_a_pass_holds_for_whole_service_days_its_last_included() -> None:
    held = [{"product": "month", "valid_from": "2026-03-04", "valid_until": "2026-03-05"}]
    taps = [
        {"at": at("01:59:59")},
        {"at": at("03:00")},
        {"at": at("23:00", "2026-03-05")},
        {"at": at("02:59:59", "2026-03-06")},
        {"at": at("03:00", "2026-03-06")},
    ]
    quote = quoted(*({**tap, "route_id": "5"} for tap in taps), passes=held)
    assert dues(quote) == [35_000, 0, 0, 0, 35_000]
    assert rules(quote)[1:4] == ["pass"] * 3
    # Only from when is known: the product's 30 days tell until when.
    held = [{"product": "month", "valid_from": "2026-03-04"}]
    taps = [{"at": at("02:00", "2026-04-03")}, {"at": at("04:00", "2026-04-03")}]
    assert dues(quoted(*({**tap, "route_id": "5"} for tap in taps), passes=held)) == [0, 35_000]
    # To the second, exclusive by default; and never on the BRT.
    held = [{"product": "month", "valid_until": "2026-03-04T09:00:00+03:30"}]
    assert dues(quoted(bus("08:59:59"), bus("09:00"), passes=held)) == [0, 35_000]
    assert quoted({"at": at("08:00"), "route_id": "brt-1"}, passes=held).total == 60_000


def test_rides_run_out() -> None:
    taps = [bus("08:00"), bus("10:00"), bus("12:00")]
    assert dues(quoted(*taps, passes=[{"product": "ten", "rides_left": 2}])) == [0, 0, 35_000]
    assert dues(quoted(*taps, passes=[{"product": "ten", "rides_left": 0}])) == [35_000, 35_000, 20_000]
    many = [{"at": at("08:00", f"2026-03-{day:02}"), "route_id": "5"} for day in range(1, 13)]
    assert quoted(*many, passes=[{"product": "ten"}]).total == 70_000
    both = [{"product": "ten", "rides_left": 1}, {"product": "month", "valid_until": "2026-03-04"}]
    assert [tap.price.pass_product_id for tap in quoted(*taps, passes=both).taps] == ["month"] * 3


def test_the_purse_runs_down_and_a_refusal_says_so() -> None:
    quote = quoted(bus("08:00"), bus("10:00"), balance=50_000)
    assert [(tap.charge, tap.boards) for tap in quote.taps] == [(35_000, True), (0, False)]
    assert rules(quote) == ["fare", "short_purse"]
    assert quote.total == 35_000
    assert not quoted(bus("08:00"), balance=-1).taps[0].boards


def test_a_refund_gives_back_the_purse_less_the_fee_and_the_deposit() -> None:
    for balance, rides, back in (
        (150_000, 2, 160_000),
        (50_000, 1, 100_000),
        (0, 0, 100_000),
        (-30_000, 0, 70_000),
    ):
        taps = [bus(clock) for clock in ("08:00", "10:00")[:rides]]
        assert quoted(*taps, balance=balance, refund=True).refund == back


def test_a_ride_without_its_end_costs_what_the_tariff_says_once_until_has_come() -> None:
    three_stops = POLICIES / "littlepay-exercise"
    on = {"at": "2023-01-22T09:20:00+00:00", "kind": "on", "stop_id": "Stop3"}
    still_open = quoted(on, folder=three_stops)
    assert dues(still_open) == [0]
    assert "settled at tap-off" in still_open.taps[0].why
    closed = quoted(on, folder=three_stops, until="2023-01-22T10:00:00+00:00")
    assert [(tap.charge, tap.adjustment) for tap in closed.taps] == [(0, 730)]
    assert closed.total == 730
    assert "incomplete" in rules(closed)


@pytest.mark.parametrize(
    "folder", sorted(path.parent for path in POLICIES.rglob("fare_products.txt")), ids=str
)
def test_no_folder_makes_a_quote_stumble_over_a_bare_tap(folder: Path) -> None:
    """Every id is optional: what a tariff needs and does not get is an unknown fare, told in a sentence."""
    quote = quoted({"at": at("08:00")}, {"at": at("08:10"), "kind": "off"}, folder=folder, until=at("09:00"))
    assert (quote.error is None) == (quote.total is not None)
    assert all(tap.why for tap in quote.taps)
