"""Column types and field builders that behave the same on SQLite and PostgreSQL."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, DateTime, Dialect
from sqlalchemy.types import TypeDecorator
from sqlmodel import Field, SQLModel

# Constraints carry names, so that a fault and a later migration can say which one is meant.
SQLModel.metadata.naming_convention = {
    "pk": "pk_%(table_name)s",
    "uq": "uq_%(table_name)s_%(column_0_name)s",
    "ix": "ix_%(table_name)s_%(column_0_name)s",
}


class UtcDateTime(TypeDecorator[datetime]):
    """An aware datetime, stored in UTC. A naive value is refused: it would name another instant elsewhere."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Refuse naive values and store UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a naive datetime names no instant: attach a time zone")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        """Return an aware UTC value; SQLite gives back what was stored without its zone."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def money(**options: Any) -> Any:
    """A rial amount: a 64-bit integer."""
    return Field(sa_type=BigInteger, **options)


def wide(**options: Any) -> Any:
    """A number that outgrows 31 bits (serials, seqs, versions): 64 bits, and never drawn from a sequence."""
    return Field(sa_type=BigInteger, sa_column_kwargs={"autoincrement": False}, **options)


def number(**options: Any) -> Any:
    """A small number that names something: given by its owner, never drawn from a sequence."""
    return Field(sa_column_kwargs={"autoincrement": False}, **options)


def instant(**options: Any) -> Any:
    """A `..._at` column."""
    return Field(sa_type=UtcDateTime, **options)
