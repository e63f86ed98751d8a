"""A rider whose phone signs what the rider's page never signs: one ride alone and the same ride with a party.

A camera copies a code as it is, so two claims that overlap and differ come from the phone's own key. Where
buses could not ask each other that pays for one person and carries nine, so it is not waited for a repeat.
"""

from __future__ import annotations

from datetime import timedelta

from fare.collection.conflicts import open_conflicts
from fare.core.proof.mc1 import decode_ticket
from fare.database.engine import write
from fare.fleet.models import DeviceAssignment
from fare.issuing import denied
from fare.issuing.phones import enrol_phone
from hardware.emulator.phone import VirtualPhone
from tests.collection.bus import EVENING, FARE_RIAL, NOON, Bus, City, Rider

SOON = timedelta(seconds=20)


def phone_status(city: City, phone_id: str) -> str:
    ((status,),) = city.rows("SELECT status FROM ledger_phone WHERE phone_id = :p", p=phone_id)
    return str(status)


def is_refused(city: City, phone: VirtualPhone) -> bool:
    cti = decode_ticket(phone.ticket_text(int(NOON.timestamp()), 1)).cti
    return cti in city.session(lambda session: denied(session, EVENING))[1]


def second_door(city: City, device: int, vehicle: str) -> Bus:
    """Another door of a vehicle, which the first one cannot be asked about."""
    door = city.bus(device, assigned=False)
    since = NOON - timedelta(days=30)
    with write(city.engine) as session:
        session.add(DeviceAssignment(device_id=device, starts_at=since, vehicle_id=vehicle, line=7))
    return door


def test_a_phone_that_signs_one_ride_for_one_and_for_nine_is_blocked_at_the_first_sight(city: City) -> None:
    first, second = city.bus(1, "o-1"), city.bus(2, "o-2")
    for order in ((first, second), (second, first)):
        rider = city.rider()
        phone, spare = city.phone(9, of=rider), city.phone(9, of=rider)
        first.scan(phone, 1)
        second.scan(phone, 1, NOON + SOON, pax=9)
        for bus in order:
            bus.send()
        assert phone_status(city, rider.phone_id) == "blocked"
        assert is_refused(city, phone)
        assert is_refused(city, spare)
    queued = city.rows("SELECT denied FROM travel_ticket_conflict")
    assert queued == [(True,), (True,)], "and a person still looks at it"


def test_two_doors_that_cannot_ask_each_other_are_no_way_to_carry_eight_for_nothing(city: City) -> None:
    front = city.bus(1)
    back = second_door(city, 2, "v-1")
    rider, honest = city.rider(), city.rider()
    phone, shown_twice = city.phone(9, of=rider), city.phone(of=honest)
    front.scan(phone, 1)
    back.scan(phone, 1, NOON + SOON, pax=9)
    front.scan(shown_twice, 1, pax=2)
    back.scan(shown_twice, 1, NOON + SOON, pax=2)
    front.send()
    back.send()
    assert phone_status(city, rider.phone_id) == "blocked"
    assert is_refused(city, phone)
    assert phone_status(city, honest.phone_id) == "live", "who shows the same code at both doors is honest"
    assert not is_refused(city, shown_twice)
    assert sorted(ride[4] for ride in city.rides()) == [FARE_RIAL, 2 * FARE_RIAL]


def test_one_door_that_was_told_two_claims_says_so_too(city: City) -> None:
    """A bus of an owner who looks away: what its journal shows blocks the phone all the same."""
    bus = city.bus(1)
    rider = city.rider()
    phone = city.phone(9, of=rider)
    bus.scan(phone, 1)
    bus.scan(phone, 1, NOON + SOON, pax=9)
    bus.send()
    assert phone_status(city, rider.phone_id) == "blocked"


def test_enrolling_again_is_no_clean_slate(city: City) -> None:
    """One conflict may be a camera; one for each enrolment is a way to ride two buses for one fare."""
    buses = city.bus(1, "o-1"), city.bus(2, "o-2")
    rider, other = city.rider(), city.rider()
    with write(city.engine) as session:
        again = Rider(rider.wallet_id, enrol_phone(session, rider.wallet_id, True, NOON).phone_id)
    for phone in (city.phone(of=rider), city.phone(of=other), city.phone(of=again)):
        for bus in buses:
            bus.scan(phone, 1, NOON + SOON * bus.device)
            bus.send()
    assert phone_status(city, other.phone_id) == "live"
    assert phone_status(city, again.phone_id) == "blocked"
    seen = city.session(open_conflicts)
    assert sorted(one.earlier for one in seen) == [0, 0, 1], "whoever reviews it sees that it is a repeat"
