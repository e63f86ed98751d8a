"""Adjusted fares on their way to the riders: into a card's next entitlement, or a wallet, once a sealing.

    adjusted:<day>:<rider>:<n>   the rider's stored value against clearing, in all of that day's adjustments

A card gets back by a higher loaded total and owes by a higher withdrawn total, never by a debit; a card whose
balance was moved, on the card that has it now. What no entitlement can carry (a card that is full, a balance
that is gone) is a refund to be paid out, or a loss. Nothing in an entry says where or when a ride was.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import Session

from fare.collection.card_register import proven_spent
from fare.collection.sealing_marks import SealedRider, mark_adjusted
from fare.collection.words import MediumKind, RiderKind
from fare.issuing import IssuingRefused, Purse, newest_funds, sign_next_entitlement
from fare.issuing.moves import moved_balances
from fare.keys import KeyStore
from fare.ledger import EntryDraft, accounts, post_many


def settle_adjustments(session: Session, keys: KeyStore, day: date, now: datetime) -> None:
    """Settle the day's adjustments with their riders. Again: only what came since."""
    marked = [rider for rider in mark_adjusted(session, day) if rider.rider_rial]
    cards = [int(rider.rider_ref) for rider in marked if rider.rider_kind == RiderKind.CARD]
    heirs = {moved.old_serial: moved.heir for moved in moved_balances(session, cards)}
    drafts: list[EntryDraft] = []
    for rider in marked:
        kind, _, name = rider.entry_id(day).partition(":")
        postings = {accounts.clearing(day): -rider.rider_rial}
        if rider.rider_kind == RiderKind.WALLET:
            postings[accounts.stored_value(Purse.WALLET, rider.rider_ref)] = rider.rider_rial
        else:
            serial = int(rider.rider_ref)
            heir = heirs.get(serial, serial)
            postings |= _on_card(session, keys, rider, heir, day, now, is_own=heir == serial)
        drafts.append(EntryDraft(kind, name, day, "adjusted fares of one rider", postings))
    post_many(session, drafts, now)


def _on_card(
    session: Session,
    keys: KeyStore,
    rider: SealedRider,
    serial: int,
    day: date,
    now: datetime,
    *,
    is_own: bool,
) -> dict[str, int]:
    """Sign what the card gets or owes; the postings that say so."""
    rial = rider.rider_rial
    if rial > 0 and not is_own:
        # The card may be in a stranger's hand by now: never more than it has.
        funds_rial, _ = newest_funds(session, [serial])[serial]
        rial = max(0, min(rial, funds_rial - proven_spent(session, serial)))
    if rial:
        try:
            sign_next_entitlement(
                session,
                keys,
                serial,
                add_loaded_rial=max(0, -rial),
                add_withdrawn_rial=max(0, rial),
                order_id=rider.entry_id(day),
                even_denied=True,
                now=now,
            )
        except IssuingRefused:
            rial = 0
    left_rial = rider.rider_rial - rial
    return {
        accounts.stored_value(MediumKind.CARD, str(serial)): rial,
        accounts.CAPPED_LOSSES: max(0, left_rial),
        accounts.Kind.REFUNDS.value: min(0, left_rial),
    }
