"""Marks the rides of a service day with the journal entry that takes them out of their medium's stored value.

It posts nothing: settlement posts what was marked.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session

from fare.collection.bulk import table_of
from fare.collection.models import Ride
from fare.collection.words import MediumKind

_RIDE: Final = table_of(Ride)


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


def sealed_credit(session: Session, serial: str) -> int:
    """What owners and the city were credited for the sealed rides of one card, in rial."""
    credit = sa.select(sa.func.sum(_RIDE.c.fare_rial - _RIDE.c.suspense_rial)).where(
        _RIDE.c.medium_kind == MediumKind.CARD,
        _RIDE.c.medium_ref == serial,
        _RIDE.c.sealed_entry_id.is_not(None),
    )
    return int(session.connection().execute(credit).scalar() or 0)


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
