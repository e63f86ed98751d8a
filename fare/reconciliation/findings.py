"""What a proof finds, and the queue that keeps it: opened once, aged, closed when its cause is gone.

A finding is worked out afresh each time; the queue remembers since when, and what a person decided. What a
person has resolved stays resolved: it is explained.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Final

from sqlmodel import Session, col, select

from fare.database.chunks import in_chunks
from fare.reconciliation.models import ReconciliationException
from fare.reconciliation.report import ProofException, ProofState

CAUSE_GONE: Final = "the records agree again"
"""The resolution that the machine writes; a person's reads otherwise."""


class Proof(StrEnum):
    """The four proofs, in the order in which they are shown."""

    DEVICE = "device"
    CARD = "card"
    CHANNEL = "channel"
    BANK = "bank"


class Queue(StrEnum):
    """Whose work an exception is: a role of staff."""

    TECHNICIAN = "technician"
    OPERATOR = "operator"
    FINANCE = "finance"


class Kind(StrEnum):
    """Every way in which two records can disagree. Pages and queues translate these words."""

    # device
    MISSING_BATCH = "missing_batch"
    SEQ_HOLE = "seq_hole"
    FORK = "fork"
    UNDECODABLE = "undecodable"
    OUT_OF_PLACE = "out_of_place"
    DAMAGED_BATCH = "damaged_batch"
    BATCH_DIFFERS = "batch_differs"
    NO_ASSIGNMENT = "no_assignment"
    DEVICE_REVOKED = "device_revoked"
    ABOVE_TARIFF = "above_tariff"
    RECORD_DIFFERS = "record_differs"
    PAPER_WITHOUT_LEAVE = "paper_without_leave"
    # card
    CLONE = "clone"
    TICKET_CONFLICT = "ticket_conflict"
    BAD_PROOF = "bad_proof"
    UNREPORTED = "unreported"
    SPENT_GAP = "spent_gap"
    UNCONFIRMED = "unconfirmed"
    PENDING = "pending"
    NOT_POSTED = "not_posted"
    BEYOND_FUNDS = "beyond_funds"
    IMPOSSIBLE_TRAVEL = "impossible_travel"
    CARD_AHEAD = "card_ahead"
    FALSE_STATE = "false_state"
    # channel
    PAYMENT_WITHOUT_ORDER = "payment_without_order"
    PAYMENT_REPEATED = "payment_repeated"
    ORDER_WITHOUT_PAYMENT = "order_without_payment"
    REPORT_MISSING = "report_missing"
    AMOUNT_DIFFERS = "amount_differs"
    LOAD_UNSIGNED = "load_unsigned"
    LOAD_UNSEEN = "load_unseen"
    LOAD_WITHOUT_ORDER = "load_without_order"
    # bank
    LINE_UNKNOWN = "line_unknown"
    DEPOSIT_MISSING = "deposit_missing"
    DEPOSIT_DIFFERS = "deposit_differs"
    PAYMENT_UNCONFIRMED = "payment_unconfirmed"
    PAYMENT_DIFFERS = "payment_differs"
    PAYMENT_RETURNED = "payment_returned"
    BAD_IBAN = "bad_iban"


EARLIER: Final = frozenset(
    {
        Kind.UNCONFIRMED,
        Kind.CARD_AHEAD,
        Kind.LOAD_UNSIGNED,
        Kind.LOAD_UNSEEN,
        Kind.DEPOSIT_MISSING,
        Kind.PAYMENT_UNCONFIRMED,
    }
)
"""Kinds that a look at one day also looks for on the days before it."""
ALWAYS: Final = frozenset(
    {
        Kind.MISSING_BATCH,
        Kind.SEQ_HOLE,
        Kind.FORK,
        Kind.UNDECODABLE,
        Kind.OUT_OF_PLACE,
        Kind.DAMAGED_BATCH,
        Kind.LOAD_WITHOUT_ORDER,
        Kind.LINE_UNKNOWN,
        Kind.DEPOSIT_DIFFERS,
        Kind.PAYMENT_DIFFERS,
        Kind.PAYMENT_RETURNED,
    }
)
"""Kinds that belong to no day: every look looks for all of them."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Two records that disagree. `subject` names what a person must look at, once for each cause."""

    kind: Kind
    subject: str
    service_day: date
    amount_rial: int
    detail: str
    queue: Queue


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one proof came to: records checked, agreeing and waiting, and its findings."""

    checked: int
    matched: int
    waiting: int
    findings: Sequence[Finding]


def exception_id(proof: Proof, finding: Finding) -> str:
    """`<proof>:<kind>:<subject>`: the same cause is the same exception, however often it is looked at."""
    return f"{proof}:{finding.kind}:{finding.subject}"


def state_of(session: Session, proof: Proof, outcome: Outcome, now: datetime) -> ProofState:
    """The proof as it is shown, with each exception's age. It writes nothing."""
    wanted = [exception_id(proof, finding) for finding in outcome.findings]
    known = _known(session, wanted)
    items: list[ProofException] = []
    for finding in outcome.findings:
        row = known.get(exception_id(proof, finding))
        if row is not None and _settled_by_a_person(row):
            continue
        items.append(
            ProofException(
                exception_id=exception_id(proof, finding),
                kind=finding.kind,
                subject=finding.subject,
                amount_rial=finding.amount_rial,
                detail=finding.detail,
                opened_at=now if row is None else row.opened_at,
                queue_role=finding.queue,
            )
        )
    return ProofState(
        checked=outcome.checked,
        matched=outcome.matched,
        exceptions=len(items),
        items=tuple(items),
        waiting=outcome.waiting,
    )


def keep(session: Session, proof: Proof, day: date, outcome: Outcome, now: datetime) -> None:
    """Write the findings into the queue, and close what this look did not find any more."""
    found = {exception_id(proof, finding): finding for finding in outcome.findings}
    known = _known(session, list(found))
    for name, finding in found.items():
        row = known.get(name)
        if row is None:
            session.add(_row(proof, name, finding, now))
        elif not _settled_by_a_person(row):
            row.amount_rial, row.detail = finding.amount_rial, finding.detail
            row.resolved_at = row.resolution = None
            session.add(row)
    for row in _open(session, proof, day):
        if row.exception_id not in found:
            row.resolved_at, row.resolution = now, CAUSE_GONE
            session.add(row)
    session.flush()


def open_exceptions(session: Session) -> list[ReconciliationException]:
    """Everything that waits for a person, the oldest first."""
    statement = (
        select(ReconciliationException)
        .where(col(ReconciliationException.resolved_at).is_(None))
        .order_by(col(ReconciliationException.opened_at), col(ReconciliationException.exception_id))
    )
    return list(session.exec(statement))


def _open(session: Session, proof: Proof, day: date) -> list[ReconciliationException]:
    """Open exceptions that a look at `day` would find again if their cause still stood."""
    of_the_day = col(ReconciliationException.service_day) == day
    kind = col(ReconciliationException.kind)
    earlier = kind.in_(sorted(EARLIER)) & (col(ReconciliationException.service_day) <= day)
    statement = select(ReconciliationException).where(
        col(ReconciliationException.proof) == proof,
        col(ReconciliationException.resolved_at).is_(None),
        of_the_day | earlier | kind.in_(sorted(ALWAYS)),
    )
    return list(session.exec(statement))


def _known(session: Session, names: Sequence[str]) -> dict[str, ReconciliationException]:
    known: dict[str, ReconciliationException] = {}
    for chunk in in_chunks(names):
        rows = session.exec(
            select(ReconciliationException).where(col(ReconciliationException.exception_id).in_(chunk))
        )
        known |= {row.exception_id: row for row in rows}
    return known


def _settled_by_a_person(row: ReconciliationException) -> bool:
    return row.resolved_at is not None and row.resolution != CAUSE_GONE


def _row(proof: Proof, name: str, finding: Finding, now: datetime) -> ReconciliationException:
    return ReconciliationException(
        exception_id=name,
        proof=proof,
        kind=finding.kind,
        subject=finding.subject,
        service_day=finding.service_day,
        amount_rial=finding.amount_rial,
        detail=finding.detail,
        queue_role=finding.queue,
        opened_at=now,
    )
