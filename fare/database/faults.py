"""What can be wrong with a database, said in one sentence. Never a password, never a traceback.

A fault of the database's *place* (wrong URL, server gone, file locked, corrupt or full) is something a
person can put right, so it becomes `DatabaseUnavailable`. A fault of our own SQL or data (a constraint, a
syntax error) stays what it is.
"""

from __future__ import annotations

import sqlite3

import psycopg
from sqlalchemy.engine import URL
from sqlalchemy.exc import DBAPIError

from fare.core.errors import OperatorError


class DatabaseUnavailable(OperatorError):
    """The database cannot be used now; the message says why and what to do. Nothing of the work was kept."""


_READ_ONLY = "readonly database"
_SQLITE: tuple[tuple[str, str], ...] = (
    (
        "database is locked",
        "is held by another process for too long: see which one still runs, then try again.",
    ),
    (
        "unable to open database file",
        "cannot be opened: check that its folder exists and that this account may write there.",
    ),
    (
        "file is not a database",
        "is not a database: name another file, or move this one aside and restore a backup.",
    ),
    (
        "malformed",
        "is damaged: stop every process that uses it, keep a copy of it, and restore a backup.",
    ),
    ("disk i/o error", "could not be read or written: check the disk, then try again."),
    ("database or disk is full", "could not grow: the disk is full, free some space and try again."),
    (_READ_ONLY, "may not be written by this account: check the rights on the file and its folder."),
)

_POSTGRESQL: tuple[tuple[str, str], ...] = (
    ("28", "refused the login: check the user and the password in the database URL."),
    ("3D", "has no database of that name: create it, or correct the name in the database URL."),
    (
        "42501",
        "does not allow this login to do that: give it the role mancard_app, or use the owner's login.",
    ),
    ("53", "has no room for another connection or is out of disk or memory: see its log."),
    ("57P", "is shutting down or starting up: try again in a moment."),
)
_LOGIN_REFUSED = ("password authentication failed", "no password supplied")
_NO_DATABASE = '" does not exist'


def as_operator_fault(fault: DBAPIError, url: URL, *, reading: bool = False) -> DatabaseUnavailable | None:
    """The sentence for a fault of the database's place, or None when the fault is of another kind.

    `reading`: the block promised to read only, so a refused write is the program's fault.
    """
    original = fault.orig
    if isinstance(original, sqlite3.Error):
        text = str(original).lower()
        for words, advice in _SQLITE:
            if words in text and not (reading and words == _READ_ONLY):
                return DatabaseUnavailable(f"The database file {url.database} {advice}")
        return None
    if isinstance(original, psycopg.Error):
        advice = _postgresql_advice(original, connection_lost=fault.connection_invalidated)
        return None if advice is None else DatabaseUnavailable(f"{named(url)} {advice}")
    return None


def named(url: URL) -> str:
    """How a database is called in a sentence: where it is and its name, without user or password."""
    where = f"{url.host or 'localhost'}:{url.port or 5432}"
    return f"The PostgreSQL server at {where} (database '{url.database or url.username}')"


def _postgresql_advice(original: psycopg.Error, *, connection_lost: bool) -> str | None:
    state = original.sqlstate
    if state is not None:
        for prefix, advice in _POSTGRESQL:
            if state.startswith(prefix):
                return advice
        return None
    if not isinstance(original, psycopg.OperationalError | psycopg.InterfaceError):
        return None
    # A connection that was never made carries no SQLSTATE, only libpq's words.
    text = str(original)
    if any(words in text for words in _LOGIN_REFUSED):
        return "refused the login: check the user and the password in the database URL."
    if _NO_DATABASE in text:
        return "has no database or user of that name: create it, or correct the name in the database URL."
    if connection_lost or isinstance(original, psycopg.OperationalError):
        return "cannot be reached: check that it runs and that host and port in the database URL are right."
    return None
