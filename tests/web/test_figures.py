from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from fare.web.figures import Figures

ZONE = ZoneInfo("Asia/Tehran")
FA = Figures("fa", "toman", ZONE)
EN = Figures("en", "rial", ZONE)
AT = datetime(2026, 11, 22, 20, 45, 5, tzinfo=UTC)


def test_numbers_and_amounts_follow_the_reader() -> None:
    assert (FA.number(12_480), EN.number(12_480)) == ("۱۲٬۴۸۰", "12,480")
    assert (FA.amount(1_505), EN.amount(1_505)) == ("۱۵۰٫۵ تومان", "1,505 rial")
    assert (FA.bare_amount(15_000), EN.bare_amount(-15_000)) == ("۱٬۵۰۰", "-15,000")
    assert (FA.plain(1200), EN.plain(1200)) == ("۱۲۰۰", "1200")


def test_days_and_times_are_the_citys() -> None:
    day = date(2026, 11, 22)
    assert (FA.day(day), EN.day(day)) == ("یکشنبه ۱ آذر ۱۴۰۵", "Sunday 22 November 2026")
    assert (FA.short_day(day), EN.short_day(day)) == ("۱۴۰۵/۰۹/۰۱", "2026-11-22")
    # 20:45 UTC is 00:15 of the next day in Tehran.
    assert (FA.moment(AT), EN.moment(AT)) == ("۱۴۰۵/۰۹/۰۲ ۰۰:۱۵:۰۵", "2026-11-23 00:15:05")
