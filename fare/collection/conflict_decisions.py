"""What a person decides about a ticket that two vehicles showed, and where its fare goes then.

    pay_first    the ride's own bus was right        pay_second    the other vehicle was
    pay_nobody   the fare stays in suspense, with the reason in the note

A ride may be in several conflicts. Its fare moves when the last one is decided, by one entry:

    conflict:<that conflict>   + suspense of the ride's device   - owners' parts and commission

Each person of the ride is a share of it: a share that a second vehicle was right about goes to that
vehicle's owner, one that is left in doubt (pay_nobody) stays, every other goes back. Where the ride's own bus
was never credited, being revoked or the paper another's, a second vehicle is paid from what waits of the ride
and nothing goes back. The rider paid once, before, and is not touched. Nothing is decided twice, and nothing
that was paid out moves again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Session

from fare.collection.bulk import table_of
from fare.collection.disputed_rides import own_parts, waiting_rial
from fare.collection.legs import shares
from fare.collection.models import Ride, TicketConflict
from fare.collection.ticket_claims import claim_of
from fare.collection.words import ConflictDecision, MediumKind
from fare.core.replay import RideClaim, claims
from fare.fleet import Assignment, AssignmentTable, assignments_at
from fare.issuing.ticket_locks import lock_tickets
from fare.ledger import EntryDraft, accounts, post_many

_CONFLICT: Final = table_of(TicketConflict)
_RIDE: Final = table_of(Ride)
NOTE_MAX_CHARS: Final = 500


class ConflictRefusal(StrEnum):
    """Why a decision is not taken."""

    UNKNOWN_CONFLICT = "unknown_conflict"
    ALREADY_DECIDED = "already_decided"
    NOTE_MISSING = "note_missing"
    NO_OWNER = "no_owner"
    OTHER_VEHICLE_PAID = "other_vehicle_paid"
    HELD_BACK_OTHERWISE = "held_back_otherwise"
    FARE_HAS_MOVED = "fare_has_moved"


@dataclass(frozen=True, slots=True)
class _Second:
    """What one conflict's vehicle is paid."""

    owner_id: str
    owner_rial: int
    commission_rial: int


@dataclass(frozen=True, slots=True)
class _Settled:
    """Where the whole fare of a ride goes: back to its own bus, and to second vehicles by conflict."""

    back_owner_rial: int
    back_commission_rial: int
    seconds: Mapping[str, _Second]

    @property
    def moved_rial(self) -> int:
        paid = sum(second.owner_rial + second.commission_rial for second in self.seconds.values())
        return self.back_owner_rial + self.back_commission_rial + paid


def decide_conflict(
    session: Session, conflict_id: str, decision: ConflictDecision, by: str, note: str, now: datetime
) -> ConflictRefusal | None:
    """Record what `by` (a staff id) decided, and move the fare where this was the ride's last open conflict.

    `note` says why; it may be empty unless nobody is paid. Returns why not, and then nothing has changed.
    """
    connection = session.connection()
    cti = connection.execute(
        sa.select(_CONFLICT.c.cti).where(_CONFLICT.c.conflict_id == conflict_id)
    ).scalar()
    if cti is None:
        return ConflictRefusal.UNKNOWN_CONFLICT
    # Whoever judges a tap of this ticket, or decides about it, takes turns here.
    lock_tickets(session, [bytes(cti)])
    beside = _of_ticket(session, bytes(cti))
    row = beside[conflict_id]
    same_ride = [other for other in beside.values() if other.ride_ctr == row.ride_ctr]
    ride = _ride(session, bytes(cti), row.ride_ctr)
    places = assignments_at(session, {row.device_id for row in same_ride})
    note = note.strip()[:NOTE_MAX_CHARS]
    waiting = waiting_rial(session, ride)
    refusal = _refusal(row, same_ride, ride, waiting, decision, note, places)
    if refusal is not None:
        return refusal
    told = {"decision": str(decision), "decided_by": by, "decided_at": now, "note": note or None}
    _update(session, conflict_id, told)
    is_last = not any(other.decision is None for other in same_ride if other is not row)
    if is_last and not _has_moved(same_ride):
        decisions = {other.conflict_id: other.decision or decision for other in same_ride}
        settled = _divide(ride, own_parts(session, ride), waiting, same_ride, decisions, places)
        _settle(session, conflict_id, ride, same_ride, settled, now)
    return None


def _refusal(
    row: Any,
    same_ride: Sequence[Any],
    ride: Any,
    waiting: int,
    decision: ConflictDecision,
    note: str,
    places: AssignmentTable,
) -> ConflictRefusal | None:
    if row.decision is not None:
        return ConflictRefusal.ALREADY_DECIDED
    if decision is ConflictDecision.PAY_NOBODY:
        return None if note else ConflictRefusal.NOTE_MISSING
    if decision is not ConflictDecision.PAY_SECOND:
        return None
    if _has_moved(same_ride):
        return ConflictRefusal.FARE_HAS_MOVED
    if _place(places, row) is None:
        return ConflictRefusal.NO_OWNER
    if waiting == 0 < ride.fare_rial:
        return ConflictRefusal.HELD_BACK_OTHERWISE
    taken = [other for other in same_ride if other.decision == ConflictDecision.PAY_SECOND]
    if any(_claim(row).overlaps(_claim(other)) for other in taken):
        return ConflictRefusal.OTHER_VEHICLE_PAID
    return None


def _has_moved(same_ride: Sequence[Any]) -> bool:
    return any(other.entry_id is not None for other in same_ride)


# --- the money --------------------------------------------------------------------------------------------


def _settle(
    session: Session,
    conflict_id: str,
    ride: Any,
    same_ride: Sequence[Any],
    settled: _Settled,
    now: datetime,
) -> None:
    postings: dict[str, int] = defaultdict(int)
    postings[accounts.suspense(ride.device_id)] += settled.moved_rial
    if ride.owner_id is not None:
        postings[accounts.owner_payable(ride.owner_id)] -= settled.back_owner_rial
    postings[accounts.COMMISSION_REVENUE] -= settled.back_commission_rial
    for second in settled.seconds.values():
        postings[accounts.owner_payable(second.owner_id)] -= second.owner_rial
        postings[accounts.COMMISSION_REVENUE] -= second.commission_rial
    draft = EntryDraft("conflict", conflict_id, ride.service_day, "a disputed ticket was decided", postings)
    post_many(session, [draft], now)
    for other in same_ride:
        second = settled.seconds.get(other.conflict_id)
        back = other.conflict_id == conflict_id
        _update(
            session,
            other.conflict_id,
            {
                "entry_id": draft.entry_id,
                "back_owner_rial": settled.back_owner_rial if back else 0,
                "back_commission_rial": settled.back_commission_rial if back else 0,
                "owner_id": None if second is None else second.owner_id,
                "owner_rial": 0 if second is None else second.owner_rial,
                "commission_rial": 0 if second is None else second.commission_rial,
            },
        )


def _divide(
    ride: Any,
    own: tuple[int, int],
    waiting: int,
    same_ride: Sequence[Any],
    decisions: Mapping[str, str],
    places: AssignmentTable,
) -> _Settled:
    """Share what waits of the ride out by its people: to second vehicles, in doubt, and back.

    Back goes only what its own bus was credited with once.
    """
    whole = claim_of(bytes(ride.proof)) or claims(bytes.fromhex(ride.medium_ref), ride.counter, 1)
    people = range(whole.first, whole.last + 1)
    own_rial, own_commission_rial = sum(own), own[1]
    elsewhere: set[int] = set()
    in_doubt: set[int] = set()
    seconds: dict[str, _Second] = {}
    for row in same_ride:
        claimed = {n for n in people if row.first_ctr <= n <= row.last_ctr}
        decided, place = decisions[row.conflict_id], _place(places, row)
        if decided == ConflictDecision.PAY_SECOND and place is not None:
            elsewhere |= claimed
            part_rial = min(waiting * len(claimed) // len(people), row.fare_rial)
            seconds[row.conflict_id] = _Second(place.owner_id, *shares(part_rial, place.owner_share_bps))
        elif decided == ConflictDecision.PAY_NOBODY:
            in_doubt |= claimed
    back = len(set(people) - elsewhere - in_doubt)
    back_rial = own_rial * back // len(people)
    if back and not in_doubt:
        # Shares are rounded down: what that leaves over is the ride's own bus's.
        back_rial = own_rial - own_rial * len(elsewhere) // len(people)
    commission_rial = own_commission_rial * back // len(people)
    return _Settled(back_rial - commission_rial, commission_rial, seconds)


def _place(places: AssignmentTable, row: Any) -> Assignment | None:
    return places.at(row.device_id, row.tapped_at)


def _claim(row: Any) -> RideClaim:
    return RideClaim(bytes(row.cti), row.first_ctr, row.last_ctr)


# --- rows -------------------------------------------------------------------------------------------------


def _of_ticket(session: Session, cti: bytes) -> dict[str, Any]:
    rows = session.connection().execute(
        sa.select(_CONFLICT).where(_CONFLICT.c.cti == cti).order_by(_CONFLICT.c.conflict_id)
    )
    return {row.conflict_id: row for row in rows}


def _ride(session: Session, cti: bytes, ctr: int) -> Any:
    named = (
        _RIDE.c.medium_kind == MediumKind.TICKET,
        _RIDE.c.medium_ref == cti.hex(),
        _RIDE.c.counter == ctr,
    )
    return session.connection().execute(sa.select(_RIDE).where(*named)).one()


def _update(session: Session, conflict_id: str, values: Mapping[str, Any]) -> None:
    statement = _CONFLICT.update().where(_CONFLICT.c.conflict_id == conflict_id)
    session.connection().execute(statement.values(dict(values)))
