"""Which tariff a tap is held against: the version it names, where a bus could have had it, else the one in
force.

A bus that was offline rides on by the tariff it has. By one that has not begun, or was replaced long ago, no
honest bus goes: a device that names it would choose its own price.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session

from fare.collection.tap_time import AHEAD_MAX
from fare.core.tariff.model import Tariff
from fare.distribution import NoTariffInForce, tariff_history

OFFLINE_MAX: Final = timedelta(days=35)
"""As long as a validator keeps its journal, it may have kept an old tariff."""


def tariffs(session: Session) -> Callable[[int | None, datetime], Tariff]:
    """A lookup over every published tariff, which raises NoTariffInForce while none was ever published.

    Only when it is asked: cards are issued before there is a tariff.
    """
    history = tariff_history(session)
    starts = [starts_at for starts_at, _ in history]
    ends = [*starts[1:], None][: len(history)]
    lives = {
        tariff.version: (starts_at, ends_at, tariff)
        for (starts_at, tariff), ends_at in zip(history, ends, strict=True)
    }

    def lookup(version: int | None, at: datetime) -> Tariff:
        starts_at, ends_at, named = lives.get(version or 0, (None, None, None))
        if (
            named is not None
            and starts_at is not None
            and starts_at <= at + AHEAD_MAX
            and (ends_at is None or at <= ends_at + OFFLINE_MAX)
        ):
            return named
        if not history:
            raise NoTariffInForce
        # No version that it could go by, or a time before the first: the nearest that was in force.
        return history[max(0, bisect_right(starts, at) - 1)][1]

    return lookup
