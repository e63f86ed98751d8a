"""Tables of the journal (schema `ledger`). Append-only: the application may INSERT and SELECT, no more.

No row here links a medium to a vehicle, or carries a time finer than the service day.
"""

from __future__ import annotations

from datetime import date, datetime

from sqlmodel import Field, SQLModel

from fare.database.columns import instant, money


class Account(SQLModel, table=True):
    """One account, e.g. `owner_payable:o-17`. `kind` is the part before the colon, `party` the part after."""

    __tablename__ = "ledger_account"  # pyright: ignore[reportAssignmentType]
    account_id: str = Field(primary_key=True)
    kind: str = Field(index=True)
    party: str | None = None


class Entry(SQLModel, table=True):
    """One journal entry. `entry_id` is `<cause_kind>:<cause_id>`: the same cause never posts twice."""

    __tablename__ = "ledger_entry"  # pyright: ignore[reportAssignmentType]
    entry_id: str = Field(primary_key=True)
    cause_kind: str
    cause_id: str
    service_day: date = Field(index=True)
    posted_at: datetime = instant()
    description: str
    digest: bytes


class Posting(SQLModel, table=True):
    """One leg, at most one per account and entry. Debit positive, credit negative; an entry sums to zero."""

    __tablename__ = "ledger_posting"  # pyright: ignore[reportAssignmentType]
    account_id: str = Field(primary_key=True)
    entry_id: str = Field(primary_key=True, index=True)
    service_day: date
    amount_rial: int = money()
