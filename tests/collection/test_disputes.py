"""One ticket on two vehicles: queued for a person, once; and the phone that does it again."""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from fare.core.proof.mc1 import decode_ticket
from fare.issuing import denied
from hardware.emulator.phone import VirtualPhone
from tests.collection.bus import EVENING, FARE_RIAL, NOON, Bus, City

SOON = timedelta(seconds=20)


def conflicts(city: City) -> list[Any]:
    """(ride's ctr, claimed from, to, device, vehicle, denied), in order of time."""
    return city.rows(
        "SELECT ride_ctr, first_ctr, last_ctr, device_id, vehicle_id, denied FROM travel_ticket_conflict"
        " ORDER BY tapped_at, device_id"
    )


def refused(city: City) -> set[bytes]:
    """The tickets that the next bundle refuses."""
    return city.session(lambda session: denied(session, EVENING))[1]


def cti_of(phone: VirtualPhone) -> bytes:
    return decode_ticket(phone.ticket_text(int(NOON.timestamp()), 1)).cti


def phone_status(city: City, phone_id: str) -> str:
    ((status,),) = city.rows("SELECT status FROM ledger_phone WHERE phone_id = :p", p=phone_id)
    return str(status)


def shown_on(buses: tuple[Bus, Bus], phone: VirtualPhone, ctr: int, minutes: int = 0) -> None:
    """The same boarding on both buses, and both upload."""
    for bus in buses:
        bus.scan(phone, ctr, NOON + timedelta(minutes=minutes) + SOON * bus.device)
        bus.send()


def test_a_dispute_is_queued_once_and_the_rider_pays_once(city: City) -> None:
    first, second = city.bus(1, "o-1"), city.bus(2, "o-2")
    rider = city.rider()
    phone = city.phone(of=rider)
    first.scan(phone, 1, pax=2)
    second.scan(phone, 1, NOON + SOON, pax=2)
    first.send()
    second.send()
    # The same batch again, and a device that journals the code once more, add nothing.
    second.send(EVENING + timedelta(minutes=1))
    second.scan(phone, 1, NOON + SOON, pax=2)
    second.send(EVENING + timedelta(minutes=2))
    assert conflicts(city) == [(1, 1, 2, 2, "v-2", False)]
    assert [(ride[1], ride[4]) for ride in city.rides()] == [(1, 2 * FARE_RIAL)]
    assert city.balance("clearing:2026-11-22") == 2 * FARE_RIAL
    assert phone_status(city, rider.phone_id) == "live", "one conflict may be a camera at a stop"
    assert refused(city) == set()


def test_the_phone_that_does_it_again_is_blocked_with_all_its_tickets(city: City) -> None:
    buses = city.bus(1, "o-1"), city.bus(2, "o-2")
    rider, other = city.rider(), city.rider()
    used, newer, honest = city.phone(of=rider), city.phone(of=rider), city.phone(of=other)
    shown_on(buses, used, 1)
    shown_on(buses, honest, 1, minutes=10)
    assert refused(city) == set()
    # Another ticket of the same phone: its first conflict, the phone's second.
    shown_on(buses, newer, 1, minutes=20)
    assert [row[-1] for row in conflicts(city)] == [False, False, True]
    assert (phone_status(city, rider.phone_id), phone_status(city, other.phone_id)) == ("blocked", "live")
    assert refused(city) == {cti_of(used), cti_of(newer)}, "in the next bundle at once"
    assert len(city.rides()) == 3


def test_a_third_vehicle_is_a_repeat_whatever_the_order(city: City) -> None:
    buses = [city.bus(number, "o-1") for number in (1, 2, 3)]
    for order in ((0, 1, 2), (2, 0, 1)):
        rider = city.rider()
        phone = city.phone(of=rider)
        for bus in buses:
            bus.scan(phone, 1, NOON + SOON * bus.device)
        for number in order:
            buses[number].send()
        assert phone_status(city, rider.phone_id) == "blocked"
        assert cti_of(phone) in refused(city)
    assert len(city.rides()) == 2


def test_a_ticket_without_a_known_phone_is_denied_itself(city: City) -> None:
    buses = city.bus(1, "o-1"), city.bus(2, "o-2")
    phone = city.phone()
    nameless = city.unbound_phone()
    shown_on(buses, nameless, 1)
    shown_on(buses, phone, 1, minutes=5)
    assert refused(city) == set()
    shown_on(buses, nameless, 2, minutes=30)
    assert refused(city) == {cti_of(nameless)}


def test_one_bus_twice_is_nothing_for_a_person_to_decide(city: City) -> None:
    bus = city.bus(1)
    honest, cheating = city.phone(), city.phone()
    for phone in (honest, cheating):
        bus.scan(phone, 1, pax=2)
        bus.scan(phone, 1, NOON + SOON, pax=2)
    bus.scan(cheating, 2, NOON + SOON)
    bus.send()
    assert [state for _, _, state, _ in city.taps()] == ["valid"] * 4 + ["conflict"]
    assert conflicts(city) == []
    assert refused(city) == {cti_of(cheating)}, "its phone signed the second ride for two and for one"
