"""Tables of employees and four-eyes approvals (schemas `identity` and `ledger`)."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from fare.database.columns import instant


class StaffAccount(SQLModel, table=True):
    """An employee's account. `password_hash` is argon2id; `owner_id` limits an owner to its own buses."""

    __tablename__ = "identity_staff"  # pyright: ignore[reportAssignmentType]
    staff_id: str = Field(primary_key=True)
    role: str
    password_hash: str
    owner_id: str | None = None
    active: bool = True
    created_at: datetime = instant()


class StaffSession(SQLModel, table=True):
    """A signed-in browser: SHA-256 of its cookie's secret, and the CSRF secret of its forms."""

    __tablename__ = "identity_staff_session"  # pyright: ignore[reportAssignmentType]
    token_digest: bytes = Field(primary_key=True)
    staff_id: str = Field(index=True)
    csrf_secret: str
    created_at: datetime = instant()
    expires_at: datetime = instant()


class Approval(SQLModel, table=True):
    """One action that needs a second person. CHECK: `approved_by` is never `requested_by`."""

    __tablename__ = "ledger_approval"  # pyright: ignore[reportAssignmentType]
    approval_id: str = Field(primary_key=True)
    action: str
    payload: bytes
    payload_sha256: bytes
    requested_by: str
    requested_at: datetime = instant()
    approved_by: str | None = None
    approved_at: datetime | None = instant(default=None)
    used_at: datetime | None = instant(default=None)
