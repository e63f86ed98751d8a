"""A phone that is still held before the scanner after its green lamp: no new presentation.

Its rider has not moved yet, and the next frame of the same ride would turn green into a red "already paid".
So the ride that was let on last is passed over while the scanner keeps seeing it. It lets nobody on and
charges nothing: whoever shows it again after it was gone, or for too long, is told that it is paid.
"""

from __future__ import annotations

import threading
from typing import Final

from fare.core.proof.refusal import MalformedTicket
from fare.core.proof.tickets import decode_any_ticket, rides_of
from fare.core.replay import RideClaim
from readers.ports import Clock
from readers.scanners.serving import REPEAT_S
from readers.shown import Lamp, Shown

GONE_AFTER_S: Final = REPEAT_S + 1.0
"""A scanner presents what it keeps seeing once in `REPEAT_S`."""
HELD_AT_MOST_S: Final = 10.0


class RideInView:
    """The ride that this door's scanners let on last. Thread-safe; times by the monotonic clock."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._ride: RideClaim | None = None
        self._green_ns = self._seen_ns = 0

    def holds(self, text: str) -> bool:
        """Whether `text` is that ride, still in view: then it is no presentation of its own."""
        with self._lock:
            now_ns = self._clock.mono_ns()
            gone = (
                now_ns - self._seen_ns > GONE_AFTER_S * 1e9 or now_ns - self._green_ns > HELD_AT_MOST_S * 1e9
            )
            if self._ride is None or gone or _ride_of(text) != self._ride:
                return False
            self._seen_ns = now_ns
            return True

    def answered(self, text: str, shown: Shown) -> None:
        """What a presentation led to."""
        let_on = shown.lamp is Lamp.GREEN and shown.inspected is None
        with self._lock:
            self._ride = _ride_of(text) if let_on else None
            self._green_ns = self._seen_ns = self._clock.mono_ns()


def _ride_of(text: str) -> RideClaim | None:
    """What a text claims, unverified: it is compared with a ride that was verified."""
    try:
        return rides_of(decode_any_ticket(text.strip()))
    except (MalformedTicket, ValueError):
        return None
