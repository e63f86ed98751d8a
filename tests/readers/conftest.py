"""A bus of its own for each test."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.readers.bus import Bus, Issuer, open_bus
from tests.services.pcsc import pcsc_service

__all__ = ["pcsc_service"]


@pytest.fixture
def issuer() -> Issuer:
    return Issuer()


@pytest.fixture
def cards(tmp_path: Path, issuer: Issuer) -> Path:
    """A folder with one loaded card, named `one`."""
    folder = tmp_path / "cards"
    folder.mkdir()
    issuer.make_card(folder, "one", 1001)
    return folder


@pytest.fixture
def bus(tmp_path: Path, issuer: Issuer, cards: Path) -> Iterator[Bus]:
    made = open_bus(issuer, cards, tmp_path / "state")
    yield made
    made.process.stop()
