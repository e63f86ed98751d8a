"""Services (calendar, calendar_dates) and timeframes of a tariff folder."""

from __future__ import annotations

from typing import Final

from fare.core.tariff.loading.findings import shown
from fare.core.tariff.loading.network import unique
from fare.core.tariff.loading.saying import say
from fare.core.tariff.loading.tables import Row, Tables
from fare.core.tariff.loading.values import row_date, row_integer, row_time
from fare.core.tariff.model import Boundary, Service, Timeframe

TIMEFRAMES: Final = "timeframes.txt"
_DAY_S: Final = 86_400
WEEKDAYS: Final = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")


def read_services(tables: Tables) -> dict[str, Service]:
    """service_id -> its days."""
    services: dict[str, Service] = {}
    lines: dict[str, int] = {}
    for row in tables.rows("calendar.txt", ("service_id", *WEEKDAYS, "start_date", "end_date")):
        service_id = unique(row, "service_id", lines)
        weekdays = tuple(_truth(row, day) for day in WEEKDAYS)
        first, last = row_date(row, "start_date"), row_date(row, "end_date")
        if first is None or last is None or not service_id:
            continue
        if last < first:
            row.fault(
                "end_date", say("the service ends before it begins"), say("correct one of the two dates")
            )
            continue
        services[service_id] = Service(weekdays, first, last)
    exceptions: dict[str, tuple[set[int], set[int]]] = {}
    seen: dict[tuple[str, int], int] = {}
    for row in tables.rows("calendar_dates.txt", ("service_id", "date", "exception_type")):
        service_id, day = row.required("service_id"), row_date(row, "date")
        kind = row_integer(row, "exception_type", 1, 2) if row.required("exception_type") else None
        if not service_id or day is None or kind is None:
            continue
        if seen.setdefault((service_id, day), row.line) != row.line:
            row.fault(
                "date",
                say("row {row} has the same service and date", row=seen[service_id, day]),
                say("keep one of the two rows"),
            )
            continue
        exceptions.setdefault(service_id, (set(), set()))[kind - 1].add(day)
    for service_id, (added, removed) in exceptions.items():
        base = services.get(service_id, Service())
        services[service_id] = Service(
            base.weekdays, base.first_day, base.last_day, frozenset(added), frozenset(removed)
        )
    return services


def _truth(row: Row, column: str) -> bool:
    return row_integer(row, column, 0, 1) == 1 if row.required(column) else False


def read_timeframes(
    tables: Tables, services: dict[str, Service], inclusive: frozenset[str]
) -> dict[str, tuple[Timeframe, ...]]:
    """timeframe_group_id -> its rows. `inclusive`: groups whose very last second belongs to them."""
    groups: dict[str, list[Timeframe]] = {}
    rows: dict[str, list[Row]] = {}
    has_calendar = tables.has("calendar.txt") or tables.has("calendar_dates.txt")
    for row in tables.rows(TIMEFRAMES, ("timeframe_group_id", "service_id"), ("start_time", "end_time")):
        group_id, service_id = row.required("timeframe_group_id"), row.required("service_id")
        if bool(row.get("start_time")) != bool(row.get("end_time")):
            empty = "end_time" if row.get("start_time") else "start_time"
            row.fault(
                empty,
                say("only one of start_time and end_time is filled in"),
                say("fill in both, or none for all day"),
            )
            continue
        start, end = row_time(row, "start_time"), row_time(row, "end_time")
        if service_id and service_id not in services:
            where = "calendar.txt" if has_calendar else say("calendar.txt, which is missing here")
            row.fault(
                "service_id",
                say("{value} is not in {where}", value=shown(service_id), where=where),
                say("add the service's days there"),
            )
        if not group_id or (row.get("start_time") and (start is None or end is None)):
            continue
        start, end = start or 0, _DAY_S if end is None else end
        if end <= start:
            row.fault("end_time", say("the time ends before it begins"),
                      say("split a night at 24:00:00 into two rows"))  # fmt: skip
            continue
        boundary = Boundary.INCLUSIVE if group_id in inclusive else Boundary.EXCLUSIVE
        frame = Timeframe(start, end, service_id, boundary)
        groups.setdefault(group_id, []).append(frame)
        rows.setdefault(group_id, []).append(row)
    for group_id, frames in groups.items():
        _overlaps(frames, rows[group_id], services)
    return {group_id: tuple(frames) for group_id, frames in groups.items()}


def _overlaps(frames: list[Timeframe], rows: list[Row], services: dict[str, Service]) -> None:
    """GTFS forbids times of one group that overlap on a day, in services that meet."""
    order = sorted(range(len(frames)), key=lambda place: (frames[place].start_s, rows[place].line))
    open_frames: list[int] = []
    for place in order:
        frame = frames[place]
        open_frames = [each for each in open_frames if frames[each].end_s > frame.start_s][-50:]
        for other in open_frames:
            if _meet(frame.service_id, frames[other].service_id, services):
                late, early = (
                    max(rows[place], rows[other], key=_line),
                    min(rows[place], rows[other], key=_line),
                )
                late.fault(
                    "start_time",
                    say("the time overlaps that of row {row} of the same group", row=early.line),
                    say("end one where the other begins"),
                )
                break
        open_frames.append(place)


def _line(row: Row) -> int:
    return row.line


def _meet(one: str, other: str, services: dict[str, Service]) -> bool:
    """Whether two services run on the same day."""
    if one == other:
        return True
    if one not in services or other not in services:
        return False
    first, second = services[one], services[other]
    if any(second.runs_on(day) for day in first.added) or any(first.runs_on(day) for day in second.added):
        return True
    if not any(a and b for a, b in zip(first.weekdays, second.weekdays, strict=True)):
        return False
    start, end = max(first.first_day, second.first_day), min(first.last_day, second.last_day)
    return any(
        first.runs_on(day) and second.runs_on(day) for day in range(start, min(end, start + 4_000) + 1)
    )
