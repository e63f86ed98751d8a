"""`mancard validator` as a real process: it starts, is killed at the worst moment, and starts again."""

from __future__ import annotations

import os
import re
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import pytest
from redis import Redis

from fare.core.tap import Outcome
from hardware.emulator.faults import Fault, FaultKind, arm_in_folder
from tests.readers.bus import FARE_RIAL, Issuer, spent_on
from tests.readers.ledger_server import LedgerServer, serving
from tests.readers.test_kit import write_kit

ROOT = Path(__file__).resolve().parents[2]
PROGRAM = "import sys; from fare.cli import main; main(sys.argv[1:])"


@dataclass
class Validators:
    """Starts validators of one bus, and stops what is still running at the end of the test."""

    cards: Path
    kit: Path
    state: Path
    running: list[subprocess.Popen[str]] = field(default_factory=list)
    faces: list[Face] = field(default_factory=list)

    def command(self, *flags: str, **options: str) -> list[str]:
        given = {
            "kit": str(self.kit),
            "state": str(self.state),
            "reader": f"virtual:{self.cards}",
            "port": "0",
            "poll": "0.5",
        } | options
        arguments = [part for name, value in given.items() for part in (f"--{name}", value)]
        return [sys.executable, "-c", PROGRAM, "validator", *flags, *arguments]

    def start(self, *flags: str, **variables: str) -> tuple[subprocess.Popen[str], Face]:
        """A validator that answers, and its page."""
        environment = {**os.environ, "MANCARD_STATE_DIR": str(self.state), **variables}
        started = subprocess.Popen(
            self.command(*flags),
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=ROOT,
            env=environment,
        )
        self.running.append(started)
        assert started.stdout is not None
        line = started.stdout.readline()
        found = re.search(r"http://\S+(?=/bus)", line)
        assert found is not None, line + (started.stdout.read() if started.poll() is not None else "")
        self.faces.append(Face(found[0]))
        return started, self.faces[-1]

    def refused(self, **options: str) -> str:
        """A validator that does not start; its one sentence."""
        done = subprocess.run(
            self.command(**options), capture_output=True, text=True, cwd=ROOT, timeout=60, check=False
        )
        assert done.returncode == 2, done
        assert done.stdout == ""
        assert done.stderr.count("\n") == 1, done.stderr
        return done.stderr


@pytest.fixture
def ledger(issuer: Issuer) -> Iterator[LedgerServer]:
    with serving(issuer) as server:
        yield server


@pytest.fixture
def validators(tmp_path: Path, issuer: Issuer, cards: Path, ledger: LedgerServer) -> Iterator[Validators]:
    made = Validators(cards, write_kit(tmp_path / "kit", issuer, ledger.url), tmp_path / "state")
    yield made
    for face in made.faces:
        face.client.close()
    for process in made.running:
        if process.poll() is None:
            process.kill()
        process.wait(20)
        if process.stdout is not None:
            process.stdout.close()


class Face:
    """The page of a running validator."""

    def __init__(self, url: str) -> None:
        self.client = httpx2.Client(base_url=url, trust_env=False, timeout=20)
        found = re.search(r'mancard-token" content="([^"]+)"', self.client.get("/bus").text)
        assert found is not None
        self.headers = {"X-Mancard-Token": found[1]}

    def state(self) -> dict[str, Any]:
        return self.client.get("/bus/state?lang=en").json()

    def until(self, name: str, value: object) -> dict[str, Any]:
        """Ask until the page says so; each request is answered by the running process."""
        state = self.state()
        for _ in range(2_000):
            state = self.state()
            if state[name] == value:
                return state
        raise AssertionError(f"{name} never became {value}: {state}")

    def tap(self, card: str) -> dict[str, Any]:
        return self.client.post("/bus/tap?lang=en", json={"card": card}, headers=self.headers).json()["shown"]


def test_it_claims_rides_uploads_and_stops(validators: Validators, ledger: LedgerServer) -> None:
    process, face = validators.start()
    face.until("bundle_n", 1)
    assert face.tap("one")["lamp"] == "green"
    face.until("unsent", 0)
    process.send_signal(signal.SIGTERM)
    assert process.wait(20) == 0
    (tap,) = ledger.ledger.decoded()
    assert tap.outcome is Outcome.ACCEPTED


def test_killed_between_commit_and_outcome_it_charges_once(
    validators: Validators, ledger: LedgerServer, issuer: Issuer, cards: Path
) -> None:
    process, face = validators.start()
    face.until("bundle_n", 1)
    arm_in_folder(cards, Fault(FaultKind.DELAY_REPLY, ins=0xC7, delay_ms=60_000))
    with pytest.raises(httpx2.HTTPError):
        kill_at_commit(face, process, cards)
    assert spent_on(issuer, cards, "one") == FARE_RIAL

    _, face = validators.start()
    face.until("unsent", 0)  # the unconfirmed tap went up
    shown = face.tap("one")
    assert (shown["lamp"], shown["note"] != "") == ("green", True)
    face.until("unsent", 0)
    assert spent_on(issuer, cards, "one") == FARE_RIAL
    torn, recovered = ledger.ledger.decoded()
    assert (torn.outcome, recovered.outcome) == (Outcome.UNCONFIRMED, Outcome.ACCEPTED)
    assert recovered.recovers == torn.seq
    assert torn.boot_id != recovered.boot_id
    assert issuer.proof_verifies(recovered)


def kill_at_commit(face: Face, process: subprocess.Popen[str], cards: Path) -> None:
    """Tap, and kill the validator as soon as the card's image shows the debit (its reply is held back)."""
    image = cards / "one.card.json"
    before = image.read_bytes()

    def kill() -> None:
        while image.read_bytes() == before:
            pass
        process.kill()

    killer = threading.Thread(target=kill, daemon=True)
    killer.start()
    try:
        face.tap("one")
    finally:
        killer.join(20)


def test_what_a_person_must_put_right_is_one_sentence(validators: Validators, tmp_path: Path) -> None:
    assert "kit.json" in validators.refused(kit=str(tmp_path / "nowhere"))
    assert "virtual cards" in validators.refused(reader=f"virtual:{tmp_path / 'nowhere'}")
    assert "port" in validators.refused(port="70000")
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        assert f"Port {port}" in validators.refused(port=str(port))
    validators.state.mkdir(exist_ok=True)
    for path in validators.state.glob("journal.db*"):
        path.unlink()
    (validators.state / "journal.db").write_bytes(b"damaged")
    assert "cannot be read" in validators.refused()
    assert (validators.state / "journal.db").read_bytes() == b"damaged"


def test_an_inspectors_validator_reads_the_buss_gateway_and_sells_nothing(
    validators: Validators, redis_url: str, ledger: LedgerServer, issuer: Issuer, cards: Path
) -> None:
    with Redis.from_url(redis_url) as client:
        client.acl_setuser(
            "bus", enabled=True, passwords=["+hunter-two"], keys=["mancard:*"], categories=["+@all"]
        )
    secret = redis_url.replace("redis://", "redis://bus:hunter-two@")
    process, face = validators.start("run", "--inspect", MANCARD_VALIDATOR_GATEWAY_URL=secret)
    face.until("bundle_n", 1)
    state = face.until("gateway", True)
    assert (state["inspecting"], state["only_inspects"]) == (True, True)
    shown = face.tap("one")
    assert (shown["inspected"], shown["title"]) == (True, "Not paid")
    process.send_signal(signal.SIGTERM)
    said, _ = process.communicate(timeout=20)
    assert "hunter-two" not in said
    assert ledger.ledger.batches == 0
    assert spent_on(issuer, cards, "one") == 0


def test_two_validators_do_not_share_a_state_folder(validators: Validators) -> None:
    validators.start()
    assert "Another validator" in validators.refused()
