"""Owners' statements: what each owner earned on one service day, and what earlier days brought in late.

A statement that was issued never changes. What arrives for its day afterwards stands on the owner's next one,
under prior days. It pays nobody; `fare.settlement.payments` does.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from fare.collection.register import OwnerRides, owner_rides
from fare.core.errors import OperatorError
from fare.fleet import OwnerView, owners
from fare.ledger import accounts
from fare.ledger.models import Entry, Posting
from fare.settlement.models import ServiceDay, Statement

PAYMENT_CAUSE: Final = "payment"
_REFERENCE_DIGITS: Final = 10


@dataclass(frozen=True, slots=True)
class OwnerStatement:
    """One owner's day in rial: `gross = commission + suspense + net`; `payable_rial` is net + prior days.

    All of it as the day's rides were priced anew; `adjustments_rial` is what that changed of the net.

    `payment_reference` names the transfer, and is None when there is nothing to pay.
    """

    owner_id: str
    owner_name: str
    iban: str
    service_day: date
    rides: int
    gross_rial: int
    commission_rial: int
    suspense_rial: int
    net_rial: int
    prior_days_rial: int
    payment_reference: str | None
    adjustments_rial: int = 0

    @property
    def payable_rial(self) -> int:
        """What the owner is to be paid for this statement."""
        return self.net_rial + self.prior_days_rial


def make_statements(session: Session, day: date, now: datetime) -> list[OwnerStatement]:
    """Issue the day's statements, and return all of the day's, by owner. Again: nothing changes.

    An owner who already has a statement of a later day gets none: that one has taken this day in. Raises
    OperatorError for a day that is not sealed at `now`.
    """
    sealed = session.exec(
        select(ServiceDay).where(col(ServiceDay.service_day) == day).with_for_update()
    ).first()
    if sealed is None or sealed.sealed_at > now:
        raise OperatorError(
            f"The service day {day} is not sealed: run 'mancard settlement seal {day}' first."
        )
    earned = {row.owner_id: row for row in owner_rides(session, day) if row.owner_id is not None}
    prior = _prior_days(session, day)
    done = _with_statement_from(session, day)
    wanted = {*earned, *(owner_id for owner_id, rial in prior.items() if rial)} - done
    for owner_id in sorted(wanted):
        session.add(_statement(owner_id, day, earned.get(owner_id), prior.get(owner_id, 0)))
    session.flush()
    return statements(session, day)


def statements(session: Session, day: date) -> list[OwnerStatement]:
    """The statements that were issued for the day, by owner."""
    named: Mapping[str, OwnerView] = {owner.owner_id: owner for owner in owners(session)}
    rows = session.exec(
        select(Statement).where(col(Statement.service_day) == day).order_by(col(Statement.owner_id))
    )
    return [_view(row, named.get(row.owner_id)) for row in rows]


def payment_reference(owner_id: str, day: date) -> str:
    """The name of the owner's transfer for a day: at most 35 plain characters, as banks take them."""
    digest = hashlib.sha256(f"{owner_id}\n{day.isoformat()}".encode()).hexdigest()
    return f"MC{day:%Y%m%d}{digest[:_REFERENCE_DIGITS].upper()}"


def _statement(owner_id: str, day: date, earned: OwnerRides | None, prior_days_rial: int) -> Statement:
    ridden = earned or OwnerRides(owner_id, 0, 0, 0, 0, 0)
    payable = ridden.owner_rial + prior_days_rial
    return Statement(
        owner_id=owner_id,
        service_day=day,
        rides=ridden.rides,
        gross_rial=ridden.gross_rial,
        commission_rial=ridden.commission_rial,
        suspense_rial=ridden.suspense_rial,
        net_rial=ridden.owner_rial,
        adjustments_rial=ridden.adjustments_rial,
        prior_days_rial=prior_days_rial,
        payment_reference=payment_reference(owner_id, day) if payable > 0 else None,
    )


def _prior_days(session: Session, day: date) -> dict[str, int]:
    """What each owner earned on days before this one, by the journal, that no statement has said yet.

    By the whole rather than by a mark on each ride: whatever came late, and however often, the sum is right.
    A statement of less than nothing was paid by nobody: the next one still says it.
    """
    prefix = accounts.owner_payable("")
    earned = session.connection().execute(
        sa.select(col(Posting.account_id), sa.func.sum(col(Posting.amount_rial)))
        .join(Entry, col(Entry.entry_id) == col(Posting.entry_id))
        .where(
            col(Posting.account_id).startswith(prefix, autoescape=True),
            col(Posting.service_day) < day,
            col(Entry.cause_kind) != PAYMENT_CAUSE,
        )
        .group_by(col(Posting.account_id))
    )
    left = {account_id.removeprefix(prefix): -int(rial) for account_id, rial in earned}
    payable = col(Statement.net_rial) + col(Statement.prior_days_rial)
    said = session.connection().execute(
        sa.select(
            col(Statement.owner_id),
            sa.func.sum(sa.case((payable > 0, payable), else_=0)),
        )
        .where(col(Statement.service_day) < day)
        .group_by(col(Statement.owner_id))
    )
    for owner_id, rial in said:
        left[owner_id] = left.get(owner_id, 0) - int(rial)
    return left


def _with_statement_from(session: Session, day: date) -> set[str]:
    found: Iterable[str] = session.exec(
        select(Statement.owner_id).where(col(Statement.service_day) >= day).distinct()
    )
    return set(found)


def _view(row: Statement, owner: OwnerView | None) -> OwnerStatement:
    return OwnerStatement(
        owner_id=row.owner_id,
        owner_name="" if owner is None else owner.name,
        iban="" if owner is None else owner.iban,
        service_day=row.service_day,
        rides=row.rides,
        gross_rial=row.gross_rial,
        commission_rial=row.commission_rial,
        suspense_rial=row.suspense_rial,
        net_rial=row.net_rial,
        prior_days_rial=row.prior_days_rial,
        payment_reference=row.payment_reference,
        adjustments_rial=row.adjustments_rial,
    )
