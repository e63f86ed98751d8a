"""When a tap was, by the ledger's lights: the validator's clock where it could know, else worked back from
upload.

It reads no clock: the server's time is an argument.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from fare.collection.words import Flag
from fare.core.batch import Batch
from fare.core.tap import ClockQuality, Tap

AHEAD_MAX: Final = timedelta(minutes=10)
"""How far ahead of the server a validator's clock may be and still be believed."""
BEHIND_MAX: Final = timedelta(days=400)
"""No journal is older: an earlier time is a clock that was never set."""


def tapped_at(tap: Tap, batch: Batch, received_at: datetime) -> tuple[datetime, Flag | None]:
    """The instant of a tap, and what to flag about it.

    An unsynchronised clock is corrected within the boot that made the upload: server time minus the monotonic
    time that has passed since. Across boots nothing is known, and the tap counts when it arrives.
    """
    flag: Flag | None = None
    if tap.clock_quality is ClockQuality.SYNCHRONISED:
        stated = plausible(tap.wall_ms, received_at)
        if stated is not None:
            return stated, None
        flag = Flag.CLOCK_IMPLAUSIBLE
    elapsed_ns = batch.mono_ns - tap.mono_ns
    if tap.boot_id == batch.boot_id and 0 <= elapsed_ns <= BEHIND_MAX.total_seconds() * 1e9:
        corrected = received_at - timedelta(microseconds=elapsed_ns // 1000)
        return corrected, flag or Flag.CLOCK_CORRECTED
    return received_at, flag or Flag.CLOCK_UNKNOWN


def plausible(wall_ms: int, received_at: datetime) -> datetime | None:
    """Unix milliseconds as an instant, or None when they cannot be the time of something received now."""
    earliest_ms = _unix_ms(received_at - BEHIND_MAX)
    latest_ms = _unix_ms(received_at + AHEAD_MAX)
    if not earliest_ms <= wall_ms <= latest_ms:
        return None
    return datetime.fromtimestamp(wall_ms / 1000, UTC)


def _unix_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
