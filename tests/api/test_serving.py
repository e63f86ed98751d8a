"""The ledger as a process: it really serves, and what is wrong is one sentence with exit status 2."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path

import httpx2
import zstandard

from fare.database.engine import open_engine
from fare.keys import LedgerKeys
from fare.settings import LedgerSettings
from tests.api.test_devices import ZSTD
from tests.collection.bus import City

MANCARD = [sys.executable, "-c", "from fare.cli import main; main()", "ledger"]


def environment(state: Path, **changes: str) -> dict[str, str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MANCARD_")}
    return {**kept, "MANCARD_STATE_DIR": str(state), "MANCARD_STATE": str(state), **changes}


def run(*arguments: str, env: Mapping[str, str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*MANCARD, *arguments], env=dict(env), capture_output=True, text=True, timeout=60, check=False
    )


@contextmanager
def serving(env: Mapping[str, str]) -> Generator[str]:
    """The served ledger's address; it is ended by its id."""
    with subprocess.Popen(
        [*MANCARD, "serve", "--port", str(free_port())], env=dict(env), stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stdout is not None
            told = process.stdout.readline()
            assert "http://" in told
            yield told[told.index("http://") :].strip().rstrip("/")
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(20)


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_a_ride_is_posted_by_the_real_server_and_outlives_it(database_url: str, tmp_path: Path) -> None:
    env = environment(tmp_path, MANCARD_DATABASE_URL=database_url)
    settings = LedgerSettings(state_dir=tmp_path, database_url=database_url)
    engine = open_engine(database_url)
    city = City.found(engine, LedgerKeys.open(settings.keys_dir))
    bus = city.bus(1)
    card = city.card()
    bus.ride(card, deliver=card.load(city, 100_000))
    envelope = bus.batch()
    with serving(env) as address:
        for path in ("/v1/health", "/docs", "/openapi.json"):
            assert httpx2.get(address + path).status_code == 200
        first = httpx2.post(f"{address}/v1/batches", content=zstandard.compress(envelope), headers=ZSTD)
        assert first.status_code == 200
    with serving(env) as address:
        again = httpx2.post(f"{address}/v1/batches", content=zstandard.compress(envelope), headers=ZSTD)
    assert city.open(first.content).acked_hash == city.open(again.content).acked_hash
    assert len(city.rides()) == 1
    engine.dispose()


def test_migrate_makes_the_database(tmp_path: Path) -> None:
    done = run("migrate", env=environment(tmp_path / "new"))
    assert (done.returncode, done.stderr) == (0, "")
    assert (tmp_path / "new" / "mancard.db").is_file()
