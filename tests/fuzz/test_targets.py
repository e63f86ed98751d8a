"""The fuzzing targets, bounded: what once broke a rule, every seed, and some hundred drawn inputs each."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from fuzz.targets import TARGETS, Target

NAMES = [target.name for target in TARGETS]


@pytest.mark.parametrize("target", TARGETS, ids=NAMES)
def test_no_seed_and_no_saved_input_breaks_a_rule(target: Target) -> None:
    for data in [*target.found(), *target.seeds()]:
        target.check(data)


@pytest.mark.parametrize("target", TARGETS, ids=NAMES)
def test_no_drawn_input_breaks_a_rule(target: Target) -> None:
    @settings(
        max_examples=250,
        derandomize=True,
        database=None,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
    )
    @given(st.binary(max_size=target.most_bytes))
    def play(data: bytes) -> None:
        target.check(data)

    play()
