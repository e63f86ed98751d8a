"""Tickets: an entitlement signed against a hold, and its place on the denylist.

At issue `max_taps x max_fare_rial` leaves the wallet for a hold of the ticket's own, so that no offline tap
on one vehicle is unfunded. Rides are captured from the hold when their day is sealed; what was not ridden is
given back by `holds`. It never sees a phone's private key, and does not ask whose phone it is (see
`phone_tickets`).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import ColumnElement
from sqlmodel import Session, col, func, select

from fare.core.proof.issued import CTI_BYTES
from fare.core.proof.mc1 import EntitlementClaims, sign_entitlement
from fare.database.chunks import in_chunks
from fare.issuing.models import TicketEntitlement
from fare.issuing.refusals import IssuingRefusal, IssuingRefused
from fare.issuing.wallets import locked_wallet, wallet_balance
from fare.issuing.words import Purse, TicketMedium, TicketStatus, WalletStatus
from fare.keys import KeyStore
from fare.ledger import accounts, post

SINGLE_RIDE_PRODUCT: Final = 1


@dataclass(frozen=True, slots=True)
class TicketFace:
    """A ticket's entitlement as it was signed (`raw`), and the hold behind it in rial.

    `status` is a TicketStatus, `medium` a TicketMedium; `vehicle_id` that of a paper ticket for one bus.
    """

    cti: bytes
    wallet_id: str
    raw: bytes
    max_taps: int
    max_fare_rial: int
    hold_rial: int
    expires_at: datetime
    status: str
    medium: str = TicketMedium.PHONE
    phone_id: str | None = None
    vehicle_id: str | None = None


def issue_ticket_entitlement(
    session: Session,
    keys: KeyStore,
    wallet_id: str,
    public_x: bytes,
    y_odd: bool,
    max_taps: int,
    max_fare_rial: int,
    now: datetime,
    lifetime: timedelta,
    phone_id: str | None = None,
) -> bytes:
    """Sign an entitlement for a phone's fresh P-256 key (`public_x`, 32 bytes) and hold its money.

    Raises IssuingRefused: unknown_wallet, not_active, short_of_funds. ValueError for claims out of their
    range (a lifetime above 72 hours, more than 255 taps).
    """
    check_funds(session, wallet_id, max_taps * max_fare_rial)
    issued_at = now.replace(microsecond=0)
    expires_at = issued_at + lifetime
    claims = EntitlementClaims(
        expires_at_s=int(expires_at.timestamp()),
        issued_at_s=int(issued_at.timestamp()),
        cti=secrets.token_bytes(CTI_BYTES),
        public_x=public_x,
        public_y_odd=y_odd,
        product=SINGLE_RIDE_PRODUCT,
        max_taps=max_taps,
        max_fare_rial=max_fare_rial,
    )
    channel = keys.channel
    raw = sign_entitlement(claims, channel.private, bytes([channel.kid]))
    ticket = TicketEntitlement(
        cti=claims.cti,
        wallet_id=wallet_id,
        kid=channel.kid,
        raw=raw,
        max_taps=max_taps,
        max_fare_rial=max_fare_rial,
        hold_rial=max_taps * max_fare_rial,
        issued_at=issued_at,
        expires_at=expires_at,
        status=TicketStatus.LIVE,
        medium=TicketMedium.PHONE,
        phone_id=phone_id,
    )
    hold(session, ticket, now)
    return raw


def check_funds(session: Session, wallet_id: str, amount_rial: int) -> None:
    """Lock a wallet that has so much to set aside. Raises IssuingRefused for one that cannot."""
    wallet = locked_wallet(session, wallet_id)
    if wallet is None:
        raise IssuingRefused(IssuingRefusal.UNKNOWN_WALLET)
    if wallet.status != WalletStatus.ACTIVE:
        raise IssuingRefused(IssuingRefusal.NOT_ACTIVE)
    if wallet_balance(session, wallet_id) < amount_rial:
        raise IssuingRefused(IssuingRefusal.SHORT_OF_FUNDS)


def hold(session: Session, ticket: TicketEntitlement, now: datetime) -> None:
    """Enter a signed ticket and move its money from its wallet, which `check_funds` has locked."""
    session.add(ticket)
    session.flush()
    held = {
        accounts.stored_value(Purse.WALLET, ticket.wallet_id): ticket.hold_rial,
        accounts.holds(ticket.cti): -ticket.hold_rial,
    }
    post(session, "hold", ticket.cti.hex(), now.date(), "ticket", held, now)


def ticket_entitlements(session: Session, ctis: Iterable[bytes]) -> dict[bytes, TicketFace]:
    """The tickets of these aliases that were issued here; others are left out."""
    found: dict[bytes, TicketFace] = {}
    for chunk in in_chunks(ctis):
        some = col(TicketEntitlement.cti).in_(chunk)
        found |= {row.cti: _face(row) for row in session.exec(select(TicketEntitlement).where(some))}
    return found


def tickets_of_wallet(session: Session, wallet_id: str) -> list[TicketFace]:
    """Every ticket of a wallet, the newest first: whose rides a rider may see."""
    rows = session.exec(
        select(TicketEntitlement)
        .where(col(TicketEntitlement.wallet_id) == wallet_id)
        .order_by(col(TicketEntitlement.issued_at).desc(), col(TicketEntitlement.cti))
    )
    return [_face(row) for row in rows]


def live_tickets_signed_by(
    session: Session, kid: int, now: datetime, medium: TicketMedium | None = None
) -> int:
    """How many live tickets of one medium, or of all, this channel key signed that have not expired."""
    wanted = (
        col(TicketEntitlement.kid) == kid,
        col(TicketEntitlement.status) == TicketStatus.LIVE,
        col(TicketEntitlement.expires_at) >= now,
    )
    if medium is not None:
        wanted = (*wanted, col(TicketEntitlement.medium) == medium)
    return session.exec(select(func.count()).select_from(TicketEntitlement).where(*wanted)).one()


def deny_ticket(session: Session, cti: bytes, now: datetime) -> None:
    """Put a ticket on the denylist until it expires. Raises IssuingRefused: unknown_ticket."""
    row = _locked(session, col(TicketEntitlement.cti) == cti)
    if not row:
        raise IssuingRefused(IssuingRefusal.UNKNOWN_TICKET)
    _deny(session, row, now)


def deny_live_tickets(session: Session, phone_id: str, now: datetime) -> list[bytes]:
    """Put a phone's live tickets on the denylist; returns their aliases. Their holds wait (see `holds`)."""
    live = (col(TicketEntitlement.phone_id) == phone_id) & (
        col(TicketEntitlement.status) == TicketStatus.LIVE
    )
    return _deny(session, _locked(session, live), now)


def _deny(session: Session, rows: Sequence[TicketEntitlement], now: datetime) -> list[bytes]:
    denied: list[bytes] = []
    for row in rows:
        # What has expired is refused by its own date, and one whose hold was given back is dealt with.
        if row.status == TicketStatus.LIVE and row.expires_at > now:
            row.status, row.denied_at = TicketStatus.DENIED, now
            session.add(row)
            denied.append(row.cti)
    session.flush()
    return denied


def _locked(session: Session, which: ColumnElement[bool]) -> Sequence[TicketEntitlement]:
    """Tickets, locked until the transaction ends, in one order for everybody."""
    wanted = select(TicketEntitlement).where(which).order_by(col(TicketEntitlement.cti)).with_for_update()
    return session.exec(wanted.execution_options(populate_existing=True)).all()


def _face(row: TicketEntitlement) -> TicketFace:
    return TicketFace(
        cti=row.cti,
        wallet_id=row.wallet_id,
        raw=row.raw,
        max_taps=row.max_taps,
        max_fare_rial=row.max_fare_rial,
        hold_rial=row.hold_rial,
        expires_at=row.expires_at,
        status=row.status,
        medium=row.medium,
        phone_id=row.phone_id,
        vehicle_id=row.vehicle_id,
    )
