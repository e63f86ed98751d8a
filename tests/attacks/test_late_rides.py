"""A bus that uploads late, and a phone whose money is held again and again meanwhile.

An expired ticket's hold goes back to its rider, whose next ticket holds the same money. An owner with a phone
of his own could let his bus wait with its upload and be paid for each of these tickets. He is paid once: from
money that the ledger has received, and what goes beyond it waits in suspense.
"""

from __future__ import annotations

from datetime import datetime, timedelta

from sqlmodel import Session

from fare.core.proof.possession import PhoneKey
from fare.database.engine import write
from fare.issuing import (
    IssuedTicket,
    TicketNotIssued,
    TicketPolicy,
    confirm_paid,
    issue_phone_ticket,
    release_expired_holds,
    request_load,
)
from fare.ledger import trial_balance
from fare.settlement import seal_day
from hardware.emulator.phone import VirtualPhone
from tests.collection.bus import FARE_RIAL, NOON, City, Rider

RIDES = 10
TICKETS = 4
LIFE = timedelta(hours=2, minutes=1)
NIGHT = NOON + timedelta(hours=14)
POLICY = TicketPolicy(max_fare_rial=FARE_RIAL, rides_per_ticket=RIDES)


def load(city: City, rider: Rider, amount_rial: int) -> None:
    with write(city.engine) as session:
        order = request_load(session, "wallet", rider.wallet_id, amount_rial, "web", "t-1", NOON)
        confirm_paid(session, city.keys, order, f"psp-{order}", NOON)


def next_ticket(city: City, session: Session, rider: Rider, now: datetime) -> VirtualPhone | TicketNotIssued:
    """A short ticket, for a browser that says it keeps no keys."""
    phone = VirtualPhone.new()
    key = PhoneKey(*phone.public_key_xy, keeps_keys=False)
    issued = issue_phone_ticket(session, city.keys, POLICY, rider.phone_id, key, now)
    if not isinstance(issued, IssuedTicket):
        return issued
    phone.hold(issued.raw)
    return phone


def paid_out(city: City) -> int:
    return -city.balance("owner_payable:o-1") - city.balance("commission_revenue")


def test_the_same_money_pays_an_owner_once_however_late_his_bus_uploads(city: City) -> None:
    rider, bus = city.rider(), city.bus(1)
    load(city, rider, RIDES * FARE_RIAL)
    for number in range(TICKETS):
        now = NOON + number * LIFE
        with write(city.engine) as session:
            phone = next_ticket(city, session, rider, now)
        assert isinstance(phone, VirtualPhone)
        for ctr in range(1, RIDES + 1):
            bus.scan(phone, ctr, now + timedelta(minutes=ctr))
    bus.send(NIGHT)
    assert paid_out(city) == RIDES * FARE_RIAL
    assert city.balance("suspense:device:1") == -(TICKETS - 1) * RIDES * FARE_RIAL
    with write(city.engine) as session:
        seal_day(session, NOON.date(), NIGHT, city.keys)
        assert trial_balance(session).holds
    assert {ride[4] for ride in city.rides()} == {FARE_RIAL}, "the rides happened, and the rider owes them"


def test_what_a_late_ride_was_paid_from_is_not_held_again(city: City) -> None:
    rider, bus = city.rider(), city.bus(1)
    load(city, rider, RIDES * FARE_RIAL)
    with write(city.engine) as session:
        phone = next_ticket(city, session, rider, NOON)
    assert isinstance(phone, VirtualPhone)
    for ctr in range(1, RIDES + 1):
        bus.scan(phone, ctr, NOON + timedelta(minutes=ctr))
    with write(city.engine) as session:
        release_expired_holds(session, NOON + LIFE, grace=timedelta(0))
    bus.send(NOON + LIFE)
    assert paid_out(city) == RIDES * FARE_RIAL, "it came late, and its money was still there"
    with write(city.engine) as session:
        again = next_ticket(city, session, rider, NOON + LIFE)
        assert again is TicketNotIssued.SHORT_OF_FUNDS
        seal_day(session, NOON.date(), NIGHT, city.keys)
        assert trial_balance(session).holds
    assert city.balance(f"stored_value:wallet:{rider.wallet_id}") == 0
