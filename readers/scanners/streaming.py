"""A scanner that sends characters as they come, by a serial line or as a keyboard: reading with a deadline,
the pause that ends a broken text, reopening. What carries the bytes is given (the port ByteSource).
"""

from __future__ import annotations

import time
from typing import Protocol

from readers.ports import ScannerFault
from readers.scanners.lines import SILENCE_S, Lines


class ByteSource(Protocol):
    """An opened or unopened device. It opens itself when first read."""

    def receive(self, wait_s: float) -> bytes:
        """What has come, some kilobytes at most; empty when nothing came in time. Raises ScannerFault."""
        ...

    def close(self) -> None:
        """Let the device go; closing twice is no error."""
        ...


class StreamingScanner:
    """See the ScannerEngine port."""

    def __init__(self, name: str, source: ByteSource) -> None:
        self.name = name
        self.lines = Lines()
        self._source = source
        self._heard_s = 0.0

    def read(self, timeout_s: float) -> str | None:
        """See the port."""
        deadline_s = time.monotonic() + timeout_s
        while (text := self.lines.take()) is None:
            now_s = time.monotonic()
            wait_s = deadline_s - now_s
            if self.lines.unfinished:
                wait_s = min(wait_s, self._heard_s + SILENCE_S - now_s)
            self._receive(max(0.0, wait_s))
            if time.monotonic() >= deadline_s:
                return self.lines.take()
        return text

    def close(self) -> None:
        """See the port."""
        self.lines.clear()
        self._source.close()

    def _receive(self, wait_s: float) -> None:
        try:
            data = self._source.receive(wait_s)
        except ScannerFault:
            self.close()
            raise
        now_s = time.monotonic()
        if data:
            self._heard_s = now_s
            self.lines.feed(data)
        elif self.lines.unfinished and now_s - self._heard_s >= SILENCE_S:
            self.lines.lapse()
