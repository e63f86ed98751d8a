from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fare.core.card_record import CardRecord, first_record
from fare.core.inspection import (
    Inspected,
    Inspection,
    InspectionReason,
    RideFound,
    RideState,
    TicketShown,
    inspect_card,
    inspect_ticket,
    read_ticket,
)
from fare.core.proof.refusal import TicketRefusal
from tests.core.proof.mc1_oracle import CTI, GOLDEN, KEYS, NOW_S, Ticket
from tests.core.test_ticket_decision import VEHICLE, bundle, paper

WINDOW_S = 90 * 60
HERE = frozenset({17, 18})
RIDE = CardRecord(17, 5, NOW_S - 600, 3, 1, 400, 800, 1)


def card(*records: CardRecord, **changed: Any) -> Inspection:
    return inspect_card([one.encode() for one in records], HERE, NOW_S, WINDOW_S, **changed)


def told(inspection: Inspection) -> tuple[str, str, int | None]:
    return inspection.answer, inspection.reason, inspection.minutes_left


# --- cards --------------------------------------------------------------------------------------------------


def test_a_ride_at_any_door_of_this_vehicle_is_paid_for_the_window() -> None:
    for validator in HERE:
        assert told(card(replace(RIDE, validator=validator))) == ("paid", "ride_here", 80)
    assert card(RIDE).people == 1
    for age_s, answer in ((0, "paid"), (WINDOW_S, "paid"), (WINDOW_S + 1, "not_paid")):
        assert card(replace(RIDE, at_s=NOW_S - age_s)).answer == answer
    assert card(replace(RIDE, at_s=NOW_S - WINDOW_S - 1)).reason is InspectionReason.RIDE_TOO_LONG_AGO


def test_a_ride_on_a_pass_or_for_nothing_is_a_ride() -> None:
    assert card(replace(RIDE, fare_rial=0, on_pass=True)).answer is Inspected.PAID
    assert card(replace(RIDE, fare_rial=0)).answer is Inspected.PAID


def test_who_has_tapped_off_may_be_leaving() -> None:
    left = replace(RIDE, fare_rial=0, alighting=True)
    assert told(card(left)) == ("cannot_tell", "has_alighted", None)
    assert told(card(replace(left, at_s=NOW_S - WINDOW_S - 1))) == ("not_paid", "ride_too_long_ago", None)


def test_no_ride_here_is_not_paid() -> None:
    other_bus = replace(RIDE, validator=99)
    desk = replace(RIDE, validator=0)
    blocked = replace(RIDE, blocked=True)
    for record in (other_bus, desk, blocked):
        assert told(card(record)) == ("not_paid", "no_ride_here", None)
    # A desk stays no validator even if somebody counts 0 among the doors.
    assert inspect_card([first_record(NOW_S)], {0, 17}, NOW_S, WINDOW_S).answer is Inspected.NOT_PAID


def test_older_records_see_past_a_block_and_another_bus() -> None:
    block = replace(RIDE, validator=18, at_s=NOW_S - 60, blocked=True, fare_rial=0)
    seen = card(block, RIDE, denied=True)
    assert (*told(seen), seen.denied) == ("paid", "ride_here", 80, True)
    assert card(replace(RIDE, validator=99), RIDE).answer is Inspected.PAID
    assert card(replace(RIDE, at_s=NOW_S - WINDOW_S - 9), RIDE).minutes_left == 80


def test_what_cannot_be_read_is_no_accusation() -> None:
    later_layout = b"\x20" + RIDE.encode()[1:]
    gone = replace(RIDE, at_s=NOW_S - WINDOW_S - 1).encode()
    for records in ([], [later_layout], [b""], [later_layout, gone], [b"\xff" * 32, gone]):
        found = inspect_card(records, HERE, NOW_S, WINDOW_S)
        assert told(found) == ("cannot_tell", "unreadable_record", None)
    assert inspect_card([later_layout, RIDE.encode()], HERE, NOW_S, WINDOW_S).answer is Inspected.PAID


def test_a_clock_that_is_off_is_no_accusation() -> None:
    assert told(card(RIDE, clock_synchronised=False)) == ("cannot_tell", "time_not_known", None)
    assert told(card(replace(RIDE, at_s=NOW_S + 31))) == ("cannot_tell", "time_not_known", None)
    assert told(card(replace(RIDE, at_s=NOW_S + 30))) == ("paid", "ride_here", 90)
    assert card(replace(RIDE, validator=99), clock_synchronised=False).answer is Inspected.NOT_PAID


@given(st.lists(st.binary(max_size=40), max_size=4), st.integers(0, 2**32), st.booleans())
def test_no_card_makes_it_raise(records: list[bytes], at_s: int, synchronised: bool) -> None:
    found = inspect_card(records, HERE, at_s, WINDOW_S, clock_synchronised=synchronised)
    assert isinstance(found.answer, Inspected)


# --- tickets ------------------------------------------------------------------------------------------------


def read(
    text: object, *, denied: bool = False, now_s: int = NOW_S, synchronised: bool = True
) -> TicketShown | Inspection:
    known = bundle(denied=frozenset((CTI,)) if denied else frozenset())
    return read_ticket(text, VEHICLE, known, KEYS, now_s, WINDOW_S, synchronised)


def shown(text: object, **how: Any) -> TicketShown:
    found = read(text, **how)
    assert isinstance(found, TicketShown)
    return found


PAID = RideFound(RideState.PAID, NOW_S - 600)
UNPAID = RideFound(RideState.NOT_PAID)
UNREACHED = RideFound(RideState.NOT_REACHED)


def ticket(*rides: RideFound, synchronised: bool = True, **changed: Any) -> Inspection:
    live = shown(Ticket(pax=len(rides), **changed).text(), synchronised=synchronised)
    return inspect_ticket(live, rides, NOW_S, WINDOW_S, clock_synchronised=synchronised)


def test_a_ride_in_the_vehicles_memory_is_paid_for_the_window() -> None:
    assert told(ticket(PAID)) == ("paid", "ride_here", 80)
    assert told(ticket(UNPAID)) == ("not_paid", "no_ride_here", None)
    old = RideFound(RideState.PAID, NOW_S - WINDOW_S - 1)
    assert told(ticket(old)) == ("not_paid", "ride_too_long_ago", None)


def test_who_could_not_ask_all_doors_never_says_not_paid() -> None:
    assert told(ticket(UNREACHED)) == ("cannot_tell", "doors_not_reached", None)
    assert told(ticket(PAID, UNREACHED)) == ("cannot_tell", "doors_not_reached", None)
    assert told(ticket(UNPAID, UNREACHED)) == ("cannot_tell", "doors_not_reached", None)
    assert told(ticket(RideFound(RideState.PAID))) == ("cannot_tell", "time_not_known", None)
    assert told(ticket(PAID, synchronised=False)) == ("cannot_tell", "time_not_known", None)
    assert told(ticket(UNPAID, synchronised=False)) == ("not_paid", "no_ride_here", None)


def test_companions_are_counted() -> None:
    sooner = RideFound(RideState.PAID, NOW_S - 1200)
    whole = ticket(PAID, sooner, PAID)
    assert (*told(whole), whole.people) == ("paid", "ride_here", 70, 3)
    part = ticket(PAID, UNPAID, PAID)
    assert (*told(part), part.people) == ("not_paid", "fewer_paid", None, 2)
    with pytest.raises(ValueError, match="3"):
        inspect_ticket(shown(Ticket(pax=3).text()), [PAID], NOW_S, WINDOW_S)


def test_a_blocked_ticket_is_a_note_beside_the_answer() -> None:
    for ride, answer in ((PAID, Inspected.PAID), (UNPAID, Inspected.NOT_PAID), (UNREACHED, "cannot_tell")):
        for text in (GOLDEN["text"], paper()):
            found = inspect_ticket(shown(text, denied=True), [ride], NOW_S, WINDOW_S)
            assert (found.answer, found.denied) == (answer, True)
    assert not ticket(PAID).denied


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("WIFI:S:bus;T:WPA;P:secret;;", TicketRefusal.NOT_A_TICKET),
        (GOLDEN["text"][:-1], TicketRefusal.MALFORMED),
        (Ticket(issuer_aad=b"MP1").text(), TicketRefusal.BAD_ISSUER_SIGNATURE),
        (Ticket(aad=b"").text(), TicketRefusal.BAD_PHONE_SIGNATURE),
        (Ticket(ctr=41).text(), TicketRefusal.COUNTER_EXHAUSTED),
        (Ticket(exp=NOW_S - WINDOW_S - 1, iat=NOW_S - 9999).text(), TicketRefusal.EXPIRED),
        (paper("bus-13"), TicketRefusal.WRONG_VEHICLE),
        (None, TicketRefusal.NOT_A_TICKET),
    ],
    ids=lambda value: value if isinstance(value, TicketRefusal) else "text",
)
def test_what_no_ride_can_have_been_paid_with(text: object, reason: TicketRefusal) -> None:
    assert read(text) == Inspection(Inspected.NOT_PAID, reason)


def test_what_an_honest_rider_may_show_is_no_accusation() -> None:
    for text, now_s, reason in (
        (GOLDEN["text"], NOW_S + 31, TicketRefusal.STALE),
        (GOLDEN["text"], NOW_S - 31, TicketRefusal.FROM_THE_FUTURE),
        (Ticket(kid=b"\x02").text(), NOW_S, TicketRefusal.UNKNOWN_KEY),
        (Ticket(iat=NOW_S + 31, exp=NOW_S + 999).text(), NOW_S, TicketRefusal.NOT_YET_VALID),
    ):
        assert read(text, now_s=now_s) == Inspection(Inspected.CANNOT_TELL, reason)
    assert shown(GOLDEN["text"], now_s=NOW_S + 10**8, synchronised=False).ticket.cti == CTI


def test_a_ticket_that_expired_on_the_way_may_have_paid() -> None:
    just_expired = Ticket(iat=NOW_S - 9999, exp=NOW_S - 60).text()
    late = shown(just_expired)
    assert late.outlived
    assert told(inspect_ticket(late, [PAID], NOW_S, WINDOW_S)) == ("paid", "ride_here", 80)
    assert told(inspect_ticket(late, [UNPAID], NOW_S, WINDOW_S)) == ("cannot_tell", "expired", None)
    assert not shown(GOLDEN["text"]).outlived
    after = NOW_S + 3600 + WINDOW_S
    assert shown(paper(), now_s=after).outlived
    assert read(paper(), now_s=after + 1) == Inspection(Inspected.NOT_PAID, TicketRefusal.EXPIRED)


def test_paper_is_inspected_as_one_ride() -> None:
    for vehicle in (VEHICLE, None):
        live = shown(paper(vehicle))
        assert told(inspect_ticket(live, [PAID], NOW_S, WINDOW_S)) == ("paid", "ride_here", 80)


def test_each_reason_tells_the_inspector_what_to_do() -> None:
    advice = [reason.advice for reason in InspectionReason]
    assert len(set(advice)) == len(advice)
    assert all(text.endswith(".") and ": " in text for text in advice)
