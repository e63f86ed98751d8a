"""A card's ride from its chip to its owner's account, whatever happens to the buses on the way."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

from fare.collection import leaf_hash
from fare.core.tap import Outcome
from tests.collection.bus import EVENING, FARE_RIAL, NOON, OWNER_RIAL, SHARE_BPS, City, forged

COMMISSION_RIAL = FARE_RIAL - OWNER_RIAL
DAY = "2026-11-22"


def funded(city: City, amount_rial: int = 200_000):
    card = city.card()
    return card, card.load(city, amount_rial)


def test_a_ride_is_proven_posted_and_acknowledged(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city)
    bus.ride(card, deliver=load)
    bus.ride(card, NOON + timedelta(hours=1))
    envelope = bus.batch()
    receipt = city.take(envelope)
    assert (receipt.acked_seq, receipt.quarantined) == (2, ())
    assert receipt.inclusion_promise == leaf_hash(envelope)
    assert receipt.ledger_epoch == city.keys.ledger_epoch
    ride = (str(card.serial), 1, "o-1", FARE_RIAL, OWNER_RIAL, 0, "tap")
    assert [(r[0], *r[2:]) for r in city.rides()] == [ride, ride]
    assert [r[1] for r in city.rides()] == [2, 3]
    assert city.taps() == [(1, 1, "valid", ""), (1, 2, "valid", "")]
    assert city.balance("owner_payable:o-1") == -2 * OWNER_RIAL
    assert city.balance("commission_revenue") == -2 * COMMISSION_RIAL
    assert city.balance(f"clearing:{DAY}") == 2 * FARE_RIAL
    assert city.entries() == 1
    assert city.rows("SELECT version, seen_day IS NOT NULL FROM ledger_entitlement ORDER BY version") == [
        (1, True),
        (2, True),
    ]


def test_an_upload_whose_answer_was_lost_changes_nothing(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city)
    bus.ride(card, deliver=load)
    envelope = bus.batch()
    first = city.take(envelope)
    again = city.take(envelope)
    # The validator builds a new envelope around the same taps: still nothing new.
    anew = city.take(bus.batch(at=EVENING + timedelta(minutes=3)), EVENING + timedelta(minutes=3))
    assert again == first
    assert (anew.acked_seq, anew.acked_hash) == (first.acked_seq, first.acked_hash)
    assert anew.inclusion_promise == leaf_hash(envelope)
    assert len(city.rides()) == 1
    assert city.entries() == 1
    assert city.rows("SELECT count(*) FROM travel_batch") == [(1,)]


def test_a_batch_that_overlaps_brings_only_its_new_taps(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city)
    for hour in range(4):
        bus.ride(card, NOON + timedelta(hours=hour), deliver=load if hour == 0 else None)
    assert city.take(bus.batch(1, 2)).acked_seq == 2
    assert city.take(bus.batch(2, 4)).acked_seq == 4
    assert len(city.rides()) == 4
    assert city.balance("owner_payable:o-1") == -4 * OWNER_RIAL


def test_a_gap_is_answered_with_the_old_watermark(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city)
    for hour in range(3):
        bus.ride(card, NOON + timedelta(hours=hour), deliver=load if hour == 0 else None)
    city.take(bus.batch(1, 1))
    beyond = city.take(bus.batch(3, 3))
    assert beyond.acked_seq == 1
    assert beyond.inclusion_promise == bytes(32)
    assert len(city.rides()) == 1
    assert city.rows("SELECT acked_seq, newest_seq FROM travel_stream") == [(1, 3)]
    assert bus.send().acked_seq == 3
    assert len(city.rides()) == 3


def test_a_torn_tap_is_proven_by_the_next_bus_and_pays_its_own_owner(city: City) -> None:
    first, second = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, load = funded(city)
    first.ride(card, deliver=load, torn="after")
    second.ride(card, NOON + timedelta(hours=1))
    # The second bus is online, the first one is not: its ride is known only from the card.
    second.send()
    assert [(r[1], r[2], r[3], r[7]) for r in city.rides()] == [
        (2, 1, "o-1", "next_tap"),
        (3, 2, "o-2", "tap"),
    ]
    assert city.balance("owner_payable:o-1") == -OWNER_RIAL
    first.send()
    assert (1, 1, "valid", "") in city.taps()
    assert len(city.rides()) == 2
    assert city.balance("owner_payable:o-1") == -OWNER_RIAL
    assert city.rows("SELECT count(*) FROM travel_open_evidence") == [(0,)]


def test_a_torn_tap_that_came_first_is_settled_when_the_next_bus_uploads(city: City) -> None:
    first, second = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, load = funded(city)
    first.ride(card, deliver=load)
    first.ride(card, NOON + timedelta(minutes=10), torn="after")
    second.ride(card, NOON + timedelta(hours=1))
    first.send()
    assert city.taps()[1] == (1, 2, "pending", "")
    second.send()
    assert city.taps()[1] == (1, 2, "valid", "")
    assert [(r[1], r[2], r[3]) for r in city.rides()] == [(2, 1, "o-1"), (3, 1, "o-1"), (4, 2, "o-2")]
    assert city.rows("SELECT journal_id, seq FROM travel_ride WHERE counter = 3") == [(first.journal_id, 2)]


def test_a_ride_of_a_burnt_bus_is_proven_by_the_ride_before_it(city: City) -> None:
    first, burnt, third = city.bus(1, "o-1"), city.bus(2, "o-2"), city.bus(3, "o-1")
    card, load = funded(city)
    first.ride(card, deliver=load)
    burnt.ride(card, NOON + timedelta(hours=1), deliver=card.load(city, 50_000))
    third.ride(card, NOON + timedelta(hours=2))
    third.send()
    assert [r[1] for r in city.rides()] == [4]
    assert city.rows("SELECT counter FROM travel_open_evidence") == [(3,)]
    first.send()
    assert [(r[1], r[2], r[3], r[7]) for r in city.rides()] == [
        (2, 1, "o-1", "tap"),
        (3, 2, "o-2", "next_tap"),
        (4, 3, "o-1", "tap"),
    ]
    assert city.balance("owner_payable:o-2") == -OWNER_RIAL
    # A burnt bus whose journal is found after all: the same proof is the same tap.
    burnt.send()
    assert len(city.rides()) == 3
    assert city.balance("owner_payable:o-2") == -OWNER_RIAL
    assert (2, 1, "valid", "") in city.taps()


def test_a_tap_torn_before_commit_is_void_once_the_card_goes_on(city: City) -> None:
    first, second = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, load = funded(city)
    first.ride(card, deliver=load)
    first.ride(card, NOON + timedelta(minutes=1), torn="before")
    first.send()
    second.ride(card, NOON + timedelta(hours=1))
    second.send()
    assert city.taps()[1] == (1, 2, "none", "not_committed")
    assert [(r[1], r[2]) for r in city.rides()] == [(2, 1), (3, 2)]
    assert city.rows("SELECT count(*) FROM travel_open_evidence") == [(0,)]


def test_a_recovered_tap_is_one_ride(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city)
    torn = bus.ride(card, deliver=load, torn="after")
    bus.recover(card, torn, NOON + timedelta(seconds=9))
    bus.send()
    assert city.taps() == [(1, 1, "valid", ""), (1, 2, "valid", "")]
    assert [(r[1], r[4]) for r in city.rides()] == [(2, FARE_RIAL)]
    assert city.rows("SELECT seq FROM travel_ride") == [(2,)]
    assert city.balance("owner_payable:o-1") == -OWNER_RIAL


def test_a_recovered_tap_in_a_later_batch_settles_the_torn_one(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city)
    torn = bus.ride(card, deliver=load, torn="after")
    bus.send(NOON + timedelta(seconds=5))
    bus.recover(card, torn, NOON + timedelta(seconds=9))
    bus.send()
    assert city.taps() == [(1, 1, "valid", ""), (1, 2, "valid", "")]
    assert len(city.rides()) == 1


def test_the_order_in_which_buses_upload_changes_nothing(city: City) -> None:
    buses = [city.bus(n, f"o-{1 + n % 2}") for n in range(1, 5)]
    card, load = funded(city, 1_000_000)
    for ride in range(12):
        bus = buses[(ride * 7) % 4]
        bus.ride(card, NOON + timedelta(minutes=ride), deliver=load if ride == 0 else None,
                 torn="after" if ride % 5 == 3 else "")  # fmt: skip
    for bus in reversed(buses):
        bus.send()
    assert [r[1] for r in city.rides()] == list(range(2, 14))
    assert city.balance("owner_payable:o-1") + city.balance("owner_payable:o-2") == -12 * OWNER_RIAL
    assert {state for _, _, state, _ in city.taps()} == {"valid"}
    assert city.rows("SELECT count(*) FROM travel_open_evidence") == [(0,)]


def test_a_wrong_proof_flags_the_device_and_moves_no_money(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city)
    true = bus.ride(card, deliver=load)
    evidence = true.card
    assert evidence is not None
    assert evidence.proof is not None
    bus.journal.clear()
    bus.write(outcome=Outcome.ACCEPTED, reason="ok", fare_rial=FARE_RIAL,
              card=replace(evidence, proof=forged(evidence.proof)))  # fmt: skip
    bus.write(outcome=Outcome.ACCEPTED, reason="ok", fare_rial=FARE_RIAL, card=replace(evidence, serial=99))
    bus.write(outcome=Outcome.ACCEPTED, reason="ok", fare_rial=FARE_RIAL,
              card=replace(evidence, entitlement_version=77))  # fmt: skip
    bus.write(outcome=Outcome.ACCEPTED, reason="ok", fare_rial=FARE_RIAL)
    assert bus.send().quarantined == ()
    assert city.rides() == []
    assert city.entries() == 0
    assert [(state, flags) for _, _, state, flags in city.taps()] == [
        ("bad", "wrong_proof"),
        ("bad", "unknown_card"),
        ("bad", "unknown_entitlement"),
        ("bad", "no_evidence"),
    ]
    assert city.rows("SELECT status FROM ledger_card") == [("active",)]


def test_every_field_of_the_evidence_is_covered_by_the_proof(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city)
    evidence = bus.ride(card, deliver=load).card
    assert evidence is not None
    bus.journal.clear()
    altered = [
        replace(evidence, record_read=bytes([evidence.record_read[0], 1, *evidence.record_read[2:]])),
        replace(evidence, record_written=evidence.record_written[:-1] + b"\1"),
        replace(evidence, spent_before=1),
        replace(evidence, debit_rial=evidence.debit_rial - 1),
        replace(evidence, delivered_version=None),
        replace(evidence, entitlement_version=2),
    ]
    for one in altered:
        bus.write(outcome=Outcome.ACCEPTED, reason="ok", fare_rial=FARE_RIAL, card=one)
    bus.send()
    assert [state for _, _, state, _ in city.taps()] == ["bad"] * len(altered)
    assert city.rides() == []


def test_another_bus_cannot_be_paid_for_a_ride_it_copied(city: City) -> None:
    honest, thief = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, load = funded(city)
    true = honest.ride(card, deliver=load)
    thief.write(outcome=Outcome.ACCEPTED, reason="ok", fare_rial=FARE_RIAL, card=true.card)
    thief.send()
    assert city.taps() == [(2, 1, "bad", "names_another_validator")]
    assert city.balance("owner_payable:o-2") == 0
    honest.send()
    assert city.balance("owner_payable:o-1") == -OWNER_RIAL


def test_a_clone_is_two_valid_proofs_under_one_counter(city: City) -> None:
    first, second = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, load = funded(city)
    first.ride(card, deliver=load)
    from copy import deepcopy

    clone = replace(card, chip=deepcopy(card.chip))
    first.ride(card, NOON + timedelta(minutes=1))
    second.ride(clone, NOON + timedelta(minutes=2))
    first.send()
    second.send()
    assert city.taps()[-1] == (2, 1, "conflict", "")
    assert len(city.rides()) == 2
    assert city.balance("owner_payable:o-2") == 0
    assert city.rows("SELECT status FROM ledger_card") == [("denied",)]


def test_what_exceeds_the_signed_funds_waits_in_suspense(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city, 2 * FARE_RIAL + 5_000)
    for minute in range(4):
        bus.ride(card, NOON + timedelta(minutes=minute), deliver=load if minute == 0 else None)
    bus.send()
    commission = 5_000 * (10_000 - SHARE_BPS) // 10_000
    assert [(r[4], r[5], r[6]) for r in city.rides()] == [
        (FARE_RIAL, OWNER_RIAL, 0),
        (FARE_RIAL, OWNER_RIAL, 0),
        (FARE_RIAL, 5_000 - commission, FARE_RIAL - 5_000),
        (FARE_RIAL, 0, FARE_RIAL),
    ]
    assert city.balance("suspense:device:1") == -(2 * FARE_RIAL - 5_000)
    assert city.balance(f"clearing:{DAY}") == 4 * FARE_RIAL
    assert city.rows("SELECT DISTINCT suspense_reason FROM travel_ride WHERE suspense_rial > 0") == [
        ("beyond_funds",)
    ]


def test_a_fare_above_the_tariff_pays_the_tariff(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city, 1_000_000)
    bus.ride(card, deliver=load, fare_rial=10 * FARE_RIAL)
    bus.send()
    assert [(r[4], r[5], r[6]) for r in city.rides()] == [(10 * FARE_RIAL, OWNER_RIAL, 9 * FARE_RIAL)]
    assert city.taps() == [(1, 1, "valid", "price_differs")]


def test_a_concession_is_priced_by_what_the_card_was_signed_for(city: City) -> None:
    bus = city.bus(1)
    card = city.card(rider_category=1)
    bus.ride(card, deliver=card.load(city, 100_000), fare_rial=FARE_RIAL // 2)
    bus.send()
    assert city.taps() == [(1, 1, "valid", "")]


def test_a_bus_without_an_owner_is_held_in_suspense(city: City) -> None:
    bus = city.bus(1, assigned=False)
    card, load = funded(city)
    bus.ride(card, deliver=load)
    bus.send()
    assert [(r[3], r[5], r[6]) for r in city.rides()] == [(None, 0, FARE_RIAL)]
    assert city.balance("suspense:device:1") == -FARE_RIAL


def test_a_proven_debit_with_a_false_record_is_booked_but_not_paid(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city)
    bus.ride(card, deliver=load, record={"fare_rial": 1})
    bus.send()
    assert [(r[4], r[5], r[6]) for r in city.rides()] == [(FARE_RIAL, 0, FARE_RIAL)]
    assert city.taps()[0][2:] == ("valid", "record_differs")


def test_a_late_ride_is_posted_under_its_own_service_day(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city)
    bus.ride(card, NOON - timedelta(days=3), deliver=load)
    bus.ride(card, NOON - timedelta(days=1))
    bus.send()
    assert city.entries() == 2
    assert city.balance("clearing:2026-11-19") == FARE_RIAL
    assert city.balance("clearing:2026-11-21") == FARE_RIAL


def test_of_a_revoked_device_only_what_another_bus_vouches_for_is_paid(city: City) -> None:
    from fare.database.engine import write
    from fare.fleet import revoke

    revoked, other = city.bus(1, "o-1"), city.bus(2, "o-2")
    vouched, load = funded(city)
    alone, other_load = funded(city)
    revoked.ride(vouched, deliver=load)
    revoked.ride(alone, NOON, deliver=other_load)
    other.ride(vouched, NOON + timedelta(hours=1))
    with write(city.engine) as session:
        revoke(session, 1, NOON + timedelta(hours=2))
    # The other bus's card vouches by its counter alone, before its evidence is looked at.
    other.send()
    revoked.send()
    by_card = {r[0]: (r[5], r[6]) for r in city.rides() if r[2] == 1}
    assert by_card == {str(vouched.serial): (OWNER_RIAL, 0), str(alone.serial): (0, FARE_RIAL)}
