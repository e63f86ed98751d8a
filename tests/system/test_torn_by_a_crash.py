"""A validator killed between the card's commit and its journal: charged once, and the right owner is paid."""

from __future__ import annotations

import threading
from contextlib import suppress

import httpx2
import pytest

from fare.core.tap import Outcome
from hardware.emulator.faults import Fault, FaultKind, arm_in_folder
from tests.system.city import ADULT_FARE_RIAL, Bus, City, wait_for

# One city, one worker: the tests share its processes.
pytestmark = pytest.mark.xdist_group("system-torn")
COMMIT = 0xC7
LATE_MS = 60_000


def kill_after_commit(city: City, bus: Bus, card: str) -> None:
    """Tap, and kill -9 the validator when the card has committed and the reply is still on its way."""
    before = city.transaction_counter(card)
    arm_in_folder(city.media, Fault(FaultKind.DELAY_REPLY, COMMIT, delay_ms=LATE_MS))

    def press() -> None:
        with suppress(httpx2.TransportError):
            bus.tap(card)

    hand = threading.Thread(target=press)
    hand.start()
    wait_for("the card's commit", lambda: city.transaction_counter(card) == before + 1)
    bus.kill()
    hand.join()


def test_the_same_bus_recovers_the_proof_and_debits_once(city: City) -> None:
    bus = city.bus(1)
    card = city.card()
    serial = city.serial(card)
    kill_after_commit(city, bus, card)
    bus.start()

    shown = bus.tap(card)

    assert (shown["lamp"], shown["reason"]) == ("green", "ok")
    assert shown["note"], "the rider is not told that the fare was taken the first time"
    assert city.spent_rial(card) == ADULT_FARE_RIAL
    bus.wait_until_sent()
    (ride,) = city.rides(serial)
    assert (ride.fare_rial, ride.owner_id) == (ADULT_FARE_RIAL, "owner-1")
    torn, recovered = city.register(serial)
    assert [(tap.outcome, tap.recovers) for tap in (torn, recovered)] == [
        (Outcome.UNCONFIRMED, None),
        (Outcome.ACCEPTED, torn.seq),
    ]


def test_another_bus_proves_the_ride_of_a_bus_that_never_came_back(city: City) -> None:
    before, first, second = city.bus(2), city.bus(1), city.bus(3)
    card = city.card()
    serial = city.serial(card)
    assert before.tap(card)["lamp"] == "green"
    before.wait_until_sent()
    kill_after_commit(city, first, card)

    shown = second.tap(card)

    assert shown["lamp"] == "green"
    assert city.spent_rial(card) == 3 * ADULT_FARE_RIAL
    second.wait_until_sent()
    told = [(ride.device_id, ride.owner_id, ride.proven_by, ride.fare_rial) for ride in city.rides(serial)]
    assert told == [
        (2, "owner-1", "tap", ADULT_FARE_RIAL),
        (1, "owner-1", "next_tap", ADULT_FARE_RIAL),
        (3, "owner-2", "tap", ADULT_FARE_RIAL),
    ]

    # And when the first bus does come back, what it knows changes nothing.
    first.start()
    first.wait_until_sent()
    wait_for("the unconfirmed tap", lambda: len(city.register(serial)) == 3)
    assert len(city.rides(serial)) == 3
    assert city.spent_rial(card) == 3 * ADULT_FARE_RIAL


def test_a_first_ride_that_was_torn_is_proven_by_the_next_bus(city: City) -> None:
    """Nothing but the personalisation came before, and the torn tap itself carried the first load."""
    first, second = city.bus(1), city.bus(3)
    card = city.card()
    serial = city.serial(card)
    kill_after_commit(city, first, card)
    first.start()
    first.wait_until_sent()
    assert city.rides(serial) == []

    assert second.tap(card)["lamp"] == "green"

    second.wait_until_sent()
    told = [(ride.device_id, ride.owner_id, ride.proven_by) for ride in city.rides(serial)]
    assert told == [(1, "owner-1", "next_tap"), (3, "owner-2", "tap")]
    assert city.spent_rial(card) == 2 * ADULT_FARE_RIAL
