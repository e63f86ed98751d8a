"""The outside records of a day, as a PSP and a bank would write them. It imports no ledger code at all.

It knows only what a PSP knows (the payments that riders made) and what a bank knows (the PSP's deposits,
and the transfers of the payment file it was handed), so that reconciliation compares two records that
were made apart. Dates are Gregorian, amounts rial.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date


@dataclass(frozen=True, slots=True)
class RiderPayment:
    """One payment at a terminal, as the PSP booked it."""

    psp_reference: str
    terminal: str
    amount_rial: int
    paid_day: date


@dataclass(frozen=True, slots=True)
class BankBooking:
    """One line of the city's account: money in is positive."""

    booked_day: date
    amount_rial: int
    reference: str
    text: str


def deposit_reference(terminal: str, day: date) -> str:
    """How the PSP names the one deposit a day that it makes for a terminal."""
    return f"DEP-{terminal}-{day:%Y%m%d}"


def psp_report(payments: Iterable[RiderPayment]) -> str:
    """The PSP's report: CSV with one line a payment, each naming the deposit it is part of."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["psp_reference", "terminal", "amount_rial", "paid_day", "deposit_reference"])
    for p in payments:
        deposit = deposit_reference(p.terminal, p.paid_day)
        writer.writerow([p.psp_reference, p.terminal, p.amount_rial, p.paid_day.isoformat(), deposit])
    return out.getvalue()


def deposits(payments: Iterable[RiderPayment], booked_day: date) -> list[BankBooking]:
    """What the PSP transfers to the city's account: the sum of each terminal's day."""
    sums: dict[str, int] = defaultdict(int)
    for p in payments:
        sums[deposit_reference(p.terminal, p.paid_day)] += p.amount_rial
    return [
        BankBooking(booked_day, amount, reference, "PSP deposit")
        for reference, amount in sorted(sums.items())
    ]


def executed_transfers(payment_file: str, booked_day: date) -> list[BankBooking]:
    """What the bank books for a payment file (CSV) that it carried out."""
    return [
        BankBooking(booked_day, -int(row["amount_rial"]), row["payment_reference"], row["iban"])
        for row in csv.DictReader(io.StringIO(payment_file))
    ]


def bank_statement(bookings: Iterable[BankBooking]) -> str:
    """The bank's statement: CSV with one line a booking."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(["booked_day", "amount_rial", "reference", "text"])
    for b in bookings:
        writer.writerow([b.booked_day.isoformat(), b.amount_rial, b.reference, b.text])
    return out.getvalue()
