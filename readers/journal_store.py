"""The journal's file: a SQLite database that is opened whole or not at all. It never deletes or repairs one.

`journal.db` is created under another name and renamed when complete, so an empty or half-made file of
that name is damage, not a beginning. One process holds it, by a lock file beside it. WAL with
synchronous=FULL: a row is on the disk when its commit returns.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
from pathlib import Path
from typing import Final

from fare.core.batch import chain_hash, genesis_hash
from fare.core.errors import OperatorError

SCHEMA_VERSION: Final = 1
FILE_NAME: Final = "journal.db"

_SCHEMA: Final = """
CREATE TABLE journal (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  schema_version INTEGER NOT NULL,
  device INTEGER NOT NULL,
  journal_id BLOB NOT NULL CHECK (length(journal_id) = 16),
  acked_seq INTEGER NOT NULL DEFAULT 0,
  ledger_epoch BLOB,
  server_time_ms INTEGER NOT NULL DEFAULT 0
) STRICT;
-- One row a tap, in seq order without a hole; `raw` are the exact bytes that are signed in a batch.
CREATE TABLE tap (
  seq INTEGER PRIMARY KEY,
  raw BLOB NOT NULL,
  previous_hash BLOB NOT NULL,
  hash BLOB NOT NULL
) STRICT;
-- At most one: a card whose Commit was about to be sent. `raw` is the unconfirmed tap it becomes after
-- a crash.
CREATE TABLE intent (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  seq INTEGER NOT NULL,
  raw BLOB NOT NULL
) STRICT;
-- Rides of phone tickets that were paid at this door.
CREATE TABLE replay (
  seq INTEGER PRIMARY KEY,
  cti BLOB NOT NULL,
  ctr INTEGER NOT NULL,
  pax INTEGER NOT NULL,
  expires_at_s INTEGER NOT NULL
) STRICT;
-- The ledger's signed receipts; they carry the inclusion promises an owner may want to show.
CREATE TABLE acknowledgement (
  id INTEGER PRIMARY KEY,
  acked_seq INTEGER NOT NULL,
  server_time_ms INTEGER NOT NULL,
  envelope BLOB NOT NULL
) STRICT;
-- The newest verified bundle.
CREATE TABLE bundle (
  id INTEGER PRIMARY KEY CHECK (id = 1),
  envelope BLOB NOT NULL
) STRICT;
"""


class FreeSpace:
    """The Storage port on a folder of a real file system."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def free_bytes(self) -> int:
        """What an unprivileged process may still write there."""
        return shutil.disk_usage(self._folder).free


def open_store(folder: Path, device: int, new_journal_id: bytes) -> tuple[sqlite3.Connection, int]:
    """Open or create the journal of `device` in `folder`: the connection, and the lock's file descriptor.

    Raises OperatorError when the journal is in use, belongs to another device or cannot be read.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(folder / "journal.lock", os.O_RDWR | os.O_CREAT, 0o600)
    except OSError as fault:
        raise OperatorError(
            f"The state folder {folder} cannot be used ({fault.strerror}): give a folder this user may write."
        ) from fault
    try:
        _take(lock, folder)
        path = folder / FILE_NAME
        if not path.exists():
            _create(path, device, new_journal_id)
        return _open_checked(path, device), lock
    except BaseException:
        os.close(lock)
        raise


def _take(lock: int, folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as fault:
        raise OperatorError(
            f"Another validator is running with the state folder {folder}: stop it, or give another folder."
        ) from fault


def _create(path: Path, device: int, journal_id: bytes) -> None:
    leftovers = [path.with_name(path.name + ending) for ending in ("-wal", "-shm")]
    if any(leftover.exists() for leftover in leftovers):
        raise _unreadable(path, "its main file is gone while its write-ahead log is still there")
    making = path.with_name(path.name + ".new")
    for stale in (making, making.with_name(making.name + "-journal")):
        stale.unlink(missing_ok=True)  # left by a crash before any tap could be written
    try:
        os.close(os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
        connection = sqlite3.connect(making, isolation_level=None)
        try:
            connection.executescript(_SCHEMA)
            connection.execute(
                "INSERT INTO journal (id, schema_version, device, journal_id) VALUES (1, ?, ?, ?)",
                (SCHEMA_VERSION, device, journal_id),
            )
        finally:
            connection.close()
        making.rename(path)
        _sync_folder(path.parent)
    except (OSError, sqlite3.Error) as fault:
        raise OperatorError(
            f"The journal {path} cannot be created ({fault}): "
            "free some disk space and check the folder's rights."
        ) from fault


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _open_checked(path: Path, device: int) -> sqlite3.Connection:
    try:
        if path.stat().st_size == 0:
            raise _unreadable(path, "it is empty")
        connection = sqlite3.connect(path, isolation_level=None, check_same_thread=False, timeout=5)
    except (OSError, sqlite3.Error) as fault:
        raise _unreadable(path, str(fault)) from fault
    try:
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        _check(connection, path, device)
    except sqlite3.Error as fault:
        connection.close()
        raise _unreadable(path, str(fault)) from fault
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path, device: int) -> None:
    (verdict,) = connection.execute("PRAGMA quick_check(1)").fetchone()
    if verdict != "ok":
        raise _unreadable(path, str(verdict))
    row = connection.execute("SELECT schema_version, device, journal_id FROM journal").fetchone()
    if row is None:
        raise _unreadable(path, "its first row is missing")
    version, owner, journal_id = row
    if version != SCHEMA_VERSION:
        raise OperatorError(
            f"The journal {path} has format {version} and this program writes {SCHEMA_VERSION}: "
            "start the program version that wrote it."
        )
    if owner != device:
        raise OperatorError(
            f"The journal {path} belongs to device {owner}, not {device}: "
            "give each device its own state folder."
        )
    _check_chain(connection, path, device, bytes(journal_id))


def _check_chain(connection: sqlite3.Connection, path: Path, device: int, journal_id: bytes) -> None:
    expected_seq, head = 1, genesis_hash(device, journal_id)
    first = True
    rows = connection.execute("SELECT seq, raw, previous_hash, hash FROM tap ORDER BY seq")
    for seq, raw, previous, stored in rows:
        if first and seq > 1:  # acknowledged rows before it were dropped after their 35 days
            expected_seq, head = seq, previous
        first = False
        if seq != expected_seq or previous != head or chain_hash(head, raw) != stored:
            raise _unreadable(path, f"the chain of its taps breaks at number {seq}")
        expected_seq, head = seq + 1, stored


def _unreadable(path: Path, why: str) -> OperatorError:
    return OperatorError(
        f"The journal {path} cannot be read ({why}): move the whole folder {path.parent.name} aside, keep it "
        "for the workshop (its taps can still be recovered), and start again; nothing was deleted."
    )
