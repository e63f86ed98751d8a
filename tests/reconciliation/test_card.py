"""The card proof: continuity, doubles, forgeries, and taps that were torn."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta

from fare.collection.card_service import CommitTaken
from fare.core.tap import ClockQuality, Outcome
from hardware.emulator.card import VirtualCard
from tests.collection import desk
from tests.collection.bus import EVENING, FARE_RIAL, NOON, City, RidersCard, forged
from tests.reconciliation.build import close, found, proofs, queue
from tests.settlement.build import NEXT_DAY, loaded_card, next_morning, rode, seal

LATER = NOON + timedelta(hours=1)


def cloned(card: RidersCard) -> RidersCard:
    """The same chip twice."""
    return RidersCard(card.serial, VirtualCard(copy.deepcopy(card.chip.state)))


def test_rides_in_a_row_agree(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    card = rode(city, bus, 3)
    other.ride(card, LATER)
    other.scan(city.phone(), 1)
    bus.send()
    other.send()
    close(city)
    state = proofs(city)["card"]
    assert (state.checked, state.matched, state.waiting, state.exceptions) == (5, 5, 0, 0)


def test_a_clone_is_one_exception_however_often_it_rides(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    card = rode(city, bus, 1)
    double = cloned(card)
    bus.ride(card, LATER)
    bus.ride(card, LATER + timedelta(hours=1))
    for hour in (1, 2, 3):
        other.ride(double, NOON + timedelta(hours=hour, minutes=30))
    bus.send()
    other.send()
    close(city)
    assert found(city) == [f"card:clone:{card.serial}"]


def test_a_clone_that_arrives_first_is_one_exception_too(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    card = rode(city, bus, 1)
    double = cloned(card)
    bus.ride(card, LATER)
    bus.ride(card, LATER + timedelta(hours=1))
    other.ride(double, NOON + timedelta(minutes=30), fare_rial=FARE_RIAL // 2)
    other.send()
    bus.send()
    close(city)
    assert found(city) == [f"card:clone:{card.serial}"]


def test_a_ticket_shown_on_two_buses_is_one_exception(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    phone = city.phone()
    bus.scan(phone, 1)
    other.scan(phone, 1)
    rode(city, bus, 1)
    bus.send()
    other.send()
    close(city)
    (name,) = found(city)
    assert name.startswith("card:ticket_conflict:")


def test_forged_proofs_accuse_the_device_once(city: City) -> None:
    bus, thief = city.bus(1), city.bus(2, "o-2")
    rode(city, bus, 1)
    for _ in range(3):
        card, load = loaded_card(city, 100_000)
        tap = thief.ride(card, deliver=load)
        assert tap.card is not None
        assert tap.card.proof is not None
        thief.journal[-1] = replace(tap, card=replace(tap.card, proof=forged(tap.card.proof))).encode()
    bus.send()
    thief.send()
    close(city)
    assert [n for n in found(city) if n.startswith("card:")] == ["card:bad_proof:2:2026-11-22"]
    ((_, queue_role, amount),) = city.rows("SELECT kind, queue_role, amount_rial FROM travel_exception")
    assert (queue_role, amount) == ("technician", 3 * FARE_RIAL)


def test_spending_beyond_what_was_loaded_is_one_exception(city: City) -> None:
    bus = city.bus(1)
    card = rode(city, bus, 4, amount_rial=50_000)
    bus.send()
    close(city)
    state = proofs(city)["card"]
    assert [(i.kind, i.amount_rial) for i in state.items] == [("beyond_funds", 30_000)]
    assert state.items[0].subject == f"{card.serial}:2026-11-22"


# --- torn taps --------------------------------------------------------------------------------------------


def test_a_torn_tap_that_the_next_bus_proves_agrees(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    card, load = loaded_card(city)
    bus.ride(card, deliver=load, torn="after")
    other.ride(card, LATER)
    bus.send()
    other.send()
    close(city)
    state = proofs(city)["card"]
    assert (state.checked, state.matched, state.exceptions) == (2, 2, 0)


def test_a_tap_torn_before_its_commit_is_explained_by_the_ride_that_took_its_counter(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    card, load = loaded_card(city)
    bus.ride(card, deliver=load)
    bus.ride(card, LATER, torn="before")
    other.ride(card, LATER + timedelta(hours=1))
    # Whichever arrives first.
    other.send()
    bus.send()
    close(city)
    state = proofs(city)["card"]
    assert (state.checked, state.matched, state.waiting, state.exceptions) == (3, 3, 0, 0)


def test_a_recovered_tap_agrees(city: City) -> None:
    bus = city.bus(1)
    card, load = loaded_card(city)
    torn = bus.ride(card, deliver=load, torn="after")
    bus.recover(card, torn, NOON + timedelta(seconds=10))
    bus.send()
    close(city)
    state = proofs(city)["card"]
    assert (state.checked, state.matched, state.exceptions) == (1, 1, 0)


def test_a_torn_tap_waits_a_day_for_its_card(city: City) -> None:
    bus = city.bus(1)
    card = rode(city, bus, 1)
    torn = bus.ride(card, LATER, torn="after")
    bus.send()
    close(city)
    state = proofs(city)["card"]
    assert (state.checked, state.matched, state.waiting, state.exceptions) == (2, 1, 1, 0)
    name = f"card:unconfirmed:1:{bus.journal_id.hex()[:8]}:{torn.seq}"
    assert found(city, NEXT_DAY, next_morning()) == [name]
    bus.ride(card, LATER + timedelta(days=2))
    bus.send(EVENING + timedelta(days=2))
    assert found(city, NEXT_DAY + timedelta(days=1), next_morning(2)) == []
    assert queue(city) == [(name, False)]


def test_rides_withheld_by_a_bus_are_an_exception_by_their_amount(city: City) -> None:
    bus, silent = city.bus(1), city.bus(2, "o-2")
    card = rode(city, bus, 1)
    for hour in (1, 2, 3):
        silent.ride(card, NOON + timedelta(hours=hour))
    bus.ride(card, NOON + timedelta(hours=4))
    bus.send()
    assert proofs(city, at=EVENING)["card"].waiting == 1
    close(city)
    # The bus after them carried the last one's proof, and nobody knows what the card held before it.
    assert [(i.kind, i.subject, i.amount_rial) for i in proofs(city)["card"].items] == [
        ("unreported", f"{card.serial}:6", 3 * FARE_RIAL)
    ]
    silent.send(EVENING + timedelta(days=1))
    seal(city, at=next_morning())
    assert found(city, at=next_morning()) == []
    assert queue(city) == [(f"card:unreported:{card.serial}:6", False)]


def test_one_withheld_ride_is_proven_by_the_next_bus(city: City) -> None:
    bus, silent = city.bus(1), city.bus(2, "o-2")
    card = rode(city, bus, 1)
    silent.ride(card, LATER)
    bus.ride(card, LATER + timedelta(hours=1))
    bus.send()
    close(city)
    state = proofs(city)["card"]
    assert (state.checked, state.exceptions) == (3, 0)


def test_an_accepted_tap_without_evidence_is_bad_and_not_missing(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 1)
    bus.write(outcome=Outcome.ACCEPTED, reason="ok", fare_rial=FARE_RIAL)
    bus.send()
    close(city)
    assert found(city) == ["card:bad_proof:1:2026-11-22"]


# --- desks ------------------------------------------------------------------------------------------------


def test_loads_and_blocks_at_a_desk_are_no_gaps(city: City) -> None:
    bus = city.bus(1)
    card, raw = loaded_card(city)
    desk.tell(city, desk.personalised(city, card, desk.opened(city, card).previous))
    desk.tell(city, desk.load(city, card, raw, NOON))
    bus.ride(card, NOON + timedelta(minutes=5))
    desk.tell(city, desk.load(city, card, card.load(city, 10_000), LATER))
    desk.load(city, card, card.load(city, 10_000), LATER)  # nobody heard of this one
    desk.tell(city, desk.mark(city, card, LATER, blocked=True))
    desk.tell(city, desk.mark(city, card, LATER, blocked=False))
    desk.load(city, card, card.load(city, 10_000), LATER)
    desk.tell(city, desk.load(city, card, card.load(city, 10_000), LATER))
    bus.ride(card, LATER + timedelta(hours=1))
    bus.send()
    close(city)
    state = proofs(city)["card"]
    assert (state.checked, state.matched, state.waiting, state.exceptions) == (2, 2, 0, 0)


def test_what_was_spent_between_a_ride_and_a_block_is_found_by_its_amount(city: City) -> None:
    bus, silent = city.bus(1), city.bus(2, "o-2")
    card = rode(city, bus, 1)
    for hour in (1, 2, 3):
        silent.ride(card, NOON + timedelta(hours=hour))
    bus.send()
    desk.tell(city, desk.mark(city, card, NOON + timedelta(hours=4), blocked=True))
    close(city)
    assert [(i.kind, i.subject, i.amount_rial) for i in proofs(city)["card"].items] == [
        ("unreported", f"{card.serial}:6", 3 * FARE_RIAL)
    ]
    silent.send(EVENING + timedelta(days=1))
    seal(city, at=next_morning())
    assert found(city, at=next_morning()) == []


def test_a_card_that_a_desk_found_ahead_of_its_buses_waits_a_day(city: City) -> None:
    bus, silent = city.bus(1), city.bus(2, "o-2")
    card = rode(city, bus, 1)
    silent.ride(card, LATER)
    silent.ride(card, LATER + timedelta(hours=1))
    bus.send()
    desk.look(city, card)
    close(city)
    assert found(city) == []
    name = f"card:card_ahead:{card.serial}:4"
    assert found(city, NEXT_DAY, next_morning()) == [name]
    silent.send(EVENING + timedelta(days=1))
    seal(city, at=next_morning())
    assert found(city, NEXT_DAY, next_morning()) == []
    assert queue(city) == [(name, False)]


def test_a_double_that_a_desk_saw_is_one_exception(city: City) -> None:
    bus = city.bus(1)
    card = rode(city, bus, 1)
    double = cloned(card)
    bus.ride(card, LATER)
    bus.send()
    assert desk.tell(city, desk.mark(city, double, blocked=True)) is CommitTaken.DOUBLE
    close(city)
    assert found(city) == [f"card:clone:{card.serial}"]


def test_a_forged_block_accuses_its_device(city: City) -> None:
    bus, thief = city.bus(1), city.bus(2, "o-2")
    card = rode(city, bus, 1)
    tap = thief.block(card, LATER)
    assert tap.card is not None
    assert tap.card.proof is not None
    thief.journal[-1] = replace(tap, card=replace(tap.card, proof=forged(tap.card.proof))).encode()
    bus.send()
    thief.send()
    close(city)
    assert found(city) == ["card:bad_proof:2:2026-11-22"]
    assert city.rows("SELECT status FROM ledger_card") == [("active",)]


# --- travel -----------------------------------------------------------------------------------------------


def test_two_vehicles_within_a_minute_are_impossible_travel_and_both_are_paid(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    card = rode(city, bus, 1)
    other.ride(card, NOON + timedelta(seconds=59))
    bus.send()
    other.send()
    close(city)
    (item,) = proofs(city)["card"].items
    assert (item.kind, item.subject, item.queue_role) == ("impossible_travel", f"{card.serial}:3", "finance")
    assert "v-1" in item.detail
    assert [r[6] for r in city.rides()] == [0, 0]


def test_a_minute_apart_the_same_bus_or_a_clock_that_was_not_set_is_no_impossible_travel(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    card = rode(city, bus, 1)
    other.ride(card, NOON + timedelta(seconds=60))
    twice = rode(city, bus, 1)
    bus.ride(twice, NOON + timedelta(seconds=5))
    unset = rode(city, bus, 1)
    other.ride(unset, NOON + timedelta(seconds=5), clock_quality=ClockQuality.UNSYNCHRONISED)
    bus.send()
    other.send()
    close(city)
    assert found(city) == []
