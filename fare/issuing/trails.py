"""What reconciliation may read of loads: paid orders and the entitlements they became. Read only."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy.orm import aliased
from sqlmodel import Session, col, select

from fare.database.chunks import in_chunks
from fare.issuing.models import Entitlement, Order, Replacement
from fare.issuing.words import OrderState, Purse
from fare.ledger import accounts
from fare.ledger.models import Posting

_GIVEN_BACK: Final = "adjusted"
"""The cause of entries by which adjusted fares reach their riders."""


@dataclass(frozen=True, slots=True)
class LoadTrail:
    """A paid order. `state` is paid or signed; `signed_rial` is what its entitlement added to the card.

    `signed_at`, `signed_rial` and `seen_day` are None where the order has no card entitlement.
    """

    order_id: str
    medium_kind: str
    medium_ref: str
    amount_rial: int
    terminal: str
    psp_reference: str
    paid_day: date
    state: str
    signed_at: datetime | None
    signed_rial: int | None
    seen_day: date | None


@dataclass(frozen=True, slots=True)
class UnorderedLoad:
    """An entitlement that raised what was loaded although no order asked for it."""

    serial: int
    version: int
    amount_rial: int
    signed_at: datetime


def load_trails(session: Session, day: date) -> list[LoadTrail]:
    """The orders that were paid on the day, and those of earlier days whose load was not seen on its card."""
    order, signed = col(Order.paid_day), col(Entitlement.seen_day)
    unfinished = (col(Order.state) == OrderState.PAID) | (
        (col(Order.medium_kind) == Purse.CARD) & (col(Order.state) == OrderState.SIGNED) & signed.is_(None)
    )
    return _trails(session, (order == day) | ((order < day) & unfinished))


def load_trails_of(session: Session, psp_references: Collection[str]) -> list[LoadTrail]:
    """The orders that these payments paid, whatever their day."""
    found: list[LoadTrail] = []
    for chunk in in_chunks(psp_references):
        found += _trails(session, col(Order.psp_reference).in_(chunk))
    return found


def unordered_loads(session: Session) -> list[UnorderedLoad]:
    """Every entitlement that added money to a card although neither an order asked for it, nor a lost card's
    balance moved there, nor an entry gave fares back, in just this amount.
    """
    before = aliased(Entitlement)
    added = col(Entitlement.loaded_total_rial) - sa.func.coalesce(col(before.loaded_total_rial), 0)
    rows = session.connection().execute(
        sa.select(col(Entitlement.serial), col(Entitlement.version), added, col(Entitlement.signed_at))
        .outerjoin_from(
            Entitlement,
            before,
            (col(before.serial) == col(Entitlement.serial))
            & (col(before.version) == col(Entitlement.version) - 1),
        )
        .where(
            added > 0,
            ~sa.exists().where(
                col(Order.order_id) == col(Entitlement.order_id),
                col(Order.medium_kind) == Purse.CARD,
                col(Order.medium_ref) == sa.cast(col(Entitlement.serial), sa.String),
            ),
            ~sa.exists().where(
                col(Replacement.entry_id) == col(Entitlement.order_id),
                col(Replacement.new_serial) == col(Entitlement.serial),
                col(Replacement.moved_rial) == added,
            ),
            ~sa.exists().where(
                col(Posting.entry_id) == col(Entitlement.order_id),
                col(Posting.entry_id).startswith(f"{_GIVEN_BACK}:", autoescape=True),
                col(Posting.account_id)
                == sa.literal(accounts.stored_value(Purse.CARD, ""))
                + sa.cast(col(Entitlement.serial), sa.String),
                col(Posting.amount_rial) == -added,
            ),
        )
        .order_by(col(Entitlement.serial), col(Entitlement.version))
    )
    return [UnorderedLoad(serial, version, int(rial), at) for serial, version, rial, at in rows]


def _trails(session: Session, which: sa.ColumnElement[bool]) -> list[LoadTrail]:
    before = aliased(Entitlement)
    rows = session.exec(
        select(Order, Entitlement, before)
        .outerjoin(Entitlement, col(Entitlement.order_id) == col(Order.order_id))
        .outerjoin(
            before,
            (col(before.serial) == col(Entitlement.serial))
            & (col(before.version) == col(Entitlement.version) - 1),
        )
        .where(col(Order.state) != OrderState.REQUESTED, which)
        .order_by(col(Order.order_id))
    )
    return [_trail(order, signed, earlier) for order, signed, earlier in rows]


def _trail(order: Order, signed: Entitlement | None, earlier: Entitlement | None) -> LoadTrail:
    # A paid order has both (a constraint of the table).
    assert order.psp_reference is not None  # noqa: S101
    assert order.paid_day is not None  # noqa: S101
    loaded_before = 0 if earlier is None else earlier.loaded_total_rial
    return LoadTrail(
        order_id=order.order_id,
        medium_kind=order.medium_kind,
        medium_ref=order.medium_ref,
        amount_rial=order.amount_rial,
        terminal=order.terminal,
        psp_reference=order.psp_reference,
        paid_day=order.paid_day,
        state=order.state,
        signed_at=None if signed is None else signed.signed_at,
        signed_rial=None if signed is None else signed.loaded_total_rial - loaded_before,
        seen_day=None if signed is None else signed.seen_day,
    )
