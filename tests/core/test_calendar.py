from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fare.core.calendar import (
    BadCalendarText,
    Calendar,
    NaiveDatetime,
    jalali,
    jalali_numeric,
    month_bounds,
    month_key,
    parse_day,
    parse_jalali,
    service_day,
    service_day_bounds,
)

TEHRAN = ZoneInfo("Asia/Tehran")
# Summer time that jumps at night, in the evening, over midnight and by half an hour.
ZONES = [
    TEHRAN,
    *map(
        ZoneInfo,
        ("UTC", "Europe/Berlin", "America/St_Johns", "Africa/Cairo", "Australia/Lord_Howe", "Asia/Beirut"),
    ),
]

instants = st.datetimes(datetime(1990, 1, 1), datetime(2060, 1, 1), timezones=st.just(UTC))  # noqa: DTZ001
starts = st.times().map(lambda at: at.replace(second=0, microsecond=0))
days = st.dates(date(1925, 3, 22), date(2100, 1, 1))


@pytest.mark.parametrize(
    ("local", "day"),
    [
        ("2026-11-22T03:59:59.999999", date(2026, 11, 21)),
        ("2026-11-22T04:00:00", date(2026, 11, 22)),
        ("2026-11-22T23:59:59", date(2026, 11, 22)),
        ("2026-11-23T00:30:00", date(2026, 11, 22)),
    ],
)
def test_a_night_ride_belongs_to_the_evening_before(local: str, day: date) -> None:
    at = datetime.fromisoformat(local).replace(tzinfo=TEHRAN)
    assert service_day(at, TEHRAN) == day
    assert service_day(at.astimezone(UTC), TEHRAN) == day


def test_bounds_are_utc() -> None:
    start, end = service_day_bounds(date(2026, 11, 22), TEHRAN)
    assert start == datetime(2026, 11, 22, 0, 30, tzinfo=UTC)
    assert end == datetime(2026, 11, 23, 0, 30, tzinfo=UTC)
    assert start.tzinfo is UTC


@pytest.mark.parametrize(
    ("day", "hours"), [(date(2026, 3, 28), 23), (date(2026, 10, 24), 25), (date(2026, 6, 1), 24)]
)
def test_summer_time_makes_a_day_shorter_or_longer(day: date, hours: int) -> None:
    start, end = service_day_bounds(day, ZoneInfo("Europe/Berlin"))
    assert end - start == timedelta(hours=hours)


def test_a_repeated_start_does_not_end_a_day_twice() -> None:
    # At 00:01 of 2010-11-07 St. John's went back to 23:01 of the day before.
    zone = ZoneInfo("America/St_Johns")
    start, _ = service_day_bounds(date(2010, 11, 7), zone, time(0, 0))
    minutes = [service_day(start + timedelta(minutes=m), zone, time(0, 0)) for m in range(-2, 120)]
    assert minutes[:2] == [date(2010, 11, 6)] * 2
    assert set(minutes[2:]) == {date(2010, 11, 7)}


@given(instants, st.sampled_from(ZONES), starts)
def test_each_instant_lies_within_the_bounds_of_its_day(
    at: datetime, zone: ZoneInfo, day_starts_at: time
) -> None:
    start, end = service_day_bounds(service_day(at, zone, day_starts_at), zone, day_starts_at)
    assert start <= at < end


@given(days, st.sampled_from(ZONES), starts)
def test_days_follow_without_gap(day: date, zone: ZoneInfo, day_starts_at: time) -> None:
    start, end = service_day_bounds(day, zone, day_starts_at)
    assert end == service_day_bounds(day + timedelta(days=1), zone, day_starts_at)[0]
    assert service_day(start, zone, day_starts_at) == day
    assert service_day(end - timedelta(microseconds=1), zone, day_starts_at) == day


def test_a_time_without_offset_is_refused() -> None:
    with pytest.raises(NaiveDatetime, match="UTC offset"):
        service_day(datetime(2026, 11, 22, 8, 0), TEHRAN)  # noqa: DTZ001


@pytest.mark.parametrize(
    ("day", "long", "short"),
    [
        (date(2026, 11, 22), "یکشنبه ۱ آذر ۱۴۰۵", "۱۴۰۵/۰۹/۰۱"),
        (date(2026, 3, 21), "شنبه ۱ فروردین ۱۴۰۵", "۱۴۰۵/۰۱/۰۱"),
        (date(2025, 3, 20), "پنجشنبه ۳۰ اسفند ۱۴۰۳", "۱۴۰۳/۱۲/۳۰"),
        (date(2026, 3, 20), "جمعه ۲۹ اسفند ۱۴۰۴", "۱۴۰۴/۱۲/۲۹"),
        (date(2026, 9, 22), "سه\u200cشنبه ۳۱ شهریور ۱۴۰۵", "۱۴۰۵/۰۶/۳۱"),
        (date(1979, 2, 11), "یکشنبه ۲۲ بهمن ۱۳۵۷", "۱۳۵۷/۱۱/۲۲"),
    ],
)
def test_jalali_dates(day: date, long: str, short: str) -> None:
    assert jalali(day) == long
    assert jalali_numeric(day) == short
    assert parse_jalali(short) == day


@pytest.mark.parametrize(
    ("year", "nowruz"),
    [
        (1375, (1996, 3, 20)),
        (1391, (2012, 3, 20)),
        (1399, (2020, 3, 20)),
        (1400, (2021, 3, 21)),
        (1404, (2025, 3, 21)),
        (1408, (2029, 3, 20)),
        (1409, (2030, 3, 21)),
    ],
)
def test_the_official_new_years(year: int, nowruz: tuple[int, int, int]) -> None:
    assert parse_jalali(f"{year}/1/1") == date(*nowruz)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "1405/09",
        "1405/13/01",
        "1405/07/31",
        "1404/12/30",
        "0/1/1",
        "1405/0/1",
        "۱۴۰۵/۰۹/الف",
        "1405/09/01/1",
        "1405/-9/1",
        "99999/1/1",
    ],
)
def test_days_that_do_not_exist(text: str) -> None:
    with pytest.raises(BadCalendarText, match="Jalali"):
        parse_jalali(text)


def test_dates_are_read_in_all_digits_and_separators() -> None:
    assert {parse_jalali(text) for text in ("1405-9-1", " ۱۴۰۵/۰۹/۰۱ ", "١٤٠٥/٩/١")} == {date(2026, 11, 22)}


@given(days)
def test_jalali_round_trip(day: date) -> None:
    assert parse_jalali(jalali_numeric(day)) == day


@given(days, st.sampled_from(Calendar))
def test_each_day_lies_within_its_month(day: date, calendar: Calendar) -> None:
    key = month_key(day, calendar)
    first, after = month_bounds(key, calendar)
    assert first <= day < after
    assert month_key(first, calendar) == key
    assert month_key(after, calendar) > key
    assert month_key(after - timedelta(days=1), calendar) == key


def test_month_keys() -> None:
    assert month_key(date(2026, 11, 22), Calendar.JALALI) == "1405-09"
    assert month_key(date(2026, 11, 22), Calendar.GREGORIAN) == "2026-11"
    assert month_bounds("1405-09", Calendar.JALALI) == (date(2026, 11, 22), date(2026, 12, 22))
    assert month_bounds("1404-12", Calendar.JALALI) == (date(2026, 2, 20), date(2026, 3, 21))
    assert month_bounds("2026-12", Calendar.GREGORIAN) == (date(2026, 12, 1), date(2027, 1, 1))


@pytest.mark.parametrize(
    "key", ["", "1405", "1405-9", "1405-13", "1405-00", "140509", "۱۴۰۵-۰۹", "0000-01", "1405-09-01"]
)
@pytest.mark.parametrize("calendar", Calendar)
def test_months_that_do_not_exist(key: str, calendar: Calendar) -> None:
    with pytest.raises(BadCalendarText):
        month_bounds(key, calendar)


@pytest.mark.parametrize(
    "text", ["2026-11-22", "2026/11/22", "1405/09/01", "1405-9-1", "۱۴۰۵/۹/۱", "٢٠٢٦-١١-٢٢", " 1405/09/01 "]
)
def test_a_typed_day_is_read_in_either_calendar(text: str) -> None:
    assert parse_day(text) == date(2026, 11, 22)


@pytest.mark.parametrize(
    "text",
    ["", "1405", "1405/13/01", "2026-02-30", "0000-00-00", "9999-12-31", "1200/01/01", "٢", "1" * 500],
)
def test_what_is_no_day_is_refused(text: str) -> None:
    with pytest.raises(BadCalendarText, match="This is not a day"):
        parse_day(text)
