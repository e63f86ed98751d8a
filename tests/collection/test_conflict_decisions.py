"""What a person decides about a ticket on two buses: where the fare goes, once, and what the sums say."""

from __future__ import annotations

import threading
from datetime import timedelta

from fare.collection import ConflictDecision
from fare.collection.conflict_decisions import ConflictRefusal, decide_conflict
from fare.collection.conflicts import ConflictView, conflict, count_open, open_conflicts
from fare.collection.register import OwnerRides, owner_rides
from fare.database.engine import write
from fare.fleet import revoke
from fare.issuing import release_expired_holds
from fare.ledger import post, trial_balance
from fare.reconciliation import audit, look_at
from fare.settlement import seal_day
from hardware.emulator.phone import VirtualPhone
from tests.collection.bus import EVENING, FARE_RIAL, NOON, OWNER_RIAL, Bus, City

COMMISSION_RIAL = FARE_RIAL - OWNER_RIAL
SOON = timedelta(seconds=20)
FIRST, SECOND, NOBODY = ConflictDecision.PAY_FIRST, ConflictDecision.PAY_SECOND, ConflictDecision.PAY_NOBODY


def decide(
    city: City, which: str, decision: ConflictDecision, note: str = "the driver was asked"
) -> ConflictRefusal | None:
    with write(city.engine) as session:
        return decide_conflict(session, which, decision, "sara", note, EVENING)


def two_buses(city: City) -> tuple[Bus, Bus]:
    return city.bus(1, "o-1"), city.bus(2, "o-2")


def both_show(buses: tuple[Bus, Bus], phone: VirtualPhone, ctr: int, pax: int = 1, second: int = 1) -> None:
    """The first bus shows `ctr .. ctr + pax - 1`, the other one `second` people of it, from the last on."""
    first, other = buses
    at = NOON + timedelta(minutes=ctr)
    first.scan(phone, ctr, at, pax=pax)
    first.send()
    other.scan(phone, ctr + pax - 1, at + SOON, pax=second)
    other.send()


def only_one(city: City) -> ConflictView:
    (found,) = city.session(open_conflicts)
    return found


def owners(city: City) -> dict[str | None, tuple[int, int, int, int, int]]:
    """(rides, gross, owner's, commission, suspense) of the day, by owner."""

    def sums(row: OwnerRides) -> tuple[int, int, int, int, int]:
        return row.rides, row.gross_rial, row.owner_rial, row.commission_rial, row.suspense_rial

    return city.session(
        lambda session: {row.owner_id: sums(row) for row in owner_rides(session, NOON.date())}
    )


def books_hold(city: City) -> None:
    with write(city.engine) as session:
        assert seal_day(session, NOON.date(), EVENING, city.keys).clearing_rial == 0
    assert city.session(trial_balance).total == 0
    found = city.session(audit)
    assert found.holds, [str(finding) for finding in found.findings]


def ticket_findings(city: City) -> int:
    """What the card proof still has of this ticket."""
    proofs = city.session(lambda session: look_at(session, NOON.date(), EVENING))
    return sum(item.kind == "ticket_conflict" for item in proofs["card"].items)


def test_a_person_sees_both_sides(city: City) -> None:
    buses, rider = two_buses(city), city.rider()
    both_show(buses, city.phone(of=rider), 1, pax=2)
    seen = only_one(city)
    assert (seen.first.vehicle_id, seen.first.owner_id, seen.first.fare_rial) == ("v-1", "o-1", 2 * FARE_RIAL)
    assert (seen.second.vehicle_id, seen.second.owner_id, seen.second.fare_rial) == ("v-2", "o-2", FARE_RIAL)
    assert (seen.first.first_ctr, seen.first.last_ctr) == (1, 2)
    assert (seen.second.first_ctr, seen.second.last_ctr) == (2, 2)
    assert (seen.first.line, seen.second.line, seen.apart_s) == (7, 7, 20)
    assert (seen.waiting_rial, seen.earlier, seen.beside, seen.denied) == (2 * FARE_RIAL, 0, 0, True)
    both_show(buses, city.phone(of=rider), 5)
    again = city.session(open_conflicts)
    assert [(one.earlier, one.denied) for one in again] == [(0, True), (1, True)]
    assert city.session(count_open) == 2


def test_the_first_bus_is_given_back_what_it_had(city: City) -> None:
    both_show(two_buses(city), city.phone(), 1)
    assert owners(city) == {"o-1": (1, FARE_RIAL, 0, 0, FARE_RIAL)}
    assert ticket_findings(city) == 1
    which = only_one(city).conflict_id
    assert decide(city, which, FIRST) is None
    assert city.balance("owner_payable:o-1") == -OWNER_RIAL
    assert city.balance("commission_revenue") == -COMMISSION_RIAL
    assert city.balance("suspense:device:1") == 0
    assert owners(city) == {"o-1": (1, FARE_RIAL, OWNER_RIAL, COMMISSION_RIAL, 0)}
    ((entry, by, note),) = city.rows("SELECT entry_id, decided_by, note FROM travel_ticket_conflict")
    assert (entry, by, note) == (f"conflict:{which}", "sara", "the driver was asked")
    assert ticket_findings(city) == 0
    assert city.session(open_conflicts) == []
    books_hold(city)


def test_the_second_bus_is_paid_by_its_own_contract_and_the_rider_nothing_more(city: City) -> None:
    both_show(two_buses(city), city.phone(), 1)
    assert decide(city, only_one(city).conflict_id, SECOND) is None
    assert (city.balance("owner_payable:o-1"), city.balance("owner_payable:o-2")) == (0, -OWNER_RIAL)
    assert city.balance("suspense:device:1") == 0
    assert city.balance("clearing:2026-11-22") == FARE_RIAL
    assert owners(city) == {"o-1": (1, 0, 0, 0, 0), "o-2": (0, FARE_RIAL, OWNER_RIAL, COMMISSION_RIAL, 0)}
    books_hold(city)


def test_nobody_is_paid_only_with_a_reason(city: City) -> None:
    both_show(two_buses(city), city.phone(), 1)
    which = only_one(city).conflict_id
    assert decide(city, which, NOBODY, "  ") is ConflictRefusal.NOTE_MISSING
    assert decide(city, which, NOBODY, "both drivers deny it") is None
    assert city.balance("suspense:device:1") == -FARE_RIAL
    assert owners(city) == {"o-1": (1, FARE_RIAL, 0, 0, FARE_RIAL)}
    assert ticket_findings(city) == 0, "it was looked at"
    books_hold(city)


def test_nothing_is_decided_twice(city: City) -> None:
    both_show(two_buses(city), city.phone(), 1)
    which = only_one(city).conflict_id
    assert decide(city, which, FIRST) is None
    for again in ConflictDecision:
        assert decide(city, which, again) is ConflictRefusal.ALREADY_DECIDED
    assert decide(city, "no such", FIRST) is ConflictRefusal.UNKNOWN_CONFLICT
    assert city.balance("owner_payable:o-1") == -OWNER_RIAL
    assert city.balance("owner_payable:o-2") == 0
    # A third copy that arrives later is looked at, and moves nothing of what was paid out.
    third = city.bus(3, "o-2")
    phone = city.phone()
    both_show((city.bus(4, "o-1"), third), phone, 1)
    assert decide(city, only_one(city).conflict_id, FIRST) is None
    late = city.bus(5, "o-2")
    late.scan(phone, 1, NOON + SOON)
    late.send()
    assert decide(city, only_one(city).conflict_id, SECOND) is ConflictRefusal.FARE_HAS_MOVED
    assert decide(city, only_one(city).conflict_id, FIRST) is None
    assert city.balance("owner_payable:o-1") == -2 * OWNER_RIAL
    assert city.balance("owner_payable:o-2") == 0
    books_hold(city)


def test_only_the_disputed_companion_goes_to_the_second_bus(city: City) -> None:
    both_show(two_buses(city), city.phone(), 1, pax=3, second=2)
    assert decide(city, only_one(city).conflict_id, SECOND) is None
    paid = -city.balance("owner_payable:o-1"), -city.balance("owner_payable:o-2")
    assert abs(paid[0] - 2 * OWNER_RIAL) <= 1
    assert paid[1] == OWNER_RIAL
    assert city.balance("suspense:device:1") == 0
    assert city.balance("commission_revenue") == sum(paid) - 3 * FARE_RIAL
    rows = owners(city)
    assert rows["o-1"][1] + rows["o-2"][1] == 3 * FARE_RIAL
    books_hold(city)


def test_a_ride_in_two_conflicts_moves_when_both_are_decided(city: City) -> None:
    first, second, third = city.bus(1, "o-1"), city.bus(2, "o-2"), city.bus(3, "o-2")
    phone = city.phone()
    first.scan(phone, 1, pax=2)
    second.scan(phone, 1, NOON + SOON)
    third.scan(phone, 1, NOON + 2 * SOON)
    for bus in (first, second, third):
        bus.send()
    one, other = (view.conflict_id for view in city.session(open_conflicts))
    assert [view.beside for view in city.session(open_conflicts)] == [1, 1]
    assert decide(city, one, SECOND) is None
    assert city.balance("suspense:device:1") == -2 * FARE_RIAL, "the other one may still say otherwise"
    assert decide(city, other, SECOND) is ConflictRefusal.OTHER_VEHICLE_PAID
    assert decide(city, other, FIRST) is None
    assert city.balance("suspense:device:1") == 0
    assert city.balance("owner_payable:o-1") == city.balance("owner_payable:o-2") == -OWNER_RIAL
    seen = city.session(lambda session: conflict(session, one))
    assert seen is not None
    assert (seen.decision, seen.decided_by, seen.waiting_rial) == (SECOND, "sara", 0)
    books_hold(city)


def test_two_people_at_once_decide_once(city: City) -> None:
    both_show(two_buses(city), city.phone(), 1)
    which = only_one(city).conflict_id
    gate = threading.Barrier(2)
    answers: list[ConflictRefusal | None] = []

    def work(decision: ConflictDecision) -> None:
        gate.wait()
        answers.append(decide(city, which, decision))

    threads = [threading.Thread(target=work, args=(decision,)) for decision in (FIRST, SECOND)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert set(answers) == {None, ConflictRefusal.ALREADY_DECIDED}
    paid = [city.balance("owner_payable:o-1"), city.balance("owner_payable:o-2")]
    assert sorted(paid) == [-OWNER_RIAL, 0]
    books_hold(city)


def test_the_audit_names_an_entry_that_no_decision_explains(city: City) -> None:
    both_show(two_buses(city), city.phone(), 1)
    which = only_one(city).conflict_id
    with write(city.engine) as session:
        moved = {"suspense:device:1": FARE_RIAL, "owner_payable:o-2": -FARE_RIAL}
        post(session, "conflict", which, NOON.date(), "a disputed ticket was decided", moved, EVENING)
    found = city.session(audit)
    assert [finding.subject for finding in found.findings] == [f"entry conflict:{which}"]


def test_a_bus_without_an_owner_cannot_be_paid(city: City) -> None:
    both_show((city.bus(1, "o-1"), city.bus(2, assigned=False)), city.phone(), 1)
    assert decide(city, only_one(city).conflict_id, SECOND) is ConflictRefusal.NO_OWNER
    both_show((city.bus(3, assigned=False), city.bus(4, "o-2")), city.phone(), 2)
    unassigned = city.session(open_conflicts)[1]
    assert unassigned.waiting_rial == 0
    assert decide(city, unassigned.conflict_id, SECOND) is ConflictRefusal.HELD_BACK_OTHERWISE
    assert city.balance("suspense:device:3") == -FARE_RIAL


def held_back_findings(city: City) -> int:
    proofs = city.session(lambda session: look_at(session, NOON.date(), EVENING))
    kinds = ("paper_without_leave", "device_revoked")
    return sum(item.kind in kinds for proof in proofs.values() for item in proof.items)


def test_the_bus_of_photographed_paper_is_paid_once_from_what_waits(city: City) -> None:
    genuine, stranger = city.bus(1, "o-1"), city.bus(2, "o-2")
    paper = city.paper("v-1")
    stranger.scan_paper(paper)
    stranger.send()
    genuine.scan_paper(paper, NOON + SOON)
    genuine.send()
    assert city.balance("suspense:device:2") == -FARE_RIAL
    assert held_back_findings(city) == 1
    seen = only_one(city)
    assert (seen.second.owner_id, seen.waiting_rial) == ("o-1", FARE_RIAL)
    assert decide(city, seen.conflict_id, SECOND) is None
    assert (city.balance("owner_payable:o-1"), city.balance("owner_payable:o-2")) == (-OWNER_RIAL, 0)
    assert city.balance("suspense:device:2") == 0
    assert owners(city) == {"o-1": (0, FARE_RIAL, OWNER_RIAL, COMMISSION_RIAL, 0), "o-2": (1, 0, 0, 0, 0)}
    assert decide(city, seen.conflict_id, SECOND) is ConflictRefusal.ALREADY_DECIDED
    assert held_back_findings(city) == 0, "nothing waits any more"
    late = city.bus(3, "o-1")
    late.scan_paper(paper, NOON + 2 * SOON)
    late.send()
    assert decide(city, only_one(city).conflict_id, SECOND) is ConflictRefusal.FARE_HAS_MOVED
    assert city.balance("owner_payable:o-1") == -OWNER_RIAL
    books_hold(city)


def test_of_what_a_revoked_bus_brought_only_the_second_bus_is_paid_and_nothing_goes_back(city: City) -> None:
    buses, phone = two_buses(city), city.phone()
    with write(city.engine) as session:
        revoke(session, 1, NOON + timedelta(hours=2))
    both_show(buses, phone, 1, pax=3)
    both_show(buses, phone, 4)
    (shared, whole) = city.session(open_conflicts)
    assert (shared.waiting_rial, whole.waiting_rial) == (3 * FARE_RIAL, FARE_RIAL)
    assert decide(city, shared.conflict_id, SECOND) is None
    assert decide(city, whole.conflict_id, FIRST) is None
    assert (city.balance("owner_payable:o-1"), city.balance("owner_payable:o-2")) == (0, -OWNER_RIAL)
    assert city.balance("suspense:device:1") == -3 * FARE_RIAL
    books_hold(city)


def test_no_bus_is_paid_from_a_hold_that_was_given_back(city: City) -> None:
    genuine, stranger = city.bus(1, "o-1"), city.bus(2, "o-2")
    paper, late = city.paper("v-1"), EVENING + timedelta(days=5)
    with write(city.engine) as session:
        release_expired_holds(session, late)
    for bus in (stranger, genuine):
        bus.scan_paper(paper)
        bus.send(at=late)
    assert only_one(city).waiting_rial == 0
    assert decide(city, only_one(city).conflict_id, SECOND) is ConflictRefusal.HELD_BACK_OTHERWISE
