"""The two denylists, exact: cards by serial and phone tickets by alias. It decides no penalty."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from sqlmodel import Session, col, select

from fare.database.chunks import in_chunks
from fare.issuing.models import Card, TicketEntitlement
from fare.issuing.words import CardStatus


def denied(session: Session, now: datetime) -> tuple[set[int], set[bytes]]:
    """(serials, ctis) that validators must refuse. Replaced cards too; a ticket until its expiry.

    Also one whose hold was given back since: a bus may still meet it.
    """
    serials = session.exec(select(Card.serial).where(col(Card.status) != CardStatus.ACTIVE))
    ctis = session.exec(
        select(TicketEntitlement.cti).where(
            col(TicketEntitlement.denied_at).is_not(None), col(TicketEntitlement.expires_at) > now
        )
    )
    return set(serials), set(ctis)


def inactive_cards(session: Session, serials: Iterable[int]) -> set[int]:
    """Those of these cards that validators must refuse: denied or replaced."""
    found: set[int] = set()
    for chunk in in_chunks(serials):
        some = col(Card.serial).in_(chunk)
        found |= set(session.exec(select(Card.serial).where(some, col(Card.status) != CardStatus.ACTIVE)))
    return found


def deny_cards(session: Session, serials: Iterable[int]) -> None:
    """Put these cards on the denylist; one that was replaced stays replaced."""
    # In one order for everybody, so that two batches wait for each other but never both ways.
    for serial in sorted(set(serials)):
        card = session.exec(select(Card).where(col(Card.serial) == serial).with_for_update()).first()
        if card is not None and card.status == CardStatus.ACTIVE:
            card.status = CardStatus.DENIED
            session.add(card)
    session.flush()
