"""The small city on both databases."""

from __future__ import annotations

from pathlib import Path

import pytest
from sqlalchemy import Engine

from fare.keys import LedgerKeys
from tests.collection.bus import City


@pytest.fixture
def city(engine: Engine, tmp_path: Path) -> City:
    """A ledger with a tariff and two owners."""
    return City.found(engine, LedgerKeys.open(tmp_path / "keys"))
