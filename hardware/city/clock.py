"""The injected clock of a simulated day: one instant in a small file that several processes map.

Never used by a real service: `mancard day` starts its processes with it, nothing else can.
"""

from __future__ import annotations

import mmap
import struct
from datetime import UTC, datetime, timedelta
from pathlib import Path

_INSTANT = struct.Struct("<q")


class SharedClock:
    """Unix milliseconds in a mapped file. One process sets it, the others read it."""

    def __init__(self, path: Path) -> None:
        if not path.exists():
            path.write_bytes(bytes(_INSTANT.size))
        with path.open("r+b") as file:
            self._map = mmap.mmap(file.fileno(), _INSTANT.size)

    def set_ms(self, wall_ms: int) -> None:
        """Move the instant; it may only go forward."""
        if wall_ms < self.wall_ms():
            raise ValueError("a simulated day never goes back")
        self._map[:] = _INSTANT.pack(wall_ms)

    def wall_ms(self) -> int:
        """Unix milliseconds."""
        (value,) = _INSTANT.unpack(self._map[:])
        return value

    def now(self) -> datetime:
        """The instant as an aware UTC datetime."""
        return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=self.wall_ms())
