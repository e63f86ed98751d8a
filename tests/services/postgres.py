"""A real PostgreSQL 15 or newer for the tests. Its data is made for one run and never synced to disk."""

from __future__ import annotations

import signal
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psycopg
import pytest
from psycopg import sql

from tests.services.started import find_program, free_port, keep, once_per_run, unprivileged

VERSIONED = ("usr/lib/postgresql/*/bin",)


@dataclass(frozen=True, slots=True)
class PostgresServer:
    """One running server. `superuser` may connect from loopback without a password."""

    host: str
    port: int
    superuser: str

    def dsn(self, database: str) -> str:
        """The libpq form, for psycopg itself."""
        return f"postgresql://{self.superuser}@{self.host}:{self.port}/{database}"

    def url(self, database: str) -> str:
        """The SQLAlchemy form, as the product's settings take it."""
        return f"postgresql+psycopg://{self.superuser}@{self.host}:{self.port}/{database}"

    def create_database(self, template: str = "template1") -> str:
        """Make a database, empty or a copy of `template`, and return its name."""
        name = f"db_{uuid.uuid4().hex[:16]}"
        statement = sql.SQL("CREATE DATABASE {} TEMPLATE {}")
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(statement.format(sql.Identifier(name), sql.Identifier(template)))
        return name

    def drop_database(self, name: str) -> None:
        """Remove a database, whoever is still connected to it."""
        with psycopg.connect(self.dsn("postgres"), autocommit=True) as connection:
            connection.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(sql.Identifier(name)))


def _start(home: Path) -> dict[str, str]:
    account = unprivileged("postgres")
    account.own(home)
    data = home / "data"
    initdb = find_program("initdb", folders=VERSIONED)
    postgres = str(Path(initdb).with_name("postgres"))
    account.run(
        [
            initdb,
            f"--pgdata={data}",
            "--username=postgres",
            "--auth=trust",
            "--encoding=UTF8",
            "--locale=C.UTF-8",
            "--no-sync",
            "--no-instructions",
        ],
        cwd=home,
    )
    server = PostgresServer("127.0.0.1", free_port(), "postgres")
    settings = {
        "listen_addresses": server.host,
        "port": server.port,
        "unix_socket_directories": "",
        "max_connections": 200,
        # The data dies with the run. A test that cuts the power starts a durable server of its own.
        "fsync": "off",
        "full_page_writes": "off",
        "autovacuum_naptime": "10s",
        "shared_buffers": "128MB",
        "log_min_messages": "warning",
    }
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]

    def ready() -> bool:
        try:
            psycopg.connect(server.dsn("postgres"), connect_timeout=2).close()
        except psycopg.OperationalError:
            return False
        return True

    keep(
        [postgres, "-D", str(data), *options],
        home,
        account=account,
        stop_signal=signal.SIGQUIT,  # immediate: nothing is worth a checkpoint
        ready=ready,
    )
    return {"host": server.host, "port": str(server.port), "superuser": server.superuser}


@pytest.fixture(scope="session")
def postgres_server() -> PostgresServer:
    """The one server of this test run."""
    where = once_per_run("postgres", _start)
    return PostgresServer(where["host"], int(where["port"]), where["superuser"])


@pytest.fixture
def postgres_url(postgres_server: PostgresServer) -> Iterator[str]:
    """`postgresql+psycopg://…/db_…`: an empty database of this test's own."""
    name = postgres_server.create_database()
    yield postgres_server.url(name)
    postgres_server.drop_database(name)
