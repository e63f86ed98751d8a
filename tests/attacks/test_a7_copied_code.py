"""A7: a picture of a rider's code is shared and shown on other buses.

Stale and repeated pictures are refused by the bus alone. What only the ledger can see, one ride on two buses
that were offline, costs one fare a bus at most, pays nobody who profits, and is over after the repeat.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from fare.core.proof.mc1 import decode_ticket
from fare.settings import LedgerSettings
from hardware.emulator.phone import VirtualPhone
from readers.process import ValidatorOptions
from tests.attacks.doors import FleetDoor
from tests.collection.bus import FARE_RIAL, NOON, City

DENIED_WITHIN = timedelta(minutes=5)
BUSES = 5

MakeDoor = Callable[[int, str], FleetDoor]


@pytest.fixture
def door(city: City, database_url: str, tmp_path: Path) -> Iterator[MakeDoor]:
    """Doors at noon, each on its own bus."""
    settings = LedgerSettings(state_dir=tmp_path / "ledger", database_url=database_url)
    made: list[FleetDoor] = []

    def make(device: int, owner: str) -> FleetDoor:
        made.append(FleetDoor(city, settings, device, owner, NOON, tmp_path))
        return made[-1]

    yield make
    for one in made:
        one.close()


def code(phone: VirtualPhone, ctr: int, seconds: int = 0, pax: int = 1) -> str:
    """What the phone shows so many seconds after noon."""
    return phone.ticket_text(int(NOON.timestamp()) + seconds, ctr, pax)


def cti_of(phone: VirtualPhone) -> bytes:
    return decode_ticket(code(phone, 1)).cti


def phone_status(city: City) -> str:
    ((status,),) = city.rows("SELECT status FROM ledger_phone")
    return str(status)


def test_a_picture_a_minute_old_is_refused_on_a_bus_that_never_saw_it(city: City, door: MakeDoor) -> None:
    phone, bus = city.phone(), door(1, "o-1")
    picture = code(phone, 1)
    bus.clock.pass_s(31)
    assert bus.scan(picture).reason == "stale"
    bus.clock.pass_s(29)
    assert bus.scan(picture).reason == "stale"
    assert bus.lets_on(code(phone, 1, 60)), "the live code rides"


def test_the_bus_that_saw_it_refuses_every_other_frame_of_it(city: City, door: MakeDoor) -> None:
    phone, bus = city.phone(), door(1, "o-1")
    assert bus.lets_on(code(phone, 1))
    for seconds, pax in ((0, 1), (10, 1), (20, 2), (30, 1)):
        bus.clock.pass_s(8)
        assert bus.scan(code(phone, 1, seconds, pax)).reason == "already_paid"
    bus.sync()
    assert [ride[4] for ride in city.rides()] == [FARE_RIAL]


def test_a_picture_on_buses_that_are_offline_costs_one_fare_a_bus_and_the_rider_one_in_all(
    city: City, door: MakeDoor
) -> None:
    phone = city.phone()
    buses = [door(n, f"o-{1 + n % 2}") for n in range(1, BUSES + 1)]
    picture = code(phone, 1)
    green = 0
    for bus in buses:
        for _ in range(4):
            green += bus.lets_on(picture)
            bus.clock.pass_s(6)
    assert green == BUSES, "each of them once"
    for bus in buses:
        bus.sync()
    assert [ride[4] for ride in city.rides()] == [FARE_RIAL], "the rider pays once"
    assert city.balance("clearing:2026-11-22") == FARE_RIAL
    assert city.balance("owner_payable:o-1") == city.balance("owner_payable:o-2") == 0, "it is no business"
    assert city.balance("suspense:device:1") == -FARE_RIAL
    queued = city.rows("SELECT device_id FROM travel_ticket_conflict ORDER BY device_id")
    assert queued == [(n,) for n in range(2, BUSES + 1)]


def test_one_conflict_may_be_a_camera_and_its_repeat_is_denied_within_one_sync(
    city: City, door: MakeDoor, tmp_path: Path
) -> None:
    rider = city.rider()
    phone, spare = city.phone(of=rider), city.phone(of=rider)
    one, other, third = door(1, "o-1"), door(2, "o-2"), door(3, "o-2")
    for ctr in (1, 2):
        picture = code(phone, ctr, 60 * ctr)
        for bus in (one, other, third):
            bus.clock.pass_s(60)
        assert one.lets_on(picture)
        assert other.lets_on(picture)
        one.sync()
        other.sync()
        assert phone_status(city) == ("live" if ctr == 1 else "blocked")
    third.sync()
    for shown in (code(phone, 3, 120), code(spare, 1, 120)):
        for bus in (other, third):
            assert bus.scan(shown).reason == "denylisted"
            bus.clock.pass_s(6)
    assert city.rows("SELECT count(*) FROM ledger_ticket_entitlement WHERE status = 'denied'") == [(2,)]
    # A validator uploads and asks for the bundle far more often than the bound allows.
    assert timedelta(seconds=ValidatorOptions(tmp_path).poll_s) * 3 < DENIED_WITHIN
