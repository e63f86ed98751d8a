"""Late rides of a lost card whose balance has moved on: the owners are paid, and somebody has to pay.

    late      = fares credited for sealed rides + what was moved - what was ever loaded on the lost card,
                at most what was moved
    late_fare:<lost card>:<late in all so far>
              - stored value of the lost card    + stored value of the card that has its balance now
                                                 + capped losses, for what that card does not hold any more

The new card pays by a newer entitlement that raises what was withdrawn, never by a debit: also while it is
denied, and never more than what came to it by the move, since it may be in a stranger's hand by then. What
the lost card spent beyond its loads is no late fare: it stays in suspense, or the debt of that card.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from fare.collection.card_register import proven_spent
from fare.collection.sealing_marks import sealed_credit
from fare.collection.words import MediumKind
from fare.issuing import IssuingRefused, newest_funds, sign_next_entitlement
from fare.issuing.moves import MovedBalance, moved_balances
from fare.keys import KeyStore
from fare.ledger import accounts, post
from fare.ledger.models import Entry, Posting

CAUSE: Final = "late_fare"


@dataclass(frozen=True, slots=True)
class LateFare:
    """What a lost card's late rides came to just now: `charged_rial` to its heir, `lost_rial` to the city."""

    old_serial: int
    heir: int
    charged_rial: int
    lost_rial: int


def charge_late_fares(
    session: Session, keys: KeyStore, serials: Iterable[int], day: date, now: datetime
) -> list[LateFare]:
    """Charge what rides of these cards, sealed after their balance had moved, cost. Again: nothing is left.

    `day` is the service day that was just sealed.
    """
    charged: list[LateFare] = []
    for moved in moved_balances(session, serials, lock=True):
        before_rial = _charged_before(session, moved.old_serial)
        late_rial = _late_in_all(session, moved) - before_rial
        if late_rial > 0:
            charged.append(_charge(session, keys, moved, before_rial + late_rial, late_rial, day, now))
    return charged


def late_fares(session: Session, serials: Iterable[int]) -> dict[int, int]:
    """What of these lost cards' late rides is charged to nobody yet, in rial; cards without are left out."""
    open_rial = {
        moved.old_serial: _late_in_all(session, moved) - _charged_before(session, moved.old_serial)
        for moved in moved_balances(session, serials)
    }
    return {serial: rial for serial, rial in open_rial.items() if rial > 0}


def _late_in_all(session: Session, moved: MovedBalance) -> int:
    funds_rial, _ = newest_funds(session, [moved.old_serial])[moved.old_serial]
    credited = sealed_credit(session, str(moved.old_serial))
    return min(moved.moved_rial, max(0, credited + moved.moved_rial - funds_rial))


def _charged_before(session: Session, old_serial: int) -> int:
    """What late rides of this card came to so far."""
    return -_posted(session, old_serial, col(Posting.amount_rial) < 0)


def _charged_to(session: Session, heir: int) -> int:
    """What this card was charged for late rides of those before it."""
    return _posted(session, heir, col(Posting.amount_rial) > 0)


def _posted(session: Session, serial: int, which: sa.ColumnElement[bool]) -> int:
    account = accounts.stored_value(MediumKind.CARD, str(serial))
    total = session.exec(
        select(sa.func.sum(col(Posting.amount_rial)))
        .join(Entry, col(Entry.entry_id) == col(Posting.entry_id))
        .where(col(Posting.account_id) == account, col(Entry.cause_kind) == CAUSE, which)
    ).one()
    return int(total or 0)


def _charge(
    session: Session,
    keys: KeyStore,
    moved: MovedBalance,
    in_all_rial: int,
    late_rial: int,
    day: date,
    now: datetime,
) -> LateFare:
    cause_id = f"{moved.old_serial}:{in_all_rial}"
    funds_rial, _ = newest_funds(session, [moved.heir])[moved.heir]
    reached_rial = moved.reached_rial - _charged_to(session, moved.heir)
    charged_rial = max(0, min(late_rial, reached_rial, funds_rial - proven_spent(session, moved.heir)))
    if charged_rial:
        try:
            sign_next_entitlement(
                session,
                keys,
                moved.heir,
                add_withdrawn_rial=charged_rial,
                order_id=f"{CAUSE}:{cause_id}",
                even_denied=True,
                now=now,
            )
        except IssuingRefused:
            charged_rial = 0  # its counters are full
    post(
        session,
        CAUSE,
        cause_id,
        day,
        "late rides of a lost card",
        {
            accounts.stored_value(MediumKind.CARD, str(moved.old_serial)): -late_rial,
            accounts.stored_value(MediumKind.CARD, str(moved.heir)): charged_rial,
            accounts.CAPPED_LOSSES: late_rial - charged_rial,
        },
        now,
    )
    return LateFare(moved.old_serial, moved.heir, charged_rial, late_rial - charged_rial)
