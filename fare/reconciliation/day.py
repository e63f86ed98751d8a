"""Works out the report of one service day from rows. It writes nothing."""

from __future__ import annotations

from datetime import date, datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from fare.collection.journals import streams
from fare.collection.register import OwnerRides, batch_entries, day_counts, owner_rides
from fare.database.chunks import in_chunks
from fare.fleet import assignments_at, owners
from fare.ledger import clearing, trial_balance
from fare.ledger.models import Entry
from fare.reconciliation.proofs import look_at
from fare.reconciliation.report import DayReport, OwnerDay, StreamState
from fare.settlement import sealed_at


def day_report(session: Session, day: date, now: datetime, zone: ZoneInfo | None = None) -> DayReport:
    """Everything about a service day as it stands at `now`."""
    counts = day_counts(session, day)
    sealed = sealed_at(session, day)
    late = [] if sealed is None else _posted_after(session, batch_entries(session, day), sealed)
    late_rides = {row.owner_id: row for row in owner_rides(session, day, late)} if late else {}
    rides = owner_rides(session, day)
    names = {owner.owner_id: owner.name for owner in owners(session)}
    unassigned = next((row for row in rides if row.owner_id is None), None)
    books = trial_balance(session)
    return DayReport(
        service_day=day,
        computed_at=now,
        taps=counts.taps,
        accepted=counts.accepted,
        refused=counts.refused,
        unconfirmed=counts.unconfirmed,
        refusals=counts.refusals,
        owners=tuple(
            _owner(row, names.get(row.owner_id, row.owner_id), late_rides.get(row.owner_id))
            for row in rides
            if row.owner_id is not None
        ),
        clearing_rial=clearing(session, day),
        trial_balance_rial=books.total,
        proofs=look_at(session, day, now, zone),
        streams=_streams(session, now),
        sealed_at=sealed,
        late_taps=sum(row.rides for row in late_rides.values()),
        damaged_entries=tuple(sorted({*books.unbalanced_entries, *books.altered_entries})),
        unassigned_rides=0 if unassigned is None else unassigned.rides,
        unassigned_rial=0 if unassigned is None else unassigned.gross_rial,
    )


def _owner(row: OwnerRides, name: str, late: OwnerRides | None) -> OwnerDay:
    return OwnerDay(
        owner_id=row.owner_id or "",
        name=name,
        rides=row.rides,
        gross_rial=row.gross_rial,
        commission_rial=row.commission_rial,
        suspense_rial=row.suspense_rial,
        net_rial=row.owner_rial,
        late_rides=0 if late is None else late.rides,
        late_rial=0 if late is None else late.owner_rial,
    )


def _streams(session: Session, now: datetime) -> tuple[StreamState, ...]:
    journals = streams(session)
    places = assignments_at(session, [journal.device_id for journal in journals])
    found: list[StreamState] = []
    for journal in journals:
        place = places.at(journal.device_id, now)
        found.append(
            StreamState(
                device_id=journal.device_id,
                vehicle_id=None if place is None else place.vehicle_id,
                owner_id=None if place is None else place.owner_id,
                last_upload_at=journal.last_upload_at,
                acked_seq=journal.acked_seq,
                newest_seq=journal.newest_seq,
                quarantined=journal.quarantined,
            )
        )
    return tuple(found)


def _posted_after(session: Session, entry_ids: list[str], at: datetime) -> list[str]:
    found: list[str] = []
    for chunk in in_chunks(entry_ids):
        late = select(Entry.entry_id).where(col(Entry.entry_id).in_(chunk), col(Entry.posted_at) > at)
        found += session.exec(late).all()
    return found
