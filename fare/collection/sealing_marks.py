"""Marks the rides of a service day with the journal entry that takes them out of their medium's stored value.

It posts nothing: settlement posts what was marked.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session

from fare.collection.bulk import table_of
from fare.collection.histories import RiderKey, lock_riders
from fare.collection.models import Adjustment, Ride
from fare.collection.words import MediumKind, RiderKind

_RIDE: Final = table_of(Ride)
_ADJUSTMENT: Final = table_of(Adjustment)
ADJUSTED: Final = "adjusted"


@dataclass(frozen=True, slots=True)
class SealedMedium:
    """The rides of one medium that one sealing marked; `sealing` counts that medium's sealings of the day."""

    medium_kind: str
    medium_ref: str
    sealing: int
    rides: int
    fare_rial: int


def seal_entry_id(day: date, medium_kind: str, medium_ref: str, sealing: int) -> str:
    """The journal entry that takes a medium's rides of one day out of its stored value."""
    return f"seal:{day.isoformat()}:{medium_kind}:{medium_ref}:{sealing}"


def mark_sealed(session: Session, day: date) -> list[SealedMedium]:
    """Mark the day's rides that are not sealed yet, and return what was marked, by medium.

    What was marked is what is returned, whatever else is being taken in meanwhile. The caller holds the
    service day's row, so that no two sealings run at once.
    """
    marked: dict[tuple[str, str, int], list[int]] = {}
    for kind, ref, sealing in _sealed_before(session, day):
        again = (_RIDE.c.medium_kind == kind) & (_RIDE.c.medium_ref == ref)
        name = sa.literal(seal_entry_id(day, kind, ref, sealing))
        _mark(session, day, again, name, marked, sealing)
    # A medium that was sealed before is left out here: a ride of it that arrived in this very instant would
    # be given a name that is taken, and can wait for the next sealing.
    other = _RIDE.alias()
    sealed = sa.exists().where(
        other.c.medium_kind == _RIDE.c.medium_kind,
        other.c.medium_ref == _RIDE.c.medium_ref,
        other.c.service_day == day,
        other.c.sealed_entry_id.is_not(None),
    )
    name = sa.literal(f"seal:{day.isoformat()}:") + _RIDE.c.medium_kind + ":" + _RIDE.c.medium_ref + ":1"
    _mark(session, day, ~sealed, name, marked, 1)
    return [SealedMedium(*medium, *marked[medium]) for medium in sorted(marked)]


@dataclass(frozen=True, slots=True)
class SealedRider:
    """What one sealing marked of one rider's adjustments: in all, negative goes back to the rider."""

    rider_kind: str
    rider_ref: str
    sealing: int
    rider_rial: int

    def entry_id(self, day: date) -> str:
        """The journal entry that takes it to the rider's stored value."""
        return f"{ADJUSTED}:{day.isoformat()}:{self.rider_kind}:{self.rider_ref}:{self.sealing}"


def mark_adjusted(session: Session, day: date) -> list[SealedRider]:
    """Mark the day's adjustments that are not sealed yet, and return what was marked, by rider.

    The caller holds the service day's row. Each rider's row is locked: nobody prices these rides meanwhile.
    """
    connection = session.connection()
    c = _ADJUSTMENT.c
    of_day = (c.service_day == day) & c.sealed_entry_id.is_(None)
    waiting = connection.execute(sa.select(c.rider_kind, c.rider_ref).where(of_day).distinct()).all()
    if not waiting:
        return []
    riders = sorted(RiderKey(RiderKind(kind), ref) for kind, ref in waiting)
    lock_riders(connection, riders)
    marked: list[SealedRider] = []
    for rider in riders:
        one = (c.rider_kind == rider.kind) & (c.rider_ref == rider.ref)
        before = sa.select(sa.func.count(sa.distinct(c.sealed_entry_id))).where(one, c.service_day == day)
        sealing = int(connection.execute(before).scalar_one()) + 1
        unnamed = SealedRider(str(rider.kind), rider.ref, sealing, 0)
        statement = (
            _ADJUSTMENT.update()
            .where(one, of_day)
            .values(sealed_entry_id=unnamed.entry_id(day))
            .returning(c.rider_rial)
        )
        rial = sum(int(each) for each in connection.execute(statement).scalars())
        marked.append(replace(unnamed, rider_rial=rial))
    return marked


def sealed_credit(session: Session, serial: str) -> int:
    """What owners and the city were credited for the sealed rides of one card, in rial.

    What an adjustment gave back to the rider was loaded on the card, so it counts as credited: what was taken
    out of suspense does, too.
    """
    credit = sa.select(sa.func.sum(_RIDE.c.fare_rial - _RIDE.c.suspense_rial)).where(
        _RIDE.c.medium_kind == MediumKind.CARD,
        _RIDE.c.medium_ref == serial,
        _RIDE.c.sealed_entry_id.is_not(None),
    )
    c = _ADJUSTMENT.c
    released = sa.select(sa.func.sum(c.suspense_rial)).where(
        c.rider_kind == RiderKind.CARD, c.rider_ref == serial, c.sealed_entry_id.is_not(None)
    )
    connection = session.connection()
    return int(connection.execute(credit).scalar() or 0) - int(connection.execute(released).scalar() or 0)


def _mark(
    session: Session,
    day: date,
    which: sa.ColumnElement[bool],
    name: sa.ColumnElement[str],
    marked: dict[tuple[str, str, int], list[int]],
    sealing: int,
) -> None:
    statement = (
        _RIDE.update()
        .where(_RIDE.c.service_day == day, _RIDE.c.sealed_entry_id.is_(None), which)
        .values(sealed_entry_id=name)
        .returning(_RIDE.c.medium_kind, _RIDE.c.medium_ref, _RIDE.c.fare_rial)
    )
    for kind, ref, fare_rial in session.connection().execute(statement):
        known = marked.setdefault((kind, ref, sealing), [0, 0])
        known[0] += 1
        known[1] += fare_rial


def _sealed_before(session: Session, day: date) -> list[tuple[str, str, int]]:
    """The media that were sealed and have unsealed rides again, with the number of their next sealing."""
    unsealed = sa.func.sum(sa.case((_RIDE.c.sealed_entry_id.is_(None), 1), else_=0))
    sealings = sa.func.count(sa.distinct(_RIDE.c.sealed_entry_id))
    rows = session.connection().execute(
        sa.select(_RIDE.c.medium_kind, _RIDE.c.medium_ref, sealings)
        .where(_RIDE.c.service_day == day)
        .group_by(_RIDE.c.medium_kind, _RIDE.c.medium_ref)
        .having(unsealed > 0)
        .having(sealings > 0)
    )
    return [(kind, ref, int(count) + 1) for kind, ref, count in rows]
