"""Proven rides of the tap register as cases, so that a tariff can be tried on what a city really rode.

Riders are numbers in it. Rides on a pass are left out: they cost nothing before and after. It prices nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Any, Final, cast

from sqlmodel import Session

from fare.collection import MediumKind, PastRide, past_rides
from fare.core.tariff.context import TapKind
from fare.core.tariff.document import from_document, to_document
from fare.core.tariff.model import FareMedium, Tariff
from fare.network import lines
from fare.tariffs.cases import Case, CaseTap

MOST_RIDES: Final = 100_000
"""So many are compared in less than a minute."""

_CATEGORY_KEYS: Final = frozenset({"rider_category_id", "falls_back_to"})


@dataclass(frozen=True, slots=True)
class RealTaps:
    """Cases for one tariff, one a medium. `lines`: route_id -> line number; `in_all`: rides there were."""

    cases: tuple[Case, ...]
    lines: dict[str, int]
    since: date
    until: date
    rides: int
    on_passes: int
    in_all: int


def cases_from_register(
    session: Session, tariff: Tariff, since: date, until: date, most: int = MOST_RIDES
) -> RealTaps:
    """The proven rides of these service days, both included, in the words of `tariff`.

    Where there are more than `most`, all rides of a sample of the riders.
    """
    past = past_rides(session, since, until, most)
    found = past.rides
    routes = {line.line: line.route_id for line in lines(session)} | dict(tariff.lines)
    by_medium: dict[int, list[PastRide]] = {}
    for ride in found:
        if not ride.on_pass:
            by_medium.setdefault(ride.medium, []).append(ride)
    categories = {each.number: each.rider_category_id for each in tariff.rider_categories}
    return RealTaps(
        cases=tuple(_case(tariff, medium, rides, routes, categories) for medium, rides in by_medium.items()),
        lines={route: line for line, route in routes.items()},
        since=since,
        until=until,
        rides=sum(len(rides) for rides in by_medium.values()),
        on_passes=sum(ride.on_pass for ride in found),
        in_all=past.in_all,
    )


def with_categories_of(old: Tariff, new: Tariff) -> Tariff:
    """The old tariff with the new one's ids for rider categories: cards know both by their number alone."""
    ids = {each.number: each.rider_category_id for each in new.rider_categories}
    changed = {
        each.rider_category_id: ids[each.number]
        for each in old.rider_categories
        if ids.get(each.number, each.rider_category_id) != each.rider_category_id
    }
    if not changed:
        return old
    # An id of the old tariff that the new one uses for another number must not become that one's.
    taken = set(ids.values())
    for each in old.rider_categories:
        own = each.rider_category_id
        if own in taken and own not in changed and ids.get(each.number) != own:
            changed[own] = f"{own} ({each.number})"
    return from_document(_renamed(to_document(old), changed))


def _renamed(value: Any, ids: dict[str, str]) -> Any:
    if isinstance(value, list):
        return [_renamed(each, ids) for each in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    found: dict[Any, Any] = {}
    for key, each in cast("dict[Any, Any]", value).items():
        if key in _CATEGORY_KEYS:
            found[key] = ids.get(each, each)
        elif key == "rider_categories" and all(isinstance(one, str) for one in each):
            found[key] = sorted(ids.get(one, one) for one in cast("list[str]", each))
        elif key == "percents":
            found[key] = {ids.get(one, one): percent for one, percent in each.items()}
        else:
            found[key] = _renamed(each, ids)
    return found


def _case(
    tariff: Tariff, medium: int, rides: list[PastRide], routes: dict[int, str], categories: dict[int, str]
) -> Case:
    is_card = rides[0].medium_kind is MediumKind.CARD
    return Case(
        case_id=str(medium),
        taps=tuple(
            CaseTap(
                at=ride.boarded_at,
                kind=TapKind.OFF if ride.alighting else TapKind.ON,
                route_id=routes.get(ride.line),
                area_id=tariff.areas.get(ride.area),
                vehicle_id=ride.vehicle_id,
            )
            for ride in rides
        ),
        # A category may change from ride to ride; the one of most weight is the newest.
        rider_category=categories.get(rides[-1].rider_category),
        fare_media=(FareMedium.CARD if is_card else FareMedium.PHONE).value,
    )
