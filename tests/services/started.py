"""Starts a real service for the tests and sees to its end. It never outlives the test run that asked for it.

Under pytest-xdist several worker processes need the same service: whoever comes first starts it, under a
file lock, and writes down where it is. Each service stands under a keeper process (keeper.py beside this)
that watches the process that began the run, and stops the service when that process is gone, however it went.
"""

from __future__ import annotations

import json
import os
import pwd
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest
from filelock import FileLock

START_TIMEOUT_S = 60.0
RUN_FOLDER_VARIABLE = "MANCARD_TEST_SERVICES"
RUN_PROCESS_VARIABLE = "MANCARD_TEST_RUN_PID"


@dataclass(frozen=True, slots=True)
class Account:
    """The unprivileged account that a service runs as; `name` None means the account of the tests."""

    name: str | None

    def own(self, folder: Path) -> None:
        """Give the account a folder and let it reach it."""
        if self.name is not None:
            shutil.chown(folder, self.name, self.name)

    def run(self, command: list[str], *, cwd: Path) -> None:
        """Run one command to its end as the account; what it says is part of the failure."""
        done = subprocess.run(
            command, cwd=cwd, user=self.name, group=self.name, capture_output=True, text=True, check=False
        )
        if done.returncode != 0:
            pytest.fail(f"{command[0]} failed with status {done.returncode}: {done.stdout}{done.stderr}")


def unprivileged(name: str) -> Account:
    """The account for a service that refuses to run as root: `name` when the tests are root, else our own."""
    if os.geteuid() != 0:
        return Account(None)
    try:
        pwd.getpwnam(name)
    except KeyError:
        pytest.fail(f"The account '{name}' is missing on this machine: run 'scripts/system-packages test'.")
    return Account(name)


def find_program(*names: str, folders: tuple[str, ...] = ()) -> str:
    """The path of the first program found, by name on PATH and then in `folders` (newest version first)."""
    for name in names:
        if found := shutil.which(name):
            return found
        for pattern in folders:
            matches = sorted(Path("/").glob(f"{pattern}/{name}"), key=_version_of, reverse=True)
            if matches:
                return str(matches[0])
    pytest.fail(
        f"The tests need {' or '.join(names)} and it is not installed: run 'scripts/system-packages test'."
    )


def _version_of(program: Path) -> list[int]:
    return [int(part) for part in program.parts if part.isdigit()]


def free_port() -> int:
    """A loopback TCP port that nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def once_per_run(name: str, start: Callable[[Path], dict[str, str]]) -> dict[str, str]:
    """What `start` returned for this test run: called by the first worker, read by all the others.

    `start` receives a fresh folder, which the keeper removes with the service.
    """
    folder = Path(os.environ[RUN_FOLDER_VARIABLE])
    record = folder / f"{name}.json"
    with FileLock(folder / f"{name}.lock", timeout=START_TIMEOUT_S * 2):
        if not record.exists():
            home = Path(tempfile.mkdtemp(prefix=f"mancard-{name}-"))
            home.chmod(0o755)
            record.write_text(json.dumps(start(home)))
        return json.loads(record.read_text())


def keep(
    command: list[str], home: Path, *, account: Account, stop_signal: int, ready: Callable[[], bool]
) -> None:
    """Start `command` under a keeper, its output in `home`/log, and return when `ready` says yes."""
    keeper = Path(__file__).with_name("keeper.py")
    watched = os.environ[RUN_PROCESS_VARIABLE]
    log = home / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                sys.executable,
                str(keeper),
                watched,
                str(int(stop_signal)),
                account.name or "",
                str(home),
                *command,
            ],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            cwd=home,
            start_new_session=True,
        )
    give_up_at = time.monotonic() + START_TIMEOUT_S
    while not ready():
        if (status := process.poll()) is not None:
            pytest.fail(f"{command[0]} ended with status {status} at its start: {log.read_text()[-2000:]}")
        if time.monotonic() > give_up_at:
            process.terminate()
            pytest.fail(
                f"{command[0]} was not ready after {START_TIMEOUT_S:.0f} s: {log.read_text()[-2000:]}"
            )
        time.sleep(0.02)
    # The keeper is watched by nobody from here on: it ends by itself, after the run.
    process.returncode = 0
