"""Reads a GTFS feed, a zip file or a folder, into plain values. It never touches a database.

Only what the fare system needs is read: agency, routes, stops, areas and stop_areas, with the headers and row
counts of trips and stop_times. Source: https://gtfs.org/documentation/schedule/reference/.
Every fault is a `FeedFault` that names file, line and column and says what to do.
"""

from __future__ import annotations

import csv
import hashlib
import io
import zipfile
import zlib
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TextIO

from fare.core.errors import OperatorError

MAX_FILE_BYTES: Final = 512 << 20
"""Largest file of a feed, unpacked: what a city's stop_times needs, many times over."""

_REQUIRED_COLUMNS: Final[Mapping[str, tuple[str, ...]]] = {
    "agency.txt": ("agency_name",),
    "routes.txt": ("route_id", "route_type"),
    "stops.txt": ("stop_id", "stop_name"),
    "trips.txt": ("route_id", "service_id", "trip_id"),
    "stop_times.txt": ("trip_id", "stop_id", "stop_sequence"),
}
_NO_CELLS: Final[list[str]] = []
_NAMELESS_STOPS: Final = ("3", "4")  # generic nodes and boarding areas may go without a name


class FeedFault(OperatorError):
    """The feed cannot be loaded; nothing of it was."""


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the feed: `short_name` or `long_name` may be empty, never both."""

    route_id: str
    agency_name: str
    short_name: str
    long_name: str


@dataclass(frozen=True, slots=True)
class FeedStop:
    """A stop of the feed; `area_id` is its fare area or empty. Degrees are WGS 84."""

    stop_id: str
    name: str
    latitude: float | None
    longitude: float | None
    area_id: str


@dataclass(frozen=True, slots=True)
class GtfsFeed:
    """What was read. `digest` is SHA-256 in hex over the files that were read; `areas`: area_id -> name."""

    name: str
    digest: str
    routes: tuple[Route, ...]
    stops: tuple[FeedStop, ...]
    areas: Mapping[str, str]
    trips: int
    stop_times: int


@dataclass(frozen=True, slots=True)
class _Row:
    """One record with where it stands, so that a fault can name it."""

    file: str
    line: int
    values: Mapping[str, str]

    def get(self, column: str) -> str:
        return self.values.get(column, "")

    def required(self, column: str) -> str:
        value = self.get(column)
        if not value:
            raise self.fault(column, "is empty, but every row needs it")
        return value

    def degrees(self, column: str, limit: int) -> float | None:
        text = self.get(column)
        if not text:
            return None
        try:
            value = float(text)
        except ValueError:
            raise self.fault(
                column, f"is {text!r}, which is not a number: write degrees such as 37.55"
            ) from None
        if not -limit <= value <= limit:
            raise self.fault(column, f"is {text}: degrees lie between -{limit} and {limit}")
        return value

    def fault(self, column: str, problem: str) -> FeedFault:
        return FeedFault(f"{self.file}, line {self.line}, column {column}: the value {problem}.")


def read_feed(path: Path) -> GtfsFeed:
    """Read and check a feed. Raises `FeedFault`."""
    with _open_source(path) as source:
        agencies = _agencies(source)
        areas = {
            row.required("area_id"): row.get("area_name") for row in source.rows("areas.txt", ("area_id",))
        }
        routes = _routes(source, agencies)
        stops = _stops(source, _stop_areas(source, areas))
        trips, stop_times = _count_trips(source, {route.route_id for route in routes})
        name = _feed_name(source, agencies)
        return GtfsFeed(name, source.digest(), routes, stops, areas, trips, stop_times)


def _agencies(source: _Source) -> dict[str, str]:
    agencies: dict[str, str] = {}
    for row in source.rows("agency.txt"):
        agencies[row.get("agency_id")] = row.required("agency_name")
    if not agencies:
        raise FeedFault("agency.txt holds no agency: it needs one row for whoever runs the lines.")
    return agencies


def _routes(source: _Source, agencies: Mapping[str, str]) -> tuple[Route, ...]:
    only_agency = next(iter(agencies.values())) if len(agencies) == 1 else None
    routes: dict[str, Route] = {}
    for row in source.rows("routes.txt"):
        route_id, agency_id = row.required("route_id"), row.get("agency_id")
        if route_id in routes:
            raise row.fault("route_id", f"{route_id!r} names a second route: keep one row for each")
        agency_name = agencies.get(agency_id) or (only_agency if not agency_id else None)
        if agency_name is None:
            raise row.fault(
                "agency_id", f"{agency_id!r} is not in agency.txt: add the agency or correct the row"
            )
        short_name, long_name = row.get("route_short_name"), row.get("route_long_name")
        if not short_name and not long_name:
            raise row.fault(
                "route_short_name", "is empty and so is route_long_name: a line needs one of them"
            )
        routes[route_id] = Route(route_id, agency_name, short_name, long_name)
    if not routes:
        raise FeedFault("routes.txt holds no route: there is no line to charge on.")
    return tuple(routes.values())


def _stop_areas(source: _Source, areas: Mapping[str, str]) -> dict[str, str]:
    """stop_id -> area_id. A stop in several areas is refused: a tap carries one."""
    area_of: dict[str, str] = {}
    for row in source.rows("stop_areas.txt", ("area_id", "stop_id")):
        area_id, stop_id = row.required("area_id"), row.required("stop_id")
        if area_id not in areas:
            raise row.fault("area_id", f"{area_id!r} is not in areas.txt: add the area or correct the row")
        if area_of.setdefault(stop_id, area_id) != area_id:
            raise row.fault(
                "stop_id", f"{stop_id!r} is already in area {area_of[stop_id]!r}: keep one area a stop"
            )
    return area_of


def _stops(source: _Source, area_of: Mapping[str, str]) -> tuple[FeedStop, ...]:
    stops: dict[str, FeedStop] = {}
    for row in source.rows("stops.txt"):
        stop_id = row.required("stop_id")
        if stop_id in stops:
            raise row.fault("stop_id", f"{stop_id!r} names a second stop: keep one row for each")
        nameless = row.get("location_type") in _NAMELESS_STOPS
        name = row.get("stop_name") if nameless else row.required("stop_name")
        latitude, longitude = row.degrees("stop_lat", 90), row.degrees("stop_lon", 180)
        # A station's area holds for its platforms where they have none of their own.
        area_id = area_of.get(stop_id) or area_of.get(row.get("parent_station"), "")
        stops[stop_id] = FeedStop(stop_id, name, latitude, longitude, area_id)
    return tuple(stops.values())


def _count_trips(source: _Source, route_ids: set[str]) -> tuple[int, int]:
    trips = 0
    for row in source.rows("trips.txt"):
        if row.required("route_id") not in route_ids:
            raise row.fault(
                "route_id", f"{row.get('route_id')!r} is not in routes.txt: add the route or drop the trip"
            )
        trips += 1
    return trips, sum(1 for _ in source.rows("stop_times.txt"))


def _feed_name(source: _Source, agencies: Mapping[str, str]) -> str:
    for row in source.rows("feed_info.txt", ("feed_publisher_name",)):
        return " ".join(part for part in (row.get("feed_publisher_name"), row.get("feed_version")) if part)
    return next(iter(agencies.values()))


# --- files ------------------------------------------------------------------------------------------------


class _Source:
    """The files of one feed, opened by name; remembers a digest of all it read."""

    def __init__(self, where: Path, archive: zipfile.ZipFile | None) -> None:
        self._where = where
        self._archive = archive
        self._hash = hashlib.sha256()

    def digest(self) -> str:
        """SHA-256 in hex over names and contents, in reading order."""
        return self._hash.hexdigest()

    def rows(self, file: str, columns: tuple[str, ...] | None = None) -> Iterator[_Row]:
        """The records of one file. A file outside the required ones may be missing: it has no rows then."""
        required = _REQUIRED_COLUMNS.get(file)
        content = self._read(file)
        if content is None:
            if required is None:
                return
            raise FeedFault(f"The feed {self._where} has no {file}: a GTFS feed needs it, export it again.")
        self._hash.update(f"{file}\0{len(content)}\0".encode() + content)
        yield from _records(file, content, columns or required or ())

    def _read(self, file: str) -> bytes | None:
        try:
            return (
                self._from_folder(file) if self._archive is None else self._from_archive(self._archive, file)
            )
        except (OSError, zipfile.BadZipFile, zlib.error, RuntimeError, NotImplementedError) as fault:
            raise FeedFault(
                f"{file} in {self._where} cannot be read ({fault}): download or export the feed again."
            ) from fault

    def _from_folder(self, file: str) -> bytes | None:
        path = self._where / file
        if not path.is_file():
            return None
        _check_size(file, path.stat().st_size)
        return path.read_bytes()

    def _from_archive(self, archive: zipfile.ZipFile, file: str) -> bytes | None:
        try:
            info = archive.getinfo(file)
        except KeyError:
            return None
        _check_size(file, info.file_size)
        with archive.open(info) as opened:
            # The directory's size is only a claim: never unpack more than the limit.
            content = opened.read(MAX_FILE_BYTES + 1)
        _check_size(file, len(content))
        return content


@contextmanager
def _open_source(path: Path) -> Generator[_Source]:
    if path.is_dir():
        yield _Source(path, None)
        return
    if not path.is_file():
        raise FeedFault(f"There is no feed at {path}: give the path of a GTFS zip file or folder.")
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, OSError) as fault:
        raise FeedFault(
            f"{path} is not a readable zip file ({fault}): download or export the feed again."
        ) from fault
    with archive:
        yield _Source(path, archive)


def _check_size(file: str, size_bytes: int) -> None:
    if size_bytes > MAX_FILE_BYTES:
        raise FeedFault(f"{file} is larger than {MAX_FILE_BYTES >> 20} MiB: this is no feed of one city.")


def _records(file: str, content: bytes, columns: tuple[str, ...]) -> Iterator[_Row]:
    reader = csv.reader(_as_text(file, content), strict=True)
    try:
        header = [name.strip() for name in next(reader, _NO_CELLS)]
        _check_header(file, header, columns)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) > len(header):
                raise FeedFault(
                    f"{file}, line {reader.line_num}: {len(cells)} fields under {len(header)} columns; "
                    "put quotes around a value that holds a comma."
                )
            yield _Row(
                file, reader.line_num, {name: cell.strip() for name, cell in zip(header, cells, strict=False)}
            )
    except csv.Error as fault:
        raise FeedFault(
            f"{file}, line {reader.line_num}: this is not well-formed CSV ({fault}); check the quotes."
        ) from fault


def _as_text(file: str, content: bytes) -> TextIO:
    try:
        return io.StringIO(content.decode("utf-8-sig"), newline="")
    except UnicodeDecodeError as fault:
        line = content.count(b"\n", 0, fault.start) + 1
        raise FeedFault(f"{file}, line {line}: the text is not UTF-8; save the file as UTF-8.") from fault


def _check_header(file: str, header: list[str], columns: tuple[str, ...]) -> None:
    if not any(header):
        raise FeedFault(f"{file} is empty: it needs a first line with the names of its columns.")
    missing = [column for column in columns if column not in header]
    if missing:
        what = f"column {missing[0]}" if len(missing) == 1 else "columns " + ", ".join(missing)
        raise FeedFault(f"{file} has no {what}: GTFS requires it, add it to the first line and fill it in.")
    repeated = {column for column in header if header.count(column) > 1}
    if repeated:
        raise FeedFault(f"{file} names the column {min(repeated)} twice: keep one of them.")
