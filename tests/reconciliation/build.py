"""Reconciliation of the small city, each step in a transaction of its own."""

from __future__ import annotations

from datetime import date, datetime

from fare.database.engine import read, write
from fare.reconciliation import (
    Audit,
    audit,
    import_bank_statement,
    import_psp_report,
    look_at,
    run_proofs,
)
from fare.reconciliation.imports import FileReport
from fare.reconciliation.report import ProofState
from tests.collection.bus import ZONE, City
from tests.settlement.build import DAY, MORNING, deposited, pay, psp_report, seal, state, statement

PROOFS = ("device", "card", "channel", "bank")


def psp(city: City, text: str, at: datetime = MORNING) -> FileReport:
    """Import a PSP's report."""
    with write(city.engine) as session:
        return import_psp_report(session, text, now=at)


def bank(city: City, text: str, at: datetime = MORNING) -> FileReport:
    """Import a bank's statement."""
    with write(city.engine) as session:
        return import_bank_statement(session, text, now=at)


def proofs(city: City, day: date = DAY, at: datetime = MORNING) -> dict[str, ProofState]:
    """Run the four proofs and keep what they find; a look that writes nothing says the same."""
    with write(city.engine) as session:
        states = run_proofs(session, day, at, ZONE)
    with read(city.engine) as session:
        assert look_at(session, day, at, ZONE) == states
    return states


def found(city: City, day: date = DAY, at: datetime = MORNING) -> list[str]:
    """The ids of all exceptions that a run finds."""
    return [item.exception_id for state in proofs(city, day, at).values() for item in state.items]


def audited(city: City) -> Audit:
    """An audit of everything."""
    with read(city.engine) as session:
        return audit(session)


def close(city: City, day: date = DAY, at: datetime = MORNING) -> None:
    """Seal, state, pay, and let PSP and bank report what an honest day would bring."""
    seal(city, day, at)
    state(city, day, at)
    paid = [(at.date(), -p.amount_rial, p.payment_reference, p.iban) for p in pay(city, day, at)]
    report = psp_report(city)
    psp(city, report, at)
    bank(city, statement(*deposited(report), *paid), at)


def queue(city: City) -> list[tuple[str, bool]]:
    """Every exception that was ever opened: its id, and whether it is still open."""
    rows = city.rows("SELECT exception_id, resolved_at FROM travel_exception ORDER BY exception_id")
    return [(name, resolved is None) for name, resolved in rows]
