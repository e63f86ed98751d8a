from __future__ import annotations

from dataclasses import replace

from fare.core.tariff.context import TapContext
from fare.core.tariff.model import (
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    Tariff,
    TransferRule,
    TransferType,
    TransferWindow,
)
from fare.core.tariff.state import CapUse, Chain, LastBoarding, OpenJourney, RiderState, WindowUse
from fare.core.tariff.state_life import SAME_TRIP_S, expire, same_trip_s

DAY = 20_000
NOON = DAY * 86_400 + 43_200
ORDINAL = DAY + 719_163
WINDOW = TransferWindow("w", "w", 3_600, Boundary.EXCLUSIVE)
BARE = Tariff(1, "Test", "EUR", 2, "UTC")
TARIFF = replace(
    BARE,
    windows=(WINDOW,),
    caps=(
        Cap("day", "day", CapPeriod.SERVICE_DAY, (CapLevel(500),)),
        Cap("roll", "roll", CapPeriod.ROLLING, (CapLevel(900),), days=3),
    ),
    transfer_rules=(TransferRule("a", "b", TransferType.FIRST_AND_TRANSFER, limit_s=1_800),),
)


def test_a_window_ends_by_its_own_boundary() -> None:
    state = RiderState(windows={"w": WindowUse(NOON, 100)})
    inclusive = replace(TARIFF, windows=(replace(WINDOW, boundary=Boundary.INCLUSIVE),))
    assert expire(TARIFF, state, NOON + 3_599) is state
    assert expire(TARIFF, state, NOON + 3_600) == RiderState()
    assert expire(inclusive, state, NOON + 3_600) is state
    assert expire(inclusive, state, NOON + 3_601) == RiderState()


def test_a_window_of_the_service_day_ends_with_it() -> None:
    tariff = replace(BARE, windows=(replace(WINDOW, seconds=None, ends_with_service_day=True),))
    state = RiderState(windows={"w": WindowUse(NOON, 100)})
    assert expire(tariff, state, NOON + 43_199) is state
    assert expire(tariff, state, NOON + 43_200) == RiderState()


def test_a_cap_is_forgotten_with_its_period_and_a_rolling_one_day_by_day() -> None:
    rolling = CapUse(ORDINAL - 2, 60, days=((ORDINAL - 2, 10), (ORDINAL, 50)))
    state = RiderState(caps={"day": CapUse(ORDINAL, 300, 0), "roll": rolling})
    assert expire(TARIFF, state, NOON + 60) is state
    tomorrow = expire(TARIFF, state, NOON + 86_400)
    assert tomorrow.caps == {"roll": CapUse(ORDINAL - 1, 50, days=((ORDINAL, 50),))}
    assert expire(TARIFF, state, NOON + 3 * 86_400).caps == {}


def test_a_chain_lives_while_any_transfer_may_follow() -> None:
    state = RiderState(chain=Chain("a", NOON))
    assert expire(TARIFF, state, NOON + 1_800) is state
    assert expire(TARIFF, state, NOON + 1_801).chain is None
    arrived = RiderState(chain=Chain("a", NOON, off_s=NOON + 600))
    assert expire(TARIFF, arrived, NOON + 2_400) is arrived
    assert expire(TARIFF, RiderState(chain=Chain("b", NOON)), NOON).chain is None, "nothing follows b"
    unlimited = replace(TARIFF, transfer_rules=(TransferRule("", "", TransferType.TRANSFER_ONLY),))
    assert expire(unlimited, state, NOON + 10**8) is state


def test_what_another_tariff_remembered_is_dropped_and_the_last_boarding_kept() -> None:
    last = LastBoarding(NOON, "bus-5", None)
    state = RiderState(last=last, windows={"old": WindowUse(NOON, 1)}, caps={"old": CapUse(ORDINAL, 1)})
    assert expire(TARIFF, state, NOON) == RiderState(last=last)


def test_while_a_journey_is_open_the_rest_stands_as_it_was_at_tap_on() -> None:
    journey = OpenJourney(TapContext(NOON + 3_000), 0)
    state = RiderState(windows={"w": WindowUse(NOON, 100)}, journey=journey)
    assert expire(TARIFF, state, NOON + 50_000) is state


def test_the_same_vehicle_is_the_same_trip_for_as_long_as_a_transfer_lasts() -> None:
    assert same_trip_s(TARIFF) == 3_600
    assert same_trip_s(BARE) == SAME_TRIP_S
