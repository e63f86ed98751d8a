"""A serial scanner for each test that asks for one."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.readers.scanners.plug import Plug


@pytest.fixture
def plug(tmp_path: Path) -> Iterator[Plug]:
    made = Plug(tmp_path / "usb-Scanner-if00")
    yield made
    if made.master != -1:
        made.pull_out()
