"""Taking turns over tickets: whoever judges what a ticket paid for holds its row until the transaction ends.

Two buses can bring overlapping claims on one ticket in one instant; without turns each would find the ticket
unridden. It changes nothing. SQLite has one writer at a time and needs no lock.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from sqlmodel import Session, col, select

from fare.issuing.models import Phone, TicketEntitlement
from fare.issuing.words import TicketMedium

_CHUNK: Final = 1000


@dataclass(frozen=True, slots=True)
class TicketHolder:
    """Who carries a ticket: the phone it was issued to (None where that is not known), or a paper."""

    cti: bytes
    medium: TicketMedium
    phone_id: str | None


def lock_tickets(session: Session, ctis: Iterable[bytes]) -> None:
    """Lock the rows of these tickets; those that were not issued here are left out.

    In one order for everybody, so that two batches wait for each other but never both ways.
    """
    wanted = sorted(set(ctis))
    for start in range(0, len(wanted), _CHUNK):
        some = col(TicketEntitlement.cti).in_(wanted[start : start + _CHUNK])
        rows = select(TicketEntitlement.cti).where(some).order_by(col(TicketEntitlement.cti))
        session.exec(rows.with_for_update()).all()


def ticket_holder(session: Session, cti: bytes) -> TicketHolder | None:
    """Who carries this ticket; None for one that was not issued here."""
    row = session.exec(
        select(TicketEntitlement.medium, TicketEntitlement.phone_id).where(col(TicketEntitlement.cti) == cti)
    ).first()
    return None if row is None else TicketHolder(cti, TicketMedium(row[0]), row[1])


def lock_phone(session: Session, phone_id: str) -> None:
    """Lock a phone's row: two conflicts of its tickets in one instant must see each other."""
    session.exec(select(Phone.phone_id).where(col(Phone.phone_id) == phone_id).with_for_update()).all()


def tickets_of_phone(session: Session, phone_id: str) -> list[bytes]:
    """Every ticket that was ever issued to a phone, sorted."""
    rows = session.exec(
        select(TicketEntitlement.cti)
        .where(col(TicketEntitlement.phone_id) == phone_id)
        .order_by(col(TicketEntitlement.cti))
    )
    return list(rows)
