"""Slows down guessing of passwords: after some failures a name, or an address, waits. In process, bounded.

It is a brake, not a record: a restart forgets it, and argon2id remains the lock.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

WINDOW: Final = timedelta(minutes=15)
FAILURES_PER_NAME: Final = 5
FAILURES_PER_ADDRESS: Final = 30
MAX_REMEMBERED: Final = 10_000


class LoginThrottle:
    """Counts failed sign-ins of the last 15 minutes by name and by address."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, list[datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def is_open(self, name: str, address: str, now: datetime) -> bool:
        """Whether another attempt may be made now."""
        with self._lock:
            by_name = self._recent(f"name {name}", now)
            by_address = self._recent(f"address {address}", now)
        return len(by_name) < FAILURES_PER_NAME and len(by_address) < FAILURES_PER_ADDRESS

    def failed(self, name: str, address: str, now: datetime) -> None:
        """Remember a failure."""
        with self._lock:
            for key in (f"name {name}", f"address {address}"):
                self._failures[key] = [*self._recent(key, now), now]
                self._failures.move_to_end(key)
            while len(self._failures) > MAX_REMEMBERED:
                self._failures.popitem(last=False)

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name; those of the address stay."""
        with self._lock:
            self._failures.pop(f"name {name}", None)

    def _recent(self, key: str, now: datetime) -> list[datetime]:
        return [at for at in self._failures.get(key, ()) if now - at < WINDOW]
