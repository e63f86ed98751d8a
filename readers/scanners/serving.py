"""One thread a scanner: it hands every text to the validator, outlives every fault of the device, and keeps
a scanner that babbles from taking the cards' turn. It decides nothing about a ticket.

A code stays in a scanner's view: the same text is presented once in `REPEAT_S`; that the next frames of a
ride leave its green lamp alone is the affair of `readers.in_view`. And no door sees more people than
`PER_SECOND` for long: what a broken or hostile device says beyond a burst of `BURST` is dropped and counted,
so that it fills neither the journal nor the memory.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Final

from readers.ports import ScannerEngine, ScannerFault

READ_WAIT_S: Final = 0.25
AGAIN_S: Final = 1.0
STOP_WAIT_S: Final = 5.0
REPEAT_S: Final = 2.0
BURST: Final = 6
PER_SECOND: Final = 2.0
TELL_S: Final = 60.0
"""How long it is told that texts were dropped."""


class Pace:
    """Which texts of one scanner are presented. Times are seconds that only rise."""

    def __init__(self) -> None:
        self.dropped = 0
        """Texts beyond what people can show; repeats are not among them."""
        self.dropped_s: float | None = None
        """When the last of them was read."""
        self._presented: dict[str, float] = {}
        self._left = float(BURST)
        self._counted_s = 0.0

    def admits(self, text: str, now_s: float) -> bool:
        """Whether `text`, read at `now_s`, is a presentation of its own."""
        self._presented = {known: at for known, at in self._presented.items() if now_s - at < REPEAT_S}
        if text in self._presented:
            return False
        self._left = min(float(BURST), self._left + (now_s - self._counted_s) * PER_SECOND)
        self._counted_s = now_s
        if self._left < 1:
            self.dropped += 1
            self.dropped_s = now_s
            return False
        self._left -= 1
        self._presented[text] = now_s
        return True


class ScannerThreads:
    """The scanners of one door. `scan` is called in each one's thread and must not raise."""

    def __init__(self, engines: Sequence[ScannerEngine], scan: Callable[[str], object]) -> None:
        self._serving = tuple(_ServedScanner(engine, scan) for engine in engines)

    @property
    def problems(self) -> dict[str, str]:
        """Each scanner's name and what is wrong with it, as a sentence; empty if nothing is."""
        return {one.name: one.problem for one in self._serving}

    @property
    def problem(self) -> str:
        """The first problem there is; empty if none."""
        return next((problem for problem in self.problems.values() if problem), "")

    def start(self) -> None:
        """Serve all scanners in the background."""
        for one in self._serving:
            one.thread.start()

    def stop(self) -> None:
        """Finish the text under way and let the devices go."""
        for one in self._serving:
            one.stopping.set()
        for one in self._serving:
            one.finish()


class _ServedScanner:
    def __init__(self, engine: ScannerEngine, scan: Callable[[str], object]) -> None:
        self.name = engine.name
        self.stopping = threading.Event()
        self.thread = threading.Thread(target=self._serve, name=f"scanner {engine.name}", daemon=True)
        self._engine = engine
        self._scan = scan
        self._pace = Pace()
        self._fault = ""

    @property
    def problem(self) -> str:
        dropped_s = self._pace.dropped_s
        if self._fault or dropped_s is None or time.monotonic() - dropped_s > TELL_S:
            return self._fault
        return (
            f"The scanner {self.name} says more than people can show ({self._pace.dropped} texts were left "
            "out): look for what lies before it, or exchange it."
        )

    def finish(self) -> None:
        if self.thread.is_alive():
            self.thread.join(STOP_WAIT_S)
        else:
            self._engine.close()

    def _serve(self) -> None:
        try:
            while not self.stopping.is_set():
                try:
                    text = self._engine.read(READ_WAIT_S)
                    self._fault = ""
                except ScannerFault as fault:
                    # Unplugged, perhaps: cards go on, and it is tried again.
                    self._fault = str(fault)
                    self.stopping.wait(AGAIN_S)
                    continue
                if text is not None and self._pace.admits(text, time.monotonic()):
                    self._scan(text)
        finally:
            self._engine.close()
