"""Phone tickets: wallets, the entitlements signed against a hold, and giving back what was not ridden.

At issue `max_taps x max_fare_rial` leaves the wallet for a hold of the ticket's own, so that no offline tap
on one vehicle is unfunded. Rides are captured from the hold when their day is sealed. It never sees a
phone's private key.
"""

from __future__ import annotations

import secrets
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from fare.core.proof.phone import CTI_BYTES, EntitlementClaims, sign_entitlement
from fare.issuing.models import TicketEntitlement, Wallet
from fare.issuing.refusals import IssuingRefusal, IssuingRefused
from fare.issuing.words import Purse, TicketStatus, WalletStatus
from fare.keys import KeyStore
from fare.ledger import accounts, balance, post

SINGLE_RIDE_PRODUCT: Final = 1
_WALLET_ID_BYTES: Final = 8


@dataclass(frozen=True, slots=True)
class TicketFace:
    """A ticket's entitlement as it was signed (`raw`), and the hold behind it in rial."""

    cti: bytes
    wallet_id: str
    raw: bytes
    max_taps: int
    max_fare_rial: int
    hold_rial: int
    expires_at: datetime
    status: str


def open_wallet(session: Session, now: datetime) -> str:
    """Open an empty wallet; returns its id."""
    wallet = Wallet(
        wallet_id=secrets.token_hex(_WALLET_ID_BYTES), opened_day=now.date(), status=WalletStatus.ACTIVE
    )
    session.add(wallet)
    session.flush()
    return wallet.wallet_id


def wallet_balance(session: Session, wallet_id: str) -> int:
    """What the wallet holds in rial, without what is set aside for live tickets."""
    return -balance(session, accounts.stored_value(Purse.WALLET, wallet_id))


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
) -> bytes:
    """Sign an entitlement for a phone's fresh P-256 key (`public_x`, 32 bytes) and hold its money.

    Raises IssuingRefused: unknown_wallet, not_active, short_of_funds. ValueError for claims out of their
    range (a lifetime above 72 hours, more than 255 taps).
    """
    # The wallet's row is the lock: two phones at once cannot hold the same money.
    wallet = session.exec(select(Wallet).where(col(Wallet.wallet_id) == wallet_id).with_for_update()).first()
    if wallet is None:
        raise IssuingRefused(IssuingRefusal.UNKNOWN_WALLET)
    if wallet.status != WalletStatus.ACTIVE:
        raise IssuingRefused(IssuingRefusal.NOT_ACTIVE)
    hold_rial = max_taps * max_fare_rial
    if wallet_balance(session, wallet_id) < hold_rial:
        raise IssuingRefused(IssuingRefusal.SHORT_OF_FUNDS)
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
    raw = sign_entitlement(claims, keys.channel.private, bytes([keys.channel.kid]))
    session.add(
        TicketEntitlement(
            cti=claims.cti,
            wallet_id=wallet_id,
            kid=keys.channel.kid,
            raw=raw,
            max_taps=max_taps,
            max_fare_rial=max_fare_rial,
            hold_rial=hold_rial,
            issued_at=issued_at,
            expires_at=expires_at,
            status=TicketStatus.LIVE,
        )
    )
    session.flush()
    held = {accounts.stored_value(Purse.WALLET, wallet_id): hold_rial, accounts.holds(claims.cti): -hold_rial}
    post(session, "hold", claims.cti.hex(), now.date(), "ticket", held, now)
    return raw


def ticket_entitlements(session: Session, ctis: Iterable[bytes]) -> dict[bytes, TicketFace]:
    """The tickets of these aliases that were issued here; others are left out."""
    wanted = sorted(set(ctis))
    rows = session.exec(select(TicketEntitlement).where(col(TicketEntitlement.cti).in_(wanted)))
    return {row.cti: _face(row) for row in rows}


def release_expired_holds(
    session: Session, now: datetime, *, keep: Collection[bytes] = (), grace: timedelta = timedelta(0)
) -> list[bytes]:
    """Give back to its wallet what an expired ticket did not ride; returns the tickets' aliases.

    Rides that are taken in but not sealed still need the hold: name their tickets in `keep` and call again
    after the sealing. `grace` waits for buses that were offline at the expiry.
    """
    rows = session.exec(
        select(TicketEntitlement)
        .where(
            col(TicketEntitlement.status) != TicketStatus.RELEASED,
            col(TicketEntitlement.expires_at) <= now - grace,
        )
        .order_by(col(TicketEntitlement.cti))
        .with_for_update()
    ).all()
    released: list[bytes] = []
    for row in rows:
        if row.cti in keep:
            continue
        held = accounts.holds(row.cti)
        # A hold that was overdrawn gives nothing back; what is missing stays visible on its account.
        left_rial = max(0, -balance(session, held))
        given_back = {held: left_rial, accounts.stored_value(Purse.WALLET, row.wallet_id): -left_rial}
        post(session, "release", row.cti.hex(), now.date(), "ticket expired", given_back, now)
        row.status = TicketStatus.RELEASED
        session.add(row)
        released.append(row.cti)
    session.flush()
    return released


def deny_ticket(session: Session, cti: bytes) -> None:
    """Put a ticket on the denylist until it expires."""
    row = session.get(TicketEntitlement, cti)
    if row is None:
        raise IssuingRefused(IssuingRefusal.UNKNOWN_TICKET)
    if row.status == TicketStatus.LIVE:
        row.status = TicketStatus.DENIED
        session.add(row)
        session.flush()


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
    )
