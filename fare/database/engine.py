"""Opening the database and bounding transactions, the same on SQLite and PostgreSQL. Never a query.

    engine = open_engine(url)              # "app": may append to the journal, not change it
    with write(engine) as session: ...     # one transaction, committed at the end of the block or not at all
    with read(engine) as session: ...      # one consistent snapshot; writing in it is refused

SQLite: WAL, synchronous=FULL, foreign keys, 15 s of patience, BEGIN IMMEDIATE for writers (without it
updates are lost silently). PostgreSQL: psycopg 3, search_path ledger, travel, identity, and the role
`mancard_app`.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final, Literal, cast

import psycopg
import sqlalchemy as sa
from sqlalchemy import Connection, Engine, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError
from sqlmodel import Session

from fare.core.errors import OperatorError
from fare.database.faults import as_operator_fault, named

HEAD: Final = "0007"
"""The newest revision in `migrations/versions`; the app opens no other (a test keeps them together)."""
SCHEMAS: Final = ("ledger", "travel", "identity")
APP_ROLE: Final = "mancard_app"
BUSY_TIMEOUT_MS: Final = 15_000
CONNECT_TIMEOUT_S: Final = 10
POOL_SIZE: Final = 20
_READ_ONLY: Final = "mancard_read_only"

Role = Literal["app", "owner"]


def open_engine(url: str, *, role: Role = "app") -> Engine:
    """Open the database and try it. `role` owner is for migrations alone: it may change what is append-only.

    Raises OperatorError for a URL that cannot be used, a server or file that cannot be reached, and (as
    app) a database whose tables are not at the version of this program.
    """
    place = parse_url(url)
    engine = (
        _sqlite_engine(place, role)
        if place.get_backend_name() == "sqlite"
        else _postgresql_engine(place, role)
    )
    try:
        with plain_faults(engine), engine.connect() as connection:
            if role == "app":
                _check_version(connection, place)
    except BaseException:
        engine.dispose()
        raise
    return engine


def parse_url(url: str) -> URL:
    """Read a database URL: `sqlite:///FILE` or `postgresql://USER@HOST:PORT/NAME`. Raises OperatorError."""
    try:
        place = make_url(url)
        backend = place.get_backend_name()
    except (ArgumentError, ValueError):
        raise OperatorError(
            "The database URL cannot be read: write sqlite:///FILE or postgresql://USER:PASSWORD@HOST:PORT/NAME."
        ) from None
    if backend in ("postgresql", "postgres"):
        if not place.database:
            raise OperatorError("The database URL names no database: add /NAME at its end.")
        return place.set(drivername="postgresql+psycopg")
    if backend != "sqlite":
        raise OperatorError(
            f"The database URL names '{backend}', which is not supported: use sqlite:///FILE or postgresql://…"
        )
    if not place.database or place.database == ":memory:":
        raise OperatorError(
            "The database URL names no file, and money is not kept in memory: sqlite:///FILE."
        )
    return place.set(drivername="sqlite")


@contextmanager
def write(engine: Engine) -> Generator[Session]:
    """One transaction that writes: committed when the block ends, rolled back when it raises."""
    with plain_faults(engine), Session(engine, expire_on_commit=False) as session, session.begin():
        session.connection()  # take the writer's turn now: what is read from here on stays true
        yield session


@contextmanager
def read(engine: Engine) -> Generator[Session]:
    """One snapshot of the whole database. A write inside it raises: the block promised not to."""
    options: dict[str, Any] = {_READ_ONLY: True}
    if engine.dialect.name == "postgresql":
        options |= {"isolation_level": "REPEATABLE READ", "postgresql_readonly": True}
    reader = engine.execution_options(**options)
    with (
        plain_faults(engine, reading=True),
        Session(reader, expire_on_commit=False) as session,
        session.begin(),
    ):
        yield session


@contextmanager
def plain_faults(engine: Engine, *, reading: bool = False) -> Generator[None]:
    """Turn faults of the database's place into DatabaseUnavailable; every other fault passes as it is."""
    try:
        yield
    except DBAPIError as fault:
        told = as_operator_fault(fault, engine.url, reading=reading)
        if told is None:
            raise
        # The original carries the URL's parts and our parameters: it is not chained.
        raise told from None


def _sqlite_engine(place: URL, role: Role) -> Engine:
    file = Path(place.database or "")
    if not file.exists() and role == "app":
        raise OperatorError(f"There is no database at {file}: run 'mancard ledger migrate' to make it.")
    engine = sa.create_engine(
        place,
        connect_args={"timeout": BUSY_TIMEOUT_MS / 1000},
        # A fault's text goes into a log: it may name a statement, never whose card or whose password.
        hide_parameters=True,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=BUSY_TIMEOUT_MS / 1000,
    )
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: sqlite3.Connection, _record: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves
    for pragma in (
        "foreign_keys=ON",
        "synchronous=FULL",
        # Without it INSERT OR REPLACE would delete a row past the triggers that refuse deletion.
        "recursive_triggers=ON",
        "trusted_schema=OFF",
    ):
        connection.execute(f"PRAGMA {pragma}")
    if connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        connection.execute("PRAGMA journal_mode=WAL")


def _begin_sqlite(connection: Connection) -> None:
    reading = bool(connection.get_execution_options().get(_READ_ONLY))
    connection.exec_driver_sql(f"PRAGMA query_only={'ON' if reading else 'OFF'}")
    connection.exec_driver_sql("BEGIN DEFERRED" if reading else "BEGIN IMMEDIATE")


def _postgresql_engine(place: URL, role: Role) -> Engine:
    engine = sa.create_engine(
        place,
        connect_args={"connect_timeout": CONNECT_TIMEOUT_S},
        # A fault's text goes into a log: it may name a statement, never whose card or whose password.
        hide_parameters=True,
        pool_size=POOL_SIZE,
        max_overflow=0,
        pool_timeout=BUSY_TIMEOUT_MS / 1000,
        pool_pre_ping=True,
    )

    def prepare(connection: psycopg.Connection[Any], _record: object) -> None:
        connection.autocommit = True
        connection.execute(cast("Any", f"SET search_path TO {', '.join(SCHEMAS)}"))
        if role == "app":
            _become_app(connection, place)
        connection.autocommit = False

    event.listen(engine, "connect", prepare)
    return engine


def _become_app(connection: psycopg.Connection[Any], place: URL) -> None:
    """Give up every right but the application's. Raises OperatorError when the login may not."""
    may = connection.execute(
        "SELECT pg_has_role(oid, 'MEMBER') FROM pg_roles WHERE rolname = %s", (APP_ROLE,)
    ).fetchone()
    if may is None:
        raise OperatorError(f"{named(place)} holds no Mancard tables yet: run 'mancard ledger migrate'.")
    if not may[0]:
        raise OperatorError(
            f"{named(place)} does not let this login act as {APP_ROLE}: run GRANT {APP_ROLE} TO that login."
        )
    connection.execute(cast("Any", f"SET ROLE {APP_ROLE}"))


def _check_version(connection: Connection, place: URL) -> None:
    name = f"The database {place.database}" if place.get_backend_name() == "sqlite" else named(place)
    if not sa.inspect(connection).has_table("alembic_version"):
        raise OperatorError(f"{name} holds no Mancard tables yet: run 'mancard ledger migrate'.")
    found = connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    if found != HEAD:
        raise OperatorError(
            f"{name} is at version {found or 'none'} and this program needs {HEAD}: run"
            " 'mancard ledger migrate' with the newest program."
        )
