"""One target under hypothesis, for a bounded time: where atheris has no wheel."""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import Final

from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st

from fuzz.targets import Target

EXAMPLES_A_ROUND: Final = 500


@dataclass(frozen=True, slots=True)
class Broken:
    """The smallest input found that breaks a rule, and what it broke."""

    data: bytes
    why: str


def first_broken(target: Target, seconds: float) -> Broken | None:
    """Play the saved inputs and the seeds, then rounds of drawn ones until the time is over."""
    until = time.monotonic() + seconds
    last = b""

    def play(data: bytes) -> None:
        nonlocal last
        last = data
        target.check(data)

    try:
        for data in [*target.found(), *target.seeds()]:
            play(data)
        round_no = 0
        while time.monotonic() < until:
            _round(target, play, round_no)
            round_no += 1
    except Exception as fault:  # noqa: BLE001 - any fault at all is what is looked for
        return Broken(last, f"{type(fault).__name__}: {fault}")  # hypothesis plays its smallest input last
    return None


def _round(target: Target, play: object, round_no: int) -> None:
    draw = settings(
        max_examples=EXAMPLES_A_ROUND,
        database=None,
        deadline=None,
        report_multiple_bugs=False,
        suppress_health_check=[HealthCheck.too_slow],
    )
    seed(round_no)(draw(given(st.binary(max_size=target.most_bytes))(play)))()  # type: ignore[operator]
