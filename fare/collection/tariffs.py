"""Which tariff a tap is held against: the version it names, where a bus could have had it, else the one in
force.

A bus that was offline rides on by the tariff it has. By one that has not begun, or was replaced long ago, no
honest bus goes: a device that names it would choose its own price.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session

from fare.collection.tap_time import AHEAD_MAX
from fare.core.tariff.model import Tariff
from fare.distribution import NoTariffInForce, tariff_history

OFFLINE_MAX: Final = timedelta(days=35)
"""As long as a validator keeps its journal, it may have kept an old tariff."""


@dataclass(frozen=True, slots=True)
class Tariffs:
    """Every published tariff by its start. `lives`: version -> start, end (None: none yet), the tariff."""

    history: Sequence[tuple[datetime, Tariff]]
    lives: Mapping[int, tuple[datetime, datetime | None, Tariff]]

    def __call__(self, version: int | None, at: datetime) -> Tariff:
        """What a tap at `at` that names this version is priced by.

        Raises NoTariffInForce while none was ever published. Only when it is asked: cards are issued before
        there is a tariff.
        """
        life = self.lives.get(version or 0)
        if life is not None:
            starts_at, ends_at, named = life
            if starts_at <= at + AHEAD_MAX and (ends_at is None or at <= ends_at + OFFLINE_MAX):
                return named
        if not self.history:
            raise NoTariffInForce
        # No version that it could go by, or a time before the first: the nearest that was in force.
        return self.history[self._index(at)][1]

    def of_version(self, version: int) -> Tariff | None:
        """A version that was published; None for another."""
        life = self.lives.get(version)
        return None if life is None else life[2]

    def writers(self, at: datetime) -> tuple[Tariff, ...]:
        """Who may have written the state that a card got at `at`, the likeliest first."""
        index = self._index(at)
        beside = (index, index - 1, index + 1)
        return tuple(self.history[i][1] for i in beside if 0 <= i < len(self.history))

    def _index(self, at: datetime) -> int:
        starts = [starts_at for starts_at, _ in self.history]
        return max(0, bisect_right(starts, at) - 1)


def tariffs(session: Session) -> Tariffs:
    """A lookup over every published tariff."""
    history = tariff_history(session)
    starts = [starts_at for starts_at, _ in history]
    ends = [*starts[1:], None][: len(history)]
    lives = {
        tariff.version: (starts_at, ends_at, tariff)
        for (starts_at, tariff), ends_at in zip(history, ends, strict=True)
    }
    return Tariffs(history, lives)
