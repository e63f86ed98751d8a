"""`mancard tariff check`, as finance calls it."""

from __future__ import annotations

import json
from pathlib import Path

from tests.tariffs.commands import Run, tariff_command

__all__ = ["tariff_command"]

FEED = (
    Path(__file__).parent.parent / "core" / "tariff" / "loading" / "data" / "gtfs-transcollines" / "feed.zip"
)


def _folder(folder: Path, amount: str) -> Path:
    (folder / "fare_products.txt").write_text(f"fare_product_id,amount,currency\nsingle,{amount},IRR\n")
    (folder / "fare_leg_rules.txt").write_text("fare_product_id\nsingle\n")
    return folder


def test_a_good_folder_passes(tmp_path: Path, tariff_command: Run) -> None:
    status, told, _ = tariff_command("check", _folder(tmp_path, "35000"))
    assert status == 0
    assert told == "The tariff has no fault (1 product, 1 leg rule, in IRR), 0 warnings.\n"


def test_a_fault_is_told_with_its_place_and_its_mend(tmp_path: Path, tariff_command: Run) -> None:
    status, told, _ = tariff_command("check", _folder(tmp_path, "35k"))
    assert status == 1
    assert told.splitlines()[0] == (
        "Fault: fare_products.txt, row 2, column amount: '35k' is not an amount. "
        "Do: write digits with a point and no other marks, such as 35000."
    )
    assert told.splitlines()[-1] == "The tariff cannot be used: 1 fault, 0 warnings."


def test_programs_get_json(tmp_path: Path, tariff_command: Run) -> None:
    status, told, _ = tariff_command("check", _folder(tmp_path, "35k"), "--json")
    [fault] = json.loads(told)["faults"]
    assert status == 1
    assert (fault["file"], fault["row"], fault["column"]) == ("fare_products.txt", 2, "amount")


def test_a_real_feed_passes_with_warnings(tariff_command: Run) -> None:
    status, told, _ = tariff_command("check", FEED)
    assert status == 0
    assert told.count("Warning: ") == 4


def test_a_folder_that_is_not_there_is_one_sentence(tmp_path: Path, tariff_command: Run) -> None:
    status, told, _ = tariff_command("check", tmp_path / "nowhere")
    assert status == 1
    assert "nowhere: there is no such folder or zip file. Do: give the path of one." in told
