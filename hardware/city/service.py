"""A long-running `mancard` command as a process of its own: start, wait for its answer, stop."""

from __future__ import annotations

import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx2

from fare.core.errors import OperatorError

START_TIMEOUT_S: Final = 60.0
STOP_TIMEOUT_S: Final = 15.0
_POLL_S: Final = 0.05
_OK: Final = 200
_LAST_WORDS_BYTES: Final = 4096


class Service:
    """One command under a name that people know it by; its output is appended to `log`."""

    def __init__(self, name: str, arguments: list[str], log: Path, environment: Mapping[str, str]) -> None:
        self.name = name
        self.log = log
        self._arguments = arguments
        self._environment = dict(environment)
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The number of its process, 0 when it was never started."""
        return 0 if self._process is None else self._process.pid

    @property
    def ended(self) -> bool:
        """Whether it was started and is gone."""
        return self._process is not None and self._process.poll() is not None

    def start(self) -> None:
        """Start it in a session of its own: Ctrl-C reaches only the one who decides the order of stopping."""
        with self.log.open("ab") as output:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "hardware.city.child", *self._arguments],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=self._environment,
                start_new_session=True,
            )

    def stop(self) -> None:
        """End it and wait; killed when it does not end by itself."""
        if self._process is None or self.ended:
            return
        self._process.terminate()
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def wait_until(self, url: str, ready: Callable[[Any], bool], given_up: Callable[[], bool]) -> bool:
        """Ask `url` for JSON until `ready` accepts it: True. False once `given_up`, or after a minute.

        Raises OperatorError, with its own last words, when the process ends.
        """
        deadline = time.monotonic() + START_TIMEOUT_S
        with httpx2.Client(trust_env=False, timeout=5.0) as client:
            while not given_up() and time.monotonic() < deadline:
                if self.ended:
                    raise OperatorError(f"{self.name} did not start: {self.last_words()}")
                if _answers(client, url, ready):
                    return True
                time.sleep(_POLL_S)
        return False

    def how_it_ended(self) -> str:
        """`status 2` or `signal SIGKILL`."""
        code = 0 if self._process is None or self._process.returncode is None else self._process.returncode
        return f"signal {signal.Signals(-code).name}" if code < 0 else f"status {code}"

    def last_words(self) -> str:
        """The last line of its log, without the command's name."""
        try:
            said = self.log.read_bytes()[-_LAST_WORDS_BYTES:].decode(errors="replace").strip()
        except OSError:
            said = ""
        line = said.splitlines()[-1] if said else "it said nothing"
        return f"{line.removeprefix('mancard: ')} (log: {self.log})"


def _answers(client: httpx2.Client, url: str, ready: Callable[[Any], bool]) -> bool:
    try:
        answer = client.get(url)
        return answer.status_code == _OK and ready(answer.json())
    except (httpx2.HTTPError, ValueError):
        return False
