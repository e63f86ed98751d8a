"""Brings a database to the newest version of its tables, in one transaction. Never loses a row.

Works from a checkout and from an installed wheel: the migrations are a package beside this module. Several
processes may call it at once; one works, the others wait and find it done.
"""

from __future__ import annotations

import os
from pathlib import Path

import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from alembic.util.exc import CommandError
from sqlalchemy import Connection
from sqlalchemy.engine import URL

from fare.core.errors import OperatorError
from fare.database.engine import HEAD, SCHEMAS, open_engine, parse_url, plain_faults

_LOCK = 0x4D43_4D49  # "MCMI": which advisory lock a migration holds


def migrate(url: str) -> None:
    """Upgrade the database at `url` to the newest version, creating file, schemas, tables and rights.

    Raises OperatorError when it cannot be reached, the login has too few rights, or a newer program made it.
    """
    place = parse_url(url)
    if place.get_backend_name() == "sqlite":
        _create_file(place)
    engine = open_engine(url, role="owner")
    try:
        with plain_faults(engine), engine.begin() as connection:
            if connection.dialect.name == "postgresql":
                _prepare_schemas(connection)
            if _current(connection) != HEAD:
                _upgrade(connection)
    finally:
        engine.dispose()


def _upgrade(connection: Connection) -> None:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError:
        raise OperatorError(
            f"The database was made by another version of this program (found"
            f" {_current(connection)}, newest known {HEAD}): run the newest program."
        ) from None


def _current(connection: Connection) -> str | None:
    if not sa.inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()


def _prepare_schemas(connection: Connection) -> None:
    connection.execute(sa.text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": _LOCK})
    for schema in SCHEMAS:
        connection.execute(sa.text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))


def _create_file(place: URL) -> None:
    """An empty file that no other account may read: WAL and shared memory take over its mode."""
    file = Path(place.database or "")
    try:
        file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(file, os.O_RDWR | os.O_CREAT, 0o600))
    except OSError as fault:
        raise OperatorError(
            f"The database file {file} cannot be made ({fault.strerror}): check the folder and its rights."
        ) from None
