"""Puts a feed into the database and answers what the lines are called. Numbers once given never change hands.

A network is one feed: what a newer feed no longer has stays under its number, inactive, because taps and card
records of earlier days still name it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

from sqlmodel import Session, col, select

from fare.network.gtfs import FeedFault, FeedStop, GtfsFeed, Route, read_feed
from fare.network.models import Area, Feed, Line, Stop

MAX_NUMBER: Final = 65_535
"""Taps and card records carry lines and areas in two bytes; 0 means none."""


@dataclass(frozen=True, slots=True)
class FeedReport:
    """What an import did. `new_lines` and `retired_lines` count against what was there before."""

    name: str
    sample: bool
    lines: int
    new_lines: int
    retired_lines: int
    stops: int
    areas: int
    trips: int
    stop_times: int


@dataclass(frozen=True, slots=True)
class LineView:
    """One line as others may see it. `name` is what a rider reads on the bus."""

    line: int
    route_id: str
    name: str
    active: bool


@dataclass(frozen=True, slots=True)
class AreaView:
    """One fare area as others may see it."""

    area: int
    area_id: str
    name: str


def import_feed(session: Session, path: Path, now: datetime, sample: bool = False) -> FeedReport:
    """Load a GTFS zip or folder. `sample` marks invented data. Raises `FeedFault`."""
    feed = read_feed(path)
    area_numbers = _store_areas(session, feed)
    new, retired = _store_lines(session, feed.routes)
    _store_stops(session, feed.stops, area_numbers)
    known = session.get(Feed, feed.digest)
    if known is None:
        session.add(Feed(feed_id=feed.digest, name=feed.name, sample=sample, imported_at=now))
    else:
        known.imported_at, known.sample = now, sample
    session.flush()
    return FeedReport(
        feed.name,
        sample,
        len(feed.routes),
        new,
        retired,
        len(feed.stops),
        len(feed.areas),
        feed.trips,
        feed.stop_times,
    )


def lines(session: Session) -> list[LineView]:
    """All lines, by number, retired ones too."""
    found = session.exec(select(Line).order_by(col(Line.line))).all()
    return [LineView(row.line, row.route_id, _name(row), row.active) for row in found]


def areas(session: Session) -> list[AreaView]:
    """All fare areas, by number."""
    return [
        AreaView(row.area, row.area_id, row.name)
        for row in session.exec(select(Area).order_by(col(Area.area)))
    ]


def line_names(session: Session) -> dict[int, str]:
    """Line number -> what a rider reads."""
    return {view.line: view.name for view in lines(session)}


def shows_sample(session: Session) -> bool:
    """Whether the network that was loaded last is invented sample data; people are told so on every page."""
    newest = session.exec(
        select(Feed).order_by(col(Feed.imported_at).desc(), col(Feed.feed_id)).limit(1)
    ).first()
    return newest is not None and newest.sample


def _name(line: Line) -> str:
    if line.short_name and line.long_name:
        return f"{line.short_name} · {line.long_name}"
    return line.short_name or line.long_name


def _store_lines(session: Session, routes: Iterable[Route]) -> tuple[int, int]:
    """How many lines are new, and how many were active and are no longer in the feed."""
    known = {line.route_id: line for line in session.exec(select(Line))}
    following = max((line.line for line in known.values()), default=0) + 1
    wanted = {route.route_id: route for route in routes}
    new = 0
    for route in wanted.values():
        line = known.get(route.route_id)
        if line is None:
            line = Line(
                line=_numbered(following, "routes"),
                route_id=route.route_id,
                agency_name=route.agency_name,
                short_name=route.short_name,
                long_name=route.long_name,
            )
            following, new = following + 1, new + 1
            session.add(line)
        line.agency_name, line.active = route.agency_name, True
        line.short_name, line.long_name = route.short_name, route.long_name
    retired = [line for line in known.values() if line.active and line.route_id not in wanted]
    for line in retired:
        line.active = False
    return new, len(retired)


def _store_areas(session: Session, feed: GtfsFeed) -> dict[str, int]:
    """area_id -> number, for all areas ever seen."""
    known = {area.area_id: area for area in session.exec(select(Area))}
    following = max((area.area for area in known.values()), default=0) + 1
    for area_id, name in feed.areas.items():
        area = known.get(area_id)
        if area is None:
            area = known[area_id] = Area(area=_numbered(following, "areas"), area_id=area_id, name=name)
            following += 1
            session.add(area)
        area.name = name
    return {area_id: area.area for area_id, area in known.items()}


def _store_stops(session: Session, stops: Iterable[FeedStop], area_numbers: dict[str, int]) -> None:
    known = {stop.stop_id: stop for stop in session.exec(select(Stop))}
    for gone in known.values():
        gone.active = False
    for stop in stops:
        row = known.get(stop.stop_id)
        if row is None:
            row = Stop(stop_id=stop.stop_id, name=stop.name)
            session.add(row)
        row.name, row.latitude, row.longitude = stop.name, stop.latitude, stop.longitude
        row.area, row.active = area_numbers.get(stop.area_id, 0), True


def _numbered(number: int, what: str) -> int:
    if number > MAX_NUMBER:
        raise FeedFault(
            f"There are more than {MAX_NUMBER} {what} over all feeds: start a fresh state for another city."
        )
    return number
