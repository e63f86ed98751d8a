"""What the card proof may read of cards: their commits in a row, what desks saw, doubles. Read only.

Rows come out as values of this module. Amounts are rial.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Select
from sqlmodel import Session

from fare.collection.bulk import table_of
from fare.collection.commits import credited
from fare.collection.disputed_rides import paid_elsewhere
from fare.collection.models import CardCommit, OpenEvidence, Quarantined, RegisteredTap, Ride
from fare.collection.rides import DESK
from fare.collection.words import CommitKind, Flag, MediumKind, ProofState, QuarantineReason
from fare.core.desfire.layout import PROOF_SIZE
from fare.core.proof.card import CommitProof

_TAP: Final = table_of(RegisteredTap)
_RIDE: Final = table_of(Ride)
_OPEN: Final = table_of(OpenEvidence)
_COMMIT: Final = table_of(CardCommit)
_QUARANTINE: Final = table_of(Quarantined)
_ROWS_AT_ONCE: Final = 2_000
_CLOCK_DOUBTS: Final = frozenset(
    {Flag.CLOCK_CORRECTED, Flag.CLOCK_UNKNOWN, Flag.CLOCK_IMPLAUSIBLE, Flag.CLOCK_CONTRADICTED}
)


@dataclass(frozen=True, slots=True)
class TapPlace:
    """A tap's place in its journal. `journal_id` is empty where only the card told of the tap."""

    device_id: int
    journal_id: bytes
    seq: int


@dataclass(frozen=True, slots=True)
class VehicleChange:
    """Two rides of a card in a row, on two vehicles, and how long lies between them."""

    vehicle_id: str
    vehicle_before: str
    apart: timedelta
    places: tuple[TapPlace, TapPlace]


@dataclass(frozen=True, slots=True)
class CardStep:
    """A card's commit of the day and the one before it, as far as it is known; loads are left out.

    `spent_before_rial` was attested by the chip; `expected_rial` is what the commit with the counter before
    it left behind, None when that one is not there or a load. `record_read` is the card's newest record
    before it, None where that is not kept.
    """

    medium_ref: str
    counter: int
    boarded_at: datetime
    fare_rial: int
    spent_before_rial: int
    expected_rial: int | None
    record_read: bytes | None = None
    change: VehicleChange | None = None


@dataclass(frozen=True, slots=True)
class DoubleSeen:
    """A second valid proof for one counter of a card that no tap of the register stands for."""

    medium_ref: str
    counter: int
    device_id: int


@dataclass(frozen=True, slots=True)
class CardState:
    """A card around one proven commit. `record` is what the commit wrote; `loads` the desk loads after it."""

    counter: int
    spent_before_rial: int
    spent_after_rial: int
    record: bytes | None
    loads: int


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Rides of the day whose fare waits in suspense: one device, one reason, one medium."""

    device_id: int
    reason: str
    medium_kind: str
    medium_ref: str
    rides: int
    suspense_rial: int


def ride_counts(session: Session, day: date) -> dict[str, int]:
    """How many rides the day has, by kind of medium."""
    rows = session.connection().execute(
        sa.select(_RIDE.c.medium_kind, sa.func.count())
        .where(_RIDE.c.service_day == day)
        .group_by(_RIDE.c.medium_kind)
    )
    return {kind: int(count) for kind, count in rows}


def card_steps(session: Session, day: date) -> Iterator[CardStep]:
    """Each card ride of the day beside the commit with the counter before it, by card and counter."""
    ride, before, commit = _RIDE, _RIDE.alias(), _COMMIT
    same_card = (before.c.medium_kind == ride.c.medium_kind) & (before.c.medium_ref == ride.c.medium_ref)
    rows = session.connection().execute(
        sa.select(
            ride,
            sa.func.coalesce(before.c.spent_before_rial + before.c.fare_rial, commit.c.spent_rial).label(
                "expected"
            ),
            before.c.boarded_at.label("boarded_before"),
            before.c.vehicle_id.label("vehicle_before"),
            before.c.device_id.label("device_before"),
            before.c.journal_id.label("journal_before"),
            before.c.seq.label("seq_before"),
        )
        .select_from(
            ride.outerjoin(before, same_card & (before.c.counter == ride.c.counter - 1)).outerjoin(
                commit,
                (commit.c.medium_ref == ride.c.medium_ref)
                & (commit.c.counter == ride.c.counter - 1)
                & (commit.c.kind != CommitKind.LOADED),
            )
        )
        .where(ride.c.service_day == day, ride.c.medium_kind == MediumKind.CARD)
        .order_by(ride.c.medium_ref, ride.c.counter)
        .execution_options(yield_per=_ROWS_AT_ONCE)
    )
    for row in rows:
        yield CardStep(
            medium_ref=row.medium_ref,
            counter=row.counter,
            boarded_at=row.boarded_at,
            fare_rial=row.fare_rial,
            spent_before_rial=row.spent_before_rial or 0,
            expected_rial=row.expected,
            record_read=None if row.record_read is None else bytes(row.record_read),
            change=_vehicle_change(row),
        )


def block_steps(session: Session, day: date) -> list[CardStep]:
    """The same of the blocks, and liftings of one, that were committed on this day of UTC."""
    starts = datetime.combine(day, time(), UTC)
    rows = session.connection().execute(
        sa.select(_COMMIT)
        .where(
            _COMMIT.c.kind.in_([CommitKind.BLOCKED, CommitKind.UNBLOCKED]),
            _COMMIT.c.committed_at >= starts,
            _COMMIT.c.committed_at < starts + timedelta(days=1),
        )
        .order_by(_COMMIT.c.medium_ref, _COMMIT.c.counter)
    )
    return [CardStep(row.medium_ref, row.counter, row.committed_at, 0, row.spent_rial, None) for row in rows]


def clocks_were_right(session: Session, places: Collection[TapPlace]) -> bool:
    """Whether each of these taps is in the register with a time by a clock that was synchronised."""
    for place in places:
        flags = (
            session.connection()
            .execute(
                sa.select(_TAP.c.flags).where(
                    _TAP.c.device_id == place.device_id,
                    _TAP.c.journal_id == place.journal_id,
                    _TAP.c.seq == place.seq,
                )
            )
            .scalar()
        )
        if flags is None or not _CLOCK_DOUBTS.isdisjoint(flags.split()):
            return False
    return True


def _vehicle_change(row: Any) -> VehicleChange | None:
    if row.vehicle_id is None or row.vehicle_before is None or row.vehicle_id == row.vehicle_before:
        return None
    here = TapPlace(row.device_id, bytes(row.journal_id), row.seq)
    there = TapPlace(row.device_before, bytes(row.journal_before), row.seq_before)
    apart = abs(row.boarded_at - row.boarded_before)
    return VehicleChange(row.vehicle_id, row.vehicle_before, apart, (here, there))


def newest_state_before(session: Session, medium_ref: str, counter: int) -> CardState | None:
    """What a card's newest proven commit below `counter` left behind, loads aside."""
    commit, ride = _of_card(medium_ref)
    found = session.connection().execute(
        sa.union_all(commit.where(_COMMIT.c.counter < counter), ride.where(_RIDE.c.counter < counter))
        .order_by(sa.desc("counter"))
        .limit(1)
    )
    state = found.one_or_none()
    if state is None:
        return None
    loads = session.connection().execute(
        sa.select(sa.func.count()).where(
            _COMMIT.c.medium_ref == medium_ref,
            _COMMIT.c.kind == CommitKind.LOADED,
            _COMMIT.c.counter > state.counter,
            _COMMIT.c.counter < counter,
        )
    )
    record = None if state.record is None else bytes(state.record)
    return CardState(state.counter, state.spent_before, state.spent_after, record, loads.scalar_one())


def newest_ride_before(session: Session, medium_ref: str, counter: int) -> tuple[int, int] | None:
    """Counter and spent-after of a card's newest proven ride below `counter`."""
    _, ride = _of_card(medium_ref)
    newest = ride.where(_RIDE.c.counter < counter).order_by(_RIDE.c.counter.desc()).limit(1)
    found = session.connection().execute(newest).one_or_none()
    return None if found is None else (found.counter, found.spent_after)


def next_state_after(session: Session, medium_ref: str, counter: int) -> CardState | None:
    """What a card's first proven commit above `counter` says, loads aside."""
    commit, ride = _of_card(medium_ref)
    found = session.connection().execute(
        sa.union_all(commit.where(_COMMIT.c.counter > counter), ride.where(_RIDE.c.counter > counter))
        .order_by("counter")
        .limit(1)
    )
    state = found.one_or_none()
    if state is None:
        return None
    record = None if state.record is None else bytes(state.record)
    return CardState(state.counter, state.spent_before, state.spent_after, record, 0)


def proven_spent(session: Session, serial: int) -> int:
    """The most that a card is proven to have spent, ever, in rial: by rides, and commits that attest it."""
    commit, ride = _of_card(str(serial))
    both = sa.union_all(commit, ride).subquery()
    return session.connection().execute(sa.select(sa.func.max(both.c.spent_after))).scalar() or 0


def spent_or_credited(session: Session, serial: int) -> int:
    """The most that a card is proven to have spent or that was credited for its rides, in rial.

    The latter is more where copies of it rode too.
    """
    ref = str(serial)
    return max(proven_spent(session, serial), credited(session.connection(), [ref]).get(ref, 0))


def is_copied(session: Session, serial: int) -> bool:
    """Whether valid proofs are known of this card that no one chip can have made."""
    named = _QUARANTINE.c.quarantine_id.startswith(f"double:{serial}:", autoescape=True)
    unresolved = (_QUARANTINE.c.reason == QuarantineReason.DOUBLE) & _QUARANTINE.c.resolution.is_(None)
    in_conflict = (
        (_TAP.c.medium_kind == MediumKind.CARD)
        & (_TAP.c.medium_ref == str(serial))
        & (_TAP.c.proof_state == ProofState.CONFLICT)
    )
    either = sa.or_(sa.exists().where(named, unresolved), sa.exists().where(in_conflict))
    return bool(session.connection().execute(sa.select(either)).scalar())


def _of_card(medium_ref: str) -> tuple[Select[Any, Any, Any, Any], Select[Any, Any, Any, Any]]:
    """Commits that attest what was spent, and rides, in the same columns. A load attests nothing."""
    commit = sa.select(
        _COMMIT.c.counter,
        _COMMIT.c.spent_rial.label("spent_before"),
        _COMMIT.c.spent_rial.label("spent_after"),
        _COMMIT.c.record_written.label("record"),
    ).where(_COMMIT.c.medium_ref == medium_ref, _COMMIT.c.kind != CommitKind.LOADED)
    ride = sa.select(
        _RIDE.c.counter,
        _RIDE.c.spent_before_rial.label("spent_before"),
        (_RIDE.c.spent_before_rial + _RIDE.c.fare_rial).label("spent_after"),
        _RIDE.c.record_written.label("record"),
    ).where(_RIDE.c.medium_kind == MediumKind.CARD, _RIDE.c.medium_ref == medium_ref)
    return commit, ride


def held_back(session: Session, day: date) -> list[HeldBack]:
    """The day's rides with money in suspense, less what a decision paid another bus for them."""
    key = (_RIDE.c.device_id, _RIDE.c.suspense_reason, _RIDE.c.medium_kind, _RIDE.c.medium_ref)
    rows = (
        session.connection()
        .execute(
            sa.select(*key, _RIDE.c.counter, _RIDE.c.suspense_rial, _RIDE.c.fare_rial)
            .where(_RIDE.c.service_day == day, _RIDE.c.suspense_rial > 0)
            .order_by(*key)
        )
        .all()
    )
    # A bus that was credited with nothing at all had nothing but this to be decided about.
    whole = {row.medium_ref for row in rows if row.medium_kind == MediumKind.TICKET and _is_whole(row)}
    paid = paid_elsewhere(session, whole)
    sums: dict[tuple[int, str, str, str], list[int]] = {}
    for row in rows:
        away_rial = paid.get((row.medium_ref, row.counter), 0) if _is_whole(row) else 0
        if row.suspense_rial > away_rial:
            named = row.device_id, row.suspense_reason or "unknown", row.medium_kind, row.medium_ref
            known = sums.setdefault(named, [0, 0])
            known[0] += 1
            known[1] += row.suspense_rial - away_rial
    return [HeldBack(*named, rides, rial) for named, (rides, rial) in sums.items()]


def _is_whole(row: Any) -> bool:
    return row.suspense_rial == row.fare_rial


def doubles_seen(session: Session) -> list[DoubleSeen]:
    """The second valid proofs that a desk or a later tap brought, and that nobody has resolved."""
    rows = session.connection().execute(
        sa.select(_QUARANTINE.c.quarantine_id, _QUARANTINE.c.device_id, _QUARANTINE.c.raw)
        .where(_QUARANTINE.c.reason == QuarantineReason.DOUBLE, _QUARANTINE.c.resolution.is_(None))
        .order_by(_QUARANTINE.c.quarantine_id)
    )
    found: list[DoubleSeen] = []
    for name, device, raw in rows:
        proof = CommitProof.decode(bytes(raw)[:PROOF_SIZE])
        found.append(DoubleSeen(name.split(":")[1], proof.tmc, device))
    return found


def seen_at_desks(session: Session) -> list[tuple[str, int, bytes, datetime]]:
    """(card, counter, its newest record, when it came in) of commits that desks read and nobody proved."""
    rows = session.connection().execute(
        sa.select(_OPEN.c.medium_ref, _OPEN.c.counter, _OPEN.c.record, _OPEN.c.received_at)
        .where(_OPEN.c.device_id == DESK, _OPEN.c.tmv.is_not(None))
        .order_by(_OPEN.c.medium_ref, _OPEN.c.counter)
    )
    return [(ref, counter, bytes(record), at) for ref, counter, record, at in rows]
