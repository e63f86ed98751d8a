"""Top-ups that riders paid for and never came back from: the provider is asked for each again, from cron.

It asks outside any transaction, a bounded number at a time, and posts each payment by itself, so that one
that cannot be posted holds up no other.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Engine
from sqlmodel import Session, col, select

from fare.database.engine import read, write
from fare.issuing.gateway import CHANNEL, GatewayUnavailable, PaymentGateway, TopUp, TopUpState, ask_about
from fare.issuing.models import Order
from fare.issuing.orders import confirm_paid
from fare.issuing.refusals import IssuingRefused
from fare.issuing.sandbox_payments import SandboxGateway
from fare.issuing.words import OrderState, Purse
from fare.keys import KeyStore
from fare.settings import LedgerSettings, PaymentGatewayKind

ASKED_FOR: Final = timedelta(days=3)
"""How long an order is asked for. Later the provider's report finds the payment."""
ASKED_AT_ONCE: Final = 1_000
UNANSWERED_MAX: Final = 3
"""After so many orders in a row without an answer the provider is left alone until the next time."""


@dataclass(frozen=True, slots=True)
class CheckedTopUps:
    """How many orders were found paid (and posted now), failed for good, and still open.

    `unanswered` of the open ones got no answer or were not asked for after that; `refused` are orders that
    were paid and could not be posted, with the reason, for a person.
    """

    paid: int
    failed: int
    still_open: int
    unanswered: int
    refused: tuple[str, ...]


def payment_gateway(settings: LedgerSettings, clock: Callable[[], datetime]) -> PaymentGateway | None:
    """The gateway that the settings name; None where there is none."""
    if settings.payment_gateway is PaymentGatewayKind.SANDBOX:
        return SandboxGateway(settings.state_dir, clock)
    return None


def open_top_ups(
    session: Session, gateway: PaymentGateway, now: datetime, limit: int = ASKED_AT_ONCE
) -> list[TopUp]:
    """The orders of this gateway's terminal in the last days that are not paid, the newest first."""
    rows = session.exec(
        select(Order)
        .where(
            col(Order.state) == OrderState.REQUESTED,
            col(Order.medium_kind) == Purse.WALLET,
            col(Order.channel) == CHANNEL,
            col(Order.terminal) == gateway.terminal,
            col(Order.requested_at) >= now - ASKED_FOR,
        )
        .order_by(col(Order.requested_at).desc(), col(Order.order_id))
        .limit(limit)
    )
    return [TopUp(row.order_id, row.medium_ref, row.amount_rial, is_paid=False) for row in rows]


def check_top_ups(engine: Engine, keys: KeyStore, gateway: PaymentGateway, now: datetime) -> CheckedTopUps:
    """Ask for every open order once, and post what was paid. `now` is in the city's time."""
    with read(engine) as session:
        waiting = open_top_ups(session, gateway, now)
    counts = dict.fromkeys(TopUpState, 0)
    refused: list[str] = []
    unanswered = in_a_row = 0
    for order in waiting:
        if in_a_row == UNANSWERED_MAX:
            unanswered += 1
            continue
        try:
            asked = ask_about(gateway, order)
        except GatewayUnavailable:
            unanswered, in_a_row = unanswered + 1, in_a_row + 1
            continue
        in_a_row = 0
        if asked.reference is not None:
            try:
                with write(engine) as session:
                    confirm_paid(session, keys, order.order_id, asked.reference, now)
            except IssuingRefused as refusal:
                refused.append(f"order {order.order_id} was paid as {asked.reference}: {refusal}")
                continue
        counts[asked.state] += 1
    still_open = counts[TopUpState.WAITING] + unanswered + len(refused)
    return CheckedTopUps(
        counts[TopUpState.PAID], counts[TopUpState.FAILED], still_open, unanswered, tuple(refused)
    )
