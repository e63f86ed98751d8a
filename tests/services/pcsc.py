"""A real pcscd with vsmartcard's virtual reader, for one test at a time on the whole machine.

pcscd has one socket a machine, so a lock shared by all test runs guards it: whoever holds the lock starts a
pcscd of its own, on a free port, and stops it again (it is up in some milliseconds). A pcscd that already
runs with a virtual reader is used as it is, and never stopped. It never replaces PC/SC by a mock.
"""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from filelock import FileLock, Timeout
from smartcard.scard import (
    SCARD_S_SUCCESS,
    SCARD_SCOPE_SYSTEM,
    SCardEstablishContext,
    SCardListReaders,
    SCardReleaseContext,
)

from tests.services.started import RUN_PROCESS_VARIABLE, find_program

READER_NAME = "Virtual PCD"
FIRST_SLOT = f"{READER_NAME} 00 00"
INSTALLED_PORT = 35963
START_TIMEOUT_S = 20.0
TURN_TIMEOUT_S = 240.0
DRIVER_FOLDERS = ("/usr/lib/pcsc/drivers/serial", "/usr/local/lib/pcsc/drivers/serial")
MISSING = "is not installed: run 'scripts/system-packages test'."


def readers() -> list[str] | None:
    """The names of all PC/SC readers, or None while no pcscd answers."""
    result, context = SCardEstablishContext(SCARD_SCOPE_SYSTEM)
    if result != SCARD_S_SUCCESS:
        return None
    try:
        _, names = SCardListReaders(context, [])
        return list(names)
    finally:
        SCardReleaseContext(context)


def _driver() -> str:
    for folder in DRIVER_FOLDERS:
        found = Path(folder) / "libifdvpcd.so"
        if found.exists():
            return str(found)
    pytest.fail(f"The tests need vsmartcard-vpcd and it {MISSING}")


def _free_port_pair() -> int:
    """A port that is free together with the next one: vpcd's second slot listens there."""
    while True:
        with ExitStack() as probes:
            first, second = (probes.enter_context(socket.socket()) for _ in range(2))
            first.bind(("127.0.0.1", 0))
            port = int(first.getsockname()[1])
            try:
                second.bind(("127.0.0.1", port + 1))
            except (OSError, OverflowError):
                continue
            return port


class PcscService:
    """PC/SC with one virtual reader: a tray connects to ``host:port``, a driver finds ``reader_name``."""

    host = "127.0.0.1"
    reader_name = FIRST_SLOT

    def __init__(self) -> None:
        self.ours = readers() is None
        self.port = _free_port_pair() if self.ours else INSTALLED_PORT
        self._keeper: subprocess.Popen[bytes] | None = None
        if not self.ours and self.reader_name not in (readers() or []):
            pytest.fail(f"A pcscd without the reader '{self.reader_name}' is running: stop it first.")

    def start(self) -> None:
        """Start pcscd and wait until the virtual reader is there; nothing to do when it already runs."""
        if not self.ours or self._keeper is not None:
            return
        home = Path(tempfile.mkdtemp(prefix="mancard-pcscd-"))
        configuration = home / "reader.conf.d"
        configuration.mkdir()
        device = f"DEVICENAME /dev/null:0x{self.port:X}\nCHANNELID 0x{self.port:X}\n"
        text = f'FRIENDLYNAME "{READER_NAME}"\n{device}LIBPATH {_driver()}\n'
        (configuration / "vpcd").write_text(text)
        pcscd = find_program("pcscd", folders=("usr/sbin", "usr/local/sbin"))
        command = [pcscd, "--foreground", "--config", str(configuration)]
        keeper = Path(__file__).with_name("keeper.py")
        watched = [os.environ[RUN_PROCESS_VARIABLE], str(int(signal.SIGTERM)), "", str(home)]
        log = home / "log"
        with log.open("wb") as output:
            self._keeper = subprocess.Popen(
                [sys.executable, str(keeper), *watched, *command],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while self.reader_name not in (readers() or []):
            said = log.read_text() if log.exists() else ""
            if self._keeper.poll() is not None or time.monotonic() > give_up_at:
                self.stop()
                shutil.rmtree(home, ignore_errors=True)
                pytest.fail(f"pcscd did not come up: {said[-2000:]}")
            time.sleep(0.02)

    def stop(self) -> None:
        """Stop the pcscd that we started and wait for its end; another one is left alone."""
        if self._keeper is None:
            return
        self._keeper.terminate()
        self._keeper.wait(START_TIMEOUT_S)
        self._keeper = None


@pytest.fixture
def pcsc_service() -> Iterator[PcscService]:
    """Real PC/SC for this test alone; ``start`` and ``stop`` may be used to restart it in mid-test."""
    lock = FileLock(Path(tempfile.gettempdir()) / "mancard-tests-pcsc.lock", mode=0o666)
    try:
        lock.acquire(timeout=TURN_TIMEOUT_S)
    except Timeout:
        pytest.fail("another test run has kept the machine's PC/SC service for too long: end it first")
    try:
        service = PcscService()
        service.start()
        try:
            yield service
        finally:
            service.stop()
    finally:
        lock.release()
