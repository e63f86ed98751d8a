"""Tables of service days, owners' statements and payments (schema `ledger`)."""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import Field, SQLModel

from fare.database.columns import instant, money


class ServiceDay(SQLModel, table=True):
    """A service day that was sealed: per-medium entries are posted and clearing is zero."""

    __tablename__ = "ledger_service_day"  # pyright: ignore[reportAssignmentType]
    service_day: date = Field(primary_key=True)
    sealed_at: datetime = instant()


class Statement(SQLModel, table=True):
    """What one owner earned on one service day. `net` is its share; late rides of earlier days apart.

    `adjustments` is the part of `net` by which the day's own rides were priced anew.
    """

    __tablename__ = "ledger_statement"  # pyright: ignore[reportAssignmentType]
    owner_id: str = Field(primary_key=True)
    service_day: date = Field(primary_key=True)
    rides: int
    gross_rial: int = money()
    commission_rial: int = money()
    suspense_rial: int = money()
    net_rial: int = money()
    prior_days_rial: int = money(default=0)
    adjustments_rial: int = money(default=0)
    payment_reference: str | None = None


class Payment(SQLModel, table=True):
    """An instruction to pay an owner. `state`: instructed, confirmed, rejected."""

    __tablename__ = "ledger_payment"  # pyright: ignore[reportAssignmentType]
    payment_reference: str = Field(primary_key=True)
    owner_id: str
    service_day: date
    amount_rial: int = money()
    iban: str
    state: str
    instructed_at: datetime = instant()
