"""Accounts of employees: who they are and in which role. Whether they are signed in is in `sessions`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from sqlmodel import Session, col, delete, select

from fare.core.errors import OperatorError
from fare.staff.models import StaffAccount, StaffSession
from fare.staff.roles import Role

_STAFF_ID: Final = re.compile(r"[a-z0-9][a-z0-9._-]{1,39}")


@dataclass(frozen=True, slots=True)
class StaffMember:
    """One account as others may see it. `owner_id` is set for the role owner alone."""

    staff_id: str
    role: Role
    owner_id: str | None
    active: bool
    created_at: datetime


def create_account(
    session: Session,
    staff_id: str,
    role: Role,
    password_hash: str,
    now: datetime,
    owner_id: str | None = None,
) -> StaffMember:
    """Add an account; `password_hash` from `passwords.hash_password`. Raises `OperatorError`.

    An owner's account names the owner whose buses it sees; no other role does.
    """
    name = staff_id.strip().lower()
    if not _STAFF_ID.fullmatch(name):
        raise OperatorError(
            "A name has 2 to 40 Latin letters, digits, dots, hyphens and underscores: choose another."
        )
    if (role is Role.OWNER) != (owner_id is not None):
        raise OperatorError("An account of the role owner names its owner, and no other does: see --owner.")
    if session.get(StaffAccount, name) is not None:
        raise OperatorError(f"There is an account {name} already: choose another name.")
    account = StaffAccount(
        staff_id=name, role=role.value, password_hash=password_hash, owner_id=owner_id, created_at=now
    )
    session.add(account)
    session.flush()
    return _view(account)


def staff(session: Session) -> list[StaffMember]:
    """All accounts, by name."""
    return [_view(row) for row in session.exec(select(StaffAccount).order_by(col(StaffAccount.staff_id)))]


def member(session: Session, staff_id: str) -> StaffMember | None:
    """One account, active or not."""
    account = session.get(StaffAccount, staff_id.strip().lower())
    return None if account is None else _view(account)


def password_hash_of(session: Session, staff_id: str) -> str | None:
    """The stored hash of an active account, or None."""
    account = session.get(StaffAccount, staff_id.strip().lower())
    return account.password_hash if account is not None and account.active else None


def set_password(session: Session, staff_id: str, password_hash: str) -> None:
    """Give an open account another password and sign it out everywhere. Raises `OperatorError`."""
    account = _account(session, staff_id)
    if not account.active:
        raise OperatorError(f"The account {account.staff_id} is disabled: add another one.")
    account.password_hash = password_hash
    _sign_out(session, account)


def disable(session: Session, staff_id: str) -> None:
    """Close an account and sign it out everywhere. What it did stays under its name."""
    account = _account(session, staff_id)
    account.active = False
    _sign_out(session, account)


def _account(session: Session, staff_id: str) -> StaffAccount:
    account = session.get(StaffAccount, staff_id.strip().lower())
    if account is None:
        raise OperatorError(f"There is no account {staff_id}: 'mancard staff list' shows them.")
    return account


def _sign_out(session: Session, account: StaffAccount) -> None:
    session.exec(delete(StaffSession).where(col(StaffSession.staff_id) == account.staff_id))
    session.flush()


def _view(account: StaffAccount) -> StaffMember:
    role = Role(account.role)
    return StaffMember(account.staff_id, role, account.owner_id, account.active, account.created_at)
