"""What every job at a desk needs: the ledger it works on, its keys, its clock, and who works. Values only."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Engine

from fare.keys import KeyStore

_RANDOM_SIZE = 16
LOCAL = "local"
"""Who works where no account signed in: the operator at the ledger's own terminal."""


def fresh_random() -> bytes:
    """16 random bytes for one authentication."""
    return secrets.token_bytes(_RANDOM_SIZE)


@dataclass(frozen=True, slots=True)
class Desk:
    """One ledger as a desk uses it.

    `clock` returns an aware instant; `zone` and `day_starts_at` are the city's; `issuer` (0 to 255)
    is the ledger's number on its cards; `waiting` is
    how long a lost card's balance waits; `factory_key` (16 bytes) opens fresh chips that came with a
    transport key of ours, None those with the factory's public one.
    """

    engine: Engine
    keys: KeyStore
    clock: Callable[[], datetime]
    zone: ZoneInfo
    issuer: int
    day_starts_at: time
    waiting: timedelta
    by: str = LOCAL
    factory_key: bytes | None = field(default=None, repr=False)
    random: Callable[[], bytes] = field(default=fresh_random, repr=False)

    def now(self) -> datetime:
        """The present in the city's time: days are counted by its calendar."""
        return self.clock().astimezone(self.zone)
