"""Tickets that two vehicles showed: the rider pays once, neither bus is paid, and a person decides.

    a tap on another vehicle than the ride's -> the ride's parts go back into suspense, once
                                             -> a row in the review queue, once for each vehicle and ride
                                             -> a repeat: the phone is blocked, its tickets are denied
    a claim that overlaps another and differs, on whichever vehicle -> the same at once

A camera at a stop must not be a business, so who uploads first decides nothing. One conflict may be such a
camera; a second one of the same rider is not left to chance, nor forgotten by enrolling another phone. No
camera makes one person of a code into nine: two claims that overlap and differ were signed by a phone that
cheats. A paper ticket is copied by whoever shows it, so of paper the first conflict counts. It decides
nothing else, and pays nobody.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Session

from fare.collection import commits, store
from fare.collection.adjusting import Parts
from fare.collection.adjustments import net_of_rides
from fare.collection.bulk import insert_if_missing, table_of
from fare.collection.facts import Facts
from fare.collection.models import TicketConflict
from fare.collection.posting import Cause
from fare.collection.rides import RideKey, TapSource
from fare.collection.ticket_claims import Shown, shown
from fare.collection.upload import Upload
from fare.collection.verdict import Verdict
from fare.collection.words import Flag, MediumKind
from fare.core.replay import RideClaim
from fare.issuing import deny_ticket
from fare.issuing.phones import block_phone_of
from fare.issuing.ticket_locks import TicketHolder, lock_phone, ticket_holder, tickets_of_rider
from fare.issuing.words import TicketMedium
from fare.ledger import accounts, post_many

_CONFLICT: Final = table_of(TicketConflict)
_ID_HEX: Final = 16


@dataclass(frozen=True, slots=True)
class _Dispute:
    """One tap of this batch, the ride of another vehicle that it disputes, and what it shows."""

    verdict: Verdict
    ride: RideKey
    shown: Shown
    vehicle_id: str | None

    @property
    def cti(self) -> bytes:
        return self.shown.claim.cti


def note_disputes(session: Session, upload: Upload, verdicts: Sequence[Verdict], facts: Facts) -> None:
    """Hold the disputed rides back, queue each dispute for a person, and deny who did it again."""
    found = [dispute for verdict in verdicts if (dispute := _dispute(verdict, facts)) is not None]
    twice = {cti for verdict in verdicts if (cti := _signed_twice(verdict)) is not None}
    if not found and not twice:
        return
    _hold_back(session, upload, [dispute.ride for dispute in found])
    holders = {cti: ticket_holder(session, cti) for cti in {dispute.cti for dispute in found} | twice}
    for phone_id in sorted({holder.phone_id for holder in holders.values() if holder and holder.phone_id}):
        lock_phone(session, phone_id)
    for cti in sorted(twice):
        _deny(session, holders[cti], upload.received_at)
    for dispute in found:
        holder = holders[dispute.cti]
        if holder is not None and not _is_queued(session, dispute):
            denied = dispute.cti in twice or _deny_repeat(session, holder, upload.received_at)
            _queue(session, upload, dispute, denied)


def conflict_id(source: TapSource) -> str:
    """The name of a tap's conflict: always the same, so that it is queued once."""
    name = b"%d:%s:%d" % (source.device, source.journal_id.hex().encode(), source.seq)
    return hashlib.sha256(name).hexdigest()[:_ID_HEX]


def _dispute(verdict: Verdict, facts: Facts) -> _Dispute | None:
    if verdict.disputes is None or verdict.tap.ticket is None:
        return None
    place = facts.assignments.at(verdict.tap.device, verdict.tapped_at)
    seen = shown(verdict.tap.ticket)
    return _Dispute(verdict, verdict.disputes, seen, None if place is None else place.vehicle_id)


def _signed_twice(verdict: Verdict) -> bytes | None:
    """The ticket of which this tap shows a claim that its phone also signed otherwise."""
    if verdict.key is None or Flag.SIGNED_TWICE not in verdict.flags:
        return None
    return bytes.fromhex(verdict.key.ref)


def _hold_back(session: Session, upload: Upload, disputed: Sequence[RideKey]) -> None:
    """Take back what was credited for rides whose ticket another bus shows too, each ride once.

    The rider has paid once; both buses' parts wait in suspense until a person has looked.
    """
    connection = session.connection()
    days: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    adjusted = net_of_rides(connection, disputed)
    for ride in commits.ride_parts(connection, disputed):
        source = TapSource(ride.device_id, bytes(ride.journal_id), ride.seq)
        if not store.flag_once(connection, source, Flag.DISPUTED):
            continue
        change = adjusted.get(RideKey(MediumKind.TICKET, ride.medium_ref, ride.counter), Parts())
        owner_rial = ride.owner_rial + change.owner_rial
        commission_rial = ride.commission_rial + change.commission_rial
        postings = days[ride.service_day]
        if ride.owner_id is not None:
            postings[accounts.owner_payable(ride.owner_id)] += owner_rial
        postings[accounts.COMMISSION_REVENUE] += commission_rial
        postings[accounts.suspense(ride.device_id)] -= owner_rial + commission_rial
    cause = Cause.disputes(upload)
    post_many(session, [cause.draft(day, legs) for day, legs in sorted(days.items())], cause.posted_at)


# --- the queue and the repeat -----------------------------------------------------------------------------


def _is_queued(session: Session, dispute: _Dispute) -> bool:
    """Whether this vehicle's claim on this ride waits there already.

    A device can journal one code as often as it likes: that must not make a repeat of the rider's.
    """
    same = (_CONFLICT.c.cti == dispute.cti) & (_CONFLICT.c.ride_ctr == dispute.ride.counter)
    here = _CONFLICT.c.device_id == dispute.verdict.tap.device
    if dispute.vehicle_id is not None:
        here |= _CONFLICT.c.vehicle_id == dispute.vehicle_id
    return session.connection().execute(sa.select(sa.exists().where(same, here))).scalar_one()


def _deny_repeat(session: Session, holder: TicketHolder, now: datetime) -> bool:
    """Deny the ticket, and all of its phone, where this conflict is not to be left to chance."""
    if holder.medium is TicketMedium.PHONE and not _has_conflict(session, holder):
        return False
    _deny(session, holder, now)
    return True


def _deny(session: Session, holder: TicketHolder | None, now: datetime) -> None:
    """Block the ticket's phone and deny its tickets; of paper, and where no phone is known, the ticket."""
    if holder is None:
        return
    if holder.phone_id is None or block_phone_of(session, holder.cti, now) is None:
        deny_ticket(session, holder.cti, now)


def _has_conflict(session: Session, holder: TicketHolder) -> bool:
    """Whether any ticket of this rider's phones was in a conflict before, decided or not."""
    ctis = [holder.cti] if holder.phone_id is None else tickets_of_rider(session, holder.phone_id)
    known = sa.select(sa.exists().where(_CONFLICT.c.cti.in_(ctis)))
    return session.connection().execute(known).scalar_one()


def _queue(session: Session, upload: Upload, dispute: _Dispute, denied: bool) -> None:
    insert_if_missing(session.connection(), _CONFLICT, _row(dispute, upload.received_at, denied))


def _row(dispute: _Dispute, found_at: datetime, denied: bool) -> dict[str, Any]:
    verdict = dispute.verdict
    claim: RideClaim = dispute.shown.claim
    shown_s = dispute.shown.at_s
    return {
        "conflict_id": conflict_id(verdict.source),
        "cti": dispute.cti,
        "ride_ctr": dispute.ride.counter,
        "first_ctr": claim.first,
        "last_ctr": claim.last,
        "device_id": verdict.tap.device,
        "journal_id": verdict.tap.journal_id,
        "seq": verdict.tap.seq,
        "line": verdict.tap.line,
        "vehicle_id": dispute.vehicle_id,
        "tapped_at": verdict.tapped_at,
        "shown_at": None if shown_s is None else datetime.fromtimestamp(shown_s, UTC),
        "fare_rial": verdict.tap.fare_rial,
        "found_at": found_at,
        "denied": denied,
        "back_owner_rial": 0,
        "back_commission_rial": 0,
        "owner_rial": 0,
        "commission_rial": 0,
    }
