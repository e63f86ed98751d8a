"""Top-ups: an order is requested, paid, and then signed into a card or credited to a wallet. Takes no money.

Money is posted when the payment is confirmed, once, whatever becomes of the medium: a card that was denied in
between leaves the order `paid`, and reconciliation asks for it. Every step may be repeated.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, select

from fare.core import entitlement
from fare.issuing.entitlements import sign_next_entitlement
from fare.issuing.models import Card, Order, Wallet
from fare.issuing.refusals import IssuingRefusal, IssuingRefused
from fare.issuing.words import CardStatus, OrderState, Purse, WalletStatus
from fare.keys import KeyStore
from fare.ledger import accounts, post

MAX_LOAD_RIAL: Final = entitlement.MAX_TOTAL_RIAL
_ORDER_ID_BYTES: Final = 10


def request_load(
    session: Session,
    medium_kind: str,
    medium_ref: str,
    amount_rial: int,
    channel: str,
    terminal: str,
    now: datetime,
) -> str:
    """Note that someone wants to load a medium; returns the order's id. Nothing is posted yet.

    `medium_kind` is `card` (ref: decimal serial) or `wallet` (ref: its id); `terminal` is the PSP's name of
    where the money is taken. Raises IssuingRefused for a medium that is unknown or blocked, or an amount
    out of range.
    """
    if not 0 < amount_rial <= MAX_LOAD_RIAL:
        raise IssuingRefused(IssuingRefusal.AMOUNT_OUT_OF_RANGE)
    _check_medium(session, medium_kind, medium_ref)
    order = Order(
        order_id=secrets.token_hex(_ORDER_ID_BYTES),
        medium_kind=medium_kind,
        medium_ref=medium_ref,
        amount_rial=amount_rial,
        channel=channel,
        terminal=terminal,
        state=OrderState.REQUESTED,
        requested_at=now,
    )
    session.add(order)
    session.flush()
    return order.order_id


@dataclass(frozen=True, slots=True)
class PaidLoad:
    """An order that was paid. `entitlement_version` is None while no entitlement could be signed for it."""

    order_id: str
    amount_rial: int
    entitlement_version: int | None


def load_card(
    session: Session,
    keys: KeyStore,
    serial: int,
    amount_rial: int,
    *,
    channel: str,
    terminal: str,
    psp_reference: str | None,
    now: datetime,
) -> PaidLoad:
    """Order a load that was just paid, and sign it; the same payment again gives the same order.

    `psp_reference` None: the order's own id, for money that no PSP names. `now` is in the city's time. Raises
    IssuingRefused as `request_load` and `confirm_paid` do; payment_already_used for another card or amount.
    """
    if psp_reference is not None:
        known = session.exec(select(Order).where(col(Order.psp_reference) == psp_reference)).first()
        if known is not None:
            if (known.medium_kind, known.medium_ref, known.amount_rial) != (
                Purse.CARD,
                str(serial),
                amount_rial,
            ):
                raise IssuingRefused(IssuingRefusal.PAYMENT_ALREADY_USED)
            return PaidLoad(known.order_id, known.amount_rial, known.entitlement_version)
    order_id = request_load(session, Purse.CARD, str(serial), amount_rial, channel, terminal, now)
    confirm_paid(session, keys, order_id, psp_reference or order_id, now)
    order = session.get_one(Order, order_id)
    return PaidLoad(order_id, amount_rial, order.entitlement_version)


def confirm_paid(
    session: Session, keys: KeyStore, order_id: str, psp_reference: str, paid_at: datetime
) -> None:
    """The PSP took the money: post it, and sign the card's next entitlement or credit the wallet.

    `paid_at` is aware; its date, in the offset it carries, is the paid day (give it in the city's time). The
    same confirmation again does nothing. Raises IssuingRefused: unknown_order, paid_by_another_payment,
    payment_already_used.
    """
    if paid_at.tzinfo is None:
        raise ValueError("a naive datetime names no day: attach the city's time zone")
    order = session.exec(select(Order).where(col(Order.order_id) == order_id).with_for_update()).first()
    if order is None:
        raise IssuingRefused(IssuingRefusal.UNKNOWN_ORDER)
    if order.state != OrderState.REQUESTED:
        if order.psp_reference != psp_reference:
            raise IssuingRefused(IssuingRefusal.PAID_BY_ANOTHER_PAYMENT)
        return
    used = select(Order.order_id).where(col(Order.psp_reference) == psp_reference)
    if session.exec(used).first() is not None:
        raise IssuingRefused(IssuingRefusal.PAYMENT_ALREADY_USED)
    order.psp_reference = psp_reference
    order.paid_day = paid_at.date()
    order.state = OrderState.PAID
    post(
        session,
        "load",
        order_id,
        order.paid_day,
        "top-up",
        {
            accounts.psp_receivable(order.terminal): order.amount_rial,
            accounts.stored_value(order.medium_kind, order.medium_ref): -order.amount_rial,
        },
        paid_at,
    )
    _fulfil(session, keys, order, paid_at)
    session.add(order)
    session.flush()


def _fulfil(session: Session, keys: KeyStore, order: Order, now: datetime) -> None:
    if order.medium_kind == Purse.WALLET:
        order.state = OrderState.SIGNED
        return
    serial = int(order.medium_ref)
    try:
        raw = sign_next_entitlement(
            session, keys, serial, add_loaded_rial=order.amount_rial, order_id=order.order_id, now=now
        )
    except IssuingRefused:
        # The money is in and stays posted; the order stays `paid` and is found there by reconciliation.
        return
    order.state = OrderState.SIGNED
    order.entitlement_version = entitlement.decode(raw).version


def _check_medium(session: Session, medium_kind: str, medium_ref: str) -> None:
    if medium_kind == Purse.CARD:
        card = session.get(Card, int(medium_ref)) if medium_ref.isascii() and medium_ref.isdigit() else None
        if card is None or str(card.serial) != medium_ref:
            raise IssuingRefused(IssuingRefusal.UNKNOWN_CARD)
        active = card.status == CardStatus.ACTIVE
    else:
        wallet = session.get(Wallet, medium_ref) if medium_kind == Purse.WALLET else None
        if wallet is None:
            raise IssuingRefused(IssuingRefusal.UNKNOWN_WALLET)
        active = wallet.status == WalletStatus.ACTIVE
    if not active:
        raise IssuingRefused(IssuingRefusal.NOT_ACTIVE)
