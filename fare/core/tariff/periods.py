"""When a tap's service day, a cap's period and a pass's validity begin and end, by the tariff's own calendar.

Days are ordinals of Gregorian local dates (`date.toordinal`: 0001-01-01, a Monday, is 1), instants unix
seconds, ends exclusive. It prices nothing and reads no clock.
"""

from __future__ import annotations

from datetime import date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo

from fare.core.calendar import Calendar, month_bounds, month_key
from fare.core.tariff.context import HeldPass
from fare.core.tariff.model import Boundary, Cap, CapPeriod, PassPeriod, PassProduct, PassStart, Tariff
from fare.core.tariff.state import CapUse, PassUse

_DAY_S: Final = 86_400
_HOUR_S: Final = 3_600
_QUARTER_S: Final = 900
_WEEK_DAYS: Final = 7
_EPOCH_DAY: Final = date(1970, 1, 1).toordinal()
_LONGEST_SHIFT_S: Final = 7_200
"""No change of summer time moves a clock by more."""


def local_time(tariff: Tariff, at_s: int) -> tuple[int, int]:
    """Local date (ordinal) and second of that day, as a clock on the wall shows them."""
    days, second = divmod(at_s + _utc_offset_s(tariff.zone_name, at_s // _QUARTER_S), _DAY_S)
    return days + _EPOCH_DAY, second


def service_day(tariff: Tariff, at_s: int) -> int:
    """The service day of an instant, named by the local date on which it began."""
    day, second = local_time(tariff, at_s)
    starts_s = tariff.service_day_starts_s
    if (second - starts_s + _LONGEST_SHIFT_S) % _DAY_S > 2 * _LONGEST_SHIFT_S:
        return day if second >= starts_s else day - 1
    # Near its start the wall clock may repeat or jump: there the day's own first instant decides.
    day += 1
    while at_s < service_day_start(tariff, day):
        day -= 1
    return day


def service_day_start(tariff: Tariff, day: int) -> int:
    """The first instant of a service day, unix seconds."""
    return _day_start(tariff.zone_name, tariff.service_day_starts_s, day)


def week_start(tariff: Tariff, day: int) -> int:
    """First day of the week that holds `day`; weeks begin on `tariff.week_starts`, Monday 0."""
    return day - ((day - 1) % _WEEK_DAYS - tariff.week_starts) % _WEEK_DAYS


def month_start(tariff: Tariff, day: int, later: int = 0) -> int:
    """First day of the month that holds `day`, or of the one `later` months after it, by the tariff's
    calendar.
    """
    return _month_start(tariff.calendar, day, later)


def cap_period(tariff: Tariff, cap: Cap, at_s: int, use: CapUse | None = None) -> int:
    """First day of the period of `cap` that holds the instant. What it counts is in `use` if that began then.

    ROLLING: the first of the last `days` service days. FROM_FIRST_USE: that of `use` while it lasts, else
    today.
    """
    day = service_day(tariff, at_s)
    match cap.period:
        case CapPeriod.SERVICE_DAY:
            return day
        case CapPeriod.WEEK:
            return week_start(tariff, day)
        case CapPeriod.MONTH:
            return month_start(tariff, day)
        case CapPeriod.ROLLING:
            return day - cap.days + 1
        case CapPeriod.FROM_FIRST_USE:
            return use.period if use is not None and use.period <= day < use.period + cap.days else day


def pass_bounds(tariff: Tariff, product: PassProduct, first_s: int) -> tuple[int, int | None]:
    """From when until when a pass is valid that begins with this instant: its purchase, or its first ride.

    Both ends exact: the second is the first instant at which it is no longer valid, None for a pass without
    end. Days, weeks and months are whole service days; `starts = "calendar"` counts the calendar's own week
    and month.
    """
    length, on_calendar = product.length, product.start is PassStart.CALENDAR
    if product.period is PassPeriod.UNLIMITED:
        return first_s, None
    if product.period is PassPeriod.HOURS:
        return first_s, first_s + length * _HOUR_S + (product.boundary is Boundary.INCLUSIVE)
    day = service_day(tariff, first_s)
    if product.period is PassPeriod.DAYS:
        until = day + length
    elif product.period is PassPeriod.WEEK:
        day = week_start(tariff, day) if on_calendar else day
        until = day + _WEEK_DAYS * length
    elif on_calendar:
        day, until = month_start(tariff, day), month_start(tariff, day, length)
    else:
        until = _same_day_later(tariff, day, length)
    return service_day_start(tariff, day), service_day_start(tariff, until)


def whole_days_until_s(tariff: Tariff, product: PassProduct | None, last_day: int) -> int:
    """`HeldPass.until_s` of a pass that is written to end with a service day.

    Where the product lets the very instant of the end in, that is the day's last second.
    """
    inclusive = product is not None and product.boundary is Boundary.INCLUSIVE
    return service_day_start(tariff, last_day + 1) - inclusive


def pass_is_valid(
    tariff: Tariff, product: PassProduct | None, held: HeldPass, use: PassUse | None, at_s: int
) -> bool:
    """Whether a pass is valid at this instant: within its written bounds, and within its length from first
    use.

    `product` None: a pass this tariff does not know; its written bounds alone decide. Rides are not looked
    at.
    """
    if held.from_s is not None and at_s < held.from_s:
        return False
    boundary = Boundary.EXCLUSIVE if product is None else product.boundary
    if held.until_s is not None and not boundary.holds(at_s, held.until_s):
        return False
    if product is None:
        return True
    first_s = None
    if product.start is PassStart.FIRST_USE:
        first_s = use.first_s if use is not None and use.key == held.key else None
    elif held.until_s is None:
        first_s = held.from_s  # sold with a beginning only: the product tells the end
    if first_s is None:
        return True
    begins_s, ends_s = pass_bounds(tariff, product, first_s)
    return begins_s <= at_s and (ends_s is None or at_s < ends_s)


@lru_cache(maxsize=4096)
def _utc_offset_s(zone_name: str, quarter: int) -> int:
    """By how much local time is ahead; clocks change on whole quarters of an hour."""
    offset = datetime.fromtimestamp(quarter * _QUARTER_S, ZoneInfo(zone_name)).utcoffset()
    return 0 if offset is None else int(offset.total_seconds())


@lru_cache(maxsize=4096)
def _day_start(zone_name: str, starts_s: int, day: int) -> int:
    midnight = datetime.combine(date.fromordinal(day), time.min)
    return int((midnight + timedelta(seconds=starts_s)).replace(tzinfo=ZoneInfo(zone_name)).timestamp())


@lru_cache(maxsize=4096)
def _month_start(calendar: Calendar, day: int, later: int) -> int:
    first, following = month_bounds(month_key(date.fromordinal(day), calendar), calendar)
    for _ in range(later):
        first, following = month_bounds(month_key(following, calendar), calendar)
    return first.toordinal()


def _same_day_later(tariff: Tariff, day: int, months: int) -> int:
    """The same day of a later month, or the first of the month after it where that month is too short."""
    first = month_start(tariff, day)
    then = month_start(tariff, day, months)
    return min(then + day - first, month_start(tariff, day, months + 1))
