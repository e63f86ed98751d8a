"""Many rows in one statement, on both databases. It knows tables and rows, and nothing of what they mean.

PostgreSQL takes columns as arrays (`INSERT … SELECT FROM unnest(…)`), about three times as fast as one row
after another; SQLite is fastest with executemany.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel

Row = Mapping[str, Any]


def table_of(model: type[SQLModel]) -> Table:
    """The Core table behind a model."""
    return SQLModel.metadata.tables[str(getattr(model, "__tablename__"))]  # noqa: B009 - its declared type is wrong


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Add rows; a row whose key is there already is an error. Every row has the same columns."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text(_unnested(table, list(rows[0]))), _arrays(rows))
    else:
        connection.execute(table.insert(), list(rows))


def insert_new(
    connection: Connection, table: Table, rows: Sequence[Row], returning: Sequence[str]
) -> set[tuple[Any, ...]]:
    """Add the rows whose key is not there yet; the `returning` columns of those that were added.

    A row that another transaction is just adding is waited for. Rows come sorted by key, so that two
    transactions cannot wait for each other.
    """
    if not rows:
        return set()
    columns = ", ".join(returning)
    if connection.dialect.name == "postgresql":
        statement = f"{_unnested(table, list(rows[0]))} ON CONFLICT DO NOTHING RETURNING {columns}"
        added = connection.execute(text(statement), _arrays(rows))
    else:
        insert = sqlite.insert(table).on_conflict_do_nothing().returning(*(table.c[n] for n in returning))
        added = connection.execute(insert, list(rows))
    return {tuple(row) for row in added}


def insert_if_missing(connection: Connection, table: Table, row: Row) -> None:
    """Add one row unless its key is there."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table).values(dict(row)).on_conflict_do_nothing())


def _arrays(rows: Sequence[Row]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def _unnested(table: Table, columns: Sequence[str]) -> str:
    names = ", ".join(columns)
    dialect = postgresql.dialect()
    arrays = ", ".join(f"CAST(:{name} AS {table.c[name].type.compile(dialect)}[])" for name in columns)
    # Names and types come from the table, never from what was uploaded.
    return f"INSERT INTO {table.name} ({names}) SELECT * FROM unnest({arrays})"  # noqa: S608
