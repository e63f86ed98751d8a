"""Which tariff a tap is held against: the version it names, else the one in force at its time."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from datetime import datetime

from sqlmodel import Session

from fare.core.tariff.model import Tariff
from fare.distribution import NoTariffInForce, tariff_history


def tariffs(session: Session) -> Callable[[int | None, datetime], Tariff]:
    """A lookup over every published tariff. Raises NoTariffInForce when none was ever published."""
    history = tariff_history(session)
    if not history:
        raise NoTariffInForce
    starts = [starts_at for starts_at, _ in history]
    versions = {tariff.version: tariff for _, tariff in history}

    def lookup(version: int | None, at: datetime) -> Tariff:
        named = None if version is None else versions.get(version)
        # A version nobody published, and a time before the first: the nearest that was in force.
        return named or history[max(0, bisect_right(starts, at) - 1)][1]

    return lookup
