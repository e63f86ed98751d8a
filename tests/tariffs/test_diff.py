"""`mancard tariff diff`: who pays more, who pays less, and what it earns."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from fare.tariffs.cases import read_cases
from fare.tariffs.comparing import Comparison, Group, NotComparable, compare
from fare.tariffs.source import open_tariff
from tests.tariffs.commands import Run, tariff_command
from tests.tariffs.policies_as_cases import HERE, POLICIES

__all__ = ["tariff_command"]

CITY = HERE / "city"


def ride(route: str, day: int = 2) -> dict[str, str]:
    return {"at": f"2026-03-0{day}T08:00:00+03:30", "route_id": route}


CASES: list[dict[str, Any]] = [
    {"id": "commuter", "taps": [ride("5", day) for day in (2, 3, 4)]},
    {"id": "student", "rider_category": "student", "taps": [ride("5")]},
    {"id": "brt", "taps": [ride("brt-1")]},
    {"id": "coins", "fare_media": "cash", "taps": [ride("7")]},
    {"id": "ferry", "taps": [ride("ferry")]},
]


@pytest.fixture
def spring(tmp_path: Path) -> Path:
    """The city's next tariff: cards dearer, the BRT cheaper, cash as it was."""
    folder = tmp_path / "spring"
    shutil.copytree(CITY, folder)
    products = folder / "fare_products.txt"
    text = products.read_text(encoding="utf-8")
    products.write_text(text.replace("35000", "42000").replace("60000", "55000"), encoding="utf-8")
    return folder


def compared(old: Path, new: Path) -> Comparison:
    cases = read_cases(json.dumps({"cases": CASES}).encode())
    return compare(open_tariff(old, unfinished=True), open_tariff(new, unfinished=True), cases)


def test_riders_and_products_are_summed_over_what_both_tariffs_price(spring: Path) -> None:
    found = compared(CITY, spring)
    assert [(case.case_id, case.old, case.new, case.difference) for case in found.cases] == [
        ("commuter", 105_000, 126_000, 21_000),
        ("student", 17_000, 21_000, 4_000),
        ("brt", 60_000, 55_000, -5_000),
        ("coins", 40_000, 40_000, 0),
        ("ferry", None, None, None),
    ]
    assert found.total == Group("", 4, 222_000, 242_000, more=2, less=1)
    assert (found.total.difference, found.total.same, found.not_compared) == (20_000, 1, 1)
    assert found.by_category == (
        Group("adult", 3, 205_000, 221_000, more=1, less=1),
        Group("student", 1, 17_000, 21_000, more=1),
    )
    assert found.by_product == (
        Group("single", 5, 162_000, 187_000, more=4),
        Group("brt", 1, 60_000, 55_000, less=1),
    )
    assert sum(group.difference for group in found.by_product) == found.total.difference
    assert found.cases[4].error is not None
    assert found.cases[4].error.startswith("old tariff: cases[4].taps[0]: no rule")


def test_nothing_changes_between_a_tariff_and_itself() -> None:
    found = compared(CITY, CITY)
    assert {case.difference for case in found.cases} == {0, None}
    assert (found.total.more, found.total.less, found.total.difference) == (0, 0, 0)


def test_two_currencies_are_not_compared() -> None:
    with pytest.raises(NotComparable, match=r"in IRR with 0 decimals, the new one in USD with 2.* Do: "):
        compared(CITY, POLICIES / "omny-2022")


def test_the_table_and_the_facts(tariff_command: Run, spring: Path, tmp_path: Path) -> None:
    cases = tmp_path / "cases.json"
    cases.write_text(json.dumps({"cases": CASES[:4]}), encoding="utf-8")
    status, out, err = tariff_command("diff", CITY, spring, cases)
    assert (status, err) == (0, "")
    lines = out.splitlines()
    assert lines[1].split() == ["commuter", "adult", "105,000", "IRR", "126,000", "IRR", "+21,000", "IRR"]
    assert "coins" not in out
    assert lines[-1].split()[0] == "all"
    assert "+20,000 IRR" in lines[-1]
    status, out, _ = tariff_command("diff", CITY, spring, cases, "--json")
    document = json.loads(out)
    assert document["total"] == {
        "count": 4, "old": 222_000, "new": 242_000, "difference": 20_000, "more": 2, "less": 1, "same": 1,
    }  # fmt: skip
    assert [group["id"] for group in document["by_product"]] == ["single", "brt"]
    assert document["cases"][2] == {
        "id": "brt", "rider_category": "adult", "old": 60_000, "new": 55_000, "difference": -5_000,
    }  # fmt: skip
    # What cannot be compared is told, in Persian too, and the exit says so.
    cases.write_text(json.dumps({"cases": CASES}), encoding="utf-8")
    status, out, _ = tariff_command("diff", CITY, spring, cases, "--language", "fa")
    assert status == 1
    assert "قابل مقایسه نیست" in out
    assert "cases[4].taps[0]" in out
