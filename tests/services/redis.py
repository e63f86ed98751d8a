"""A real Redis (or Valkey) for the tests. It keeps nothing on disk."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from redis import Redis
from redis.exceptions import ConnectionError as NotThere

from tests.services.started import Account, find_program, free_port, keep, once_per_run

DATABASES = 64


def _start(home: Path) -> dict[str, str]:
    port = free_port()
    options = {"port": port, "bind": "127.0.0.1", "save": "", "appendonly": "no", "databases": DATABASES}
    command = [find_program("redis-server", "valkey-server")]
    for name, value in options.items():
        command += [f"--{name}", str(value)]

    def ready() -> bool:
        try:
            with Redis(host="127.0.0.1", port=port) as client:
                return bool(client.ping())
        except NotThere:
            return False

    keep(command, home, account=Account(None), stop_signal=signal.SIGTERM, ready=ready)
    return {"port": str(port)}


@pytest.fixture(scope="session")
def redis_port() -> int:
    """The loopback port of the one Redis of this test run."""
    return int(once_per_run("redis", _start)["port"])


@pytest.fixture
def redis_url(redis_port: int) -> Iterator[str]:
    """`redis://127.0.0.1:PORT/N`: an empty database; N is this worker's own."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0")
    number = int(worker.removeprefix("gw")) % DATABASES
    with Redis(host="127.0.0.1", port=redis_port, db=number) as client:
        client.flushdb()
        yield f"redis://127.0.0.1:{redis_port}/{number}"
        client.flushdb()
