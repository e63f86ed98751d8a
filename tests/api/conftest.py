"""One ledger's application on both databases, with a clock that tests set."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from fare.api import create_app
from fare.keys import LedgerKeys
from fare.settings import LedgerSettings
from tests.collection.bus import EVENING, City


class SetClock:
    """A clock that stands still."""

    def __init__(self) -> None:
        self.now = EVENING

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> LedgerSettings:
    return LedgerSettings(state_dir=tmp_path / "state", database_url=database_url)


@pytest.fixture
def city(engine: Engine, settings: LedgerSettings) -> City:
    """The city of the same database and keys."""
    return City.found(engine, LedgerKeys.open(settings.keys_dir))


@pytest.fixture
def client(city: City, settings: LedgerSettings, clock: SetClock) -> Iterator[TestClient]:
    """The application as a client meets it; a fault is answered, not raised."""
    with TestClient(create_app(settings, clock), raise_server_exceptions=False) as opened:
        yield opened
