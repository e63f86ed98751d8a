"""Proven rides of the tap register as cases, so that a tariff can be tried on what a city really rode.

Riders are numbers in it. Rides on a pass are left out: they cost nothing before and after. It prices nothing.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from sqlmodel import Session

from fare.collection import MediumKind, PastRide, past_rides
from fare.core.tariff.context import TapKind
from fare.core.tariff.model import FareMedium, Tariff
from fare.network import lines
from fare.tariffs.cases import Case, CaseTap

MOST_RIDES: Final = 100_000
"""So many are compared in less than a minute."""


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


def in_words_of(old: Tariff, new: Tariff, case: Case) -> Case:
    """A case for `new` as one for `old`: cards and taps know categories and areas by their numbers alone.

    A category that the old tariff does not know rides as its default one, as it did.
    """
    categories = {each.number: each.rider_category_id for each in old.rider_categories}
    numbers = {each.rider_category_id: each.number for each in new.rider_categories}
    areas = {name: old.areas.get(number) for number, name in new.areas.items()}
    category = numbers.get(case.rider_category or "")
    return replace(
        case,
        rider_category=None if category is None else categories.get(category),
        taps=tuple(replace(tap, area_id=areas.get(tap.area_id or "")) for tap in case.taps),
    )


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
