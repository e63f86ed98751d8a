"""Slows down guessing of passwords: after some failures a name, or an address, waits. In process, bounded.

A try counts from the moment it is let through, not when its password was found wrong: checking takes long,
and many at once would otherwise all pass.

It is a brake, not a record: a restart forgets it, and argon2id remains the lock.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from datetime import datetime, timedelta
from typing import Final

WINDOW: Final = timedelta(minutes=15)
TRY_TAKES: Final = timedelta(minutes=1)
"""A try of which nothing was heard for so long has ended."""
FAILURES_PER_NAME: Final = 5
FAILURES_PER_ADDRESS: Final = 30
MAX_REMEMBERED: Final = 10_000


class LoginThrottle:
    """Counts failed sign-ins of the last 15 minutes by name and by address."""

    def __init__(self) -> None:
        self._failures: OrderedDict[str, list[datetime]] = OrderedDict()
        self._open: OrderedDict[str, list[datetime]] = OrderedDict()
        self._lock = threading.Lock()

    def is_open(self, name: str, address: str, now: datetime) -> bool:
        """Let another try through, or not. Tell its end with `failed` or `succeeded`."""
        keys = f"name {name}", f"address {address}"
        with self._lock:
            counts = [len(self._recent(key, now)) + len(self._under_way(key, now)) for key in keys]
            if counts[0] >= FAILURES_PER_NAME or counts[1] >= FAILURES_PER_ADDRESS:
                return False
            for key in keys:
                self._remember(self._open, key, [*self._under_way(key, now), now])
        return True

    def failed(self, name: str, address: str, now: datetime) -> None:
        """Remember a failure."""
        with self._lock:
            for key in (f"name {name}", f"address {address}"):
                self._remember(self._open, key, self._under_way(key, now)[1:])
                self._remember(self._failures, key, [*self._recent(key, now), now])

    def succeeded(self, name: str) -> None:
        """Forget the failures of a name; those of the address stay."""
        with self._lock:
            self._failures.pop(f"name {name}", None)
            self._open.pop(f"name {name}", None)

    def _recent(self, key: str, now: datetime) -> list[datetime]:
        return [at for at in self._failures.get(key, ()) if now - at < WINDOW]

    def _under_way(self, key: str, now: datetime) -> list[datetime]:
        return [at for at in self._open.get(key, ()) if now - at < TRY_TAKES]

    def _remember(self, kept: OrderedDict[str, list[datetime]], key: str, times: list[datetime]) -> None:
        kept.pop(key, None)
        if times:
            kept[key] = times
        while len(kept) > MAX_REMEMBERED:
            kept.popitem(last=False)
