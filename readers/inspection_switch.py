"""Whether a validator tells an inspector who has paid, instead of selling rides.

A door that was switched over and forgotten would sell nothing for the rest of the day: it goes back by itself
when no medium was shown to it for `FORGOTTEN_S`. It knows nothing of media.
"""

from __future__ import annotations

import threading
from typing import Final

from readers.ports import Clock

FORGOTTEN_S: Final = 600
INSPECTION_WINDOW_MIN: Final = 90
"""How long one fare rides, where the settings do not say."""


class InspectionSwitch:
    """Off at the start, or on for ever with `always`: an inspector's own handheld. Thread-safe."""

    def __init__(self, clock: Clock, *, always: bool = False) -> None:
        self.clock = clock
        self.always = always
        self._lock = threading.Lock()
        self._until_ns: int | None = None

    def turn(self, on: bool) -> None:
        """Switch over, or back. A handheld stays what it is."""
        with self._lock:
            self._until_ns = self._later() if on else None

    def is_on(self, *, used: bool = False) -> bool:
        """Whether it is on now; `used` tells that a medium is there, so nobody has forgotten it."""
        if self.always:
            return True
        with self._lock:
            if self._until_ns is None or self.clock.mono_ns() > self._until_ns:
                self._until_ns = None
                return False
            if used:
                self._until_ns = self._later()
            return True

    def _later(self) -> int:
        return self.clock.mono_ns() + FORGOTTEN_S * 1_000_000_000
