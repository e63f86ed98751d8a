"""`mancard run` as a process: it says where to go, and leaves nothing behind however it ends."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests.services.started import free_port
from tests.system.city import clean_environment, wait_for
from tests.system.running import Run

pytestmark = pytest.mark.xdist_group("city-run")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    """A run for the tests that leave it running."""
    running = Run(tmp_path_factory.mktemp("run") / "state").start()
    yield running
    children = [running.child("ledger serve"), running.child("validator")]
    assert running.stop(signal.SIGTERM) == 0
    assert all(is_gone(child) for child in children)


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False, follow_redirects=True).status_code == 200
    except httpx2.TransportError:
        return False


def is_gone(process: int) -> bool:
    """Whether a process has ended, waited for by its parent or not."""
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(") ")[2].startswith("Z")
    except OSError:
        return True


def test_every_address_it_prints_answers(run: Run) -> None:
    for path in ("/bus", "/rider/", "/finance/day", "/tariffs", "/docs"):
        assert answers(run.address(path)), path
    assert "finance" in run.text()
    assert "first-sign-in.txt" in run.text() or run.password in run.text()


def test_a_riders_code_appears_where_the_run_was_started(run: Run) -> None:
    page = run.address("/rider/")
    told = httpx2.post(
        f"{page}api/code",
        json={"mobile": "09121234567"},
        headers={"Origin": page.removesuffix("/rider/")},
        trust_env=False,
    )
    assert (told.status_code, told.json()["sandbox"]) == (200, True)
    wait_for("the code", lambda: any("one-time code for 09121234567: " in line for line in run.said))


def test_its_processes_do_not_outlive_it(tmp_path: Path) -> None:
    killed = Run(tmp_path / "state").start()
    ledger, validator = killed.child("ledger serve"), killed.child("validator")

    killed.stop(signal.SIGKILL)

    wait_for("the end of the ledger", lambda: is_gone(ledger))
    wait_for("the end of the validator", lambda: is_gone(validator))


def test_a_killed_validator_comes_back(run: Run) -> None:
    validator = run.child("validator")
    os.kill(validator, signal.SIGKILL)

    wait_for("the news of its end", lambda: any("The validator has ended" in line for line in run.told))
    wait_for("its return", lambda: any("The validator is started again" in line for line in run.told))

    wait_for("the page of the bus", lambda: answers(run.address("/bus")))
    assert run.child("validator") != validator


def test_a_second_run_over_the_same_folder_is_refused(run: Run) -> None:
    ports = ["--port", str(free_port()), "--bus-port", str(free_port())]
    second = subprocess.run(
        [sys.executable, "-c", "from fare.cli import main; main()", "run", "--state", str(run.state), *ports],
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert second.returncode == 2
    assert second.stderr.count("\n") == 1
    assert "--state" in second.stderr
    assert answers(run.address("/bus"))


def test_a_reader_that_is_not_there_stops_the_whole_start(tmp_path: Path) -> None:
    state = tmp_path / "state"
    ports = ["--port", str(free_port()), "--bus-port", str(free_port())]
    arguments = ["--state", str(state), "--reader", "A reader nobody has", *ports]
    done = subprocess.run(
        [sys.executable, "-c", "from fare.cli import main; main()", "run", *arguments],
        env=clean_environment(PCSCLITE_CSOCK_NAME=str(state / "nobody-listens")),
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )

    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "PC/SC" in done.stderr
    assert done.stdout == ""
