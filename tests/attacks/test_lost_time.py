"""A bus that lost the time after days without a network, and old pictures of codes that were paid.

While the time is not known no code is too old, so what a door has let on must still be known after its ticket
has expired: to the ledger the rider's own picture of last week's ride is that same ride, and costs nothing.
And what such a bus takes must harm nobody else: not the bus that was paid, nor the rider of the picture.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fare.core.tap import ClockQuality
from readers.shown import Lamp
from tests.collection.bus import EVENING, FARE_RIAL, NOON, OWNER_RIAL, City
from tests.readers.bus import NOW_S, Bus, Issuer, ManualClock, open_bus

DAY_S = 86_400


@pytest.fixture
def bus(tmp_path: Path) -> Iterator[Bus]:
    """A bus with one door, whose clock is right."""
    issuer, cards = Issuer(), tmp_path / "cards"
    cards.mkdir()
    issuer.make_card(cards, "one", 1001)
    made = open_bus(issuer, cards, tmp_path / "state")
    yield made
    made.process.stop()


def test_a_picture_of_a_ride_paid_here_days_ago_rides_no_second_time(bus: Bus) -> None:
    pictures = [bus.issuer.phone().ticket_text(NOW_S, 1) for _ in range(2)]
    for picture in pictures:
        assert bus.process.scan(picture).lamp is Lamp.GREEN
        bus.clock.pass_s(6)
    bus.clock.pass_s(4 * DAY_S)
    now_s = bus.clock.wall // 1000
    assert bus.process.scan(bus.issuer.phone(now_s=now_s).ticket_text(now_s, 1)).lamp is Lamp.GREEN
    bus.clock.synchronised = False
    for picture in pictures:
        bus.clock.pass_s(6)
        assert bus.process.scan(picture).reason == "already_paid"


def test_nor_after_the_validator_was_started_anew(bus: Bus, tmp_path: Path) -> None:
    """It starts with the time, and without the rides that have expired; then the time is lost."""
    picture = bus.issuer.phone().ticket_text(NOW_S, 1)
    assert bus.process.scan(picture).lamp is Lamp.GREEN
    bus.process.stop()
    later = ManualClock(NOW_S + 4 * DAY_S)
    again = open_bus(bus.issuer, tmp_path / "cards", tmp_path / "state", clock=later)
    try:
        again.clock.synchronised = False
        assert again.process.scan(picture).reason == "already_paid"
    finally:
        again.process.stop()


def test_old_pictures_on_a_bus_without_the_time_take_no_pay_and_block_no_phone(city: City) -> None:
    """Two photographs of last week's codes, on a bus of another owner that has just been switched on."""
    honest, lost = city.bus(1, "o-1"), city.bus(2, "o-2")
    rider = city.rider()
    phone = city.phone(of=rider)
    for ctr in (1, 2):
        ride = honest.scan(phone, ctr, NOON + ctr * timedelta(hours=1))
        later = NOON + timedelta(days=2, hours=ctr)
        unknown = {"clock_quality": ClockQuality.UNSYNCHRONISED, "wall_ms": 0}
        lost.scan(phone, ctr, later, ticket=ride.ticket, **unknown)
    honest.send(EVENING)
    lost.send(EVENING + timedelta(days=2))
    assert [state for device, _, state, _ in city.taps() if device == 2] == ["conflict"] * 2
    assert city.balance("owner_payable:o-1") == -2 * OWNER_RIAL, "it was right, and stays paid"
    assert city.balance("owner_payable:o-2") == 0
    assert city.balance("clearing:2026-11-22") == 2 * FARE_RIAL
    assert city.rows("SELECT status FROM ledger_phone") == [("live",)]
