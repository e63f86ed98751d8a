"""USB scanners in serial mode (CDC-ACM, or a real serial line), through pyserial. It sends them nothing.

The device opens when it is first read, and again after it was unplugged; bytes that lay in it before are
forgotten, since a ticket read before the bus was ready has left.
"""

from __future__ import annotations

import contextlib
import select
import time
from pathlib import Path
from typing import Final

import serial

from readers.ports import ScannerFault
from readers.scanners.lines import SILENCE_S, Lines

BAUD: Final = 115_200
"""CDC-ACM ignores it."""
CHUNK_BYTES: Final = 4096


class SerialScanner:
    """One scanner on a serial device. See the ScannerEngine port."""

    def __init__(self, name: str, path: Path, baud: int = BAUD) -> None:
        self.name = name
        self.lines = Lines()
        self._path = path
        self._baud = baud
        self._port: serial.Serial | None = None
        self._heard_s = 0.0

    def read(self, timeout_s: float) -> str | None:
        """See the port."""
        deadline_s = time.monotonic() + timeout_s
        while (text := self.lines.take()) is None:
            now_s = time.monotonic()
            wait_s = deadline_s - now_s
            if self.lines.unfinished:
                wait_s = min(wait_s, self._heard_s + SILENCE_S - now_s)
            data = self._bytes(max(0.0, wait_s))
            now_s = time.monotonic()
            if data:
                self._heard_s = now_s
                self.lines.feed(data)
            elif self.lines.unfinished and now_s - self._heard_s >= SILENCE_S:
                self.lines.lapse()
            if now_s >= deadline_s:
                return self.lines.take()
        return text

    def close(self) -> None:
        """See the port."""
        port, self._port = self._port, None
        self.lines.clear()
        if port is not None:
            with contextlib.suppress(OSError):  # a device that is gone may refuse even this
                port.close()

    def _bytes(self, wait_s: float) -> bytes:
        """What the device has, at most `CHUNK_BYTES`; empty when nothing came in time."""
        port = self._opened()
        try:
            ready, _, _ = select.select([port.fileno()], [], [], wait_s)
            # serial.SerialException is an OSError; it is also raised for a device that hung up.
            return bytes(port.read(CHUNK_BYTES)) if ready else b""
        except (OSError, ValueError) as fault:
            self.close()
            raise ScannerFault(
                f"The scanner at {self._path} was lost: plug it in again, or look at its cable."
            ) from fault

    def _opened(self) -> serial.Serial:
        if self._port is None:
            try:
                self._port = serial.Serial(str(self._path), self._baud, timeout=0, exclusive=True)
            except (OSError, ValueError) as fault:
                raise ScannerFault(self._why_not(fault)) from fault
        return self._port

    def _why_not(self, fault: Exception) -> str:
        if not self._path.exists():
            return f"There is no scanner at {self._path}: plug it in, or give another --scanner."
        if isinstance(fault.__context__, PermissionError) or getattr(fault, "errno", None) == 13:
            return (
                f"The scanner at {self._path} may not be opened: install the udev rules of hardware/udev, or "
                "add this account to the group dialout."
            )
        return (
            f"The scanner at {self._path} cannot be opened ({fault}): stop the program that holds it, or "
            "switch it to USB serial mode."
        )
