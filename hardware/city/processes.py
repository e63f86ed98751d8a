"""The processes of a simulated day, seen by their conductor: start, command, stop. No fare logic."""

from __future__ import annotations

import json
import socket
import subprocess
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import Any, cast

import httpx2

from fare.core.errors import OperatorError
from hardware.city.plan import Presentation

_START_TIMEOUT_S = 60.0


def free_port() -> int:
    """A loopback TCP port that nothing listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Child:
    """A Python module as a child process, its standard error kept in a log file."""

    def __init__(self, module: str, arguments: list[str], log: Path, environment: dict[str, str]) -> None:
        self._log = log
        with log.open("ab") as error:
            self._process = subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=error,
                env=environment,
            )

    @property
    def ended(self) -> bool:
        """Whether the process is gone."""
        return self._process.poll() is not None

    def send(self, command: dict[str, Any]) -> None:
        """Give a command; `receive` brings its answer."""
        if self._process.stdin is None or self.ended:
            raise self.failure()
        self._process.stdin.write(json.dumps(command).encode() + b"\n")
        self._process.stdin.flush()

    def receive(self) -> dict[str, Any]:
        """The answer to the oldest command that has none yet."""
        line = b"" if self._process.stdout is None else self._process.stdout.readline()
        if not line:
            raise self.failure()
        return cast("dict[str, Any]", json.loads(line))

    def failure(self) -> OperatorError:
        """What to tell a person when the process is gone."""
        said = self._log.read_text(encoding="utf-8", errors="replace").strip().splitlines()
        # The log may go with the day's folder: what matters of it is said here.
        last = said[-1] if said else "it said nothing"
        return OperatorError(f"A process of the simulated city stopped: {last} (log: {self._log})")

    def stop(self) -> None:
        """End it and wait."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        if not self.ended:
            self._process.terminate()
        try:
            self._process.wait(10)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        if self._process.stdout is not None:
            self._process.stdout.close()


class ValidatorProcess(Child):
    """One bus's validator; see `hardware.city.validator_process` for its commands."""

    def __init__(
        self, kit: Path, state: Path, media: Path, start_ms: int, environment: dict[str, str]
    ) -> None:
        state.mkdir(parents=True, exist_ok=True)
        arguments = [str(kit), str(state), str(media), str(start_ms)]
        log = state / "process.log"
        super().__init__("hardware.city.validator_process", arguments, log, environment)

    def send_presentations(self, taps: list[Presentation]) -> None:
        """Have these media presented, in order."""
        self.send({"op": "present", "taps": [asdict(tap) for tap in taps]})

    def sync(self, at_ms: int) -> dict[str, Any]:
        """One round with the ledger at this instant: `{"ok": bool, "problem": str}`."""
        self.send({"op": "sync", "at_ms": at_ms})
        return self.receive()

    def set_uplink(self, *, cut: bool) -> None:
        """Cut or restore the line to the ledger."""
        self.send({"op": "uplink", "cut": cut})
        self.receive()

    def report(self) -> list[dict[str, Any]]:
        """All taps of its journal."""
        self.send({"op": "report"})
        return cast("list[dict[str, Any]]", self.receive()["taps"])

    def stop(self) -> None:
        """Ask it to end, then make sure."""
        if not self.ended:
            self.send({"op": "stop"})
        super().stop()


class LedgerProcess(Child):
    """The ledger's API under real uvicorn, with the injected clock."""

    def __init__(self, state: Path, clock: Path, port: int, environment: dict[str, str]) -> None:
        self.url = f"http://127.0.0.1:{port}"
        log = state / "ledger.log"
        super().__init__("hardware.city.ledger_process", [str(clock), str(port)], log, environment)

    def wait_until_it_answers(self) -> None:
        """Return once /v1/health answers. Raises OperatorError when it does not within a minute."""
        deadline = time.monotonic() + _START_TIMEOUT_S
        with httpx2.Client(trust_env=False) as client:
            while time.monotonic() < deadline and not self.ended:
                try:
                    if client.get(f"{self.url}/v1/health").status_code == 200:
                        return
                except httpx2.TransportError:
                    time.sleep(0.05)
        raise self.failure()
