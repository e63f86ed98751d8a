"""Paying owners: an instruction for each statement, the bank's file, and the bank's word that it was done.

An owner whose IBAN does not hold, or to whom nothing is due, is queued with the reason and not paid. It never
speaks to a bank.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from sqlmodel import Session, col, select

from fare.core.identifiers import InvalidIban, parse_iban
from fare.fleet import owners
from fare.ledger import accounts, post
from fare.settlement.models import Payment
from fare.settlement.statements import PAYMENT_CAUSE, OwnerStatement, statements

FILE_COLUMNS: Final = ("payment_reference", "iban", "owner_name", "amount_rial", "description")
_PAID_CAUSE: Final = "paid"


class PaymentState(StrEnum):
    """Instructed by us, then confirmed or rejected by the bank's statement."""

    INSTRUCTED = "instructed"
    CONFIRMED = "confirmed"
    REJECTED = "rejected"


class QueueReason(StrEnum):
    """Why a statement is not paid yet."""

    BAD_IBAN = "bad_iban"
    NOTHING_DUE = "nothing_due"


@dataclass(frozen=True, slots=True)
class OwnerPayment:
    """One transfer to one owner."""

    payment_reference: str
    owner_id: str
    owner_name: str
    service_day: date
    iban: str
    amount_rial: int
    state: PaymentState
    instructed_at: datetime

    @property
    def description(self) -> str:
        """What the owner reads on the bank's statement."""
        return f"Mancard {self.service_day.isoformat()} {self.owner_id}"


@dataclass(frozen=True, slots=True)
class QueuedPayment:
    """A statement that waits for a person instead of being paid."""

    owner_id: str
    owner_name: str
    service_day: date
    amount_rial: int
    reason: QueueReason


def instruct_payments(session: Session, day: date, now: datetime) -> list[OwnerPayment]:
    """Instruct what the day's statements owe, once each, and return all payments of the day, by owner."""
    known = {payment.owner_id for payment in payments(session, day)}
    for statement in statements(session, day):
        if statement.owner_id in known or _queue_reason(statement) is not None:
            continue
        reference = statement.payment_reference
        assert reference is not None, "a statement with something to pay names its payment"  # noqa: S101
        post(
            session,
            PAYMENT_CAUSE,
            reference,
            day,
            "owner paid",
            {
                accounts.owner_payable(statement.owner_id): statement.payable_rial,
                accounts.PAYMENTS_IN_TRANSIT: -statement.payable_rial,
            },
            now,
        )
        session.add(
            Payment(
                payment_reference=reference,
                owner_id=statement.owner_id,
                service_day=day,
                amount_rial=statement.payable_rial,
                iban=parse_iban(statement.iban),
                state=PaymentState.INSTRUCTED,
                instructed_at=now,
            )
        )
    session.flush()
    return payments(session, day)


def payments(session: Session, day: date | None = None) -> list[OwnerPayment]:
    """The payments of one day, or every payment that the bank has not confirmed when no day is given."""
    statement = select(Payment).order_by(col(Payment.service_day), col(Payment.owner_id))
    if day is None:
        statement = statement.where(col(Payment.state) == PaymentState.INSTRUCTED)
    else:
        statement = statement.where(col(Payment.service_day) == day)
    names = {owner.owner_id: owner.name for owner in owners(session)}
    return [
        OwnerPayment(
            payment_reference=row.payment_reference,
            owner_id=row.owner_id,
            owner_name=names.get(row.owner_id, ""),
            service_day=row.service_day,
            iban=row.iban,
            amount_rial=row.amount_rial,
            state=PaymentState(row.state),
            instructed_at=row.instructed_at,
        )
        for row in session.exec(statement)
    ]


def queued_payments(session: Session, day: date) -> list[QueuedPayment]:
    """The day's statements that are not paid and will not be before someone acts, with the reason."""
    paid = {payment.owner_id for payment in payments(session, day)}
    queued: list[QueuedPayment] = []
    for statement in statements(session, day):
        reason = _queue_reason(statement)
        if statement.owner_id not in paid and reason is not None:
            queued.append(
                QueuedPayment(statement.owner_id, statement.owner_name, day, statement.payable_rial, reason)
            )
    return queued


def confirm_payment(session: Session, reference: str, booked_day: date, now: datetime) -> None:
    """The bank has booked this payment: post it and mark it confirmed. Again: nothing changes."""
    row = session.exec(
        select(Payment).where(col(Payment.payment_reference) == reference).with_for_update()
    ).one()
    if row.state == PaymentState.CONFIRMED:
        return
    post(
        session,
        _PAID_CAUSE,
        reference,
        booked_day,
        "bank carried out a payment",
        {accounts.PAYMENTS_IN_TRANSIT: row.amount_rial, accounts.BANK: -row.amount_rial},
        now,
    )
    row.state = PaymentState.CONFIRMED
    session.add(row)
    session.flush()


def payment_file(instructed: Iterable[OwnerPayment]) -> str:
    """The bank's file: CSV, UTF-8, one line a payment that the bank has not carried out yet.

    Columns: payment_reference, iban, owner_name, amount_rial, description.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(FILE_COLUMNS)
    for payment in instructed:
        if payment.state is PaymentState.INSTRUCTED:
            writer.writerow(
                [
                    payment.payment_reference,
                    payment.iban,
                    payment.owner_name,
                    payment.amount_rial,
                    payment.description,
                ]
            )
    return out.getvalue()


def _queue_reason(statement: OwnerStatement) -> QueueReason | None:
    if statement.payable_rial <= 0:
        return QueueReason.NOTHING_DUE
    try:
        parse_iban(statement.iban)
    except InvalidIban:
        return QueueReason.BAD_IBAN
    return None
