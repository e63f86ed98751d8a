"""The pages' fixtures, for every test in this folder."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.web.client import app, clock, visitor

__all__ = ["app", "clock", "visitor"]


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """SQLite: what the pages ask of a database is tested on both, where it is written."""
    file = tmp_path / "mancard.db"
    shutil.copy(migrated_sqlite, file)
    return f"sqlite:///{file}"
