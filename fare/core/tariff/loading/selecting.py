"""Keys that many tables of `mancard.toml` share: which legs they are about, how they round, dates."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, cast

from fare.core.calendar import BadCalendarText, Calendar, parse_day, parse_jalali
from fare.core.money import normalise_digits
from fare.core.tariff.loading.calendars import WEEKDAYS
from fare.core.tariff.loading.findings import shown
from fare.core.tariff.loading.saying import say
from fare.core.tariff.loading.toml_table import Table
from fare.core.tariff.model import Direction, Rounding, Selection

_FIRST_YEAR, _YEARS = (
    2020,
    30,
)  # for days that come back every year: 30 years around 2026, and later ones by then
_JALALI_BEFORE = 621
_DATE_MEND = say('write it as "2026-03-21", or in the Jalali calendar as "1405-01-01"')


@dataclass(frozen=True, slots=True)
class Known:
    """The ids of a tariff, by the file that lists them; None where nothing lists them."""

    products: Collection[str]
    leg_groups: Collection[str]
    networks: Collection[str] | None
    routes: Collection[str] | None
    areas: Collection[str] | None
    categories: Collection[str]
    media: Collection[str] | None
    timeframes: Collection[str]
    services: Collection[str]
    calendar: Calendar


def selection(table: Table, known: Known) -> Selection:
    """The legs that a table is about: its own selection keys."""

    def ids(key: str, among: Collection[str] | None, where: str) -> frozenset[str]:
        return frozenset(table.texts(key, among, where))

    return Selection(
        networks=ids("networks", known.networks, "networks.txt"),
        routes=ids("routes", known.routes, "routes.txt"),
        leg_groups=ids("leg_groups", known.leg_groups, "fare_leg_rules.txt"),
        products=ids("products", known.products, "fare_products.txt"),
        from_areas=ids("from_areas", known.areas, "areas.txt"),
        to_areas=ids("to_areas", known.areas, "areas.txt"),
        areas=ids("areas", known.areas, "areas.txt"),
        rider_categories=ids("rider_categories", known.categories, "rider_categories.txt"),
        media=ids("media", known.media, "fare_media.txt"),
        timeframes=ids("timeframes", known.timeframes, "timeframes.txt"),
        weekdays=frozenset(
            WEEKDAYS.index(day)
            for day in table.texts("weekdays", WEEKDAYS, say("the days monday to sunday"))
            if day in WEEKDAYS
        ),
    )


def rounding(table: Table, key: str = "rounding") -> Rounding:
    """A table of `unit` and `direction`; without it whole minor units, the half up."""
    inner = table.table(key)
    unit = inner.amount("unit", least=1)
    direction = inner.word("direction", Direction, Direction.NEAREST)
    inner.close()
    return Rounding(1 if unit is None else unit, direction)


def day(table: Table, key: str) -> int | None:
    """The ordinal of a local date, None where the key is absent."""
    value = table.raw(key)
    if value is None:
        return None
    found = _day(value)
    if found is None:
        table.fault(key, say("{value} is not a date", value=shown(value)), _DATE_MEND)
    return found


def days(table: Table, key: str, calendar: Calendar) -> frozenset[int]:
    """The ordinals of a list of dates; one without a year stands for every year."""
    value = table.raw(key)
    if value is None:
        return frozenset()
    dates = cast("list[Any]", value) if isinstance(value, list) else None
    if dates is None or len(dates) > 1_000:
        problem = say("{value} is not a list of at most 1,000 dates", value=shown(table.values[key]))
        table.fault(key, problem, say('write {key} = ["2026-03-21"]', key=key))
        return frozenset()
    found: set[int] = set()
    for each in dates:
        one = _day(each)
        ordinals = {one} if one is not None else _every_year(each, calendar)
        if not ordinals:
            table.fault(key, say("{value} is not a date", value=shown(each)), _DATE_MEND)
        found |= ordinals
    return frozenset(found)


def _day(value: Any) -> int | None:
    if isinstance(value, datetime):
        return None
    text = value.isoformat() if isinstance(value, date) else value
    if not isinstance(text, str):
        return None
    try:
        return parse_day(text).toordinal()
    except BadCalendarText:
        return None


def _every_year(value: Any, calendar: Calendar) -> set[int]:
    match = (
        re.fullmatch(r"([0-9]{1,2})[-/]([0-9]{1,2})", normalise_digits(value))
        if isinstance(value, str)
        else None
    )
    if match is None:
        return set()
    found: set[int] = set()
    for year in range(_FIRST_YEAR, _FIRST_YEAR + _YEARS):
        try:
            if calendar is Calendar.JALALI:
                found.add(parse_jalali(f"{year - _JALALI_BEFORE}/{match[1]}/{match[2]}").toordinal())
            else:
                found.add(date(year, int(match[1]), int(match[2])).toordinal())
        except ValueError:
            continue  # 29 February, 30 Esfand: not in every year
    return found
