"""A tray on the virtual PC/SC reader, and pcscd as something to be hurt."""

from __future__ import annotations

import os
import signal
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from hardware.emulator.vpcd import VpcdTray
from readers.pcsc.watched import WatchedReader
from tests.services.pcsc import PcscService

PID_FILE = Path("/run/pcscd/pcscd.pid")
BACK_WITHIN_S = 10.0
IMPATIENT_S = 0.6


class HurtPcscd:
    """Signals for the pcscd of this test; a stopped one is always continued."""

    def __init__(self, service: PcscService) -> None:
        if not service.ours:
            pytest.fail("this test hurts pcscd: stop the one that is running")
        self.service = service
        self.stopped: int | None = None

    @property
    def pid(self) -> int:
        return int(PID_FILE.read_text().strip("\n\0 "))

    def freeze(self) -> None:
        """Stop it, all its threads: the signal alone leaves some running for a moment."""
        self.stopped = self.pid
        os.kill(self.stopped, signal.SIGSTOP)
        threads = [int(path.name) for path in Path(f"/proc/{self.stopped}/task").iterdir()]
        wait_for("pcscd to stand still", lambda: {_state(thread) for thread in threads} <= {"T", ""})

    def thaw(self) -> None:
        if self.stopped is not None:
            os.kill(self.stopped, signal.SIGCONT)
            self.stopped = None

    def kill(self) -> None:
        """As kill -9 does: the socket and the pid file stay behind, as after a crash."""
        pid = self.pid
        os.kill(pid, signal.SIGKILL)
        wait_for("pcscd to be gone", lambda: not alive(pid))
        self.service.stop()

    def come_back(self) -> None:
        self.service.start()


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    return _state(pid) not in ("", "Z")


def _state(pid: int) -> str:
    """The kernel's letter for a process or thread; "" when there is none."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0]
    except OSError:
        return ""


def wait_for(what: str, happened: Callable[[], bool], timeout_s: float = BACK_WITHIN_S) -> None:
    give_up_s = time.monotonic() + timeout_s
    while not happened():
        if time.monotonic() > give_up_s:
            pytest.fail(f"waited {timeout_s:g} s for {what}")
        time.sleep(0.01)


@contextmanager
def impatient() -> Generator[None, None, None]:
    """While something hangs on purpose: its deadline comes sooner. Its length proves nothing."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("readers.pcsc.watched.READER_TIMEOUT_S", IMPATIENT_S)
        yield


@pytest.fixture
def seen_removals(monkeypatch: pytest.MonkeyPatch) -> None:
    """For tests that wait until PC/SC itself has seen each removal: the hand needs no second of its own.

    Not where a card is torn or hangs: pcscd then says "absent" before its own look has seen it.
    """
    monkeypatch.setattr("hardware.emulator.vpcd.ABSENCE_S", 0.0)


@pytest.fixture
def pcscd(pcsc_service: PcscService) -> Iterator[HurtPcscd]:
    hurt = HurtPcscd(pcsc_service)
    yield hurt
    hurt.thaw()


@pytest.fixture
def tray(cards: Path, pcsc_service: PcscService) -> Iterator[VpcdTray]:
    made = VpcdTray(cards, pcsc_service.host, pcsc_service.port)
    yield made
    made.remove()


@pytest.fixture
def reader(pcsc_service: PcscService) -> Iterator[WatchedReader]:
    with WatchedReader(pcsc_service.reader_name, apdu_timeout_s=IMPATIENT_S) as made:
        yield made
