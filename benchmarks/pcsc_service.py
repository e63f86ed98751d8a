"""A real pcscd with vsmartcard's reader for the length of a measurement, started as the tests start theirs.

The machine has one PC/SC socket: a test run that uses it is waited for. Nothing is measured here.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Protocol

import pytest
from filelock import FileLock

from readers.pcsc.direct import DirectReader
from readers.pcsc.watched import WatchedReader
from tests.services.pcsc import TURN_TIMEOUT_S, PcscService
from tests.services.started import RUN_PROCESS_VARIABLE

CARD_TIMEOUT_S: Final = 20.0


class PcscMissing(Exception):
    """There is no pcscd to measure with; the message says why."""


class CardLink(Protocol):
    """A connected card; both readers' links are one."""

    def transmit(self, apdu: bytes) -> bytes:
        """One APDU."""
        ...

    def close(self) -> None:
        """Let the card go."""
        ...


@contextmanager
def pcsc_service() -> Generator[PcscService, None, None]:
    """A pcscd of our own, or the one that runs. Raises PcscMissing."""
    os.environ[RUN_PROCESS_VARIABLE] = str(os.getpid())
    lock = FileLock(Path(tempfile.gettempdir()) / "mancard-tests-pcsc.lock", mode=0o666)
    with lock.acquire(timeout=TURN_TIMEOUT_S):
        try:
            service = PcscService()
            service.start()
        except pytest.fail.Exception as fault:
            raise PcscMissing(str(fault)) from fault
        try:
            yield service
        finally:
            service.stop()


@contextmanager
def card_on(service: PcscService, kind: str) -> Generator[None, None, None]:
    """A card served by `benchmarks.card_server` on the reader."""
    command = [sys.executable, "-m", "benchmarks.card_server", service.host, str(service.port), kind]
    server = subprocess.Popen(command)
    try:
        yield
    finally:
        server.terminate()
        server.wait()
        _until_it_left(service)


@contextmanager
def direct_link(service: PcscService) -> Generator[CardLink, None, None]:
    """The card through pyscard in this very process."""
    reader = DirectReader(service.reader_name)
    link = reader.wait_for_card(CARD_TIMEOUT_S)
    if link is None:
        raise PcscMissing("the virtual card did not appear on the reader")
    try:
        yield link
    finally:
        reader.close_link()


@contextmanager
def worker_link(service: PcscService) -> Generator[CardLink, None, None]:
    """The card through the reader's worker process, as the validator has it."""
    with WatchedReader(service.reader_name) as reader:
        link = reader.wait_for_card(CARD_TIMEOUT_S)
        if link is None:
            raise PcscMissing("the virtual card did not appear on the reader")
        try:
            yield link
        finally:
            link.close()


def _until_it_left(service: PcscService) -> None:
    reader = DirectReader(service.reader_name)
    give_up_at = time.monotonic() + CARD_TIMEOUT_S
    while not reader.wait_for_removal(1.0) and time.monotonic() < give_up_at:
        pass
