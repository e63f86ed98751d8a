"""What a rider sees of the rides of a ticket, and what issuing asks of it before it gives a hold back."""

from __future__ import annotations

from datetime import timedelta

from sqlmodel import Session

from fare.collection import RidePlace, TakenIn, rides_of_tickets, taken_in
from fare.core.proof.mc1 import decode_ticket
from fare.database.engine import write
from fare.settlement.sealing import seal_day
from hardware.emulator.phone import VirtualPhone
from tests.collection.bus import EVENING, FARE_RIAL, NOON, City


def cti_of(phone: VirtualPhone) -> bytes:
    return decode_ticket(phone.ticket_text(int(NOON.timestamp()), 1)).entitlement.cti


def test_the_newest_ride_comes_first_and_pages_join_without_a_gap(city: City) -> None:
    bus = city.bus(1)
    one, other, third = city.phone(), city.phone(), city.phone()
    rides = [(one, 1, 0, 1), (one, 2, 30, 2), (other, 1, 30, 1), (one, 4, 60, 1), (other, 2, 90, 3)]
    for phone, ctr, minutes, pax in rides:
        bus.scan(phone, ctr, NOON + timedelta(minutes=minutes), pax=pax)
    bus.scan(third, 1)
    bus.send()
    ctis = [cti_of(one), cti_of(other)]

    def pages(session: Session) -> list[RidePlace]:
        places: list[RidePlace] = []
        while page := rides_of_tickets(session, ctis, places[-1] if places else None, 2):
            assert len(page) <= 2
            places += [ride.place for ride in page]
        return places

    whole = city.session(lambda session: rides_of_tickets(session, ctis))
    assert city.session(pages) == [ride.place for ride in whole]
    assert [(ride.pax, ride.fare_rial // FARE_RIAL) for ride in whole if ride.place.cti == ctis[0]] == [
        (1, 1),
        (2, 2),
        (1, 1),
    ]
    assert len(whole) == len(rides)
    assert {(ride.line, ride.disputed) for ride in whole} == {(7, False)}
    assert [ride.boarded_at for ride in whole] == sorted((r.boarded_at for r in whole), reverse=True)


def test_what_is_taken_in_counts_companions_and_no_sealed_ride(city: City) -> None:
    bus = city.bus(1)
    phone, quiet = city.phone(), city.phone()
    bus.scan(phone, 1)
    bus.send()
    with write(city.engine) as session:
        seal_day(session, NOON.date(), EVENING, city.keys)
    bus.scan(phone, 2, NOON + timedelta(hours=1), pax=3)
    bus.send(EVENING + timedelta(hours=1))
    told = city.session(lambda session: taken_in(session, [cti_of(phone), cti_of(quiet)]))
    assert told == {cti_of(phone): TakenIn(3 * FARE_RIAL, 4)}
