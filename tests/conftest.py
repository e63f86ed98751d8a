"""What every test may ask for: real services, started on first use. It never replaces a service by a mock."""

from __future__ import annotations

import os
import shutil
import tempfile

import pytest

from tests.services.started import RUN_FOLDER_VARIABLE, RUN_PROCESS_VARIABLE

pytest_plugins = [
    "tests.services.browser",
    "tests.services.pcsc",
    "tests.services.postgres",
    "tests.services.redis",
    "tests.database_fixtures",
]


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
