"""Interleaved CPU time of two callables. Interleaving cancels what else the machine is doing."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

_ROUNDS = 60
_REPEATS = 20


@dataclass(frozen=True, slots=True)
class Measured:
    """Median CPU microseconds of ours and of the floor, and the median of their ratios, round by round."""

    what: str
    ours_us: float
    floor_us: float
    ratio: float
    aim: str


def compare(what: str, ours: Callable[[], object], floor: Callable[[], object], aim: str) -> Measured:
    """Run both in turns and compare."""
    pairs = [(_cpu_us(ours), _cpu_us(floor)) for _ in range(_ROUNDS)]
    return Measured(
        what=what,
        ours_us=statistics.median(mine for mine, _ in pairs),
        floor_us=statistics.median(bare for _, bare in pairs),
        ratio=statistics.median(mine / bare for mine, bare in pairs),
        aim=aim,
    )


def _cpu_us(work: Callable[[], object]) -> float:
    started = time.process_time_ns()
    for _ in range(_REPEATS):
        work()
    return (time.process_time_ns() - started) / _REPEATS / 1000
