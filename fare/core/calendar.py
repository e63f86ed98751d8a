"""Service days, and the two calendars in which months are counted and dates are shown.

A service day runs from `day_starts_at` (04:00 by default) to the next one in the city's zone and takes the
date on which it began. Never reads the clock: an instant is an aware `datetime`, and a naive one is refused.
Jalali dates exist only as text and as months; what is stored is a Gregorian `date`.
"""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final
from zoneinfo import ZoneInfo

import jdatetime

from fare.core.money import normalise_digits, persian_digits

DAY_STARTS_AT: Final = time(4, 0)

_ONE_DAY: Final = timedelta(days=1)
_MONTHS_A_YEAR: Final = 12
_GREGORIAN_FROM: Final = 1900
_JALALI_MONTHS: Final = (
    "فروردین",
    "اردیبهشت",
    "خرداد",
    "تیر",
    "مرداد",
    "شهریور",
    "مهر",
    "آبان",
    "آذر",
    "دی",
    "بهمن",
    "اسفند",
)
# Monday first, as date.weekday() counts. The zero-width non-joiner belongs to the spelling.
_WEEKDAYS: Final = ("دوشنبه", "سه\u200cشنبه", "چهارشنبه", "پنجشنبه", "جمعه", "شنبه", "یکشنبه")


class Calendar(StrEnum):
    """In which calendar months are counted: passes, caps and closes follow it."""

    JALALI = "jalali"
    GREGORIAN = "gregorian"


class NaiveDatetime(ValueError):
    """An instant came without its offset, so it names no instant."""

    def __init__(self) -> None:
        super().__init__(
            "The time has no UTC offset: give it with its offset, such as 2026-11-22T08:00:00+03:30."
        )


class BadCalendarText(ValueError):
    """A date or month in text that does not exist; the message says the expected form."""


def service_day(at: datetime, zone: ZoneInfo, day_starts_at: time = DAY_STARTS_AT) -> date:
    """The service day to which the instant belongs."""
    if at.tzinfo is None or at.utcoffset() is None:
        raise NaiveDatetime
    # By the days' own starts rather than by the wall clock, which repeats and jumps when summer time changes.
    day = at.astimezone(zone).date() + _ONE_DAY
    while at < _start_of(day, zone, day_starts_at):
        day -= _ONE_DAY
    return day


def service_day_bounds(
    day: date, zone: ZoneInfo, day_starts_at: time = DAY_STARTS_AT
) -> tuple[datetime, datetime]:
    """First instant of the service day and of the next one, in UTC. 23 to 25 hours apart."""
    return _start_of(day, zone, day_starts_at), _start_of(day + _ONE_DAY, zone, day_starts_at)


def jalali(day: date) -> str:
    """Long form for people: «یکشنبه ۱ آذر ۱۴۰۵»."""
    year, month, day_of_month = jalali_parts(day)
    return persian_digits(f"{_WEEKDAYS[day.weekday()]} {day_of_month} {_JALALI_MONTHS[month - 1]} {year}")


def jalali_numeric(day: date) -> str:
    """Short form for people, sortable: «۱۴۰۵/۰۹/۰۱»."""
    year, month, day_of_month = jalali_parts(day)
    return persian_digits(f"{year:04}/{month:02}/{day_of_month:02}")


def jalali_parts(day: date) -> tuple[int, int, int]:
    """Year, month and day of month in the Jalali calendar."""
    converted = jdatetime.date.fromgregorian(date=day)  # pyright: ignore[reportUnknownMemberType]
    return converted.year, converted.month, converted.day


def parse_jalali(text: str) -> date:
    """The date of `1405/09/01` or `1405-9-1`, in any kind of digits. Raises `BadCalendarText`."""
    pieces = normalise_digits(text).strip().replace("-", "/").split("/")
    if len(pieces) != 3 or not all(
        piece.isascii() and piece.isdigit() and len(piece) <= 4 for piece in pieces
    ):
        raise BadCalendarText("This is not a Jalali date: write it as year/month/day, such as 1405/09/01.")
    year, month, day = (int(piece) for piece in pieces)
    return _jalali_date(year, month, day)


def parse_day(text: str) -> date:
    """The day of `2026-11-22`, or of a Jalali `1405/09/01` or `1405-09-01`, in any kind of digits.

    A year below 1900 is a Jalali one; the last year of all is refused, since a day must have a next one.
    Raises `BadCalendarText`.
    """
    digits = normalise_digits(text).strip()
    try:
        gregorian = digits[:4].isdigit() and int(digits[:4]) >= _GREGORIAN_FROM
        day = date.fromisoformat(digits.replace("/", "-")) if gregorian else parse_jalali(digits)
    except ValueError:
        day = date.min
    if not _GREGORIAN_FROM <= day.year < date.max.year:
        raise BadCalendarText(
            "This is not a day: write it as 2026-11-22, or in the Jalali calendar as 1405/09/01."
        )
    return day


def month_key(day: date, calendar: Calendar) -> str:
    """The month that holds `day`, as sortable ASCII text: `1405-09` or `2026-11`."""
    year, month = jalali_parts(day)[:2] if calendar is Calendar.JALALI else (day.year, day.month)
    return f"{year:04}-{month:02}"


def month_bounds(key: str, calendar: Calendar) -> tuple[date, date]:
    """First day of the month and of the next one. Raises `BadCalendarText`."""
    year_text, _, month_text = key.partition("-")
    shaped = len(year_text) == 4 and len(month_text) == 2 and key.isascii()
    if not (
        shaped and year_text.isdigit() and month_text.isdigit() and 1 <= int(month_text) <= _MONTHS_A_YEAR
    ):
        raise BadCalendarText("This is not a month: write it as year-month, such as 1405-09.")
    year, month = int(year_text), int(month_text)
    next_year, next_month = (year, month + 1) if month < _MONTHS_A_YEAR else (year + 1, 1)
    return _first_of(year, month, calendar), _first_of(next_year, next_month, calendar)


def _start_of(day: date, zone: ZoneInfo, day_starts_at: time) -> datetime:
    return datetime.combine(day, day_starts_at, zone).astimezone(UTC)


def _first_of(year: int, month: int, calendar: Calendar) -> date:
    if calendar is Calendar.JALALI:
        return _jalali_date(year, month, 1)
    try:
        return date(year, month, 1)
    except ValueError:
        raise BadCalendarText(f"There is no year {year} in the Gregorian calendar.") from None


def _jalali_date(year: int, month: int, day: int) -> date:
    try:
        return jdatetime.date(year, month, day).togregorian()
    except ValueError:
        raise BadCalendarText(f"There is no day {year}/{month}/{day} in the Jalali calendar.") from None
