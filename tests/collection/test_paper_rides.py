"""Paper tickets at the ledger: one ride, on the bus they name or by leave, and in suspense otherwise."""

from __future__ import annotations

import threading
from datetime import timedelta

from fare.collection import RedemptionAnswer, TakenIn, redeem, rides_of_tickets, taken_in
from fare.database.engine import write
from fare.issuing import denied
from tests.collection.bus import EVENING, FARE_RIAL, NOON, OWNER_RIAL, City, Paper

SOON = timedelta(seconds=20)


def ask(city: City, paper: Paper, device: int) -> RedemptionAnswer:
    with write(city.engine) as session:
        return redeem(session, paper.cti, device, NOON)


def test_paper_for_one_bus_is_paid_there_and_waits_elsewhere(city: City) -> None:
    own, other = city.bus(1, "o-1"), city.bus(2, "o-2")
    good, strayed = city.paper("v-1"), city.paper("v-1")
    own.scan_paper(good)
    own.scan_paper(good, NOON + SOON)
    other.scan_paper(strayed)
    own.send()
    other.send()
    assert city.taps() == [
        (1, 1, "valid", ""),
        (1, 2, "valid", "same_ride"),
        (2, 1, "valid", "wrong_vehicle"),
    ]
    assert sorted((ride[1], ride[5], ride[6]) for ride in city.rides()) == [
        (1, 0, FARE_RIAL),
        (1, OWNER_RIAL, 0),
    ]
    assert city.balance("suspense:device:2") == -FARE_RIAL
    told = city.session(lambda session: taken_in(session, [good.cti, strayed.cti]))
    assert told == {good.cti: TakenIn(FARE_RIAL, 1), strayed.cti: TakenIn(FARE_RIAL, 1)}
    assert [ride.pax for ride in city.session(lambda session: rides_of_tickets(session, [good.cti]))] == [1]


def test_paper_for_any_bus_is_paid_to_the_one_that_had_leave(city: City) -> None:
    asked, silent = city.bus(1, "o-1"), city.bus(2, "o-2")
    good, taken = city.paper(None), city.paper(None)
    assert ask(city, good, 1) is RedemptionAnswer.GRANTED
    asked.scan_paper(good)
    silent.scan_paper(taken)
    asked.send()
    silent.send()
    assert city.taps() == [(1, 1, "valid", ""), (2, 1, "valid", "not_redeemed")]
    assert (city.balance("owner_payable:o-1"), city.balance("owner_payable:o-2")) == (-OWNER_RIAL, 0)
    # It was ridden: nobody is given leave any more. The one with leave is told so again.
    assert ask(city, taken, 1) is RedemptionAnswer.ALREADY_REDEEMED
    assert ask(city, good, 1) is RedemptionAnswer.GRANTED
    assert ask(city, good, 2) is RedemptionAnswer.ALREADY_REDEEMED


def test_a_copy_on_a_second_bus_denies_the_paper_at_once(city: City) -> None:
    first, second = city.bus(1, "o-1"), city.bus(2, "o-2")
    paper = city.paper("v-1")
    first.scan_paper(paper)
    second.scan_paper(paper, NOON + SOON)
    first.send()
    second.send()
    assert city.taps() == [(1, 1, "valid", "disputed"), (2, 1, "conflict", "")]
    assert city.session(lambda session: denied(session, EVENING))[1] == {paper.cti}
    ((denied_at_once, shown_at),) = city.rows("SELECT denied, shown_at FROM travel_ticket_conflict")
    assert denied_at_once
    assert shown_at is None, "paper says no time"


def test_paper_is_no_ride_outside_its_time_and_not_before_it_was_issued(city: City) -> None:
    bus = city.bus(1)
    early, late = city.paper("v-1", NOON + timedelta(hours=1)), city.paper("v-1", NOON - timedelta(days=4))
    bus.scan_paper(early)
    bus.scan_paper(late)
    bus.send()
    flags = [flags for _, _, state, flags in city.taps() if state == "bad"]
    assert flags == ["ticket_not_yet_valid", "ticket_expired"]
    assert city.rides() == []


def test_what_is_no_paper_of_ours_for_any_bus_gets_no_leave(city: City) -> None:
    city.bus(1)
    bound, old = city.paper("v-1"), city.paper(None, NOON - timedelta(days=4))
    assert ask(city, bound, 1) is RedemptionAnswer.OTHER_VEHICLE
    assert ask(city, old, 1) is RedemptionAnswer.NOT_VALID
    assert ask(city, Paper(b"12345678", ""), 1) is RedemptionAnswer.UNKNOWN_TICKET


def test_of_many_buses_at_once_one_has_leave(city: City) -> None:
    for device in range(1, 5):
        city.bus(device)
    paper = city.paper(None)
    gate = threading.Barrier(4)
    answers: list[RedemptionAnswer] = []

    def work(device: int) -> None:
        gate.wait()
        answers.append(ask(city, paper, device))

    threads = [threading.Thread(target=work, args=(device,)) for device in range(1, 5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(answers) == [*[RedemptionAnswer.ALREADY_REDEEMED] * 3, RedemptionAnswer.GRANTED]
