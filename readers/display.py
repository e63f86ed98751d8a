"""Display ports: one that keeps the last answer for a screen that asks for it, one that shows on several.

They format nothing.
"""

from __future__ import annotations

import threading
from dataclasses import dataclass

from readers.ports import Display
from readers.shown import Shown


@dataclass(frozen=True, slots=True)
class Showing:
    """An answer and its number since the start; 0 and None before the first."""

    number: int
    shown: Shown | None


class LastShown:
    """Holds the newest answer; thread-safe."""

    def __init__(self) -> None:
        self._changed = threading.Condition()
        self._now = Showing(0, None)

    def show(self, shown: Shown) -> None:
        """See the Display port."""
        with self._changed:
            self._now = Showing(self._now.number + 1, shown)
            self._changed.notify_all()

    def now(self) -> Showing:
        """What is shown."""
        return self._now

    def wait_after(self, number: int, timeout_s: float) -> Shown | None:
        """The first answer after `number`, or None when none came in time."""
        with self._changed:
            self._changed.wait_for(lambda: self._now.number > number, timeout_s)
            return self._now.shown if self._now.number > number else None


class AllDisplays:
    """Shows every answer on all displays there are, the first one first."""

    def __init__(self, *displays: Display | None) -> None:
        self._displays = tuple(display for display in displays if display is not None)

    def show(self, shown: Shown) -> None:
        """See the Display port."""
        for display in self._displays:
            display.show(shown)
