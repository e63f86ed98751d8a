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


class OneTimeCode(SQLModel, table=True):
    """The newest one-time code of a mobile number: salted SHA-256 of it, and what its phone must sign.

    `hour_count` codes were sent since `hour_since`, `day_count` since `day_since`; 0 where none was. A newer
    code takes the place of the older one. `used_at` is None while the code may still be used.
    """

    __tablename__ = "identity_one_time_code"  # pyright: ignore[reportAssignmentType]
    mobile: str = Field(primary_key=True)
    salt: bytes
    code_digest: bytes
    challenge: bytes
    tries_left: int
    sent_at: datetime = instant()
    expires_at: datetime = instant()
    used_at: datetime | None = instant(default=None)
    hour_since: datetime = instant()
    hour_count: int
    day_since: datetime = instant()
    day_count: int


class RiderSession(SQLModel, table=True):
    """A rider's browser that is signed in; its token's SHA-256 and what its phone's next key must sign.

    `challenge` is empty where it was taken and no other was given out yet.
    """

    __tablename__ = "identity_rider_session"  # pyright: ignore[reportAssignmentType]
    token_digest: bytes = Field(primary_key=True)
    rider_id: str = Field(foreign_key="identity_rider.rider_id", index=True)
    phone_id: str | None = None
    challenge: bytes
    opened_at: datetime = instant()
    expires_at: datetime = instant()
