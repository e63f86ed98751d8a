"""The ledger dies in the middle of a day: the bus goes on, and every tap arrives once when it is back."""

from __future__ import annotations

import pytest

from fare.core.tap import Outcome
from tests.system.city import ADULT, ADULT_FARE_RIAL, BLANK, DENIED, STUDENT, City

# One city, one worker: the tests share its processes.
pytestmark = pytest.mark.xdist_group("system-no-ledger")


def test_taps_made_without_a_ledger_arrive_once(city: City) -> None:
    before, bus = city.bus(2), city.bus(1)
    fresh = city.card()
    assert before.tap(fresh)["lamp"] == "green"
    before.wait_until_sent()
    city.kill_ledger()

    shown = [bus.tap(card) for card in (fresh, ADULT, DENIED, BLANK)]
    shown.append(bus.show_ticket())

    assert [one["lamp"] for one in shown] == ["green", "green", "red", "red", "green"]
    assert [one["reason"] for one in shown][2:4] == ["card_denied", "not_our_card"]
    assert bus.state()["unsent"] == 5

    city.start_ledger()
    bus.press("uplink", connected=False)
    bus.press("uplink", connected=True)
    bus.wait_until_sent()

    register = [tap for tap in city.register() if tap.device_id == bus.number]
    assert [tap.seq for tap in register] == [1, 2, 3, 4, 5]
    assert [tap.outcome for tap in register].count(Outcome.ACCEPTED) == 3
    assert {tap.proof_state for tap in register if tap.outcome == Outcome.ACCEPTED} == {"valid"}
    twice = city.rides(city.serial(fresh))
    assert [ride.fare_rial for ride in twice] == [ADULT_FARE_RIAL, ADULT_FARE_RIAL]
    assert len([ride for ride in city.rides() if ride.device_id == bus.number]) == 3
    assert city.spent_rial(fresh) == 2 * ADULT_FARE_RIAL


def test_the_bus_keeps_its_taps_over_its_own_restart(city: City) -> None:
    bus = city.bus(2)
    bus.press("uplink", connected=False)
    before = len(city.rides(city.serial(STUDENT)))
    assert bus.tap(STUDENT)["lamp"] == "green"
    assert bus.state()["unsent"] == 1
    bus.kill()

    bus.start()
    bus.wait_until_sent()

    assert len(city.rides(city.serial(STUDENT))) == before + 1
