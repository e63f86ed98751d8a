"""Fixtures of issuing."""

from __future__ import annotations

from pathlib import Path

import pytest

from fare.keys import LedgerKeys


@pytest.fixture(scope="session")
def keys(tmp_path_factory: pytest.TempPathFactory) -> LedgerKeys:
    folder: Path = tmp_path_factory.mktemp("keys") / "keys"
    return LedgerKeys.open(folder)
