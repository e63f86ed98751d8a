"""The plan of a simulated day: the same seed, the same day; and every kind of thing that can happen in it."""

from __future__ import annotations

import pytest

from hardware.city.plan import DayPlan, Presentation, Presented, Tear, plan_day

OPENS_MS = 1_795_311_000_000


def planned(*, seed: int = 7, taps: int = 2000, offline_share: float = 0.3) -> DayPlan:
    return plan_day(vehicles=4, taps=taps, seed=seed, opens_ms=OPENS_MS, offline_share=offline_share)


def presentations(plan: DayPlan) -> list[Presentation]:
    return [tap for slot in plan.slots for taps in slot.presentations.values() for tap in taps]


def test_one_seed_plans_one_day() -> None:
    assert planned() == planned()
    assert planned() != planned(seed=8)


@pytest.mark.parametrize("taps", [20, 121, 2000])
def test_exactly_as_many_taps_as_asked_for(taps: int) -> None:
    plan = planned(taps=taps)

    assert plan.taps == len(presentations(plan)) == taps


def test_a_day_has_loads_tears_replays_and_strange_cards() -> None:
    plan = planned()
    taps = presentations(plan)

    assert {tap.kind for tap in taps} == set(Presented)
    assert {tap.tear for tap in taps} == set(Tear)
    assert sum(len(slot.loads) for slot in plan.slots) >= 0.05 * plan.taps


def test_a_medium_is_on_one_bus_at_a_time_and_time_goes_forward() -> None:
    for slot in planned().slots:
        on_bus: dict[tuple[bool, int], int] = {}
        for vehicle, taps in slot.presentations.items():
            assert [tap.at_ms for tap in taps] == sorted(tap.at_ms for tap in taps)
            for tap in taps:
                if tap.kind is Presented.BLANK:
                    continue
                medium = (tap.kind is Presented.CARD, tap.medium)
                assert on_bus.setdefault(medium, vehicle) == vehicle


@pytest.mark.parametrize("share", [0.0, 0.3, 1.0])
def test_the_offline_share_of_each_bus_is_made_with_its_line_cut(share: float) -> None:
    plan = planned(offline_share=share)

    for vehicle in range(1, plan.vehicles + 1):
        made = [(slot, len(slot.presentations.get(vehicle, ()))) for slot in plan.slots]
        offline = sum(count for slot, count in made if vehicle in slot.cut)
        most_in_a_slot = max(count for _, count in made)
        wanted = share * sum(count for _, count in made)
        assert wanted <= offline <= wanted + most_in_a_slot
