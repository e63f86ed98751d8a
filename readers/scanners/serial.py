"""USB scanners in serial mode (CDC-ACM, or a real serial line), through pyserial. It sends them nothing.

The device opens when it is first read, and again after it was unplugged; bytes that lay in it before are
forgotten, since a ticket read before the bus was ready has left.
"""

from __future__ import annotations

import contextlib
import errno
import select
from pathlib import Path
from typing import Final

import serial

from readers.ports import ScannerFault

BAUD: Final = 115_200
"""CDC-ACM ignores it."""
CHUNK_BYTES: Final = 4096


class SerialLine:
    """One serial device. See `readers.scanners.streaming.ByteSource`."""

    def __init__(self, path: Path, baud: int = BAUD) -> None:
        self._path = path
        self._baud = baud
        self._port: serial.Serial | None = None

    def receive(self, wait_s: float) -> bytes:
        """At most `CHUNK_BYTES`."""
        port = self._opened()
        try:
            ready, _, _ = select.select([port.fileno()], [], [], wait_s)
            # serial.SerialException is an OSError; it is also raised for a device that hung up.
            return bytes(port.read(CHUNK_BYTES)) if ready else b""
        except OSError as fault:
            raise ScannerFault(
                f"The scanner at {self._path} was lost: plug it in again, or look at its cable."
            ) from fault

    def close(self) -> None:
        """See the port."""
        port, self._port = self._port, None
        if port is not None:
            with contextlib.suppress(OSError):  # a device that is gone may refuse even this
                port.close()

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
        if getattr(fault, "errno", None) in {errno.EACCES, errno.EPERM}:
            return (
                f"The scanner at {self._path} may not be opened: install the udev rules of hardware/udev, or "
                "add this account to the group dialout."
            )
        return (
            f"The scanner at {self._path} cannot be opened ({fault}): stop the program that holds it, or "
            "switch it to USB serial mode."
        )
