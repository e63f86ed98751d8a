"""The two denylists, exact: cards by serial and phone tickets by alias. It decides no penalty."""

from __future__ import annotations

from sqlmodel import Session, col, select

from fare.issuing.models import Card, TicketEntitlement
from fare.issuing.words import CardStatus, TicketStatus


def denied(session: Session) -> tuple[set[int], set[bytes]]:
    """(serials, ctis) that validators must refuse. Replaced cards too; a ticket until its expiry."""
    serials = session.exec(select(Card.serial).where(col(Card.status) != CardStatus.ACTIVE))
    ctis = session.exec(
        select(TicketEntitlement.cti).where(col(TicketEntitlement.status) == TicketStatus.DENIED)
    )
    return set(serials), set(ctis)
