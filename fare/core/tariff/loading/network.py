"""Routes, networks, areas, stops and the city's time zone of a tariff folder, as far as fares need them.

Follows the GTFS reference; a file that is missing lists nothing, and then ids are not checked against it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from zoneinfo import ZoneInfo

from fare.core.tariff.loading.findings import shown
from fare.core.tariff.loading.saying import say
from fare.core.tariff.loading.tables import Row, Tables
from fare.core.tariff.model import EMPTY

_MAX_PARENTS = 4  # platform, station and what lies between: more is a circle


@dataclass(slots=True)
class Network:
    """What was read. `listed_…` are the ids of a file, None where it is missing; the rest as in `Tariff`."""

    zone_name: str | None = None
    routes: dict[str, str] = field(default_factory=dict[str, str])
    short_names: dict[str, str] = field(default_factory=dict[str, str])
    names: dict[str, str] = field(default_factory=dict[str, str])
    stop_areas: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    stations: dict[str, str] = field(default_factory=dict[str, str])
    area_ids: set[str] = field(default_factory=set[str])
    listed_routes: frozenset[str] | None = None
    listed_networks: frozenset[str] | None = None
    listed_areas: frozenset[str] | None = None
    listed_stops: frozenset[str] | None = None


def read_network(tables: Tables) -> Network:
    """Read the files beside the fares."""
    network = Network()
    _agencies(tables, network)
    _routes(tables, network)
    _networks(tables, network)
    _areas(tables, network)
    _stops(tables, network)
    return network


def _agencies(tables: Tables, network: Network) -> None:
    for row in tables.rows("agency.txt", ("agency_timezone",)):
        zone_name = row.required("agency_timezone")
        if not zone_name:
            continue
        if network.zone_name is None:
            if not is_zone(zone_name):
                row.fault(
                    "agency_timezone",
                    say("{value} is not a time zone", value=shown(zone_name)),
                    say("write one such as Asia/Tehran"),
                )
                continue
            network.zone_name = zone_name
        elif network.zone_name != zone_name:
            row.fault(
                "agency_timezone",
                say("{value} is another time zone than in the rows above", value=shown(zone_name)),
                say("give all agencies the same one, as GTFS asks"),
            )


def is_zone(name: str) -> bool:
    """Whether the system knows a time zone of this name."""
    try:
        ZoneInfo(name)
    except (KeyError, ValueError, OSError):
        return False
    return True


def _routes(tables: Tables, network: Network) -> None:
    lines: dict[str, int] = {}
    for row in tables.rows("routes.txt", ("route_id",)):
        route_id = unique(row, "route_id", lines)
        if not route_id:
            continue
        network.routes[route_id] = row.get("network_id")
        short_name = row.get("route_short_name")
        if short_name:
            network.short_names[route_id] = short_name
        name = short_name or row.get("route_long_name")
        if name:
            network.names[f"route:{route_id}"] = name
    if tables.has("routes.txt"):
        network.listed_routes = frozenset(network.routes)
        if "network_id" in tables.columns("routes.txt"):
            network.listed_networks = frozenset(filter(None, network.routes.values()))


def _networks(tables: Tables, network: Network) -> None:
    lines: dict[str, int] = {}
    in_routes = bool(network.listed_networks)
    for file in ("networks.txt", "route_networks.txt"):
        if in_routes and tables.has(file):
            tables.findings.fault(
                file, None, "", say("routes.txt names networks too, and GTFS allows only one of both"),
                say("delete this file, or the column network_id of routes.txt"),
            )  # fmt: skip
            return
    for row in tables.rows("networks.txt", ("network_id",)):
        network_id = unique(row, "network_id", lines)
        if row.get("network_name"):
            network.names[f"network:{network_id}"] = row.get("network_name")
    if tables.has("networks.txt"):
        network.listed_networks = frozenset(lines)
    route_lines: dict[str, int] = {}
    for row in tables.rows("route_networks.txt", ("network_id", "route_id")):
        network_id, route_id = row.required("network_id"), unique(row, "route_id", route_lines)
        if not network_id or not route_id:
            continue
        if listed(row, "network_id", network_id, network.listed_networks, "networks.txt") and listed(
            row, "route_id", route_id, network.listed_routes, "routes.txt"
        ):
            network.routes[route_id] = network_id


def _areas(tables: Tables, network: Network) -> None:
    lines: dict[str, int] = {}
    for row in tables.rows("areas.txt", ("area_id",)):
        area_id = unique(row, "area_id", lines)
        if row.get("area_name"):
            network.names[f"area:{area_id}"] = row.get("area_name")
    network.area_ids |= lines.keys()
    if tables.has("areas.txt"):
        network.listed_areas = frozenset(lines)


def _stops(tables: Tables, network: Network) -> None:
    lines: dict[str, int] = {}
    parents: dict[str, str] = {}
    parent_rows: list[Row] = []
    for row in tables.rows("stops.txt", ("stop_id",)):
        stop_id = unique(row, "stop_id", lines)
        parent = row.get("parent_station")
        if stop_id and parent:
            parents[stop_id] = parent
            parent_rows.append(row)
    if tables.has("stops.txt"):
        network.listed_stops = frozenset(lines)
    for row in parent_rows:
        listed(row, "parent_station", row.get("parent_station"), network.listed_stops, "stops.txt")
    network.stations = parents
    own: dict[str, list[str]] = {}
    for row in tables.rows("stop_areas.txt", ("area_id", "stop_id")):
        area_id, stop_id = row.required("area_id"), row.required("stop_id")
        if not area_id or not stop_id:
            continue
        if listed(row, "area_id", area_id, network.listed_areas, "areas.txt") and listed(
            row, "stop_id", stop_id, network.listed_stops, "stops.txt"
        ):
            network.area_ids.add(area_id)
            mine = own.setdefault(stop_id, [])
            if area_id in mine:
                row.warn(
                    "stop_id",
                    say("{value} is already in this area", value=shown(stop_id)),
                    say("delete the row"),
                )
            else:
                mine.append(area_id)
    for stop_id in {**own, **parents}:
        areas = _areas_of(stop_id, own, parents)
        if areas:
            network.stop_areas[stop_id] = areas


def _areas_of(stop_id: str, own: Mapping[str, list[str]], parents: Mapping[str, str]) -> tuple[str, ...]:
    """A stop's own areas; without any, those of the station it belongs to (in GTFS its own override them)."""
    for _ in range(_MAX_PARENTS):
        if stop_id in own:
            return tuple(sorted(own[stop_id]))
        if stop_id not in parents:
            return ()
        stop_id = parents[stop_id]
    return ()


def unique(row: Row, column: str, lines: dict[str, int]) -> str:
    """The id of a row, EMPTY where it is missing or was there before; `lines` remembers where each was."""
    value = row.required(column)
    if not value:
        return EMPTY
    first = lines.setdefault(value, row.line)
    if first != row.line:
        row.fault(
            column,
            say("{value} is already in row {row}", value=shown(value), row=first),
            say("keep one row for it"),
        )
        return EMPTY
    return value


def listed(row: Row, column: str, value: str, known: frozenset[str] | None, where: str) -> bool:
    """Whether an id is listed where it should be; a fault where it is not. `known` None: none are."""
    if known is None or value in known:
        return True
    row.fault(
        column,
        say("{value} is not in {where}", value=shown(value), where=where),
        say("add it to {where} or correct it here", where=where),
    )
    return False
