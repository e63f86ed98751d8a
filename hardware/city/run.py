"""`mancard run`: a city to try out. The ledger and one bus as two processes that meet over HTTP alone.

This one only founds, starts, watches and stops. When a person kills the ledger, the bus must go on and this
process too: the ledger comes back after a pause long enough to tap without it.
"""

from __future__ import annotations

import fcntl
import os
import signal
import threading
import time
from collections.abc import Generator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from rich.console import Console

from fare.core.errors import OperatorError
from fare.settings import LedgerSettings
from hardware.city.log_lines import LogLines
from hardware.city.ports import HOST
from hardware.city.sample import SignIn, open_sample
from hardware.city.service import Service

LEDGER_REST_S: Final = 15.0
VALIDATOR_REST_S: Final = 3.0
_LOOK_S: Final = 0.2
_SHORT_LIFE_S: Final = 20.0
_MAX_SHORT_LIVES: Final = 4
_POLL_S: Final = "5"
SCANS: Final = "scans"
"""The folder in the state folder that the bus's scanner looks into."""
_CODE_LINE: Final = "one-time code for "
"""How the ledger's sandbox sender begins its line."""


@dataclass(frozen=True, slots=True)
class RunOptions:
    """`reader` None: a virtual reader in the validator's process, over the city's own cards."""

    state: Path
    port: int
    bus_port: int
    reader: str | None = None


@dataclass(slots=True)
class _Watched:
    """A service, how long it stays down when it ended, and what to say of those who go on without it."""

    service: Service
    rest_s: float
    meanwhile: str
    started_at: float = 0.0
    starts_again_at: float | None = None
    short_lives: int = 0

    def start(self) -> None:
        self.service.start()
        self.started_at = time.monotonic()
        self.starts_again_at = None


class CityRun:
    """One run, from its folder to its last process. `answer` gets the addresses, `progress` the rest."""

    def __init__(self, options: RunOptions, progress: Console, answer: Console) -> None:
        self._options = options
        self._progress = progress
        self._answer = answer
        self._stopping = threading.Event()
        self._ledger_url = f"http://{HOST}:{options.port}"
        self._bus_url = f"http://{HOST}:{options.bus_port}"

    def run(self) -> None:
        """Until SIGTERM or Ctrl-C. Raises OperatorError, with nothing left running."""
        began = time.monotonic()
        settings = self._settings()
        with ExitStack() as stack:
            stack.enter_context(_sole_user_of(settings.state_dir))
            for number in (signal.SIGTERM, signal.SIGINT):
                stack.callback(signal.signal, number, signal.signal(number, self._on_signal))
            city, sign_in = open_sample(settings, self._ledger_url, datetime.now(UTC), self._tell)
            city.engine.dispose()
            codes = LogLines(settings.state_dir / "ledger.log")
            watched = self._services(settings, city.media, city.kits / "device-1")
            for each in watched:
                stack.callback(each.service.stop)
            self._start(watched)
            if not self._stopping.is_set():
                self._tell(f"Ready after {time.monotonic() - began:.0f} s.")
                self._print_addresses(settings, sign_in, watched)
                self._watch(watched, codes)
            self._tell("Stopping. The next start goes on from here.")

    def _settings(self) -> LedgerSettings:
        return LedgerSettings(state_dir=self._options.state, host=HOST, port=self._options.port)

    def _services(self, settings: LedgerSettings, media: Path, kit: Path) -> list[_Watched]:
        state = settings.state_dir
        # Riders' codes are printed and their payments are a sandbox's, unless the environment says otherwise.
        sandbox = {"MANCARD_CODE_SENDER": "sandbox", "MANCARD_PAYMENT_GATEWAY": "sandbox"}
        environment = (
            sandbox
            | os.environ
            | {
                "MANCARD_STATE_DIR": str(state),
                "MANCARD_DATABASE_URL": settings.database_url,
                "MANCARD_HOST": HOST,
                "MANCARD_PORT": str(self._options.port),
            }
        )
        ledger = Service("The ledger", ["ledger", "serve"], state / "ledger.log", environment)
        arguments = ["validator", "--kit", str(kit), "--state", str(state / "bus-1")]
        arguments += ["--reader", self._options.reader or f"virtual:{media}"]
        arguments += ["--scanner", f"frames:{_made(state / SCANS)}"]
        arguments += ["--host", HOST, "--port", str(self._options.bus_port)]
        arguments += ["--ledger", self._ledger_url, "--poll", _POLL_S]
        validator = Service("The validator", arguments, state / "bus-1.log", environment)
        without_ledger = f"The bus goes on without it: tap at {self._bus_url}/bus."
        without_bus = "What it had journalled is kept and sent when it is back."
        return [
            _Watched(ledger, LEDGER_REST_S, without_ledger),
            _Watched(validator, VALIDATOR_REST_S, without_bus),
        ]

    def _start(self, watched: list[_Watched]) -> None:
        """Start both, the ledger first, and return when a card could be tapped (or a signal came)."""
        ledger, validator = watched
        self._tell("Starting the ledger.")
        ledger.start()
        up = ledger.service.wait_until(f"{self._ledger_url}/v1/health", lambda _: True, self._stopping.is_set)
        if self._stopping.is_set():
            return
        if not up:
            raise OperatorError(f"The ledger does not answer: read {ledger.service.log}, then start again.")
        self._tell("Starting the validator of bus 1, and handing it its keys, tariff and denylist.")
        validator.start()
        enrolled = validator.service.wait_until(
            f"{self._bus_url}/bus/state",
            lambda bus: bus["bundle_n"] is not None and bus["last_contact_s"] is not None,
            self._stopping.is_set,
        )
        if not enrolled and not self._stopping.is_set():
            raise OperatorError(
                f"The validator does not reach its ledger: read {validator.service.log}, then start again."
            )

    def _watch(self, watched: list[_Watched], codes: LogLines) -> None:
        while not self._stopping.wait(_LOOK_S):
            for line in codes.fresh():
                if line.startswith(_CODE_LINE):
                    self._answer.print(f"  {line}", markup=False, highlight=False, soft_wrap=True)
            for each in watched:
                if each.starts_again_at is not None:
                    if time.monotonic() >= each.starts_again_at:
                        each.start()
                        self._tell(f"{each.service.name} is started again (process {each.service.pid}).")
                elif each.service.ended:
                    self._note_the_end(each)

    def _note_the_end(self, each: _Watched) -> None:
        service, now = each.service, time.monotonic()
        each.short_lives = each.short_lives + 1 if now - each.started_at < _SHORT_LIFE_S else 0
        if each.short_lives >= _MAX_SHORT_LIVES:
            raise OperatorError(f"{service.name} ends again and again: {service.last_words()}")
        each.starts_again_at = now + each.rest_s
        self._tell(
            f"{service.name} has ended ({service.how_it_ended()}); its log is {service.log}. "
            f"{each.meanwhile} It starts again in {each.rest_s:.0f} s."
        )

    def _print_addresses(self, settings: LedgerSettings, sign_in: SignIn, watched: list[_Watched]) -> None:
        ledger, validator = (each.service.pid for each in watched)
        password = f"password {sign_in.password}" if sign_in.password else f"password in {sign_in.file}"
        lines = [
            "",
            f"  the bus          {self._bus_url}/bus",
            "                   tap a card, show a phone's ticket, cut the line and restore it",
            f"  the rider        {self._ledger_url}/rider/",
            "                   enrol with any 09… number, top up, show the code; one-time codes appear here",
            f"                   the bus scans every picture that appears in {settings.state_dir / SCANS}",
            f"  the service day  {self._ledger_url}/finance/day",
            f"                   sign in as {sign_in.name}, {password}",
            f"  the tariff       {self._ledger_url}/tariffs",
            "                   read it, upload another, try it, and publish it with a second person",
            f"  the API          {self._ledger_url}/docs",
            "",
            f"  City, owners, prices and payments are a sample. Everything is kept in {settings.state_dir}.",
            f"  Both processes may be killed: {ledger} is the ledger, {validator} the validator.",
            "  Ctrl-C stops; the next start goes on from here.",
            "",
        ]
        for line in lines:
            self._answer.print(line, markup=False, highlight=False, soft_wrap=True)

    def _tell(self, sentence: str) -> None:
        self._progress.print(sentence, markup=False, highlight=False, soft_wrap=True)

    def _on_signal(self, *_: object) -> None:
        self._stopping.set()


def _made(folder: Path) -> Path:
    folder.mkdir(mode=0o700, exist_ok=True)
    return folder


@contextmanager
def _sole_user_of(state: Path) -> Generator[None]:
    """Two runs over one folder would write one journal twice."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock = os.open(state / "run.lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as fault:
        raise OperatorError(
            f"The state folder {state} cannot be used ({fault.strerror}): give another one with --state."
        ) from fault
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(lock)
        raise OperatorError(
            f"Another 'mancard run' uses {state}: stop it, or give this one another folder with --state."
        ) from None
    try:
        yield
    finally:
        os.close(lock)
