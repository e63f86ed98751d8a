"""What others may read of adjusted fares: sums by owner and by ride, and each one with its reason. Read only.

Amounts are rial. What a ride's row says stands for ever; with its adjustments it says what the ride came to.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlmodel import Session

from fare.collection.adjusting import Parts
from fare.collection.bulk import table_of
from fare.collection.histories import newest_says_too_little
from fare.collection.models import Adjustment, Ride
from fare.collection.rides import RideKey
from fare.collection.words import AdjustmentCause, MediumKind, RiderKind
from fare.core.signed import decode_canonical
from fare.core.tariff.context import Step
from fare.core.tariff.plain import from_map
from fare.database.chunks import in_chunks

_ADJUSTMENT: Final = table_of(Adjustment)
_RIDE: Final = table_of(Ride)
_LEGS: Final = ("rider_rial", "owner_rial", "commission_rial", "suspense_rial")


@dataclass(frozen=True, slots=True)
class AdjustmentView:
    """One adjustment. `rider_rial` negative came back to the rider. `steps`: why, for `sentences.explain`.

    (`medium_kind`, `medium_ref`, `counter`) names the ride, which was on `line` at `boarded_at`.
    """

    medium_kind: MediumKind
    medium_ref: str
    counter: int
    number: int
    boarded_at: datetime
    line: int
    charged_rial: int
    rider_rial: int
    cause: AdjustmentCause
    steps: tuple[Step, ...]
    tariff_version: int
    entry_id: str
    adjusted_at: datetime


@dataclass(frozen=True, slots=True)
class FalseState:
    """A card that was charged too little more than once: it told of a past that it does not have."""

    serial: str
    times: int
    rider_rial: int


def adjustments_of_card(session: Session, serial: int, limit: int = 100) -> list[AdjustmentView]:
    """A card's adjustments, the newest first."""
    which = (_ADJUSTMENT.c.rider_kind == RiderKind.CARD) & (_ADJUSTMENT.c.rider_ref == str(serial))
    return _views(session, which, limit)


def adjustments_of_tickets(session: Session, ctis: Collection[bytes]) -> list[AdjustmentView]:
    """The adjustments of these tickets' rides, the newest first."""
    found: list[AdjustmentView] = []
    for chunk in in_chunks(cti.hex() for cti in ctis):
        of_tickets = _ADJUSTMENT.c.medium_kind == MediumKind.TICKET
        found += _views(session, of_tickets & _ADJUSTMENT.c.medium_ref.in_(chunk), None)
    return sorted(found, key=lambda view: (view.adjusted_at, view.number), reverse=True)


def adjustments_of_day(session: Session, day: date) -> list[AdjustmentView]:
    """The adjustments of a service day's rides, the newest first."""
    return _views(session, _ADJUSTMENT.c.service_day == day, None)


def net_of_rides(connection: Connection, keys: Iterable[RideKey]) -> dict[RideKey, Parts]:
    """What the adjustments of these rides come to, held ones too; rides without are left out."""
    c = _ADJUSTMENT.c
    found: dict[RideKey, Parts] = {}
    wanted = set(keys)
    for chunk in in_chunks(key.ref for key in wanted):
        sums = (sa.func.sum(c[name]) for name in _LEGS)
        rows = connection.execute(
            sa.select(c.medium_kind, c.medium_ref, c.counter, *sums)
            .where(c.medium_ref.in_(chunk))
            .group_by(c.medium_kind, c.medium_ref, c.counter)
        )
        for row in rows:
            key = RideKey(MediumKind(row.medium_kind), row.medium_ref, row.counter)
            if key in wanted:
                found[key] = Parts(*(int(each) for each in row[-len(_LEGS) :]))
    return found


def net_by_owner(
    session: Session, day: date, entry_ids: Collection[str] | None = None
) -> dict[str | None, Parts]:
    """The day's adjustments by owner; only those that these entries posted when given."""
    c = _ADJUSTMENT.c
    statement = (
        sa.select(c.owner_id, *(sa.func.sum(c[name]) for name in _LEGS))
        .where(c.service_day == day)
        .group_by(c.owner_id)
    )
    parts = (
        [statement]
        if entry_ids is None
        else [statement.where(c.entry_id.in_(chunk)) for chunk in in_chunks(entry_ids)]
    )
    found: dict[str | None, Parts] = {}
    for part in parts:
        for owner_id, *rial in session.connection().execute(part):
            found[owner_id] = found.get(owner_id, Parts()).plus(Parts(*(int(each) for each in rial)))
    return found


def adjusting_entries(session: Session, day: date) -> list[str]:
    """The journal entries that adjusted the day's rides."""
    c = _ADJUSTMENT.c
    return list(
        session.connection().execute(sa.select(c.entry_id).where(c.service_day == day).distinct()).scalars()
    )


def told_too_little(session: Session, day: date, since: date) -> list[FalseState]:
    """The cards that were charged too little on the day, and at least twice since: somebody should look.

    The chip's own state is signed by nobody. Once may be a fault; a repeat is not left to chance. It counts
    whether the card has the money that is missing or not.
    """
    c = _ADJUSTMENT.c
    rides = (
        sa.select(
            c.rider_ref,
            c.counter,
            sa.func.sum(c.rider_rial).label("rial"),
            sa.func.max(c.service_day).label("day"),
        )
        .where(c.rider_kind == RiderKind.CARD, c.service_day <= day, c.service_day >= since)
        .group_by(c.rider_ref, c.counter)
        .having(newest_says_too_little() % 2 == 1)
        .subquery()
    )
    rows = session.connection().execute(
        sa.select(rides.c.rider_ref, sa.func.count(), sa.func.sum(rides.c.rial))
        .group_by(rides.c.rider_ref)
        .having(sa.func.count() > 1)
        .having(sa.func.max(rides.c.day) == day)
        .order_by(rides.c.rider_ref)
    )
    return [FalseState(ref, int(times), int(rial)) for ref, times, rial in rows]


def _views(session: Session, which: sa.ColumnElement[bool], limit: int | None) -> list[AdjustmentView]:
    c = _ADJUSTMENT.c
    same = (
        (_RIDE.c.medium_kind == c.medium_kind)
        & (_RIDE.c.medium_ref == c.medium_ref)
        & (_RIDE.c.counter == c.counter)
    )
    rows = session.connection().execute(
        sa.select(_ADJUSTMENT, _RIDE.c.boarded_at, _RIDE.c.line, _RIDE.c.fare_rial)
        .join(_RIDE, same)
        .where(which)
        .order_by(c.adjusted_at.desc(), c.counter.desc(), c.number.desc())
        .limit(limit)
    )
    return [_view(row) for row in rows]


def _view(row: Any) -> AdjustmentView:
    return AdjustmentView(
        medium_kind=MediumKind(row.medium_kind),
        medium_ref=row.medium_ref,
        counter=row.counter,
        number=row.number,
        boarded_at=row.boarded_at,
        line=row.line,
        charged_rial=row.fare_rial,
        rider_rial=row.rider_rial,
        cause=AdjustmentCause(row.cause),
        steps=tuple(from_map(Step, each, "step") for each in decode_canonical(bytes(row.steps))),
        tariff_version=row.tariff_version,
        entry_id=row.entry_id,
        adjusted_at=row.adjusted_at,
    )
