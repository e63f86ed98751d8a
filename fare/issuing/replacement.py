"""Replacing a lost card: denied at once, its balance moved to another after a waiting time. Sends no APDU.

    report_lost       the card is denied; its balance may move from `moves_at` on
    name_successor    the card that gets it
    move_balance      loaded - withdrawn - spent, once: one journal entry and one newer entitlement

The lost card's signed totals stay as they are, so rides that arrive later are judged as before
(docs/adr/0011). A lost card that is found again stays denied: its money is elsewhere.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from fare.core import entitlement
from fare.issuing.entitlements import newest_entitlement, sign_next_entitlement
from fare.issuing.models import Card, Replacement
from fare.issuing.refusals import IssuingRefusal, IssuingRefused
from fare.issuing.words import CardStatus, Purse
from fare.keys import KeyStore
from fare.ledger import accounts, post

CAUSE: Final = "replacement"
_FIRST_VERSION: Final = 1


@dataclass(frozen=True, slots=True)
class ReplacementView:
    """A lost card and what becomes of its balance. `moved_rial` is None until it has moved."""

    old_serial: int
    new_serial: int | None
    reported_by: str
    reported_at: datetime
    moves_at: datetime
    moved_at: datetime | None
    moved_rial: int | None


def report_lost(
    session: Session, serial: int, reported_by: str, now: datetime, waiting: timedelta
) -> ReplacementView:
    """Deny a lost card at once and note from when its balance may move. Reported again: as it was noted.

    Raises IssuingRefused: unknown_card, already_replaced.
    """
    card = _locked(session, serial)
    known = session.get(Replacement, serial)
    if card.status == CardStatus.REPLACED:
        raise IssuingRefused(IssuingRefusal.ALREADY_REPLACED)
    card.status = CardStatus.DENIED
    session.add(card)
    if known is None:
        known = Replacement(
            old_serial=serial, reported_by=reported_by, reported_at=now, moves_at=now + waiting
        )
        session.add(known)
    session.flush()
    return _view(known)


def name_successor(session: Session, old_serial: int, new_serial: int) -> ReplacementView:
    """Say which card gets a lost card's balance: one that is written, active, and never loaded.

    Naming it again changes nothing; another one may be named while nothing has moved. Whether the new card
    has ridden is `fare.collection`'s to say. Raises IssuingRefused: unknown_card, not_reported_lost,
    already_replaced, same_card, successor_in_use.
    """
    if old_serial == new_serial:
        raise IssuingRefused(IssuingRefusal.SAME_CARD)
    _locked(session, old_serial)
    replacement = _reported(session, old_serial)
    if replacement.new_serial == new_serial:
        return _view(replacement)
    if replacement.moved_at is not None:
        raise IssuingRefused(IssuingRefusal.ALREADY_REPLACED)
    successor = _locked(session, new_serial)
    newest = newest_entitlement(session, new_serial)
    taken = session.exec(
        select(Replacement.old_serial).where(col(Replacement.new_serial) == new_serial)
    ).first()
    if (
        successor.status != CardStatus.ACTIVE
        or newest.version != _FIRST_VERSION
        or newest.seen_day is None
        or taken is not None
    ):
        raise IssuingRefused(IssuingRefusal.SUCCESSOR_IN_USE)
    replacement.new_serial = new_serial
    session.add(replacement)
    session.flush()
    return _view(replacement)


def move_balance(
    session: Session, keys: KeyStore, old_serial: int, spent_rial: int, now: datetime
) -> ReplacementView:
    """Move what is left of a lost card to its successor; moved already: as it was moved.

    `spent_rial` is the most that the lost card is proven to have spent, ever. A card in debt moves 0: what it
    owes stays with it, and lessens the overdraft, which goes along like category, its expiry and passes.
    `now` is in the city's time. Raises IssuingRefused: unknown_card, not_reported_lost, no_successor,
    not_yet, and what `sign_next_entitlement` raises for the new card.
    """
    old = _locked(session, old_serial)
    replacement = _reported(session, old_serial)
    if replacement.moved_at is not None:
        return _view(replacement)
    if replacement.new_serial is None:
        raise IssuingRefused(IssuingRefusal.NO_SUCCESSOR)
    if now < replacement.moves_at:
        raise IssuingRefused(IssuingRefusal.NOT_YET)
    signed = entitlement.decode(newest_entitlement(session, old_serial).raw)
    balance_rial = signed.balance_rial(spent_rial)
    moved_rial = max(0, balance_rial)
    new = _locked(session, replacement.new_serial)
    new.rider_category = old.rider_category
    new.category_expires_day = old.category_expires_day
    # What is owed was lent once: the new card lends what is left of it.
    new.overdraft_rial = max(0, old.overdraft_rial + min(0, balance_rial))
    session.add(new)
    entry_id = f"{CAUSE}:{old_serial}"
    sign_next_entitlement(
        session,
        keys,
        new.serial,
        add_loaded_rial=moved_rial,
        passes=signed.passes,
        order_id=entry_id,
        now=now,
    )
    post(
        session,
        CAUSE,
        str(old_serial),
        now.date(),
        "balance of a lost card",
        {
            accounts.stored_value(Purse.CARD, str(old_serial)): moved_rial,
            accounts.stored_value(Purse.CARD, str(new.serial)): -moved_rial,
        },
        now,
    )
    old.status = CardStatus.REPLACED
    session.add(old)
    replacement.moved_at, replacement.moved_rial, replacement.entry_id = now, moved_rial, entry_id
    session.add(replacement)
    session.flush()
    return _view(replacement)


def replacement_of(session: Session, old_serial: int) -> ReplacementView | None:
    """What was noted of a lost card; None for one that was not reported."""
    found = session.get(Replacement, old_serial)
    return None if found is None else _view(found)


def due_replacements(session: Session, now: datetime) -> list[int]:
    """The lost cards whose balance may move now: waited long enough, and their successor is named."""
    due = session.exec(
        select(Replacement.old_serial)
        .where(
            col(Replacement.moved_at).is_(None),
            col(Replacement.new_serial).is_not(None),
            col(Replacement.moves_at) <= now,
        )
        .order_by(col(Replacement.old_serial))
    )
    return list(due)


def _locked(session: Session, serial: int) -> Card:
    # The card's row is the lock, as it is for a load: what moves was counted under it.
    card = session.exec(select(Card).where(col(Card.serial) == serial).with_for_update()).first()
    if card is None:
        raise IssuingRefused(IssuingRefusal.UNKNOWN_CARD)
    return card


def _reported(session: Session, old_serial: int) -> Replacement:
    found = session.get(Replacement, old_serial)
    if found is None:
        raise IssuingRefused(IssuingRefusal.NOT_REPORTED_LOST)
    return found


def _view(row: Replacement) -> ReplacementView:
    return ReplacementView(
        old_serial=row.old_serial,
        new_serial=row.new_serial,
        reported_by=row.reported_by,
        reported_at=row.reported_at,
        moves_at=row.moves_at,
        moved_at=row.moved_at,
        moved_rial=row.moved_rial,
    )
