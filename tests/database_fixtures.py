"""Databases for tests, on SQLite and on PostgreSQL, built by the migrations. It never creates a table itself.

A test that asks for `engine` or `database_url` runs twice, once on each database, and has
it for itself: a copy of one that was migrated once per worker.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from sqlalchemy import Engine

from fare.database.engine import open_engine
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
    template: str = request.getfixturevalue("migrated_postgres")
    name = f"{template}_{id(request):x}"
    with psycopg.connect(server.dsn("postgres"), autocommit=True) as connection:
        connection.execute(
            sql.SQL("CREATE DATABASE {} TEMPLATE {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    yield server.url(name)
    server.drop_database(name)


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
