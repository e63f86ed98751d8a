"""Settlement: a service day is sealed, owners get their statements, and are paid. It verifies no tap."""

from __future__ import annotations

from fare.settlement.late_fares import LateFare, charge_late_fares, late_fares
from fare.settlement.payments import (
    OwnerPayment,
    PaymentState,
    QueuedPayment,
    QueueReason,
    confirm_payment,
    instruct_payments,
    payment_file,
    payments,
    queued_payments,
)
from fare.settlement.sealing import SealReport, seal_day, sealed_at, sealed_days
from fare.settlement.statements import OwnerStatement, make_statements, statements

__all__ = [
    "LateFare",
    "OwnerPayment",
    "OwnerStatement",
    "PaymentState",
    "QueueReason",
    "QueuedPayment",
    "SealReport",
    "charge_late_fares",
    "confirm_payment",
    "instruct_payments",
    "late_fares",
    "make_statements",
    "payment_file",
    "payments",
    "queued_payments",
    "seal_day",
    "sealed_at",
    "sealed_days",
    "statements",
]
