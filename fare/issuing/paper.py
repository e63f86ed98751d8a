"""Paper tickets: one ride each, sold at a counter against a payment, signed and held like a phone's.

The payment loads an anonymous wallet of the order's own; each ticket holds what its ride may cost at most. A
ticket is for one vehicle, whose doors remember it, or, naming none, it is redeemed online. What a ride cost
less comes back to that wallet, which belongs to nobody: reconciliation finds it there.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from fare.core.proof.issued import CTI_BYTES, ENTITLEMENT_MAX_LIFE_S, text_of
from fare.core.proof.mp1 import PREFIX, VEHICLE_MAX_BYTES, PaperClaims, decode_paper, sign_paper
from fare.issuing.models import Order, TicketEntitlement
from fare.issuing.orders import confirm_paid, request_load
from fare.issuing.phone_tickets import TicketPolicy
from fare.issuing.refusals import IssuingRefusal, IssuingRefused
from fare.issuing.tickets import SINGLE_RIDE_PRODUCT, check_funds, hold
from fare.issuing.wallets import open_wallet
from fare.issuing.words import Purse, TicketMedium, TicketStatus
from fare.keys import KeyStore

PAPER_LIFETIME: Final = timedelta(seconds=ENTITLEMENT_MAX_LIFE_S)
MAX_AT_ONCE: Final = 200


@dataclass(frozen=True, slots=True)
class PaperTicketIssued:
    """A paper ticket: `text` is what its QR code says. `vehicle` is the bus it is for, None for any."""

    cti: bytes
    text: str
    vehicle: str | None
    expires_at: datetime


def issue_paper_tickets(
    session: Session,
    keys: KeyStore,
    policy: TicketPolicy,
    *,
    count: int,
    vehicle: str | None,
    terminal: str,
    psp_reference: str,
    now: datetime,
) -> list[PaperTicketIssued]:
    """Sell `count` (1 to 200) tickets at the highest fare, paid at a counter's terminal.

    The same payment again gives the same tickets. `now` is in the city's time. Raises IssuingRefused:
    amount_out_of_range, payment_already_used, unknown_vehicle for a name of no or more than 32 bytes.
    """
    if not 1 <= count <= MAX_AT_ONCE:
        raise IssuingRefused(IssuingRefusal.AMOUNT_OUT_OF_RANGE)
    if vehicle is not None and not 1 <= len(vehicle.encode()) <= VEHICLE_MAX_BYTES:
        raise IssuingRefused(IssuingRefusal.UNKNOWN_VEHICLE)
    known = session.exec(select(Order).where(col(Order.psp_reference) == psp_reference)).first()
    if known is not None:
        return _sold_before(session, known, count, vehicle)
    wallet_id = open_wallet(session, now)
    price_rial = count * policy.max_fare_rial
    order_id = request_load(session, Purse.WALLET, wallet_id, price_rial, "counter", terminal, now)
    confirm_paid(session, keys, order_id, psp_reference, now)
    check_funds(session, wallet_id, price_rial)
    return [_issue(session, keys, policy, wallet_id, vehicle, now) for _ in range(count)]


def _issue(
    session: Session,
    keys: KeyStore,
    policy: TicketPolicy,
    wallet_id: str,
    vehicle: str | None,
    now: datetime,
) -> PaperTicketIssued:
    issued_at = now.replace(microsecond=0)
    expires_at = issued_at + PAPER_LIFETIME
    claims = PaperClaims(
        expires_at_s=int(expires_at.timestamp()),
        issued_at_s=int(issued_at.timestamp()),
        cti=secrets.token_bytes(CTI_BYTES),
        product=SINGLE_RIDE_PRODUCT,
        max_fare_rial=policy.max_fare_rial,
        vehicle=vehicle,
    )
    channel = keys.channel
    text = sign_paper(claims, channel.private, bytes([channel.kid]))
    ticket = TicketEntitlement(
        cti=claims.cti,
        wallet_id=wallet_id,
        kid=channel.kid,
        raw=decode_paper(text).raw,
        max_taps=1,
        max_fare_rial=policy.max_fare_rial,
        hold_rial=policy.max_fare_rial,
        issued_at=issued_at,
        expires_at=expires_at,
        status=TicketStatus.LIVE,
        medium=TicketMedium.PAPER,
        vehicle_id=vehicle,
    )
    hold(session, ticket, now)
    return PaperTicketIssued(claims.cti, text, vehicle, expires_at)


def _sold_before(session: Session, order: Order, count: int, vehicle: str | None) -> list[PaperTicketIssued]:
    """The tickets of a payment that came in again: a printer jammed, or an answer was lost."""
    rows = session.exec(
        select(TicketEntitlement)
        .where(
            col(TicketEntitlement.wallet_id) == order.medium_ref,
            col(TicketEntitlement.medium) == TicketMedium.PAPER,
        )
        .order_by(col(TicketEntitlement.cti))
    ).all()
    if order.medium_kind != Purse.WALLET or [row.vehicle_id for row in rows] != [vehicle] * count:
        raise IssuingRefused(IssuingRefusal.PAYMENT_ALREADY_USED)
    return [PaperTicketIssued(row.cti, text_of(PREFIX, row.raw), vehicle, row.expires_at) for row in rows]
