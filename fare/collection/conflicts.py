"""The review queue of tickets that two vehicles showed: what a person sees of each. It changes nothing.

Amounts are rial. It names tickets by their aliases and never a person.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import ColumnElement
from sqlmodel import Session

from fare.collection.bulk import table_of
from fare.collection.disputed_rides import waiting_rial
from fare.collection.models import Ride, TicketConflict
from fare.collection.open_taps import OpenTap
from fare.collection.ticket_claims import Shown, kept
from fare.collection.words import ConflictDecision, MediumKind
from fare.core.replay import claims
from fare.database.chunks import in_chunks
from fare.fleet import AssignmentTable, assignments_at
from fare.issuing.ticket_locks import ticket_holder, tickets_of_rider

_CONFLICT: Final = table_of(TicketConflict)
_RIDE: Final = table_of(Ride)
_ORDER: Final = (_CONFLICT.c.found_at, _CONFLICT.c.tapped_at, _CONFLICT.c.conflict_id)
SHOWN_MAX: Final = 200


@dataclass(frozen=True, slots=True)
class ConflictSide:
    """One of the two vehicles. `shown_at` is the time that the phone signed in its frame, None of paper.

    It claims the rides `first_ctr` to `last_ctr`; `fare_rial` is what it showed, of the ride what was paid.
    """

    device_id: int
    vehicle_id: str | None
    owner_id: str | None
    line: int
    tapped_at: datetime
    shown_at: datetime | None
    first_ctr: int
    last_ctr: int
    fare_rial: int


@dataclass(frozen=True, slots=True)
class ConflictView:
    """A conflict as a person judges it: `first` is the ride that stands, `second` the other vehicle.

    `waiting_rial` is what waits in suspense for a decision. `earlier` counts the conflicts of the same
    rider's phones (of the same ticket, for paper) that were found before this one, `beside` those about the
    same ride that nobody has decided.
    """

    conflict_id: str
    cti: bytes
    service_day: date
    found_at: datetime
    first: ConflictSide
    second: ConflictSide
    waiting_rial: int
    denied: bool
    earlier: int
    beside: int
    decision: ConflictDecision | None
    decided_by: str | None
    decided_at: datetime | None
    note: str | None

    @property
    def apart_s(self) -> int | None:
        """Seconds between the two frames that the phone signed; None of paper."""
        if self.first.shown_at is None or self.second.shown_at is None:
            return None
        return abs(int((self.second.shown_at - self.first.shown_at).total_seconds()))


def open_conflicts(session: Session, limit: int = SHOWN_MAX) -> list[ConflictView]:
    """What nobody has decided yet, the oldest first, at most so many."""
    return _views(session, _CONFLICT.c.decision.is_(None), limit)


def conflict(session: Session, conflict_id: str) -> ConflictView | None:
    """One conflict, decided or not; None for an unknown one."""
    found = _views(session, _CONFLICT.c.conflict_id == conflict_id, 1)
    return found[0] if found else None


def count_open(session: Session) -> int:
    """How many nobody has decided yet."""
    counted = sa.select(sa.func.count()).select_from(_CONFLICT).where(_CONFLICT.c.decision.is_(None))
    return session.connection().execute(counted).scalar_one()


def undecided(session: Session, taps: Sequence[OpenTap]) -> list[OpenTap]:
    """Those of these taps in conflict that nobody has decided; a card's always.

    A tap that its device journalled again was not queued itself: the decision on the first one is its too.
    """
    ctis = {bytes.fromhex(tap.medium_ref) for tap in taps if _is_of_ticket(tap) and tap.medium_ref}
    decided: set[tuple[int, str, int]] = set()
    for chunk in in_chunks(ctis):
        rows = session.connection().execute(
            sa.select(_CONFLICT).where(_CONFLICT.c.cti.in_(chunk), _CONFLICT.c.decision.is_not(None))
        )
        for row in rows:
            ref = bytes(row.cti).hex()
            decided |= {(row.device_id, ref, n) for n in range(row.first_ctr, row.last_ctr + 1)}
    return [
        tap
        for tap in taps
        if not _is_of_ticket(tap) or (tap.device_id, tap.medium_ref, tap.counter) not in decided
    ]


def _is_of_ticket(tap: OpenTap) -> bool:
    return tap.medium_kind == MediumKind.TICKET


def _views(session: Session, which: ColumnElement[bool], limit: int) -> list[ConflictView]:
    rows = (
        session.connection().execute(sa.select(_CONFLICT).where(which).order_by(*_ORDER).limit(limit)).all()
    )
    rides = _rides(session, {bytes(row.cti) for row in rows})
    devices = {row.device_id for row in rows} | {ride.device_id for ride in rides.values()}
    places = assignments_at(session, devices)
    return [_view(session, row, rides[bytes(row.cti), row.ride_ctr], places) for row in rows]


def _rides(session: Session, ctis: Iterable[bytes]) -> dict[tuple[bytes, int], Any]:
    found: dict[tuple[bytes, int], Any] = {}
    for chunk in in_chunks(ctis):
        refs = [cti.hex() for cti in chunk]
        rows = session.connection().execute(
            sa.select(_RIDE).where(_RIDE.c.medium_kind == MediumKind.TICKET, _RIDE.c.medium_ref.in_(refs))
        )
        found |= {(bytes.fromhex(row.medium_ref), row.counter): row for row in rows}
    return found


def _view(session: Session, row: Any, ride: Any, places: AssignmentTable) -> ConflictView:
    cti = bytes(row.cti)
    paid = kept(bytes(ride.proof)) or Shown(claims(cti, ride.counter, 1), None)
    place = places.at(row.device_id, row.tapped_at)
    earlier, beside = _others(session, row)
    return ConflictView(
        conflict_id=row.conflict_id,
        cti=cti,
        service_day=ride.service_day,
        found_at=row.found_at,
        first=ConflictSide(
            device_id=ride.device_id,
            vehicle_id=ride.vehicle_id,
            owner_id=ride.owner_id,
            line=ride.line,
            tapped_at=ride.boarded_at,
            shown_at=None if paid.at_s is None else datetime.fromtimestamp(paid.at_s, UTC),
            first_ctr=paid.claim.first,
            last_ctr=paid.claim.last,
            fare_rial=ride.fare_rial,
        ),
        second=ConflictSide(
            device_id=row.device_id,
            vehicle_id=row.vehicle_id,
            owner_id=None if place is None else place.owner_id,
            line=row.line,
            tapped_at=row.tapped_at,
            shown_at=row.shown_at,
            first_ctr=row.first_ctr,
            last_ctr=row.last_ctr,
            fare_rial=row.fare_rial,
        ),
        waiting_rial=0 if row.entry_id is not None else waiting_rial(session, ride),
        denied=bool(row.denied),
        earlier=earlier,
        beside=beside,
        decision=None if row.decision is None else ConflictDecision(row.decision),
        decided_by=row.decided_by,
        decided_at=row.decided_at,
        note=row.note,
    )


def _others(session: Session, row: Any) -> tuple[int, int]:
    """How many conflicts of the same rider came before, and how many of the same ride are undecided."""
    cti = bytes(row.cti)
    holder = ticket_holder(session, cti)
    phone_id = None if holder is None else holder.phone_id
    ctis = [cti] if phone_id is None else tickets_of_rider(session, phone_id)
    here = (sa.literal(getattr(row, column.name), column.type) for column in _ORDER)
    before = sa.tuple_(*_ORDER) < sa.tuple_(*here)
    other = _CONFLICT.c.conflict_id != row.conflict_id
    same_ride = (_CONFLICT.c.cti == cti) & (_CONFLICT.c.ride_ctr == row.ride_ctr)
    counts = [
        sa.select(sa.func.count()).select_from(_CONFLICT).where(_CONFLICT.c.cti.in_(ctis), before),
        sa.select(sa.func.count())
        .select_from(_CONFLICT)
        .where(same_ride, other, _CONFLICT.c.decision.is_(None)),
    ]
    earlier, beside = (session.connection().execute(count).scalar_one() for count in counts)
    return earlier, beside
