"""The report of a batch: what two people sign, and what a spreadsheet reads."""

from __future__ import annotations

import csv
import io
import re
from typing import Any
from zoneinfo import ZoneInfo

from fare.desk import Issued, facts
from fare.desk.context import LOCAL
from fare.desk.report import BatchReport
from tests.collection.bus import NOON

DONE = Issued(17, bytes.fromhex("04DE0000000011"), "MIFARE DESFire EV3", 2, 1, NOON, None)
ROWS: list[dict[str, Any]] = [
    {"name": "card 1", "result": facts(DONE), "error": None, "sentence": ""},
    {"name": "<b>", "result": None, "error": "card_torn", "sentence": "The card left <the> reader."},
    {"name": "=1+1", "result": None, "error": "something_new", "sentence": "=cmd()"},
]
REPORT = BatchReport("ارومیه", "omid", NOON, ZoneInfo("Asia/Tehran"), ROWS)


def test_the_page_is_persian_whole_and_to_be_signed() -> None:
    page = REPORT.html()
    assert page.startswith('<!doctype html>\n<html lang="fa" dir="rtl">')
    assert "یکشنبه ۱ آذر ۱۴۰۵، ۱۲:۰۰" in page
    assert "<td>۱۷</td>" in page
    assert "04DE0000000011" in page
    assert "۱۴۰۵/۰۹/۰۱ ۱۲:۰۰" in page
    assert re.search("کارت‌های صادرشده</dt><dd>۱</dd>", page)
    assert re.search("کارت‌های ناموفق</dt><dd>۲</dd>", page)
    assert "<dt>شماره کارت‌ها</dt><dd>۱۷</dd>" in page
    assert "<dt>صادرکننده</dt><dd>omid</dd>" in page
    assert page.count("نام و امضای") == 2
    assert "کارت از روی دستگاه برداشته شد" in page
    assert "@page { size: A4" in page


def test_the_ledgers_own_machine_and_a_batch_without_a_card_are_named_in_persian() -> None:
    page = BatchReport("ارومیه", LOCAL, NOON, ZoneInfo("Asia/Tehran"), ROWS[1:]).html()
    assert "<dt>صادرکننده</dt><dd>دفتر مرکزی</dd>" in page
    assert "<dt>شماره کارت‌ها</dt><dd>–</dd>" in page


def test_the_page_asks_nothing_of_other_places_and_runs_nothing() -> None:
    page = REPORT.html()
    assert "<b>" not in page
    assert "&lt;b&gt;" in page
    assert not re.search(r"https?:|//|<script|<link|url\(|@import", page)


def test_a_spreadsheet_reads_it_and_computes_nothing() -> None:
    heads, first, torn, strange = csv.reader(io.StringIO(REPORT.csv()))
    assert heads[2:8] == ["serial", "uid", "chip", "key_generation", "first_proof", "issued_at"]
    assert first[2:] == [
        "17", "04DE0000000011", "MIFARE DESFire EV3", "2", "1", "2026-11-22T12:00:00+03:30", "issued",
    ]  # fmt: skip
    assert torn[-1] == "The card left <the> reader."
    assert (strange[1], strange[-1]) == ("'=1+1", "'=cmd()")
