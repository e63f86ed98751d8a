"""Cities of real processes, shared by the tests of a module where these leave each other alone."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.system.city import City


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    """A city whose ledger answers; it dies with the module."""
    with ExitStack() as stack:
        yield City(tmp_path_factory.mktemp("city"), stack)
