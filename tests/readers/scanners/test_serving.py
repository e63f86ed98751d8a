"""A thread for each scanner: faults, repeats, floods, and a validator that goes on with its cards."""

from __future__ import annotations

import threading
from collections.abc import Callable
from queue import Empty, SimpleQueue

import pytest

from readers.ports import ScannerFault
from readers.scanners.serving import BURST, PER_SECOND, REPEAT_S, Pace, ScannerThreads


class Scripted:
    """A scanner that says what the test says: a text, or a fault."""

    def __init__(self, name: str = "serial:scripted") -> None:
        self.name = name
        self.says: SimpleQueue[str | ScannerFault] = SimpleQueue()
        self.reads = threading.Semaphore(0)
        self.closed = threading.Event()

    def read(self, timeout_s: float) -> str | None:
        self.reads.release()
        try:
            said = self.says.get(timeout=min(timeout_s, 0.02))
        except Empty:
            return None
        if isinstance(said, ScannerFault):
            raise said
        return said

    def close(self) -> None:
        self.closed.set()


@pytest.fixture(autouse=True)
def _tried_again_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("readers.scanners.serving.AGAIN_S", 0.01)


def heard_in(scanned: SimpleQueue[str]) -> Callable[[], str]:
    return lambda: scanned.get(timeout=10)


def test_texts_are_scanned_and_a_fault_is_told_until_it_is_over() -> None:
    first, second = Scripted("serial:first"), Scripted("serial:second")
    scanned: SimpleQueue[str] = SimpleQueue()
    threads = ScannerThreads([first, second], scanned.put)
    threads.start()
    hear = heard_in(scanned)
    try:
        first.says.put("one")
        assert hear() == "one"
        for _ in range(40):
            second.says.put(ScannerFault("It was lost: plug it in."))
        while threads.problem != "It was lost: plug it in.":
            second.reads.acquire()
        first.says.put("two")
        assert hear() == "two"
        second.says.put("three")
        assert hear() == "three"
        assert threads.problems == {"serial:first": "", "serial:second": ""}
    finally:
        threads.stop()
    assert first.closed.is_set()
    assert second.closed.is_set()


def test_threads_that_never_started_let_their_devices_go() -> None:
    engine = Scripted()
    ScannerThreads([engine], print).stop()
    assert engine.closed.is_set()


def test_one_code_in_view_is_presented_once_in_two_seconds() -> None:
    pace = Pace()
    presented = [now for now in range(100) if pace.admits("MC1:X", now / 20)]
    assert presented == [0, int(REPEAT_S * 20), int(2 * REPEAT_S * 20)]
    assert pace.dropped == 0
    assert pace.admits("MC1:Y", 99 / 20)


def test_a_flood_of_different_texts_is_thinned_to_what_people_can_do() -> None:
    pace = Pace()
    seconds = 60
    admitted = sum(pace.admits(f"junk {n}", 1000 + n / 100) for n in range(seconds * 100))
    assert admitted <= BURST + seconds * PER_SECOND
    assert admitted >= seconds * PER_SECOND
    assert pace.dropped == seconds * 100 - admitted
    assert pace.admits("MC1:AFTER", 1000 + seconds + 1)


def test_a_flood_is_told_to_whoever_repairs_it() -> None:
    engine = Scripted()
    scanned: SimpleQueue[str] = SimpleQueue()
    threads = ScannerThreads([engine], scanned.put)
    for n in range(BURST + 50):
        engine.says.put(f"junk {n}")
    threads.start()
    try:
        while not threads.problem:
            engine.reads.acquire()
        assert "says more than people can show" in threads.problem
    finally:
        threads.stop()
