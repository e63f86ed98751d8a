"""A counter over a small city. On SQLite: what SQL says differently is tested where it is written."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import Engine

from fare.database.engine import open_engine
from fare.keys import LedgerKeys
from tests.collection.bus import City
from tests.desk.build import Counter


@pytest.fixture
def sqlite_engine(migrated_sqlite: Path, tmp_path: Path) -> Iterator[Engine]:
    file = tmp_path / "mancard.db"
    shutil.copy(migrated_sqlite, file)
    opened = open_engine(f"sqlite:///{file}")
    yield opened
    opened.dispose()


@pytest.fixture
def counter(sqlite_engine: Engine, tmp_path: Path) -> Counter:
    return Counter(City.found(sqlite_engine, LedgerKeys.open(tmp_path / "keys")))


@pytest.fixture
def counter_on_both(engine: Engine, tmp_path: Path) -> Counter:
    """The same on SQLite and on PostgreSQL."""
    return Counter(City.found(engine, LedgerKeys.open(tmp_path / "keys")))
