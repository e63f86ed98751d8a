"""What the card proof may read of taps that no ride stands for. Read only.

Rows come out as values of this module. Amounts are rial.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Select
from sqlmodel import Session

from fare.collection.bulk import table_of
from fare.collection.models import OpenEvidence, RegisteredTap, Ride
from fare.collection.words import MediumKind, ProofState
from fare.core.tap import Outcome
from fare.database.chunks import in_chunks

_TAP: Final = table_of(RegisteredTap)
_RIDE: Final = table_of(Ride)
_OPEN: Final = table_of(OpenEvidence)


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
    for chunk in in_chunks(places):
        of_earlier_days = _without_ride().where(_TAP.c.service_day < day, key.in_(chunk))
        found += [_open_tap(row) for row in session.connection().execute(of_earlier_days)]
    return found


def media_in_conflict(session: Session, medium_kind: str, refs: Collection[str]) -> set[str]:
    """Those of these media of which two valid proofs for one counter are known, on any day."""
    found: set[str] = set()
    for chunk in in_chunks(refs):
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
            # Of the refused ones, those that claimed a commit which does not hold.
            _TAP.c.outcome.in_([Outcome.ACCEPTED.value, Outcome.UNCONFIRMED.value])
            | _TAP.c.proof_state.in_([ProofState.BAD, ProofState.CONFLICT]),
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
