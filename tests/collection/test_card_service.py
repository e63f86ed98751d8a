"""Desks are witnesses too: what they read proves taps, and what they write is no ride."""

from __future__ import annotations

import copy
from dataclasses import replace
from datetime import timedelta
from typing import Any

from fare.collection.card_service import CommitTaken
from fare.issuing import denied as denied_media
from hardware.emulator.card import VirtualCard
from tests.collection.bus import EVENING, FARE_RIAL, NOON, OWNER_RIAL, City, RidersCard
from tests.collection.desk import (
    forged_commit,
    load,
    look,
    mark,
    opened,
    personalised,
    report,
    sighting,
    tell,
)

LATER = NOON + timedelta(hours=1)


def funded(city: City, amount_rial: int = 200_000) -> tuple[RidersCard, bytes]:
    card = city.card()
    return card, card.load(city, amount_rial)


def copied(card: RidersCard) -> RidersCard:
    return RidersCard(card.serial, VirtualCard(copy.deepcopy(card.chip.state)))


def commits(city: City) -> list[Any]:
    """All commits that are no rides, after personalisation."""
    return city.rows(
        "SELECT counter, kind, device_id, spent_rial FROM travel_card_commit WHERE counter > 1"
        " ORDER BY medium_ref, counter"
    )


def waiting(city: City) -> int:
    return int(city.rows("SELECT count(*) FROM travel_open_evidence")[0][0])


def status(city: City) -> str:
    return str(city.rows("SELECT status FROM ledger_card")[0][0])


def test_a_desk_proves_the_last_tap_for_its_own_bus_once(city: City) -> None:
    burnt = city.bus(1, "o-1")
    card, raw = funded(city)
    burnt.ride(card, deliver=raw)
    first, again = look(city, card), look(city, card, EVENING + timedelta(minutes=1))
    assert (first.rides_proven, first.unreported_rial, first.is_behind, first.is_copied) == (
        1,
        0,
        False,
        False,
    )
    assert again == replace(first, rides_proven=0)
    assert [(r[1], r[2], r[3], r[7]) for r in city.rides()] == [(2, 1, "o-1", "next_tap")]
    burnt.send(EVENING + timedelta(hours=1))
    assert len(city.rides()) == 1
    assert city.balance("owner_payable:o-1") == -OWNER_RIAL
    assert waiting(city) == 0
    assert city.rows("SELECT version, seen_day IS NOT NULL FROM ledger_entitlement") == [(1, True), (2, True)]
    ((entry,),) = city.rows("SELECT entry_id FROM ledger_entry WHERE cause_kind = 'sighting'")
    assert entry.split(":")[1] != str(card.serial), "no entry may say which card it was"


def test_a_desk_shows_what_no_bus_reported_and_its_older_records_prove_the_newest(city: City) -> None:
    silent, other = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, raw = funded(city)
    silent.ride(card, deliver=raw)
    silent.ride(card, LATER)
    other.ride(card, LATER + timedelta(hours=1))
    shallow = look(city, card)
    assert (shallow.rides_proven, shallow.unreported_rial) == (0, 3 * FARE_RIAL)
    assert waiting(city) == 1
    look(city, card, EVENING + timedelta(minutes=1))
    assert waiting(city) == 1, "the same reading waits once"
    deep = look(city, card, EVENING + timedelta(minutes=2), deep=True)
    assert (deep.rides_proven, deep.unreported_rial) == (1, 0)
    assert [(r[1], r[2], r[3]) for r in city.rides()] == [(4, 2, "o-2")]
    silent.send(EVENING + timedelta(hours=1))
    assert [r[1] for r in city.rides()] == [2, 3, 4]
    assert waiting(city) == 0


def test_service_commits_are_kept_once_and_move_no_money(city: City) -> None:
    bus = city.bus(1)
    card, raw = funded(city)
    first = personalised(city, card, opened(city, card).previous)
    assert tell(city, forged_commit(first)) is CommitTaken.NOT_PROVEN
    assert tell(city, first) in {CommitTaken.RECORDED, CommitTaken.KNOWN}
    kinds = city.rows("SELECT counter, kind, spent_rial FROM travel_card_commit")
    assert kinds == [(1, "personalised", 0)]
    loaded = load(city, card, raw)
    assert tell(city, forged_commit(loaded)) is CommitTaken.NOT_PROVEN
    assert tell(city, loaded) is CommitTaken.RECORDED
    assert tell(city, loaded) is CommitTaken.KNOWN
    bus.ride(card)
    blocked = mark(city, card, blocked=True)
    assert tell(city, replace(blocked, evidence=None)) is CommitTaken.NOT_PROVEN
    assert tell(city, replace(blocked, spent_rial=0)) is CommitTaken.NOT_PROVEN
    assert tell(city, blocked) is CommitTaken.RECORDED
    freed = mark(city, card, blocked=False)
    assert tell(city, freed) is CommitTaken.RECORDED
    bus.ride(card, LATER)
    # The desk's own evidence of the block proved the ride before it; the bus brings the same one.
    assert [r[1] for r in city.rides()] == [3]
    bus.send()
    assert commits(city) == [
        (2, "loaded", 0, 0),
        (4, "blocked", 0, FARE_RIAL),
        (5, "unblocked", 0, FARE_RIAL),
    ]
    assert [(r[1], r[4], r[5]) for r in city.rides()] == [
        (3, FARE_RIAL, OWNER_RIAL),
        (6, FARE_RIAL, OWNER_RIAL),
    ]
    assert {state for _, _, state, _ in city.taps()} == {"valid"}
    assert waiting(city) == 0
    assert status(city) == "active"


def test_commits_whose_answer_was_lost_are_learned_from_the_next_reader(city: City) -> None:
    first, second, third = city.bus(1, "o-1"), city.bus(2, "o-2"), city.bus(3, "o-1")
    card, raw = funded(city)
    load(city, card, raw)
    first.ride(card)
    load(city, card, card.load(city, 50_000), LATER)
    second.ride(card, LATER + timedelta(hours=1))  # nobody ever hears of it but from the card
    mark(city, card, LATER + timedelta(hours=2), blocked=True)
    mark(city, card, LATER + timedelta(hours=3), blocked=False)
    third.ride(card, LATER + timedelta(hours=4))
    for bus in (third, second, first):
        bus.send()
    # 2: told by the first ride, 4: by the second, 7: by the third. 6 was overwritten by 7 unseen.
    assert [row[:2] for row in commits(city)] == [(2, "loaded"), (4, "loaded")]
    assert [r[1] for r in city.rides()] == [3, 5, 8]
    assert city.rows("SELECT counter FROM travel_open_evidence") == [(7,)]


def test_a_ride_after_a_load_that_nobody_read_is_still_proven(city: City) -> None:
    first, burnt, third = city.bus(1, "o-1"), city.bus(2, "o-2"), city.bus(3, "o-1")
    card, raw = funded(city)
    first.ride(card, deliver=raw)
    load(city, card, card.load(city, 50_000), LATER)
    burnt.ride(card, LATER + timedelta(hours=1))
    third.ride(card, LATER + timedelta(hours=2))
    first.send()
    third.send()
    assert [(r[1], r[3]) for r in city.rides()] == [(2, "o-1"), (4, "o-2"), (5, "o-1")]
    assert waiting(city) == 0


def test_a_load_between_torn_taps_leaves_every_proof_provable(city: City) -> None:
    first, second = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, raw = funded(city)
    first.ride(card, deliver=raw, torn="after")
    seen = sighting(city, card, LATER)
    done = load(city, card, card.load(city, 50_000), LATER)
    first.ride(card, LATER + timedelta(minutes=5), torn="after")
    first.ride(card, LATER + timedelta(minutes=9), torn="after")
    second.ride(card, LATER + timedelta(minutes=30))
    second.send()
    first.send()
    # The first tap's proof went with the load; the desk had read it, and its report comes last.
    assert [r[1] for r in city.rides()] == [4, 5, 6]
    assert report(city, seen).rides_proven == 1
    assert tell(city, done) is CommitTaken.KNOWN
    assert [r[1] for r in city.rides()] == [2, 4, 5, 6]
    assert waiting(city) == 0
    assert {state for _, _, state, _ in city.taps()} == {"valid"}
    assert city.balance("owner_payable:o-1") == -3 * OWNER_RIAL


# --- refused taps -----------------------------------------------------------------------------------------


def test_a_refused_tap_proves_and_pays_the_tap_before_it(city: City) -> None:
    burnt, other = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, raw = funded(city)
    burnt.ride(card, deliver=raw)
    other.refuse(card, LATER)
    other.refuse(card, LATER + timedelta(minutes=1))
    other.send()
    assert [(r[1], r[3], r[7]) for r in city.rides()] == [(2, "o-1", "next_tap")]
    assert city.taps() == [(2, 1, "none", ""), (2, 2, "none", "")]
    assert city.rows("SELECT DISTINCT medium_kind, medium_ref, counter FROM travel_tap") == [
        ("card", str(card.serial), None)
    ]


def test_a_block_on_the_bus_is_a_commit_and_no_ride(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    card, raw = funded(city)
    bus.ride(card, deliver=raw)
    other.block(card, LATER)
    bus.refuse(card, LATER + timedelta(hours=1), "card_blocked")
    bus.send()
    # The card alone told of the block so far.
    assert commits(city) == [(3, "blocked", 2, FARE_RIAL)]
    other.send()
    assert commits(city) == [(3, "blocked", 2, FARE_RIAL)]
    assert [r[1] for r in city.rides()] == [2]
    assert (2, 1, "valid", "") in city.taps()
    assert city.balance("owner_payable:o-2") == 0
    assert waiting(city) == 0


def test_a_torn_block_is_settled_by_whoever_reads_the_card_next(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    for torn, states, kinds in (
        ("after", "valid", [(3, "blocked")]),
        ("before", "none", []),
    ):
        card, raw = funded(city)
        bus.ride(card, deliver=raw)
        tap = other.block(card, LATER, torn=torn)
        other.send()
        assert (2, tap.seq, "pending", "") in city.taps()
        bus.ride(card, LATER + timedelta(hours=1))
        bus.send()
        state = [(state, flags) for device, seq, state, flags in city.taps() if (device, seq) == (2, tap.seq)]
        assert state == [(states, "" if torn == "after" else "not_committed")]
        found = city.rows(
            "SELECT counter, kind FROM travel_card_commit WHERE medium_ref = :r AND counter > 1",
            r=str(card.serial),
        )
        assert found == kinds
    assert waiting(city) == 0


def test_a_block_whose_reader_hung_is_proven_by_the_tap_that_recovers_it(city: City) -> None:
    """In the same upload as the tap without a proof, or in a later one."""
    bus = city.bus(1)
    for apart in (False, True):
        card, _ = funded(city)
        tap = bus.block(card, LATER)
        bus.journal.pop()
        evidence = tap.card
        assert evidence is not None
        bus.write(LATER, reason="card_denied", card=replace(evidence, proof=None))
        bus.scan(city.phone(), 1, LATER)
        if apart:
            bus.send()
            assert (1, tap.seq, "pending", "") in city.taps()
        bus.write(LATER, reason="card_denied", card=evidence, recovers=tap.seq)
        bus.send()
        mine = [row for row in city.taps() if tap.seq <= row[1]]
        assert mine == [
            (1, tap.seq, "valid", ""),
            (1, tap.seq + 1, "valid", ""),
            (1, tap.seq + 2, "valid", ""),
        ]
        kinds = city.rows("SELECT kind FROM travel_card_commit WHERE counter > 1 AND medium_ref = :r",
                          r=str(card.serial))  # fmt: skip
        assert kinds == [("blocked",)]
    assert all(medium != str(card.serial) for medium, *_ in city.rides())
    assert city.balance("suspense:device:1") == 0
    assert waiting(city) == 0


def test_a_block_that_debits_is_booked_and_pays_nobody(city: City) -> None:
    bus = city.bus(1)
    card, raw = funded(city)
    bus.ride(card, deliver=raw, record={"blocked": True})
    bus.send()
    assert [(r[4], r[5], r[6]) for r in city.rides()] == [(FARE_RIAL, 0, FARE_RIAL)]
    assert commits(city) == []


# --- copies -----------------------------------------------------------------------------------------------


def test_a_copy_is_denied_whoever_shows_it_first(city: City) -> None:
    bus, other = city.bus(1, "o-1"), city.bus(2, "o-2")
    shown = {
        "at a desk": lambda double: tell(city, mark(city, double, LATER, blocked=True)),
        "by a load": lambda double: tell(city, load(city, double, double.load(city, 10_000), LATER)),
        "by the next tap": lambda double: (other.ride(double, LATER), look(city, double)),
        "refused": lambda double: (other.ride(double, LATER), bus.refuse(double, LATER), bus.send()),
    }
    for how, show in shown.items():
        card, raw = funded(city)
        bus.ride(card, deliver=raw)
        double = copied(card)
        bus.ride(card, NOON + timedelta(minutes=7))
        bus.send()
        paid = city.balance("owner_payable:o-1")
        assert denied(city, card) == "active", how
        show(double)
        assert denied(city, card) == "denied", how
        assert city.balance("owner_payable:o-1") == paid, how
    assert city.balance("owner_payable:o-2") == 0


def denied(city: City, card: RidersCard) -> str:
    return str(city.rows("SELECT status FROM ledger_card WHERE serial = :s", s=card.serial)[0][0])


def test_a_restored_card_is_denied_in_either_order_and_a_late_third_copy_changes_nothing(city: City) -> None:
    buses = [city.bus(number, f"o-{1 + number % 2}") for number in (1, 2, 3)]
    for order in ((0, 1, 2), (2, 1, 0), (1, 2, 0)):
        card, raw = funded(city)
        buses[0].ride(card, deliver=raw)
        copies = [card, copied(card), copied(card)]
        for bus, one in zip(buses, copies, strict=True):
            bus.ride(one, LATER + timedelta(minutes=bus.device))
        states: list[str] = []
        for number in order:
            buses[number].send()
            states.append(denied(city, card))
        assert states[0] == "active"
        assert states[1:] == ["denied", "denied"]
        refused, _ = city.session(lambda session: denied_media(session, LATER))
        assert card.serial in refused, "by the next bundle"
        rides = city.rows(
            "SELECT counter, device_id FROM travel_ride WHERE medium_ref = :r", r=str(card.serial)
        )
        assert [device for counter, device in rides if counter == 3] == [buses[order[0]].device]
    assert {state for _, _, state, _ in city.taps()} == {"valid", "conflict"}


def test_two_copies_in_one_batch_are_denied_by_it(city: City) -> None:
    bus = city.bus(1)
    card, raw = funded(city)
    bus.ride(card, deliver=raw)
    double = copied(card)
    bus.ride(card, LATER)
    bus.ride(double, LATER + timedelta(minutes=1))
    bus.send()
    assert [state for _, _, state, _ in city.taps()] == ["valid", "valid", "conflict"]
    assert status(city) == "denied"
    assert len(city.rides()) == 2


def test_what_copies_can_cost_is_bounded_by_the_load_once_they_are_known(city: City) -> None:
    """Until the second upload, copies cost at most what each could ride; from then on what was loaded."""
    rides, copies = 4, 3
    buses = [city.bus(number, "o-1") for number in range(1, copies + 1)]
    card, raw = funded(city, (rides + 1) * FARE_RIAL)
    buses[0].ride(card, deliver=raw)
    doubles = [card, *(copied(card) for _ in range(copies - 1))]
    for bus, one in zip(buses, doubles, strict=True):
        # Free rides move a copy's counter out of the others' way: no counter of its paid rides is taken.
        for free in range((bus.device - 1) * rides):
            bus.ride(one, LATER + timedelta(minutes=free), fare_rial=0)
        for paid in range(rides):
            bus.ride(one, LATER + timedelta(hours=1, minutes=paid))
    for bus in buses:
        bus.send()
    assert status(city) == "denied"
    credited = -city.balance("owner_payable:o-1") - city.balance("commission_revenue")
    window_rial = copies * rides * FARE_RIAL
    assert credited <= FARE_RIAL + window_rial
    # The second upload shows the copy: from then on owners are credited from what was loaded alone.
    assert credited == (rides + 1) * FARE_RIAL
    buses[0].ride(card, LATER + timedelta(hours=3))
    buses[0].send()
    assert -city.balance("owner_payable:o-1") - city.balance("commission_revenue") == credited


def test_a_proof_that_does_not_hold_denies_nobody(city: City) -> None:
    bus, thief = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, raw = funded(city)
    bus.ride(card, deliver=raw)
    bus.ride(card, LATER)
    bus.send()
    seen = sighting(city, card)
    lie = replace(seen, previous=replace(seen.previous, tmv=bytes(8)))
    assert not report(city, lie).is_copied
    tap = thief.refuse(card, LATER)
    assert tap.card is not None
    thief.journal[-1] = replace(
        tap, card=replace(tap.card, previous=replace(tap.card.previous, tmv=bytes(8)))
    ).encode()
    thief.send()
    assert city.taps()[-1] == (2, 1, "none", "previous_differs")
    assert status(city) == "active"
    assert not look(city, card).is_behind
