"""Tables of what was published to the buses (schema `travel`)."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from fare.database.columns import instant, wide


class PublishedTariff(SQLModel, table=True):
    """A tariff version as its canonical document, in force from `starts_at`."""

    __tablename__ = "travel_tariff"  # pyright: ignore[reportAssignmentType]
    version: int = wide(primary_key=True)
    document: bytes
    starts_at: datetime = instant()
    approval_id: str | None = None


class PublishedBundle(SQLModel, table=True):
    """A bundle's envelope under (ledger_epoch, n); `content_sha256` is taken over all but n and issued_at."""

    __tablename__ = "travel_bundle"  # pyright: ignore[reportAssignmentType]
    ledger_epoch: bytes = Field(primary_key=True)
    n: int = wide(primary_key=True)
    content_sha256: bytes
    envelope: bytes
    issued_at: datetime = instant()
