"""The bank proof: statement lines against the PSPs' deposits and the payments to owners.

What matches is posted: a deposit pays off what a PSP owed, a confirmed payment leaves the bank. What a PSP
reports as paid together is one deposit, and its sum comes from the PSP's lines alone.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from fare.ledger import accounts, post
from fare.reconciliation.findings import Finding, Kind, Outcome, Queue
from fare.reconciliation.matching import Booked, Disagreement, Due, Match, Plan, plan
from fare.reconciliation.models import BankLine, PspLine
from fare.settlement import (
    OwnerPayment,
    QueueReason,
    confirm_payment,
    payments,
    queued_payments,
)

DEPOSIT: Final = "deposit"
PAYMENT: Final = "payment"
DUE_AFTER: Final = timedelta(days=1)
"""A statement that reaches this far past a due's day and does not have it, lacks it."""
GIVEN_UP_AFTER: Final = timedelta(days=3)
"""So long a missing statement is waited for."""
_SEPARATOR: Final = "\n"


@dataclass(frozen=True, slots=True)
class _Deposit:
    """What a PSP says it transferred under one reference: rial by terminal; `day` is of its last payment."""

    reference: str
    day: date
    by_terminal: Mapping[str, int]

    @property
    def amount_rial(self) -> int:
        return sum(self.by_terminal.values())

    @property
    def due(self) -> Due:
        marks = tuple(sorted(self.by_terminal))
        return Due(DEPOSIT, self.reference, self.day, self.day, self.amount_rial, marks)


@dataclass(frozen=True, slots=True)
class _Books:
    """Both sides, and how far the imported statements reach (None when there is none)."""

    deposits: Mapping[str, _Deposit]
    payments: Mapping[str, OwnerPayment]
    matched: Mapping[str, Sequence[BankLine]]
    plan: Plan
    reaches: date | None


def book_matches(session: Session, now: datetime) -> int:
    """Match what can be matched now, post it, and return how many matches were new."""
    books = _books(session)
    for match in books.plan.matches:
        if match.dues[0].kind == DEPOSIT:
            _post_deposit(session, match, [books.deposits[due.reference] for due in match.dues], now)
        else:
            for due in match.dues:
                confirm_payment(session, due.reference, match.lines[0].booked_day, now)
        _mark(session, match)
    session.flush()
    return len(books.plan.matches)


def check_bank(session: Session, day: date, today: date) -> Outcome:
    """The day's deposits and payments, and every line and due that is still open. It posts nothing."""
    books = _books(session)
    open_dues = {due.reference for due in books.plan.dues} | {
        d.due.reference for d in books.plan.disagreements
    }
    findings = [
        *_lines(books.plan),
        *(_disagreement(found) for found in books.plan.disagreements),
        *_drifted(books),
        *_bad_ibans(session, day),
    ]
    waiting = 0
    for due in books.plan.dues:
        if due.service_day > day:
            continue
        if _is_overdue(due, books.reaches, today):
            findings.append(_missing(due))
        else:
            waiting += 1
    of_day = {reference for reference, deposit in books.deposits.items() if deposit.day == day}
    of_day |= {payment.payment_reference for payment in payments(session, day)}
    still_open = {due.reference for due in books.plan.dues if due.service_day <= day}
    unknown = len(books.plan.lines) + len(books.plan.disagreements)
    return Outcome(
        checked=len(of_day | still_open) + unknown,
        matched=len(of_day - open_dues),
        waiting=waiting,
        findings=findings,
    )


# --- both sides -------------------------------------------------------------------------------------------


def _books(session: Session) -> _Books:
    deposits = _deposits(session)
    matched: dict[str, list[BankLine]] = defaultdict(list)
    for line in session.exec(select(BankLine).where(col(BankLine.matched_to).is_not(None))):
        matched[line.matched_to or ""].append(line)
    done = {reference for mark in matched for reference in _references(mark, DEPOSIT)}
    unpaid = {payment.payment_reference: payment for payment in payments(session)}
    dues = [deposit.due for reference, deposit in deposits.items() if reference not in done]
    dues += [
        Due(PAYMENT, p.payment_reference, p.service_day, p.instructed_at.date(), -p.amount_rial, (p.iban,))
        for p in unpaid.values()
    ]
    open_lines = session.exec(select(BankLine).where(col(BankLine.matched_to).is_(None)))
    booked = [
        Booked(
            (line.statement_id, line.line_no), line.booked_day, line.amount_rial, line.reference, line.text
        )
        for line in open_lines
    ]
    reaches = session.exec(select(sa.func.max(col(BankLine.booked_day)))).one()
    return _Books(deposits, unpaid, matched, plan(dues, booked), reaches)


def _deposits(session: Session) -> dict[str, _Deposit]:
    rows = session.connection().execute(
        sa.select(
            col(PspLine.deposit_reference),
            col(PspLine.terminal),
            sa.func.sum(col(PspLine.amount_rial)),
            sa.func.max(col(PspLine.paid_day)),
        ).group_by(col(PspLine.deposit_reference), col(PspLine.terminal))
    )
    by_terminal: dict[str, dict[str, int]] = defaultdict(dict)
    last: dict[str, date] = {}
    for reference, terminal, rial, day in rows:
        by_terminal[reference][terminal] = int(rial)
        last[reference] = max(day, last.get(reference, day))
    return {
        reference: _Deposit(reference, last[reference], by_terminal[reference]) for reference in by_terminal
    }


def _references(mark: str, kind: str) -> list[str]:
    head, _, rest = mark.partition(":")
    return rest.split(_SEPARATOR) if head == kind else []


# --- booking ----------------------------------------------------------------------------------------------


def _post_deposit(session: Session, match: Match, deposits: Iterable[_Deposit], now: datetime) -> None:
    """One entry a line: bank against what each terminal's PSP owed, filled up in order of terminals."""
    owed: dict[str, int] = defaultdict(int)
    for deposit in deposits:
        for terminal, rial in deposit.by_terminal.items():
            owed[terminal] += rial
    for line in match.lines:
        left = line.amount_rial
        postings = {accounts.BANK: line.amount_rial}
        for terminal in sorted(owed):
            part = min(left, owed[terminal])
            owed[terminal] -= part
            left -= part
            if part:
                postings[accounts.psp_receivable(terminal)] = -part
        cause = f"{line.key[0]}:{line.key[1]}"
        post(session, DEPOSIT, cause, line.booked_day, "deposit of a PSP", postings, now)


def _mark(session: Session, match: Match) -> None:
    mark = f"{match.dues[0].kind}:{_SEPARATOR.join(due.reference for due in match.dues)}"
    for line in match.lines:
        row = session.get_one(BankLine, line.key)
        row.matched_to = mark
        session.add(row)


# --- findings ---------------------------------------------------------------------------------------------


def _lines(found: Plan) -> list[Finding]:
    return [
        Finding(
            Kind.LINE_UNKNOWN,
            f"{line.key[0][:12]}:{line.key[1]}",
            line.booked_day,
            line.amount_rial,
            f"the bank booked {line.amount_rial:,} rial on {line.booked_day} under '{line.reference}',"
            " and nothing here explains it",
            Queue.FINANCE,
        )
        for line in found.lines
    ]


def _disagreement(found: Disagreement) -> Finding:
    booked = sum(line.amount_rial for line in found.lines)
    due = found.due
    returned = due.kind == PAYMENT and any(line.amount_rial > 0 for line in found.lines)
    kind = Kind.PAYMENT_RETURNED if returned else Kind.PAYMENT_DIFFERS
    return Finding(
        Kind.DEPOSIT_DIFFERS if due.kind == DEPOSIT else kind,
        due.reference,
        due.service_day,
        booked - due.amount_rial,
        f"{due.reference}: the bank booked {booked:,} rial, expected were {due.amount_rial:,}",
        Queue.FINANCE,
    )


def _drifted(books: _Books) -> list[Finding]:
    """Deposits that were matched and of which the PSP has reported more since."""
    found: list[Finding] = []
    for mark, lines in sorted(books.matched.items()):
        references = _references(mark, DEPOSIT)
        if not references:
            continue
        reported = sum(books.deposits[ref].amount_rial for ref in references if ref in books.deposits)
        booked = sum(line.amount_rial for line in lines)
        if reported != booked:
            found.append(
                Finding(
                    Kind.DEPOSIT_DIFFERS,
                    references[0],
                    lines[0].booked_day,
                    booked - reported,
                    f"{references[0]}: the bank booked {booked:,} rial, the PSP now reports {reported:,}",
                    Queue.FINANCE,
                )
            )
    return found


def _missing(due: Due) -> Finding:
    kind = Kind.DEPOSIT_MISSING if due.kind == DEPOSIT else Kind.PAYMENT_UNCONFIRMED
    what = "the PSP's deposit" if due.kind == DEPOSIT else "the payment to an owner"
    detail = (
        f"{due.reference}: {what} of {abs(due.amount_rial):,} rial, due on {due.day}, is on no bank statement"
    )
    return Finding(kind, due.reference, due.service_day, due.amount_rial, detail, Queue.FINANCE)


def _bad_ibans(session: Session, day: date) -> list[Finding]:
    return [
        Finding(
            Kind.BAD_IBAN,
            f"{queued.owner_id}:{day}",
            day,
            queued.amount_rial,
            f"owner {queued.owner_id} is owed {queued.amount_rial:,} rial and has no IBAN that holds",
            Queue.FINANCE,
        )
        for queued in queued_payments(session, day)
        if queued.reason is QueueReason.BAD_IBAN
    ]


def _is_overdue(due: Due, reaches: date | None, today: date) -> bool:
    return (reaches is not None and reaches >= due.day + DUE_AFTER) or today > due.day + GIVEN_UP_AFTER
