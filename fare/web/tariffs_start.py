"""Reads when a tariff is to start, as people write it: a Jalali or Gregorian day, and a time of the city."""

from __future__ import annotations

from datetime import UTC, datetime, time
from zoneinfo import ZoneInfo

from fare.core.calendar import BadCalendarText, parse_day
from fare.core.money import normalise_digits


class BadStart(ValueError):
    """The day or the time does not exist."""


def read_start(day: str, at: str, zone: ZoneInfo) -> datetime:
    """The instant, in UTC, of `1406/01/01` or `2027-03-21` and `04:00` in the city's zone. Raises BadStart.

    A time that the clock skips is not one, and of one that it shows twice the first is meant.
    """
    try:
        local = time.fromisoformat(normalise_digits(at.strip()).rjust(5, "0"))
        found = datetime.combine(parse_day(day), local, zone)
    except (BadCalendarText, ValueError) as fault:
        raise BadStart from fault
    back = datetime.fromtimestamp(found.timestamp(), zone)
    if local.tzinfo is not None or back.replace(fold=0) != found.replace(fold=0):
        raise BadStart
    return found.astimezone(UTC)
