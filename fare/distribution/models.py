"""Tables of what was published to the buses (schema `travel`)."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from fare.database.columns import instant, wide


class PublishedTariff(SQLModel, table=True):
    """A tariff version as its canonical document, in force from `starts_at`.

    `publication_sha256` is what two people agreed to (`fare.distribution.tariffs.publication_sha256`). A
    trigger refuses a row whose approval is not spent, or is one of anything else; rows from before that rule
    have neither `approval_id` nor `published_at`.
    """

    __tablename__ = "travel_tariff"  # pyright: ignore[reportAssignmentType]
    version: int = wide(primary_key=True)
    document: bytes
    starts_at: datetime = instant()
    publication_sha256: bytes
    approval_id: str | None = Field(default=None, unique=True)
    published_at: datetime | None = instant(default=None)


class PublishedBundle(SQLModel, table=True):
    """A bundle's envelope under (ledger_epoch, n); `content_sha256` is taken over all but n and issued_at."""

    __tablename__ = "travel_bundle"  # pyright: ignore[reportAssignmentType]
    ledger_epoch: bytes = Field(primary_key=True)
    n: int = wide(primary_key=True)
    content_sha256: bytes
    envelope: bytes
    issued_at: datetime = instant()
