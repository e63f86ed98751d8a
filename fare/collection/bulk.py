"""Many rows in one statement, on both databases. It knows tables and rows, and nothing of what they mean.

PostgreSQL takes all rows as one JSON text, several times as fast as one row after another; SQLite is fastest
with executemany.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import date, datetime
from typing import Any

from sqlalchemy import Connection, Table, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import SQLModel

Row = Mapping[str, Any]


def table_of(model: type[SQLModel]) -> Table:
    """The Core table behind a model."""
    return SQLModel.metadata.tables[str(getattr(model, "__tablename__"))]  # noqa: B009 - mistyped there


def insert_rows(connection: Connection, table: Table, rows: Sequence[Row]) -> None:
    """Add rows; a row whose key is there already is an error. Every row has the same columns."""
    if not rows:
        return
    if connection.dialect.name == "postgresql":
        connection.execute(text(_from_json(table, list(rows[0]))), {"rows": _as_json(rows)})
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
        statement = f"{_from_json(table, list(rows[0]))} ON CONFLICT DO NOTHING RETURNING {columns}"
        added = connection.execute(text(statement), {"rows": _as_json(rows)})
    else:
        insert = sqlite.insert(table).on_conflict_do_nothing().returning(*(table.c[n] for n in returning))
        added = connection.execute(insert, list(rows))
    return {tuple(row) for row in added}


def insert_if_missing(connection: Connection, table: Table, row: Row) -> None:
    """Add one row unless its key is there."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    connection.execute(dialect.insert(table).values(dict(row)).on_conflict_do_nothing())


def _from_json(table: Table, columns: Sequence[str]) -> str:
    names = ", ".join(columns)
    # Names come from the table, never from what was uploaded.
    return (
        f"INSERT INTO {table.name} ({names}) SELECT {names}"  # noqa: S608
        f" FROM json_populate_recordset(CAST(NULL AS {table.name}), CAST(:rows AS json))"
    )


def _as_json(rows: Sequence[Row]) -> str:
    return json.dumps([dict(row) for row in rows], default=_in_words, ensure_ascii=False)


def _in_words(value: object) -> str:
    if isinstance(value, bytes):
        return "\\x" + value.hex()
    if isinstance(value, date | datetime):
        return value.isoformat()
    raise TypeError(f"no column holds {type(value).__name__}")
