"""Tables of people and the media they hold (schema `identity`). The only place where the two meet."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from fare.database.columns import instant


class Rider(SQLModel, table=True):
    """A person who chose to be known. Contact fields are optional: a card may stay anonymous."""

    __tablename__ = "identity_rider"  # pyright: ignore[reportAssignmentType]
    rider_id: str = Field(primary_key=True)
    mobile: str | None = Field(default=None, unique=True)
    created_at: datetime = instant()


class RiderMedium(SQLModel, table=True):
    """Rider <-> medium, dated. `medium_kind`: card (ref = serial) or wallet (ref = wallet id)."""

    __tablename__ = "identity_rider_medium"  # pyright: ignore[reportAssignmentType]
    rider_id: str = Field(primary_key=True)
    medium_kind: str = Field(primary_key=True)
    medium_ref: str = Field(primary_key=True)
    starts_at: datetime = instant(primary_key=True)
    ends_at: datetime | None = instant(default=None)
