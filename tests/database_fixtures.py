"""Databases for tests, on SQLite and on PostgreSQL, built by the migrations. It never creates a table itself.

A test that asks for `engine` or `database_url` runs twice, once on each database, and has it for itself: a
copy of one that was migrated once per worker. A copy costs a PostgreSQL server 0.2 s, so tests that have the
application's rights alone, which change no table's shape, share one that is emptied after each.
"""

from __future__ import annotations

import inspect
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from fare.database.engine import SCHEMAS, open_engine
from fare.database.migrate import migrate

if TYPE_CHECKING:
    from tests.services.postgres import PostgresServer

BACKENDS = ("sqlite", "postgresql")


@pytest.fixture(scope="session")
def migrated_sqlite(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A SQLite file at the newest version, to be copied."""
    file = tmp_path_factory.mktemp("migrated") / "mancard.db"
    migrate(f"sqlite:///{file}")
    with_wal = [path for path in file.parent.iterdir() if path != file]
    assert with_wal == [], "the migration left its connection open"
    return file


@pytest.fixture(scope="session")
def migrated_postgres(postgres_server: PostgresServer) -> Iterator[str]:
    """The name of a PostgreSQL database at the newest version, to be used as a template."""
    name = postgres_server.create_database()
    migrate(postgres_server.url(name))
    yield name
    postgres_server.drop_database(name)


@pytest.fixture(params=BACKENDS)
def database_url(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """URL of an empty, migrated database of this test's own."""
    if request.param == "sqlite":
        file = tmp_path / "mancard.db"
        shutil.copy(request.getfixturevalue("migrated_sqlite"), file)
        yield f"sqlite:///{file}"
        return
    server: PostgresServer = request.getfixturevalue("postgres_server")
    if not _may_reshape(request):
        name = request.getfixturevalue("kept_postgres")
        yield server.url(name)
        _empty(server, name)
        return
    name = server.create_database(template=request.getfixturevalue("migrated_postgres"))
    yield server.url(name)
    server.drop_database(name)


@pytest.fixture(scope="session")
def kept_postgres(postgres_server: PostgresServer, migrated_postgres: str) -> Iterator[str]:
    """The name of a migrated PostgreSQL database that this worker uses again and again."""
    name = postgres_server.create_database(template=migrated_postgres)
    with psycopg.connect(postgres_server.dsn(name)) as connection:
        for table in _tables(connection):
            empty = connection.execute(sql.SQL("SELECT NOT EXISTS (SELECT FROM {})").format(table)).fetchone()
            assert empty == (True,), f"the migrations fill {table.as_string()}: emptying would lose that"
    yield name
    postgres_server.drop_database(name)


def _may_reshape(request: pytest.FixtureRequest) -> bool:
    """Whether this test can do more than the application may: as the owner, or with the URL in its hands."""
    asked = inspect.signature(request.function).parameters
    return "owner_engine" in request.fixturenames or "database_url" in asked


def _empty(server: PostgresServer, name: str) -> None:
    """Take every row out again, past the triggers that refuse it; whoever is still connected is cut off."""
    with psycopg.connect(server.dsn(name), options="-c session_replication_role=replica") as connection:
        connection.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )
        statements = [sql.SQL("DELETE FROM {}").format(table) for table in _tables(connection)]
        connection.execute(sql.SQL("; ").join(statements))


def _tables(connection: psycopg.Connection) -> list[sql.Identifier]:
    """Every table of ours; the version of the migrations is in none of these schemas or stays."""
    rows = connection.execute(
        "SELECT schemaname, tablename FROM pg_tables"
        " WHERE schemaname = ANY(%s) AND tablename <> 'alembic_version'",
        (list(SCHEMAS),),
    )
    return [sql.Identifier(schema, table) for schema, table in rows]


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """The database as the application opens it, with the application's rights alone."""
    opened = open_engine(database_url)
    yield opened
    opened.dispose()


@pytest.fixture
def owner_engine(database_url: str) -> Iterator[Engine]:
    """The same database with the owner's rights: what a person behind the application's back would have."""
    opened = open_engine(database_url, role="owner")
    yield opened
    opened.dispose()
