"""Taking turns over tickets: whoever judges what a ticket paid for holds its row until the transaction ends.

Two buses can bring overlapping claims on one ticket in one instant; without turns each would find the ticket
unridden. It changes nothing. SQLite has one writer at a time and needs no lock.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlmodel import Session, col, select

from fare.database.chunks import in_chunks
from fare.issuing.models import Phone, TicketEntitlement
from fare.issuing.words import TicketMedium, TicketStatus


@dataclass(frozen=True, slots=True)
class TicketHolder:
    """Who carries a ticket: the phone it was issued to (None where that is not known), or a paper.

    `vehicle_id`: the only bus that a paper rides; None of a phone's, and of paper for any bus.
    """

    cti: bytes
    medium: TicketMedium
    phone_id: str | None
    vehicle_id: str | None


def lock_tickets(session: Session, ctis: Iterable[bytes]) -> None:
    """Lock the rows of these tickets, and of the live ones of their phones, which a repeat would deny.

    In one order for everybody, so that two batches wait for each other but never both ways. Tickets that
    were not issued here are left out.
    """
    asked = set(ctis)
    for chunk in in_chunks(asked | _live_beside(session, asked)):
        some = col(TicketEntitlement.cti).in_(chunk)
        rows = select(TicketEntitlement.cti).where(some).order_by(col(TicketEntitlement.cti))
        session.exec(rows.with_for_update()).all()


def _live_beside(session: Session, ctis: Collection[bytes]) -> set[bytes]:
    """The live tickets of the phones that these were issued to."""
    if not ctis:
        return set()
    own = select(TicketEntitlement.phone_id).where(
        col(TicketEntitlement.cti).in_(sorted(ctis)), col(TicketEntitlement.phone_id).is_not(None)
    )
    live = select(TicketEntitlement.cti).where(
        col(TicketEntitlement.phone_id).in_(sorted({phone for phone in session.exec(own) if phone})),
        col(TicketEntitlement.status) == TicketStatus.LIVE,
    )
    return set(session.exec(live))


def ticket_holder(session: Session, cti: bytes) -> TicketHolder | None:
    """Who carries this ticket; None for one that was not issued here."""
    row = session.exec(
        select(TicketEntitlement.medium, TicketEntitlement.phone_id, TicketEntitlement.vehicle_id).where(
            col(TicketEntitlement.cti) == cti
        )
    ).first()
    return None if row is None else TicketHolder(cti, TicketMedium(row[0]), row[1], row[2])


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


def tickets_of_rider(session: Session, phone_id: str) -> list[bytes]:
    """The same of this phone and of all others that its wallet ever had: enrolling again forgets nothing."""
    wallet = select(Phone.wallet_id).where(col(Phone.phone_id) == phone_id).scalar_subquery()
    rows = session.exec(
        select(TicketEntitlement.cti)
        .where(col(TicketEntitlement.wallet_id) == wallet, col(TicketEntitlement.phone_id).is_not(None))
        .order_by(col(TicketEntitlement.cti))
    )
    return list(rows)
