"""From proven commits to rows, and from rides to money: one journal entry for each batch and service day.

The only place where collection meets the journal. An entry says how much, to whom and for which service
day; which medium rode on which bus stays in the register.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from sqlmodel import Session

from fare.collection import commits, store
from fare.collection.facts import Facts
from fare.collection.legs import Legs, divide
from fare.collection.rides import (
    Double,
    ProvenCommit,
    ProvenRide,
    RideKey,
    TapSource,
    readable_record,
    version_after,
)
from fare.collection.unravelling import Unravelled
from fare.collection.upload import Upload
from fare.collection.verdict import Verdict, same_vehicle
from fare.collection.words import CommitKind, Flag, MediumKind, ProofState
from fare.core.proof.card import CommitProof
from fare.issuing import mark_seen, mark_unseen
from fare.issuing.denylist import deny_cards
from fare.ledger import EntryDraft, accounts, post_many


@dataclass(frozen=True, slots=True)
class Cause:
    """What entries are posted for: one a service day, `<kind>:<name>:<service day>`. It names no medium."""

    kind: str
    name: str
    text: str
    posted_at: datetime

    @classmethod
    def batch(cls, upload: Upload) -> Cause:
        """The rides of a batch that was taken in."""
        return cls("batch", batch_name(upload), "rides of one batch", upload.received_at)

    @classmethod
    def disputes(cls, upload: Upload) -> Cause:
        """The tickets of a batch that another bus showed before."""
        return cls("dispute", batch_name(upload), "tickets shown on two buses", upload.received_at)

    def draft(self, day: date, postings: Mapping[str, int]) -> EntryDraft:
        """The entry of one service day: rial by account, debit positive."""
        return EntryDraft(self.kind, f"{self.name}:{day.isoformat()}", day, self.text, dict(postings))

    def entry_id(self, day: date) -> str:
        """The name of that entry."""
        return self.draft(day, {}).entry_id


def post_rides(
    session: Session, cause: Cause, rides: Sequence[ProvenRide], verdicts: Sequence[Verdict], facts: Facts
) -> str | None:
    """Write the rides and one journal entry for each service day they fall on."""
    if not rides:
        return None
    divided: dict[RideKey, tuple[ProvenRide, Legs, dict[str, Any]]] = {}
    for ride in sorted(rides, key=lambda ride: ride.key):
        assignment = facts.assignments.at(ride.source.device, ride.boarded_at)
        legs = divide(ride, assignment)
        row = _ride_row(ride, legs, cause.entry_id(ride.service_day))
        row |= {
            "line": ride.line if assignment is None else assignment.line,
            "vehicle_id": None if assignment is None else assignment.vehicle_id,
            "owner_id": None if assignment is None else assignment.owner_id,
        }
        divided[ride.key] = ride, legs, row
    added = commits.add_rides(session.connection(), [row for _, _, row in divided.values()])
    if len(added) < len(divided):
        lost = {key: ride for key, (ride, _, _) in divided.items() if key not in added}
        _overtaken(session, lost, verdicts, facts)
    standing = [divided[key] for key in divided if key in added]
    drafts = _entries(cause, standing)
    post_many(session, drafts, cause.posted_at)
    _mark_seen(session, [ride for ride, _, _ in standing])
    return drafts[-1].entry_id if drafts else None


def post_commits(session: Session, proven: Sequence[ProvenCommit], facts: Facts) -> None:
    """Write the commits that are no rides, and tell issuing which entitlement versions they proved."""
    if not proven:
        return
    added = commits.add_commits(session.connection(), proven)
    lost = [commit for commit in proven if commit.key not in added]
    standing = commits.card_commits(session.connection(), [commit.key for commit in lost])
    for commit in lost:
        other = standing.get(commit.key)
        if other is not None and other.proof != commit.proof:
            _note_double(commit.key, commit.proof, commit.record_written, commit.device, facts)
    days: dict[date, set[tuple[int, int]]] = defaultdict(set)
    for commit in proven:
        if commit.key in added:
            days[facts.city.day_of(commit.committed_at)].add((int(commit.key.ref), commit.version_after))
    for day, versions in sorted(days.items()):
        mark_seen(session, versions, day)
    for commit in proven:
        if commit.key in added and commit.service is CommitKind.LOADED:
            _put_back(session, commit.key)


def settle_earlier(
    session: Session, unravelled: Unravelled, received_at: datetime, own: AbstractSet[TapSource] = frozenset()
) -> None:
    """Write what became of earlier taps, and how the list of half proofs changed.

    `own` are the taps of the batch that is being taken in: their rows in the register say it themselves.
    """
    connection = session.connection()
    torn = {source: told for source, told in unravelled.torn.items() if source not in own}
    store.settle_torn(connection, torn)
    store.flag_taps(connection, unravelled.differing - own, Flag.PREVIOUS_DIFFERS)
    commits.close_open_evidence(connection, unravelled.close)
    commits.add_open_evidence(connection, unravelled.add, received_at)


def deny_doubles(session: Session, verdicts: Sequence[Verdict], facts: Facts, received_at: datetime) -> None:
    """Deny every card of which two valid proofs for one counter are known, whichever came first.

    The proof that stands stays paid. A proof that does not hold denies nobody's card.
    """
    for double in facts.doubles:
        commits.keep_double(session.connection(), double, received_at)
    copied = {double.serial for double in facts.doubles}
    copied |= {
        verdict.tap.card.serial
        for verdict in verdicts
        if verdict.state is ProofState.CONFLICT and verdict.tap.card is not None
    }
    if copied:
        deny_cards(session, copied)


def _note_double(key: RideKey, proof: bytes, record: bytes | None, device: int, facts: Facts) -> None:
    facts.doubles.append(Double(int(key.ref), CommitProof(key.counter, proof), record, device))


def _overtaken(
    session: Session,
    lost: Mapping[RideKey, ProvenRide],
    verdicts: Sequence[Verdict],
    facts: Facts,
) -> None:
    """Another batch proved these rides while this one was being judged: its rows stand."""
    connection = session.connection()
    standing = commits.card_commits(connection, [key for key in lost if key.kind is MediumKind.CARD])
    tickets = sorted({key.ref for key in lost if key.kind is MediumKind.TICKET})
    standing |= commits.ticket_rides(connection, tickets)
    for key, ride in lost.items():
        other = standing.get(key)
        if ride.evidence is not None and other is not None and other.proof != ride.proof:
            _note_double(key, ride.proof, ride.evidence.record_written, ride.source.device, facts)
    for verdict in verdicts:
        if verdict.key is None or verdict.key not in lost or verdict.state is not ProofState.VALID:
            continue
        ride = standing.get(verdict.key)
        evidence = verdict.tap.card
        same = (
            ride is not None
            and evidence is not None
            and evidence.proof is not None
            and ride.proof == evidence.proof.tmv
        )
        verdict.state = ProofState.VALID if same else ProofState.CONFLICT
        if ride is not None and evidence is None and not same_vehicle(verdict, ride, facts):
            verdict.disputes = verdict.key


def batch_name(upload: Upload) -> str:
    """How entries name a batch."""
    return f"{upload.batch.device}:{upload.batch_id[:16]}"


def _entries(
    cause: Cause, standing: Sequence[tuple[ProvenRide, Legs, Mapping[str, Any]]]
) -> list[EntryDraft]:
    days: dict[date, dict[str, int]] = defaultdict(lambda: defaultdict(int))
    for ride, legs, row in standing:
        postings = days[ride.service_day]
        postings[accounts.clearing(ride.service_day)] += ride.fare_rial
        if row["owner_id"] is not None:
            postings[accounts.owner_payable(row["owner_id"])] -= legs.owner_rial
        postings[accounts.COMMISSION_REVENUE] -= legs.commission_rial
        postings[accounts.suspense(ride.source.device)] -= legs.suspense_rial
    return [cause.draft(day, postings) for day, postings in sorted(days.items())]


def _mark_seen(session: Session, rides: Sequence[ProvenRide]) -> None:
    """Tell issuing which entitlement versions the cards proved to hold, each when it first shows."""
    days: dict[date, set[tuple[int, int]]] = defaultdict(set)
    older: list[RideKey] = []
    for ride in rides:
        evidence = ride.evidence
        if evidence is None:
            continue
        before = readable_record(evidence.record_read)
        version = version_after(evidence)
        if before is None or before.entitlement_version != version:
            days[ride.service_day].add((evidence.serial, version))
        if before is not None and before.entitlement_version > version:
            older.append(ride.key)
    for day, versions in sorted(days.items()):
        mark_seen(session, versions, day)
    for key in older:
        _put_back(session, key)


def _put_back(session: Session, key: RideKey) -> None:
    """An older entitlement was laid over a newer one, by a desk's slower job or a thief with a validator's
    key: buses deliver what is newer than the card's newest commit again.
    """
    connection = session.connection()
    newest = RideKey(key.kind, key.ref, commits.highest_counter(connection, key.ref))
    version = commits.card_commits(connection, [newest])[newest].version_after
    if version is not None:
        mark_unseen(session, int(key.ref), version)


def _ride_row(ride: ProvenRide, legs: Legs, entry_id: str) -> dict[str, Any]:
    evidence = ride.evidence
    return {
        "medium_kind": str(ride.key.kind),
        "medium_ref": ride.key.ref,
        "counter": ride.key.counter,
        "device_id": ride.source.device,
        "journal_id": ride.source.journal_id,
        "seq": ride.source.seq,
        "service_day": ride.service_day,
        "boarded_at": ride.boarded_at,
        "fare_rial": ride.fare_rial,
        "owner_rial": legs.owner_rial,
        "commission_rial": legs.commission_rial,
        "suspense_rial": legs.suspense_rial,
        "suspense_reason": None if legs.suspense_reason is None else str(legs.suspense_reason),
        "entry_id": entry_id,
        "proven_by": str(ride.proven_by),
        "spent_before_rial": None if evidence is None else evidence.spent_before,
        "entitlement_version": None if evidence is None else evidence.entitlement_version,
        "delivered_version": None if evidence is None else evidence.delivered_version,
        "record_read": None if evidence is None else evidence.record_read,
        "record_written": None if evidence is None else evidence.record_written,
        "proof": ride.proof,
        "sealed_entry_id": None,
        "tariff_version": ride.tariff_version,
        "tapped_line": ride.line,
        "area": ride.area,
    }
