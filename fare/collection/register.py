"""What settlement and reconciliation may read of the tap register. It changes nothing and posts nothing.

Rows come out as values of this module: nobody else needs to know the tables. Amounts are rial.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Select
from sqlmodel import Session, col, select

from fare.collection.bulk import table_of
from fare.collection.models import OpenEvidence, RegisteredTap, Ride
from fare.collection.store import has_flag
from fare.collection.words import Flag, MediumKind, ProofState
from fare.core.tap import Outcome

_TAP: Final = table_of(RegisteredTap)
_RIDE: Final = table_of(Ride)
_OPEN: Final = table_of(OpenEvidence)
_CHUNK: Final = 500
_ROWS_AT_ONCE: Final = 2_000


@dataclass(frozen=True, slots=True)
class DayCounts:
    """The taps of one service day by outcome; `refusals` maps each reason to its count."""

    taps: int
    accepted: int
    refused: int
    unconfirmed: int
    refusals: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OwnerRides:
    """The rides of one owner on one day, summed; `owner_id` is None for rides of buses without an owner."""

    owner_id: str | None
    rides: int
    gross_rial: int
    owner_rial: int
    commission_rial: int
    suspense_rial: int


@dataclass(frozen=True, slots=True)
class CardStep:
    """A card ride of the day and the ride before it, as far as it is known.

    `spent_before_rial` was attested by the chip; `expected_rial` is what the ride with the counter before it
    left behind, None when that ride is not there.
    """

    medium_ref: str
    counter: int
    boarded_at: datetime
    fare_rial: int
    spent_before_rial: int
    expected_rial: int | None


@dataclass(frozen=True, slots=True)
class OpenTap:
    """An accepted or unconfirmed tap of the day that no ride stands for, or whose proof was not accepted.

    `counter_taken`: another commit is proven to have used its counter, so it debited nothing.
    """

    device_id: int
    journal_id: bytes
    seq: int
    tapped_at: datetime
    outcome: Outcome
    medium_kind: str | None
    medium_ref: str | None
    counter: int | None
    fare_rial: int
    proof_state: ProofState
    counter_taken: bool


@dataclass(frozen=True, slots=True)
class HeldBack:
    """Rides of the day whose fare waits in suspense: one device, one reason, one medium."""

    device_id: int
    reason: str
    medium_kind: str
    medium_ref: str
    rides: int
    suspense_rial: int


# --- the day's figures ------------------------------------------------------------------------------------


def day_counts(session: Session, day: date) -> DayCounts:
    """How many taps the day has, by outcome and by reason of refusal."""
    rows = session.exec(
        select(RegisteredTap.outcome, RegisteredTap.reason, sa.func.count())
        .where(col(RegisteredTap.service_day) == day)
        .group_by(col(RegisteredTap.outcome), col(RegisteredTap.reason))
    ).all()
    by_outcome: dict[int, int] = defaultdict(int)
    refusals: dict[str, int] = defaultdict(int)
    for outcome, reason, count in rows:
        by_outcome[outcome] += count
        if outcome == Outcome.REFUSED:
            refusals[reason] += count
    return DayCounts(
        taps=sum(by_outcome.values()),
        accepted=by_outcome[Outcome.ACCEPTED],
        refused=by_outcome[Outcome.REFUSED],
        unconfirmed=by_outcome[Outcome.UNCONFIRMED],
        refusals=dict(sorted(refusals.items())),
    )


def owner_rides(session: Session, day: date, entry_ids: Collection[str] | None = None) -> list[OwnerRides]:
    """The day's rides summed by owner, sorted by id; only those that these entries posted when given."""
    totals: dict[str | None, list[int]] = {}
    money = (_RIDE.c.fare_rial, _RIDE.c.owner_rial, _RIDE.c.commission_rial, _RIDE.c.suspense_rial)
    statement = (
        sa.select(_RIDE.c.owner_id, sa.func.count(), *(sa.func.sum(column) for column in money))
        .where(_RIDE.c.service_day == day)
        .group_by(_RIDE.c.owner_id)
    )
    parts = (
        [statement]
        if entry_ids is None
        else [statement.where(_RIDE.c.entry_id.in_(chunk)) for chunk in _chunks(entry_ids)]
    )
    for part in parts:
        for owner_id, *figures in session.connection().execute(part):
            known = totals.setdefault(owner_id, [0] * len(figures))
            totals[owner_id] = [have + int(more) for have, more in zip(known, figures, strict=True)]
    for owner_id, owner_rial, commission_rial in _disputed(session, day, entry_ids):
        known = totals[owner_id]
        known[2] -= owner_rial
        known[3] -= commission_rial
        known[4] += owner_rial + commission_rial
    return [OwnerRides(owner, *totals[owner]) for owner in sorted(totals, key=lambda owner: owner or "")]


def _disputed(
    session: Session, day: date, entry_ids: Collection[str] | None
) -> Iterator[tuple[str | None, int, int]]:
    """(owner, owner's part, commission) of each of these rides whose ticket another bus showed too."""
    tap_of_ride = (
        (_TAP.c.device_id == _RIDE.c.device_id)
        & (_TAP.c.journal_id == _RIDE.c.journal_id)
        & (_TAP.c.seq == _RIDE.c.seq)
    )
    rows = session.connection().execute(
        sa.select(_RIDE.c.owner_id, _RIDE.c.owner_rial, _RIDE.c.commission_rial, _RIDE.c.entry_id)
        .join(_TAP, tap_of_ride)
        .where(
            _RIDE.c.service_day == day,
            _RIDE.c.medium_kind == MediumKind.TICKET,
            has_flag(_TAP.c.flags, Flag.DISPUTED),
        )
    )
    wanted = None if entry_ids is None else set(entry_ids)
    for owner_id, owner_rial, commission_rial, entry_id in rows:
        if wanted is None or entry_id in wanted:
            yield owner_id, owner_rial, commission_rial


def batch_entries(session: Session, day: date) -> list[str]:
    """The journal entries that posted the day's rides."""
    return list(session.exec(select(Ride.entry_id).where(col(Ride.service_day) == day).distinct()))


# --- the card proof ---------------------------------------------------------------------------------------


def ride_counts(session: Session, day: date) -> dict[str, int]:
    """How many rides the day has, by kind of medium."""
    rows = session.connection().execute(
        sa.select(_RIDE.c.medium_kind, sa.func.count())
        .where(_RIDE.c.service_day == day)
        .group_by(_RIDE.c.medium_kind)
    )
    return {kind: int(count) for kind, count in rows}


def card_steps(session: Session, day: date) -> Iterator[CardStep]:
    """Each card ride of the day beside the ride with the counter before it, by card and counter."""
    before = _RIDE.alias()
    rows = session.connection().execute(
        sa.select(
            _RIDE.c.medium_ref,
            _RIDE.c.counter,
            _RIDE.c.boarded_at,
            _RIDE.c.fare_rial,
            _RIDE.c.spent_before_rial,
            (before.c.spent_before_rial + before.c.fare_rial),
        )
        .select_from(
            _RIDE.outerjoin(
                before,
                (before.c.medium_kind == _RIDE.c.medium_kind)
                & (before.c.medium_ref == _RIDE.c.medium_ref)
                & (before.c.counter == _RIDE.c.counter - 1),
            )
        )
        .where(_RIDE.c.service_day == day, _RIDE.c.medium_kind == MediumKind.CARD)
        .order_by(_RIDE.c.medium_ref, _RIDE.c.counter)
        .execution_options(yield_per=_ROWS_AT_ONCE)
    )
    for ref, counter, at, fare, spent, expected in rows:
        yield CardStep(ref, counter, at, fare, spent or 0, expected)


def newest_ride_before(session: Session, medium_ref: str, counter: int) -> tuple[int, int] | None:
    """Counter and spent-after of a card's newest known ride below `counter`."""
    row = session.connection().execute(
        sa.select(_RIDE.c.counter, _RIDE.c.spent_before_rial + _RIDE.c.fare_rial)
        .where(
            _RIDE.c.medium_kind == MediumKind.CARD,
            _RIDE.c.medium_ref == medium_ref,
            _RIDE.c.counter < counter,
        )
        .order_by(_RIDE.c.counter.desc())
        .limit(1)
    )
    found = row.one_or_none()
    return None if found is None else (found[0], found[1])


def next_ride_after(session: Session, medium_ref: str, counter: int) -> tuple[int, int] | None:
    """Counter and spent-before of a card's first known ride above `counter`."""
    row = session.connection().execute(
        sa.select(_RIDE.c.counter, _RIDE.c.spent_before_rial)
        .where(
            _RIDE.c.medium_kind == MediumKind.CARD,
            _RIDE.c.medium_ref == medium_ref,
            _RIDE.c.counter > counter,
        )
        .order_by(_RIDE.c.counter)
        .limit(1)
    )
    found = row.one_or_none()
    return None if found is None else (found[0], found[1])


def open_taps(session: Session, day: date) -> list[OpenTap]:
    """The day's accepted and unconfirmed taps that no ride stands for."""
    statement = _without_ride().where(_TAP.c.service_day == day)
    return [_open_tap(row) for row in session.connection().execute(statement)]


def open_taps_of_card(session: Session, medium_ref: str, after: int, below: int) -> list[OpenTap]:
    """The same of one card on any day, for the counters between two, both excluded."""
    statement = _without_ride().where(
        _TAP.c.medium_kind == MediumKind.CARD,
        _TAP.c.medium_ref == medium_ref,
        _TAP.c.counter > after,
        _TAP.c.counter < below,
    )
    return [_open_tap(row) for row in session.connection().execute(statement)]


def torn_taps_before(session: Session, day: date) -> list[OpenTap]:
    """The unconfirmed taps of earlier days that nothing has settled yet."""
    # From the working list, which is short, into the register, which is not.
    listed = session.connection().execute(
        sa.select(_OPEN.c.device_id, _OPEN.c.journal_id, _OPEN.c.seq).where(_OPEN.c.raw_tap.is_not(None))
    )
    places = sorted({(device, bytes(journal), seq) for device, journal, seq in listed})
    key = sa.tuple_(_TAP.c.device_id, _TAP.c.journal_id, _TAP.c.seq)
    found: list[OpenTap] = []
    for start in range(0, len(places), _CHUNK):
        of_earlier_days = _without_ride().where(
            _TAP.c.service_day < day, key.in_(places[start : start + _CHUNK])
        )
        found += [_open_tap(row) for row in session.connection().execute(of_earlier_days)]
    return found


def media_in_conflict(session: Session, medium_kind: str, refs: Collection[str]) -> set[str]:
    """Those of these media of which two valid proofs for one counter are known, on any day."""
    found: set[str] = set()
    for chunk in _chunks(refs):
        found |= set(
            session.connection()
            .execute(
                sa.select(_TAP.c.medium_ref).where(
                    _TAP.c.medium_kind == medium_kind,
                    _TAP.c.medium_ref.in_(chunk),
                    _TAP.c.proof_state == ProofState.CONFLICT,
                )
            )
            .scalars()
        )
    return found


def held_back(session: Session, day: date) -> list[HeldBack]:
    """The day's rides with money in suspense."""
    key = (_RIDE.c.device_id, _RIDE.c.suspense_reason, _RIDE.c.medium_kind, _RIDE.c.medium_ref)
    rows = session.connection().execute(
        sa.select(*key, sa.func.count(), sa.func.sum(_RIDE.c.suspense_rial))
        .where(_RIDE.c.service_day == day, _RIDE.c.suspense_rial > 0)
        .group_by(*key)
        .order_by(*key)
    )
    return [HeldBack(dev, why or "unknown", kind, ref, n, int(rial)) for dev, why, kind, ref, n, rial in rows]


def _without_ride() -> Select[Any]:
    same = (
        (_RIDE.c.medium_kind == _TAP.c.medium_kind)
        & (_RIDE.c.medium_ref == _TAP.c.medium_ref)
        & (_RIDE.c.counter == _TAP.c.counter)
    )
    unsettled = _TAP.c.proof_state != ProofState.VALID
    return (
        sa.select(_TAP, _RIDE.c.counter.label("taken"))
        .select_from(_TAP.outerjoin(_RIDE, same))
        .where(
            _TAP.c.outcome.in_([Outcome.ACCEPTED.value, Outcome.UNCONFIRMED.value]),
            _RIDE.c.counter.is_(None) | unsettled,
        )
        .order_by(_TAP.c.device_id, _TAP.c.journal_id, _TAP.c.seq)
    )


def _open_tap(row: Any) -> OpenTap:
    return OpenTap(
        device_id=row.device_id,
        journal_id=bytes(row.journal_id),
        seq=row.seq,
        tapped_at=row.tapped_at,
        outcome=Outcome(row.outcome),
        medium_kind=row.medium_kind,
        medium_ref=row.medium_ref,
        counter=row.counter,
        fare_rial=row.fare_rial,
        proof_state=ProofState(row.proof_state),
        counter_taken=row.taken is not None,
    )


def _chunks(values: Iterable[str]) -> Iterator[list[str]]:
    listed = sorted(set(values))
    return (listed[start : start + _CHUNK] for start in range(0, len(listed), _CHUNK))
