"""Proven rides as they were, for those who ask what they would have cost otherwise. It prices nothing.

Who rode stays unknown: a medium has a number here that is good for this one answer.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import sqlalchemy as sa
from sqlmodel import Session, col, select

from fare.collection.models import Ride
from fare.collection.words import MediumKind
from fare.core import card_record, entitlement
from fare.core.errors import MalformedDocument
from fare.database.chunks import in_chunks
from fare.issuing import entitlement_bytes

_DEFAULT_CATEGORY = 0


@dataclass(frozen=True, slots=True)
class PastRide:
    """One proven ride. `medium` numbers the media of one answer from 1; `area` 0 is none.

    `rider_category` is the number on the card at that ride, a lapsed one not counted; phones have the
    default. `alighting`: the tap ended a journey and began none.
    """

    medium: int
    medium_kind: MediumKind
    rider_category: int
    boarded_at: datetime
    line: int
    area: int
    vehicle_id: str | None
    fare_rial: int
    alighting: bool
    on_pass: bool


@dataclass(frozen=True, slots=True)
class PastRides:
    """Rides by time, of all media or of a sample of them; `in_all` counts those that there were."""

    rides: tuple[PastRide, ...]
    in_all: int


def past_rides(session: Session, since: date, until: date, most: int) -> PastRides:
    """Rides of the service days from `since` to `until`, both included.

    Where there are more than `most`, all rides of some media, so that caps and transfers are told rightly:
    always the same media for the same rides, and none is likelier than another.
    """
    days = (col(Ride.service_day) >= since, col(Ride.service_day) <= until)
    counted = session.exec(
        select(Ride.medium_kind, Ride.medium_ref, sa.func.count())
        .where(*days)
        .group_by(col(Ride.medium_kind), col(Ride.medium_ref))
    ).all()
    in_all = sum(count for _, _, count in counted)
    media = _numbered(counted, min(in_all, most))
    rows: list[Ride] = []
    for chunk in in_chunks({ref for _, ref in media}):
        rows += session.exec(select(Ride).where(*days, col(Ride.medium_ref).in_(chunk))).all()
    rows = [row for row in rows if (row.medium_kind, row.medium_ref) in media]
    rows.sort(key=lambda row: (row.boarded_at, row.medium_ref, row.counter))
    categories = _categories(session, rows)
    return PastRides(
        tuple(_past(row, media[row.medium_kind, row.medium_ref], categories(row)) for row in rows), in_all
    )


def _numbered(counted: Sequence[tuple[str, str, int]], most: int) -> dict[tuple[str, str], int]:
    """Media with at most so many rides together, numbered from 1 in an order that says nothing of them."""
    drawn = sorted(counted, key=lambda each: hashlib.sha256(f"{each[0]} {each[1]}".encode()).digest())
    found: dict[tuple[str, str], int] = {}
    for kind, ref, count in drawn:
        if count <= most:
            most -= count
            found[kind, ref] = len(found) + 1
    return found


def _past(row: Ride, medium: int, category: int) -> PastRide:
    record = _record(row.record_written)
    return PastRide(
        medium=medium,
        medium_kind=MediumKind(row.medium_kind),
        rider_category=category,
        boarded_at=row.boarded_at,
        line=row.line,
        area=_area(row, record),
        vehicle_id=row.vehicle_id,
        fare_rial=row.fare_rial,
        alighting=record is not None and record.alighting,
        on_pass=record is not None and record.on_pass,
    )


def _categories(session: Session, rows: Sequence[Ride]) -> Callable[[Ride], int]:
    """The rider category of each card ride, by the entitlement that was in force, of its own date."""
    wanted = {
        (int(row.medium_ref), row.entitlement_version)
        for row in rows
        if row.medium_kind == MediumKind.CARD and row.entitlement_version is not None
    }
    signed = {key: entitlement.decode(raw) for key, raw in entitlement_bytes(session, wanted).items()}

    def category(row: Ride) -> int:
        if row.medium_kind != MediumKind.CARD or row.entitlement_version is None:
            return _DEFAULT_CATEGORY
        found = signed.get((int(row.medium_ref), row.entitlement_version))
        if found is None:
            return _DEFAULT_CATEGORY
        lapsed = 0 < found.category_expires_day < entitlement.day_number(row.service_day)
        return _DEFAULT_CATEGORY if lapsed else found.rider_category

    return category


def _area(row: Ride, record: card_record.CardRecord | None) -> int:
    """Where the tap was: as it was judged, or from before that was kept, as it is on the card."""
    if row.area is not None:
        return row.area
    return 0 if record is None else record.area


def _record(raw: bytes | None) -> card_record.CardRecord | None:
    """What the ride wrote on the card, None for tickets and for records that nobody can read."""
    if raw is None:
        return None
    try:
        return card_record.decode(raw)
    except MalformedDocument:
        return None
