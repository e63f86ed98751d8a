"""What settlement and reconciliation may read of the tap register. It changes nothing and posts nothing.

Rows come out as values of this module: nobody else needs to know the tables. Amounts are rial.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from fare.collection.adjusting import Parts
from fare.collection.adjustments import adjusting_entries, net_by_owner
from fare.collection.bulk import table_of
from fare.collection.disputed_rides import corrections
from fare.collection.models import RegisteredTap, Ride
from fare.core.tap import Outcome
from fare.database.chunks import in_chunks

_RIDE: Final = table_of(Ride)


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
    """The rides of one owner on one day, summed; `owner_id` is None for rides of buses without an owner.

    All of it is as the rides were priced anew; `adjustments_rial` is what that changed of `owner_rial`.
    """

    owner_id: str | None
    rides: int
    gross_rial: int
    owner_rial: int
    commission_rial: int
    suspense_rial: int
    adjustments_rial: int = 0


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
    """The day's rides summed by owner, sorted by id; only those that these entries posted when given.

    An owner whose bus was found to be right about another bus's ride has its fare here, and no ride.
    """
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
        else [statement.where(_RIDE.c.entry_id.in_(chunk)) for chunk in in_chunks(entry_ids)]
    )
    for part in parts:
        for owner_id, *figures in session.connection().execute(part):
            known = totals.setdefault(owner_id, [0] * len(figures))
            totals[owner_id] = [have + int(more) for have, more in zip(known, figures, strict=True)]
    for change in corrections(session, day, entry_ids):
        known = totals.setdefault(change.owner_id, [0] * 5)
        known[1] += change.gross_rial
        known[2] += change.owner_rial
        known[3] += change.commission_rial
        known[4] += change.suspense_rial
    adjusted = net_by_owner(session, day, entry_ids)
    for owner_id, net in adjusted.items():
        known = totals.setdefault(owner_id, [0] * 5)
        known[1] += net.rider_rial
        known[2] += net.owner_rial
        known[3] += net.commission_rial
        known[4] += net.suspense_rial
    return [
        OwnerRides(owner, *totals[owner], adjustments_rial=adjusted.get(owner, Parts()).owner_rial)
        for owner in sorted(totals, key=lambda owner: owner or "")
    ]


def batch_entries(session: Session, day: date) -> list[str]:
    """The journal entries that posted the day's rides, and those that adjusted them."""
    return adjusting_entries(session, day) + list(
        session.exec(select(Ride.entry_id).where(col(Ride.service_day) == day).distinct())
    )
