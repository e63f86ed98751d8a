"""The bus's clock: the machine's own, corrected by what the ledger signed. It never sets the machine's clock.

A bus computer has no battery for its clock. Until it has heard an authenticated server time in this boot, or
the kernel says that it is synchronised, its quality is UNSYNCHRONISED and its wall time is only a floor: not
before the newest bundle or the newest synchronised tap. Once heard, server time runs on by the monotonic
clock, which a jump of the wall clock cannot move; it may also lower a floor that was wrong.
"""

from __future__ import annotations

import ctypes
import threading
import time

from fare.core.tap import ClockQuality

TRUSTED_FOR_MS = 72 * 3600 * 1000
"""A crystal of 50 ppm drifts 13 s in this time: within the 30 s that a phone ticket allows."""
_STA_UNSYNC = 0x0040


class SystemClock:
    """A Clock on the machine's own. `floor_ms`: the wall time that certainly has passed. Thread-safe."""

    def __init__(self, floor_ms: int = 0) -> None:
        self._lock = threading.Lock()
        self._floor_ms = floor_ms
        self._started_ns = time.monotonic_ns()
        self._heard: tuple[int, int] | None = None  # (server_time_ms, mono_ns when heard)
        self._kernel_ok = _kernel_is_synchronised()

    def wall_ms(self) -> int:
        """Unix milliseconds: server time carried on, else the machine's, never below the floor."""
        with self._lock:
            mono_ns = time.monotonic_ns()
            if self._heard is not None:
                server_time_ms, heard_ns = self._heard
                return server_time_ms + (mono_ns - heard_ns) // 1_000_000
            floor_ms = self._floor_ms + (mono_ns - self._started_ns) // 1_000_000
            return max(time.time_ns() // 1_000_000, floor_ms)

    def mono_ns(self) -> int:
        """The kernel's monotonic clock."""
        return time.monotonic_ns()

    def quality(self) -> ClockQuality:
        """SYNCHRONISED for 72 hours after server time was heard, or while the kernel keeps time itself."""
        with self._lock:
            if self._heard is not None:
                since_ms = (time.monotonic_ns() - self._heard[1]) // 1_000_000
                if since_ms <= TRUSTED_FOR_MS:
                    return ClockQuality.SYNCHRONISED
            return ClockQuality.SYNCHRONISED if self._kernel_ok else ClockQuality.UNSYNCHRONISED

    def heard_server_time(self, server_time_ms: int) -> None:
        """Carry on from this time."""
        with self._lock:
            self._heard = (server_time_ms, time.monotonic_ns())


class _Timex(ctypes.Structure):
    _fields_ = [("modes", ctypes.c_uint), *[(f"f{n}", ctypes.c_long) for n in range(4)],
                ("status", ctypes.c_int), ("rest", ctypes.c_byte * 256)]  # fmt: skip


def _kernel_is_synchronised() -> bool:
    """What adjtimex says of NTP; False where it cannot be asked."""
    try:
        buffer = _Timex()
        state = ctypes.CDLL(None, use_errno=True).adjtimex(ctypes.byref(buffer))
    except (OSError, AttributeError):
        return False
    return state >= 0 and not buffer.status & _STA_UNSYNC
