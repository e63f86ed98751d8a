"""Interleaved times of two callables, and of them the rounds in which the machine did little else.

A round is short and both run in it; a quarter of the rounds is kept, those that took the least time in all. A
busy machine makes interpreted code dearer than compiled cryptography, and would be measured instead of ours.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

MICROSECONDS: Final = "µs"
MILLISECONDS: Final = "ms"
APDUS: Final = "APDUs"
LEAST_ROUNDS: Final = 3


@dataclass(frozen=True, slots=True)
class Effort:
    """How often to measure: `rounds` pairs of runs, `repeats` calls in a run."""

    rounds: int
    repeats: int


@dataclass(frozen=True, slots=True)
class Measured:
    """One line of the table. Without a floor nothing is compared: the number is a count or stands for itself.

    Over the quiet rounds `ours` and `floor` are medians in `unit`, `ratio` is the median of ours ÷ floor.
    `most` is the aim: the ratio, or the count where there is no floor, is not above it.
    """

    name: str
    what: str
    unit: str
    ours: float
    floor: float | None = None
    floor_is: str = ""
    ratio: float | None = None
    most: float | None = None
    count: int = 1
    """How many cards or taps one of ours is."""

    @property
    def reached(self) -> bool | None:
        """Whether the aim is reached; None without one."""
        if self.most is None:
            return None
        return (self.ours if self.ratio is None else self.ratio) <= self.most

    @property
    def rate_per_s(self) -> float | None:
        """How many cards or taps a second, for what is timed in milliseconds."""
        return 1000 * self.count / self.ours if self.unit == MILLISECONDS else None


def compare_cpu(
    name: str,
    what: str,
    ours: Callable[[], object],
    floor: Callable[[], object],
    floor_is: str,
    most: float | None,
    effort: Effort,
) -> Measured:
    """CPU time of this process, in microseconds."""
    return _compare(name, what, ours, floor, floor_is, most, effort, time.process_time_ns, MICROSECONDS)


def compare_rate(
    name: str,
    what: str,
    ours: Callable[[], object],
    floor: Callable[[], object],
    floor_is: str,
    most: float | None,
    effort: Effort,
    count: int,
) -> Measured:
    """CPU time of this process, in milliseconds, for `count` things: how many a core does a second."""
    measured = _compare(name, what, ours, floor, floor_is, most, effort, time.process_time_ns, MILLISECONDS)
    return replace(measured, count=count)


def compare_wall(
    name: str,
    what: str,
    ours: Callable[[], object],
    floor: Callable[[], object],
    floor_is: str,
    most: float | None,
    effort: Effort,
    count: int = 1,
) -> Measured:
    """Time on the wall's clock, in milliseconds: for what waits for other processes."""
    measured = _compare(name, what, ours, floor, floor_is, most, effort, time.perf_counter_ns, MILLISECONDS)
    return replace(measured, count=count)


def _compare(
    name: str,
    what: str,
    ours: Callable[[], object],
    floor: Callable[[], object],
    floor_is: str,
    most: float | None,
    effort: Effort,
    clock: Callable[[], int],
    unit: str,
) -> Measured:
    scale = effort.repeats * (1000 if unit == MICROSECONDS else 1_000_000)

    def timed(work: Callable[[], object]) -> float:
        started = clock()
        for _ in range(effort.repeats):
            work()
        return (clock() - started) / scale

    ours()
    floor()
    pairs = sorted(((timed(ours), timed(floor)) for _ in range(effort.rounds)), key=sum)
    pairs = pairs[: max(LEAST_ROUNDS, effort.rounds // 4)]
    return Measured(
        name=name,
        what=what,
        unit=unit,
        ours=statistics.median(mine for mine, _ in pairs),
        floor=statistics.median(bare for _, bare in pairs),
        floor_is=floor_is,
        ratio=statistics.median(mine / bare for mine, bare in pairs),
        most=most,
    )
