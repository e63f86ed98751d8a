"""Accounts for tests. One password for all of them, hashed once: argon2id is slow on purpose."""

from __future__ import annotations

from datetime import UTC, datetime
from functools import cache

from sqlalchemy import Engine

from fare.database.engine import write
from fare.staff import Role, create_account, hash_password

NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
PASSWORD = "درست-اسب-باتری-گیره"


@cache
def password_hash() -> str:
    """The stored form of PASSWORD."""
    return hash_password(PASSWORD)


def add_people(engine: Engine, **roles: Role) -> None:
    """Add accounts by name; an owner's account belongs to owner o-1."""
    with write(engine) as session:
        for name, role in roles.items():
            owner_id = "o-1" if role is Role.OWNER else None
            create_account(session, name, role, password_hash(), NOW, owner_id)
