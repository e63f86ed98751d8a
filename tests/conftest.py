"""What every test may ask for: real services, started on first use. It never replaces a service by a mock."""

from __future__ import annotations

import os
import shutil
import tempfile

import hypothesis
import pytest

from tests.services.started import RUN_FOLDER_VARIABLE, RUN_PROCESS_VARIABLE

pytest_plugins = [
    "tests.services.browser",
    "tests.services.pcsc",
    "tests.services.postgres",
    "tests.services.redis",
    "tests.database_fixtures",
]

# No example is timed: two cores run six workers.
hypothesis.settings.register_profile("house", deadline=None)
hypothesis.settings.load_profile("house")

WAITING = ("tests/system", "tests/web/rider_page", "tests/hardware/city", "tests/web/test_", "tests/readers")
"""Tests of whole processes and browsers: they wait more than they work, and one module of them is long."""


def _is_worker(config: pytest.Config) -> bool:
    return hasattr(config, "workerinput")


def pytest_configure(config: pytest.Config) -> None:
    """Begin a run: a folder where workers find the services, and the process whose end stops them."""
    if not _is_worker(config):
        os.environ[RUN_FOLDER_VARIABLE] = tempfile.mkdtemp(prefix="mancard-run-")
        os.environ[RUN_PROCESS_VARIABLE] = str(os.getpid())


def pytest_unconfigure(config: pytest.Config) -> None:
    """End a run. The services notice by themselves that this process is gone."""
    if not _is_worker(config):
        shutil.rmtree(os.environ.pop(RUN_FOLDER_VARIABLE), ignore_errors=True)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Begin with what waits, so that the rest fills the time; within both the order stays random."""
    items.sort(key=lambda item: not item.nodeid.startswith(WAITING))
