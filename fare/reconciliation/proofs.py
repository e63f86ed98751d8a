"""The four proofs of a service day, looked at together. Each fault of the world shows in one of them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from sqlmodel import Session

from fare.reconciliation.bank import book_matches, check_bank
from fare.reconciliation.card import check_card
from fare.reconciliation.channel import check_channel
from fare.reconciliation.device import check_device
from fare.reconciliation.findings import Outcome, Proof, keep, state_of
from fare.reconciliation.report import ProofState
from fare.settlement import sealed_at


def run_proofs(
    session: Session, day: date, now: datetime, zone: ZoneInfo | None = None
) -> dict[str, ProofState]:
    """Match what can be matched, look at the day, and write what does not agree into the queues.

    The same look again changes nothing; an exception whose cause is gone is closed. `zone` tells the city's
    date at `now`; UTC's without it.
    """
    book_matches(session, now)
    outcomes = _outcomes(session, day, now, zone)
    for proof, outcome in outcomes.items():
        keep(session, proof, day, outcome, now)
    return _states(session, outcomes, now)


def look_at(
    session: Session, day: date, now: datetime, zone: ZoneInfo | None = None
) -> dict[str, ProofState]:
    """The same states without writing or posting anything, for a page."""
    return _states(session, _outcomes(session, day, now, zone), now)


def _outcomes(session: Session, day: date, now: datetime, zone: ZoneInfo | None) -> dict[Proof, Outcome]:
    is_closed = sealed_at(session, day) is not None
    today = now.astimezone(zone or UTC).date()
    return {
        Proof.DEVICE: check_device(session, day, now, is_closed=is_closed),
        Proof.CARD: check_card(session, day, now, is_closed=is_closed),
        Proof.CHANNEL: check_channel(session, day, now, today),
        Proof.BANK: check_bank(session, day, today),
    }


def _states(session: Session, outcomes: dict[Proof, Outcome], now: datetime) -> dict[str, ProofState]:
    return {str(proof): state_of(session, proof, outcome, now) for proof, outcome in outcomes.items()}
