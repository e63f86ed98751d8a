"""How often one subject may try something: a sliding window, in process and bounded. A brake, and no lock.

A subject is whatever tells who tries: a device, a network address. What it forgets costs nothing.
"""

from __future__ import annotations

import threading
from collections import OrderedDict, deque
from collections.abc import Hashable
from datetime import datetime, timedelta
from typing import Final

MAX_SUBJECTS: Final = 10_000


class Throttle:
    """At most `limit` tries of one subject within `window`. Thread-safe."""

    def __init__(self, limit: int, window: timedelta) -> None:
        self._limit = limit
        self._window = window
        self._tries: OrderedDict[Hashable, deque[datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, subject: Hashable, now: datetime) -> int:
        """0 when the try may go on (it is counted), else the seconds to wait."""
        with self._lock:
            tries = self._tries.setdefault(subject, deque())
            self._tries.move_to_end(subject)
            while tries and tries[0] <= now - self._window:
                tries.popleft()
            if len(tries) >= self._limit:
                return int((tries[0] + self._window - now).total_seconds()) + 1
            tries.append(now)
            while len(self._tries) > MAX_SUBJECTS:
                self._tries.popitem(last=False)
            return 0
