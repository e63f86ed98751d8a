"""Top-ups of a rider's wallet through a payment service provider: an order, its way to pay, and its proof.

A gateway is a port. It is asked server to server whether an order was paid; what a browser brings back from
it is never believed. It posts nothing itself: `fare.issuing.orders.confirm_paid` does, once.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final, Protocol

from sqlmodel import Session

from fare.issuing.models import Order
from fare.issuing.orders import request_load
from fare.issuing.refusals import IssuingRefusal, IssuingRefused
from fare.issuing.words import OrderState, Purse

MIN_TOP_UP_RIAL: Final = 10_000
"""Below it a provider's fee would eat the payment."""
MAX_TOP_UP_RIAL: Final = 5_000_000
"""A wallet is for fares: what is lost with a stolen phone number stays small."""
CHANNEL: Final = "online"


class GatewayUnavailable(Exception):
    """The provider did not answer, or not in a way that can be understood: ask again later."""


class PaymentGateway(Protocol):
    """One payment service provider.

    `authority` is its own name of a payment. Every method may be called again with the same arguments; all
    but `terminal` raise GatewayUnavailable.
    """

    @property
    def terminal(self) -> str:
        """The terminal under which its report names our payments."""
        ...

    def begin(self, order_id: str, amount_rial: int, return_url: str) -> str:
        """Announce an order; the address where the rider pays. Its page ends at `return_url`."""
        ...

    def authority_of(self, order_id: str) -> str | None:
        """The authority under which an order was announced, None when it was not."""
        ...

    def verify(self, authority: str, amount_rial: int) -> str | None:
        """The provider's reference of the payment, when exactly this amount was paid; else None."""
        ...

    def has_failed(self, authority: str) -> bool:
        """Whether it can never be paid any more: cancelled by the rider, or too old."""
        ...


@dataclass(frozen=True, slots=True)
class TopUp:
    """An order that loads a wallet. `is_paid`: its money is posted."""

    order_id: str
    wallet_id: str
    amount_rial: int
    is_paid: bool


class TopUpState(StrEnum):
    """What became of a top-up so far."""

    PAID = "paid"
    WAITING = "waiting"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class AskedTopUp:
    """What the gateway says of an order; `reference` is set when it was paid, and not posted by that."""

    state: TopUpState
    reference: str | None = None


def order_top_up(
    session: Session, wallet_id: str, amount_rial: int, gateway: PaymentGateway, now: datetime
) -> TopUp:
    """Note that a rider wants to top up. Nothing is posted, and the gateway is not asked yet.

    Raises IssuingRefused: amount_out_of_range, unknown_wallet, not_active.
    """
    if not MIN_TOP_UP_RIAL <= amount_rial <= MAX_TOP_UP_RIAL:
        raise IssuingRefused(IssuingRefusal.AMOUNT_OUT_OF_RANGE)
    order_id = request_load(session, Purse.WALLET, wallet_id, amount_rial, CHANNEL, gateway.terminal, now)
    return TopUp(order_id, wallet_id, amount_rial, is_paid=False)


def top_up(session: Session, order_id: str) -> TopUp | None:
    """The top-up of this order; None for an order that is unknown or loads no wallet."""
    order = session.get(Order, order_id)
    if order is None or order.medium_kind != Purse.WALLET:
        return None
    return TopUp(order_id, order.medium_ref, order.amount_rial, order.state != OrderState.REQUESTED)


def ask_about(gateway: PaymentGateway, order: TopUp) -> AskedTopUp:
    """Ask whether an order was paid, outside any transaction. Raises GatewayUnavailable."""
    authority = gateway.authority_of(order.order_id)
    if authority is None:
        return AskedTopUp(TopUpState.FAILED)  # it was never announced: nobody can pay it
    reference = gateway.verify(authority, order.amount_rial)
    if reference is not None:
        return AskedTopUp(TopUpState.PAID, reference)
    return AskedTopUp(TopUpState.FAILED if gateway.has_failed(authority) else TopUpState.WAITING)
