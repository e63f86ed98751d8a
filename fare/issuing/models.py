"""Tables of what was issued and what may be spent (schema `ledger`)."""

from __future__ import annotations

from datetime import date, datetime

from sqlalchemy import Index, text
from sqlmodel import Field, SQLModel

from fare.database.columns import instant, money, wide
from fare.issuing.words import CardStatus, PhoneStatus, TicketMedium, TicketStatus, WalletStatus

_LIVE = text("status = 'live'")
_DENIED = text("denied_at IS NOT NULL")
_WAITING = text("seen_day IS NULL AND version > 1")


class Card(SQLModel, table=True):
    """One card of ours. `status`: a CardStatus. Days are day numbers as on the card.

    `key_version`: the generation of k0 to k2 on it; `tm_key_version`: that of its Transaction MAC key, which
    stays for the card's life.
    """

    __tablename__ = "ledger_card"  # pyright: ignore[reportAssignmentType]
    serial: int = wide(primary_key=True)
    uid: bytes = Field(unique=True)
    status: str = CardStatus.ACTIVE
    key_version: int = 1
    tm_key_version: int = 1
    rider_category: int = 0
    category_expires_day: int = 0
    overdraft_rial: int = money(default=0)
    expires_day: int
    issued_day: date


class Entitlement(SQLModel, table=True):
    """Every version ever signed for a card, kept for ever: proofs are rebuilt from these bytes.

    `seen_day` is the service day on which a tap first proved that this version, or a later one, is on the
    card.
    """

    __tablename__ = "ledger_entitlement"  # pyright: ignore[reportAssignmentType]
    # What still has to reach its card: short however many were signed, since every bus's poll asks for it.
    __table_args__ = (
        Index("ix_ledger_entitlement_waiting", "serial", sqlite_where=_WAITING, postgresql_where=_WAITING),
    )
    serial: int = wide(primary_key=True)
    version: int = Field(primary_key=True)
    raw: bytes
    loaded_total_rial: int = money()
    withdrawn_total_rial: int = money()
    order_id: str | None = Field(default=None, index=True)
    signed_at: datetime = instant()
    seen_day: date | None = None


class Order(SQLModel, table=True):
    """A top-up. `medium_kind`: a Purse; `state`: an OrderState, from requested over paid to signed."""

    __tablename__ = "ledger_order"  # pyright: ignore[reportAssignmentType]
    order_id: str = Field(primary_key=True)
    medium_kind: str
    medium_ref: str
    amount_rial: int = money()
    channel: str
    terminal: str
    psp_reference: str | None = Field(default=None, unique=True)
    state: str
    requested_at: datetime = instant()
    paid_day: date | None = None
    entitlement_version: int | None = None


class Replacement(SQLModel, table=True):
    """A lost card whose balance moves to another one, not before `moves_at`: late buses may still bring taps.

    `moved_rial` is what stood on the old card then; `entry_id` the journal entry that moved it.
    """

    __tablename__ = "ledger_replacement"  # pyright: ignore[reportAssignmentType]
    old_serial: int = wide(primary_key=True)
    new_serial: int | None = wide(default=None, unique=True)
    reported_by: str
    reported_at: datetime = instant()
    moves_at: datetime = instant()
    moved_at: datetime | None = instant(default=None)
    moved_rial: int | None = money(default=None)
    entry_id: str | None = None


class Wallet(SQLModel, table=True):
    """The stored value behind a phone's tickets. Its balance is its stored-value account in the journal."""

    __tablename__ = "ledger_wallet"  # pyright: ignore[reportAssignmentType]
    wallet_id: str = Field(primary_key=True)
    opened_day: date
    status: str = WalletStatus.ACTIVE


class Phone(SQLModel, table=True):
    """One enrolment of a phone. `status`: a PhoneStatus; a wallet has at most one live one.

    Until `confirmed_at` it may hold one day's fares at most: a one-time code alone proves a SIM card, not
    its owner. `confirmed_by`: "first", "old_phone" or "counter:<staff id>". `keeps_keys`: whether its browser
    proved to keep a key over a reload.
    """

    __tablename__ = "ledger_phone"  # pyright: ignore[reportAssignmentType]
    __table_args__ = (
        Index("uq_ledger_phone_live", "wallet_id", unique=True, sqlite_where=_LIVE, postgresql_where=_LIVE),
    )
    phone_id: str = Field(primary_key=True)
    wallet_id: str = Field(index=True)
    status: str = PhoneStatus.LIVE
    keeps_keys: bool
    enrolled_at: datetime = instant()
    confirmed_at: datetime | None = instant(default=None)
    confirmed_by: str | None = None
    ended_at: datetime | None = instant(default=None)


class TicketEntitlement(SQLModel, table=True):
    """A ticket entitlement and the hold behind it. `status`: a TicketStatus; `medium`: a TicketMedium.

    `phone_id` of a phone's; `vehicle_id` of a paper ticket that rides one vehicle alone; `replaced_by` the
    cti of the ticket that took over what was left of its hold.
    """

    __tablename__ = "ledger_ticket_entitlement"  # pyright: ignore[reportAssignmentType]
    # What buses must refuse: short however many were signed, since every bus's poll asks for it.
    __table_args__ = (
        Index(
            "ix_ledger_ticket_entitlement_denied",
            "expires_at",
            sqlite_where=_DENIED,
            postgresql_where=_DENIED,
        ),
    )
    cti: bytes = Field(primary_key=True)
    wallet_id: str = Field(index=True)
    kid: int
    raw: bytes
    max_taps: int
    max_fare_rial: int = money()
    hold_rial: int = money()
    issued_at: datetime = instant()
    expires_at: datetime = instant()
    status: str = TicketStatus.LIVE
    medium: str = TicketMedium.PHONE
    phone_id: str | None = Field(default=None, index=True)
    vehicle_id: str | None = None
    denied_at: datetime | None = instant(default=None)
    replaced_by: bytes | None = None
