from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fare.core.boarding import Boarding
from fare.core.bundle import Bundle
from fare.core.decision import Reason
from fare.core.proof.mp1 import PaperClaims, PaperTicket, sign_paper
from fare.core.proof.refusal import TicketRefusal
from fare.core.tap import BundleVersion
from fare.core.tariff.context import TapKind
from fare.core.tariff.model import (
    Companions,
    Concession,
    FareMedium,
    FareProduct,
    Selection,
    TapOff,
    TapOffCharge,
    flat_tariff,
)
from fare.core.tariff.periods import local_time
from fare.core.ticket_decision import CLOCK_UNSYNCHRONISED, TicketRide, decide_ticket, price_ticket
from tests.core.proof.mc1_oracle import CTI, GOLDEN, ISSUER, KEYS, KID, NOW_S, Ticket

FARE_RIAL = 400
VEHICLE = "bus-12"
BOARDING = Boarding(17, 5, NOW_S, 3, 1)


def bundle(fare_rial: int = FARE_RIAL, denied: frozenset[bytes] = frozenset()) -> Bundle:
    tariff = flat_tariff(1, "flat", {0: FareProduct("adult", "adult", fare_rial)})
    return Bundle(
        BundleVersion(bytes(8), 1), NOW_S, "urmia", "Asia/Tehran", 14400, 1, ((0, tariff),), {}, {}, {},
        denied_tickets=denied,
    )  # fmt: skip


def decide(
    text: object, known: Bundle | None = None, now_s: int = NOW_S, synchronised: bool = True
) -> TicketRide | TicketRefusal | Reason:
    return decide_ticket(text, BOARDING, VEHICLE, known or bundle(), KEYS, now_s, synchronised)


def paper(vehicle: str | None = VEHICLE, max_fare_rial: int = FARE_RIAL) -> str:
    claims = PaperClaims(NOW_S + 3600, NOW_S - 60, CTI, 3, max_fare_rial, vehicle)
    return sign_paper(claims, ISSUER, KID)


def test_a_phone_rides_with_its_companions_at_the_price_of_all() -> None:
    ride = decide(Ticket(pax=3).text())
    assert isinstance(ride, TicketRide)
    assert (ride.ticket.cti, ride.ticket.ctr, ride.ticket.pax) == (CTI, 7, 3)
    assert (ride.price.amount, ride.flags) == (3 * FARE_RIAL, ())


def test_a_paper_ticket_rides_on_its_vehicle_or_asks_the_ledger() -> None:
    for vehicle in (VEHICLE, None):
        ride = decide(paper(vehicle))
        assert isinstance(ride, TicketRide)
        assert isinstance(ride.ticket, PaperTicket)
        assert (ride.ticket.cti, ride.ticket.ctr, ride.ticket.pax, ride.ticket.vehicle) == (
            CTI,
            1,
            1,
            vehicle,
        )
        assert ride.price.amount == FARE_RIAL
    assert decide(paper("bus-13")) is TicketRefusal.WRONG_VEHICLE
    assert decide_ticket(paper(), BOARDING, "", bundle(), KEYS, NOW_S, True) is TicketRefusal.WRONG_VEHICLE


def test_no_more_is_charged_than_the_ledger_holds() -> None:
    dearer = bundle(FARE_RIAL + 1)
    assert decide(GOLDEN["text"], dearer) is Reason.INSUFFICIENT_BALANCE
    assert decide(Ticket(pax=3).text(), dearer) is Reason.INSUFFICIENT_BALANCE
    assert decide(paper(), dearer) is Reason.INSUFFICIENT_BALANCE
    assert isinstance(decide(paper(max_fare_rial=FARE_RIAL + 1), dearer), TicketRide)
    assert decide(Ticket(max_fare=2**32 - 1).text(), bundle(2**24)) is Reason.INSUFFICIENT_BALANCE


def test_a_ticket_is_priced_by_its_kind_place_people_and_time() -> None:
    tariff = flat_tariff(1, "flat", {0: FareProduct("adult", "adult", FARE_RIAL)})
    paper_row = replace(tariff.products[0], amount=FARE_RIAL - 1, fare_media_id="strip")
    named = replace(
        tariff, media={FareMedium.PAPER: "strip"}, lines={3: "r3"}, products=(*tariff.products, paper_row)
    )
    half = Concession("fridays", "fridays", Selection(weekdays=frozenset({4})), percent=50)
    friday_s = NOW_S + 86_400 * ((4 - local_time(named, NOW_S)[0] + 1) % 7)
    for known in (named, named, replace(named, concessions=(half,))):  # asked twice, and once by the clock
        for text, fare in ((Ticket(pax=3).text(), 3 * FARE_RIAL), (paper(), FARE_RIAL - 1)):
            ride = decide(text, replace(bundle(), tariffs=((0, known),)))
            assert isinstance(ride, TicketRide)
            assert ride.price.amount == fare
    ticket = decide(Ticket().text())
    assert isinstance(ticket, TicketRide)
    later = replace(BOARDING, at_s=friday_s)
    assert price_ticket(named, ticket.ticket, later).amount == FARE_RIAL
    assert price_ticket(replace(named, concessions=(half,)), ticket.ticket, later).amount == FARE_RIAL // 2


def test_where_riders_pay_when_they_leave_a_ticket_pays_the_dearest_fare_and_is_not_tapped_off() -> None:
    tariff = flat_tariff(1, "flat", {0: FareProduct("adult", "adult", FARE_RIAL)})
    for charge in TapOffCharge:
        known = replace(bundle(), tariffs=((0, replace(tariff, tap_off=TapOff(charge=charge))),))
        ride = decide(Ticket(pax=2).text(), known)
        assert isinstance(ride, TicketRide)
        assert ride.price.amount == 2 * FARE_RIAL
        leaving = replace(BOARDING, kind=TapKind.OFF)
        assert decide_ticket(Ticket().text(), leaving, VEHICLE, known, KEYS, NOW_S, True) is Reason.EXIT_DOOR


def test_more_people_than_the_tariff_lets_on_one_ticket_are_refused() -> None:
    tariff = flat_tariff(1, "flat", {0: FareProduct("adult", "adult", FARE_RIAL)})
    alone = replace(bundle(), tariffs=((0, replace(tariff, companions=Companions(most=2))),))
    assert decide(Ticket(pax=3).text(), alone) is Reason.TOO_MANY_RIDERS
    assert isinstance(decide(Ticket(pax=2).text(), alone), TicketRide)


def test_price_and_hold_are_asked_last() -> None:
    dear_and_denied = bundle(FARE_RIAL + 1, frozenset((CTI,)))
    for text in (GOLDEN["text"], paper()):
        assert decide(text, dear_and_denied) is TicketRefusal.DENYLISTED
    assert decide(GOLDEN["text"], bundle(FARE_RIAL + 1), NOW_S + 31) is TicketRefusal.STALE
    assert decide(paper("bus-13"), bundle(FARE_RIAL + 1)) is TicketRefusal.WRONG_VEHICLE


def test_without_the_time_the_tap_is_flagged_and_nothing_is_stale() -> None:
    for text in (GOLDEN["text"], paper()):
        ride = decide(text, now_s=NOW_S + 10**8, synchronised=False)
        assert isinstance(ride, TicketRide)
        assert ride.flags == (CLOCK_UNSYNCHRONISED,)
    assert decide(GOLDEN["text"], now_s=NOW_S + 10**8) is TicketRefusal.STALE
    assert decide(paper(), now_s=NOW_S + 10**8) is TicketRefusal.EXPIRED
    assert decide(Ticket(ts=1790259201).text(), synchronised=False) is TicketRefusal.EXPIRED


def test_only_the_bundles_list_denies() -> None:
    other = frozenset((bytes(8),))
    assert isinstance(decide(GOLDEN["text"], bundle(denied=other)), TicketRide)
    assert (
        decide(GOLDEN["text"], replace(bundle(), denied_tickets=frozenset((CTI,))))
        is TicketRefusal.DENYLISTED
    )


@pytest.mark.parametrize("prefix", ["", "MC1:", "MP1:"])
def test_nothing_scanned_raises(prefix: str) -> None:
    @given(
        st.one_of(st.none(), st.integers(), st.binary(max_size=64), st.text(max_size=410).map(prefix.__add__))
    )
    def play(text: object) -> None:
        assert isinstance(decide(text), TicketRefusal)

    play()
