"""A bus owner with the validator's device key and k1, who wants more than was earned."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from fare.core.card_record import CardRecord
from fare.core.proof.card import CardEvidence, CommitProof
from fare.core.tap import ClockQuality, Outcome
from fare.core.tariff.model import FareProduct, flat_tariff
from fare.database.engine import write
from fare.fleet import revoke
from fare.fleet.models import Contract, DeviceAssignment, VehicleAssignment
from tests.collection.bus import EVENING, FARE_RIAL, NOON, OWNER_RIAL, Bus, City, RidersCard, drawn
from tests.tariffs.published import publish

INVENTED = 200


def funded(city: City, amount_rial: int = 200_000) -> tuple[RidersCard, bytes]:
    card = city.card()
    return card, card.load(city, amount_rial)


def earned(city: City, owner: str = "o-1") -> int:
    return -city.balance(f"owner_payable:{owner}")


def invented(bus: Bus, serial: int, tmc: int) -> CardEvidence:
    """A ride that looks right in every field, with a proof that no chip made."""
    spent = (tmc - 2) * FARE_RIAL
    record = CardRecord(
        bus.device, bus.next_seq, int(NOON.timestamp()), 7, 0, FARE_RIAL, spent + FARE_RIAL, 2
    )
    read = replace(record, seq=0, fare_rial=0, spent_after_rial=spent)
    return CardEvidence(
        serial, 2, None, read.encode(), spent, FARE_RIAL, record.encode(),
        CommitProof(tmc - 1, drawn(8)), CommitProof(tmc, drawn(8)),
    )  # fmt: skip


# --- invented rides, and money that was never loaded (A6) -------------------------------------------------


def test_invented_taps_earn_nothing_and_accuse_the_device_alone(city: City) -> None:
    honest, thief = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, load = funded(city)
    honest.ride(card, deliver=load)
    honest.send()
    for n in range(INVENTED):
        evidence = invented(thief, card.serial if n % 2 else 9_000 + n, 3 + n)
        thief.write(outcome=Outcome.ACCEPTED, reason="ok", fare_rial=FARE_RIAL, card=evidence)
    thief.send()
    assert earned(city, "o-2") == 0
    assert {(device, state) for device, _, state, _ in city.taps()} == {(1, "valid"), (2, "bad")}
    assert len(city.rides()) == 1
    assert city.rows("SELECT DISTINCT status FROM ledger_card") == [("active",)]
    # The card they named rides on, and its next honest ride is paid.
    honest.ride(card, NOON + timedelta(hours=1))
    honest.send()
    assert earned(city) == 2 * OWNER_RIAL


def test_a_genuine_card_debited_beyond_its_loads_pays_only_what_was_loaded(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city, 3 * FARE_RIAL)
    for n in range(10):
        bus.ride(card, NOON + timedelta(minutes=n), deliver=load if n == 0 else None)
    bus.send()
    assert earned(city) == 3 * OWNER_RIAL
    assert city.balance("suspense:device:1") == -7 * FARE_RIAL


def test_a_card_that_was_never_loaded_earns_nothing(city: City) -> None:
    bus = city.bus(1)
    card = city.card()
    for n in range(5):
        bus.ride(card, NOON + timedelta(minutes=n))
    bus.send()
    assert earned(city) == 0
    assert city.balance("suspense:device:1") == -5 * FARE_RIAL


def test_the_same_proof_under_other_names_is_one_ride(city: City) -> None:
    """Another journal of the same device, another serial, another counter, another device."""
    bus, other = city.bus(1), city.bus(2, "o-2")
    card, load = funded(city)
    second, _ = funded(city)
    tap = bus.ride(card, deliver=load)
    evidence = tap.card
    assert evidence is not None
    assert evidence.proof is not None
    bus.send()
    bus.journal_id, bus.journal = drawn(16), []
    again: dict[str, Any] = {"outcome": Outcome.ACCEPTED, "reason": "ok", "fare_rial": FARE_RIAL}
    bus.write(**again, card=evidence)
    bus.write(**again, card=replace(evidence, serial=second.serial))
    bus.write(**again, card=replace(evidence, proof=replace(evidence.proof, tmc=evidence.proof.tmc + 1)))
    bus.send()
    other.write(**again, card=evidence)
    other.send()
    assert len(city.rides()) == 1
    assert (earned(city), earned(city, "o-2")) == (OWNER_RIAL, 0)


# --- prices -----------------------------------------------------------------------------------------------


def test_a_student_who_was_debited_the_full_fare_earns_the_owner_half_of_it(city: City) -> None:
    bus = city.bus(1)
    card = city.card(rider_category=1)
    bus.ride(card, deliver=card.load(city, 200_000), fare_rial=FARE_RIAL)
    bus.send()
    assert earned(city) == OWNER_RIAL // 2
    assert city.balance("suspense:device:1") == -FARE_RIAL // 2
    assert city.rows("SELECT suspense_reason FROM travel_ride") == [("above_tariff",)]


def test_a_tariff_that_has_not_begun_or_is_long_over_cannot_be_named(city: City) -> None:
    def product(rial: int) -> dict[int, FareProduct]:
        return {0: FareProduct("single", "Single", rial)}

    with write(city.engine) as session:
        publish(session, flat_tariff(2, "dear", product(9 * FARE_RIAL)), NOON - timedelta(days=29))
        publish(session, flat_tariff(3, "flat again", product(FARE_RIAL)), NOON - timedelta(days=28))
        publish(session, flat_tariff(4, "next year", product(5 * FARE_RIAL)), NOON + timedelta(days=90))
    bus = city.bus(1)
    card, load = funded(city, 1_000_000)
    bus.ride(card, deliver=load, fare_rial=5 * FARE_RIAL, tariff_version=4)
    at = NOON + timedelta(days=60)
    bus.ride(card, at, fare_rial=9 * FARE_RIAL, tariff_version=2)
    bus.send(at + timedelta(hours=1))
    assert earned(city) == 2 * OWNER_RIAL


def test_a_bus_that_was_offline_when_the_tariff_changed_is_paid_by_the_one_it_had(city: City) -> None:
    cheaper = {0: FareProduct("single", "Single", FARE_RIAL // 2)}
    with write(city.engine) as session:
        publish(session, flat_tariff(2, "cheaper", cheaper), NOON - timedelta(days=20))
    bus = city.bus(1)
    card, load = funded(city)
    bus.ride(card, deliver=load, tariff_version=1)
    bus.send()
    assert earned(city) == OWNER_RIAL


# --- time -------------------------------------------------------------------------------------------------


def better_terms_until(city: City, bus: Bus, until: datetime, owner: str = "o-1") -> None:
    """The bus had another owner, or other terms, before `until`."""
    bus.booted_at = NOON - timedelta(days=90)
    vehicle = f"v-{bus.device}"
    with write(city.engine) as session:
        session.add(Contract(contract_id="c-all", name="c-all", owner_share_bps=10_000))
        since = NOON - timedelta(days=90)
        session.add(
            DeviceAssignment(device_id=bus.device, starts_at=since, ends_at=NOON - timedelta(days=30),
                             vehicle_id=vehicle, line=7)
        )  # fmt: skip
        session.add(
            VehicleAssignment(vehicle_id=vehicle, starts_at=since, ends_at=until,
                              owner_id=owner, contract_id="c-all")
        )  # fmt: skip


def test_a_ride_moved_to_a_time_before_its_card_was_loaded_is_not_paid(city: City) -> None:
    bus = city.bus(1, "o-2")
    better_terms_until(city, bus, NOON - timedelta(days=30), "o-1")
    card, load = funded(city)
    bus.ride(card, NOON - timedelta(days=40), deliver=load)
    bus.send()
    assert (earned(city), earned(city, "o-2")) == (0, 0)
    assert city.balance("suspense:device:1") == -FARE_RIAL
    assert "clock_contradicted" in city.taps()[0][3]


def test_a_ride_moved_to_a_time_before_the_ride_before_it_is_not_paid(city: City) -> None:
    honest, bus = city.bus(2, "o-2"), city.bus(1, "o-2")
    better_terms_until(city, bus, NOON - timedelta(days=30))
    card = city.card()
    load = card.load(city, 200_000, NOON - timedelta(days=60))
    honest.ride(card, NOON - timedelta(hours=2), deliver=load)
    bus.ride(card, NOON - timedelta(days=40))
    honest.send()
    bus.send()
    assert earned(city) == 0
    assert city.balance("suspense:device:1") == -FARE_RIAL


def test_a_ride_moved_to_a_time_before_the_last_upload_is_not_paid(city: City) -> None:
    bus = city.bus(1, "o-2")
    better_terms_until(city, bus, NOON - timedelta(days=30))
    card = city.card()
    load = card.load(city, 200_000, NOON - timedelta(days=60))
    bus.write()
    bus.send(NOON)
    bus.ride(card, NOON - timedelta(days=40), deliver=load)
    bus.send()
    assert earned(city) == 0
    assert city.balance("suspense:device:1") == -FARE_RIAL


def test_a_clock_that_is_only_wrong_costs_an_honest_owner_nothing(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city)
    bus.ride(card, NOON - timedelta(days=5), deliver=load)
    bus.send()
    assert earned(city) == OWNER_RIAL
    assert "clock_contradicted" in city.taps()[0][3]


def test_a_ticket_shown_at_one_time_is_not_paid_by_the_terms_of_another(city: City) -> None:
    bus = city.bus(1, "o-2")
    better_terms_until(city, bus, NOON - timedelta(days=30))
    phone = city.phone()
    text = phone.ticket_text(int(NOON.timestamp()), 1)
    bus.write(
        NOON - timedelta(days=40), outcome=Outcome.ACCEPTED, reason="ok", fare_rial=FARE_RIAL, ticket=text
    )
    bus.send()
    assert earned(city) == 0
    assert city.balance("suspense:device:1") == -FARE_RIAL


def test_no_clock_loses_a_tap(city: City) -> None:
    bus = city.bus(1)
    card, load = funded(city)
    times = [datetime.fromtimestamp(0, NOON.tzinfo), NOON.replace(year=NOON.year + 10), NOON]
    for n, (at, quality) in enumerate(itertools.product(times, ClockQuality)):
        bus.ride(card, at, deliver=load if n == 0 else None, clock_quality=quality, mono_ns=n)
    receipt = bus.send()
    assert (receipt.acked_seq, receipt.quarantined) == (6, ())
    assert earned(city) == 6 * OWNER_RIAL
    stored = city.rows(
        "SELECT count(*) FROM travel_tap WHERE service_day BETWEEN '2026-11-12' AND '2026-11-22'"
    )
    assert stored == [(6,)]


# --- a stolen validator -----------------------------------------------------------------------------------


def test_a_stolen_validator_earns_nothing_after_its_revocation(city: City) -> None:
    """It debits cards, sends nothing, and waits for honest buses to bring its proofs."""
    stolen, honest = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, load = funded(city)
    honest.ride(card, NOON, deliver=load)
    with write(city.engine) as session:
        revoke(session, 1, NOON + timedelta(hours=1))
    stolen.ride(card, NOON + timedelta(hours=2))
    honest.ride(card, NOON + timedelta(hours=3))
    honest.send()
    assert [(r[2], r[5], r[6]) for r in city.rides()] == [
        (2, OWNER_RIAL, 0), (1, 0, FARE_RIAL), (2, OWNER_RIAL, 0),
    ]  # fmt: skip
    assert city.rows("SELECT suspense_reason FROM travel_ride WHERE device_id = 1") == [("device_revoked",)]


def test_a_stolen_validator_is_not_vouched_for_by_later_rides(city: City) -> None:
    stolen, honest = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, load = funded(city)
    with write(city.engine) as session:
        revoke(session, 1, NOON - timedelta(hours=1))
    stolen.ride(card, NOON - timedelta(hours=2), deliver=load)  # it says that it was before
    honest.ride(card, NOON + timedelta(hours=3))
    honest.send()
    stolen.send()
    assert earned(city) == 0
    assert earned(city, "o-2") == OWNER_RIAL


def test_a_burnt_bus_that_was_revoked_afterwards_is_still_paid(city: City) -> None:
    burnt, honest = city.bus(1, "o-1"), city.bus(2, "o-2")
    card, load = funded(city)
    burnt.ride(card, NOON, deliver=load)
    honest.ride(card, NOON + timedelta(hours=1))
    with write(city.engine) as session:
        revoke(session, 1, NOON + timedelta(hours=2))
    honest.send()
    assert earned(city) == OWNER_RIAL


# --- a camera at the stop ---------------------------------------------------------------------------------


def test_a_ticket_on_two_buses_pays_neither_before_a_person_has_looked(city: City) -> None:
    camera, honest = city.bus(1, "o-1"), city.bus(2, "o-2")
    phone = city.phone()
    camera.scan(phone, 1)
    camera.send()
    assert earned(city) == OWNER_RIAL
    honest.scan(phone, 1, NOON + timedelta(seconds=20))
    honest.scan(phone, 2, NOON + timedelta(hours=1))
    honest.send()
    assert (earned(city), earned(city, "o-2")) == (0, OWNER_RIAL)
    assert city.balance("suspense:device:1") == -FARE_RIAL
    assert city.balance("clearing:2026-11-22") == 2 * FARE_RIAL
    # A third copy, and the same batch again, take nothing more away.
    third = city.bus(3, "o-2")
    third.scan(phone, 1, NOON + timedelta(seconds=25))
    third.send()
    honest.send(EVENING + timedelta(minutes=1))
    assert (earned(city), earned(city, "o-2")) == (0, OWNER_RIAL)
    assert city.balance("suspense:device:1") == -FARE_RIAL
    assert city.balance("commission_revenue") == -(FARE_RIAL - OWNER_RIAL)


def test_a_disputed_ticket_is_on_no_statement(city: City) -> None:
    from fare.settlement import make_statements, seal_day

    camera, honest = city.bus(1, "o-1"), city.bus(2, "o-2")
    phone = city.phone()
    camera.scan(phone, 1)
    camera.scan(phone, 2, NOON + timedelta(hours=1))
    camera.send()
    honest.scan(phone, 1, NOON + timedelta(seconds=20))
    honest.send()
    day = NOON.date()
    with write(city.engine) as session:
        assert seal_day(session, day, EVENING, city.keys).clearing_rial == 0
        (statement,) = make_statements(session, day, EVENING)
    assert (statement.owner_id, statement.net_rial, statement.suspense_rial) == ("o-1", OWNER_RIAL, FARE_RIAL)
    assert statement.gross_rial == 2 * FARE_RIAL
    with write(city.engine) as session:
        seal_day(session, day + timedelta(days=1), EVENING, city.keys)
        assert make_statements(session, day + timedelta(days=1), EVENING) == []


def test_the_same_bus_scanning_twice_is_no_dispute(city: City) -> None:
    bus = city.bus(1)
    phone = city.phone()
    bus.scan(phone, 1)
    bus.send()
    bus.scan(phone, 1, NOON + timedelta(seconds=20))
    bus.send()
    assert earned(city) == OWNER_RIAL
