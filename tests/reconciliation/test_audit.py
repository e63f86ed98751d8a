"""An audit finds and names what was tampered with, and finds nothing where nothing was."""

from __future__ import annotations

from datetime import date, timedelta

import pytest
from sqlalchemy import Connection, Engine, text

from fare.ledger.journal import entry_digest
from hardware.city.corruption import Corruption, _without_triggers, corrupt
from tests.collection.bus import EVENING, FARE_RIAL, NOON, City
from tests.reconciliation.build import audited, close
from tests.settlement.build import DAY, loaded_card, next_morning, rode, seal


@pytest.fixture
def closed(city: City) -> City:
    """A day with two owners, cards, a phone, a torn tap, loads and payments, sealed and paid."""
    bus, other = city.bus(1), city.bus(2, "o-2")
    card = rode(city, bus, 3)
    other.ride(card, NOON + timedelta(hours=1))
    torn, load = loaded_card(city)
    bus.ride(torn, deliver=load, torn="after")
    other.ride(torn, NOON + timedelta(hours=2))
    other.scan(city.phone(), 1)
    bus.ride(city.card(), NOON + timedelta(hours=3))
    bus.send()
    other.send()
    close(city)
    return city


def entry_of(connection: Connection) -> str:
    return str(
        connection.execute(
            text("SELECT min(entry_id) FROM ledger_entry WHERE cause_kind = 'batch'")
        ).scalar_one()
    )


def reseal(connection: Connection, entry_id: str) -> None:
    """Recompute an entry's digest, as a careful hand would."""
    day, description = connection.execute(
        text("SELECT service_day, description FROM ledger_entry WHERE entry_id = :e"), {"e": entry_id}
    ).one()
    legs = connection.execute(
        text("SELECT account_id, amount_rial FROM ledger_posting WHERE entry_id = :e ORDER BY account_id"),
        {"e": entry_id},
    )
    digest = entry_digest(
        entry_id, date.fromisoformat(str(day)), description, [(str(name), int(rial)) for name, rial in legs]
    )
    with _without_triggers(connection, "ledger_entry"):
        connection.execute(
            text("UPDATE ledger_entry SET digest = :d WHERE entry_id = :e"), {"d": digest, "e": entry_id}
        )


def change(connection: Connection, entry_id: str, account: str, rial: int) -> None:
    with _without_triggers(connection, "ledger_posting"):
        connection.execute(
            text(
                "UPDATE ledger_posting SET amount_rial = amount_rial + :r"
                " WHERE entry_id = :e AND account_id LIKE :a"
            ),
            {"r": rial, "e": entry_id, "a": account},
        )


def named(city: City) -> list[str]:
    return [finding.subject for finding in audited(city).findings]


def test_an_honest_day_holds(closed: City) -> None:
    result = audited(closed)
    assert result.findings == ()
    assert result.holds
    assert (result.rides, result.trial_balance, result.posted_twice) == (8, 0, 0)
    assert (result.missing, result.media_mismatches) == (0, 0)
    assert result.entries > 8


def test_it_holds_before_the_seal_and_with_late_rides_after_it(city: City) -> None:
    bus, offline = city.bus(1), city.bus(2)
    rode(city, bus, 2)
    bus.send()
    assert audited(city).holds
    seal(city)
    assert audited(city).holds
    rode(city, offline, 2)
    offline.send(EVENING + timedelta(days=1))
    assert audited(city).holds
    seal(city, at=next_morning())
    assert audited(city).holds


def test_a_double_posting_with_a_good_digest_is_named(closed: City, owner_engine: Engine) -> None:
    again = corrupt(owner_engine, Corruption.DOUBLE_POST)
    result = audited(closed)
    assert f"entry {again}" in named(closed)
    ((rides,),) = closed.rows(
        "SELECT count(*) FROM travel_ride WHERE entry_id = :e", e=again.removesuffix("-again")
    )
    assert result.posted_twice == rides > 0
    assert not result.holds


def test_a_dropped_tap_is_named_with_its_entry(closed: City, owner_engine: Engine) -> None:
    entry = corrupt(owner_engine, Corruption.DROP_TAP)
    result = audited(closed)
    assert f"entry {entry}" in named(closed)
    assert (result.missing, result.posted_twice) == (1, 0)
    assert any(finding.kind == "missing" for finding in result.findings)


def test_one_edited_leg_is_named(closed: City, owner_engine: Engine) -> None:
    entry = corrupt(owner_engine, Corruption.EDIT_POSTING)
    assert f"entry {entry}" in named(closed)
    assert audited(closed).trial_balance != 0


@pytest.mark.parametrize("resealed", [False, True], ids=["digest left", "digest made to fit"])
def test_two_edited_legs_that_sum_to_zero_are_named(
    closed: City, owner_engine: Engine, resealed: bool
) -> None:
    with owner_engine.begin() as connection:
        entry = entry_of(connection)
        change(connection, entry, "commission_revenue", -500)
        change(connection, entry, "owner_payable:%", 500)
        if resealed:
            reseal(connection, entry)
    result = audited(closed)
    assert named(closed) == [f"entry {entry}"]
    assert result.trial_balance == 0
    assert not result.holds


def test_an_edited_entry_of_every_other_cause_is_named(closed: City, owner_engine: Engine) -> None:
    edited: set[str] = set()
    with owner_engine.begin() as connection:
        for kind in ("load", "hold", "seal", "deposit", "payment", "paid"):
            first = text("SELECT min(entry_id) FROM ledger_entry WHERE cause_kind = :k")
            entry = str(connection.execute(first, {"k": kind}).scalar_one())
            double = text("UPDATE ledger_posting SET amount_rial = amount_rial * 2 WHERE entry_id = :e")
            with _without_triggers(connection, "ledger_posting"):
                connection.execute(double, {"e": entry})
            reseal(connection, entry)
            edited.add(f"entry {entry}")
    assert len(edited) == 6
    assert {name for name in named(closed) if name.startswith("entry ")} == edited


def test_an_entry_that_was_removed_is_named(closed: City, owner_engine: Engine) -> None:
    with owner_engine.begin() as connection:
        entry = entry_of(connection)
        for table in ("ledger_posting", "ledger_entry"):
            with _without_triggers(connection, table):
                connection.execute(text(f"DELETE FROM {table} WHERE entry_id = :e"), {"e": entry})
    assert f"entry {entry}" in named(closed)


def test_an_accepted_tap_whose_ride_was_removed_is_missing(closed: City, owner_engine: Engine) -> None:
    with owner_engine.begin() as connection, _without_triggers(connection, "travel_ride"):
        connection.execute(text("DELETE FROM travel_ride WHERE device_id = 1 AND seq = 2"))
    result = audited(closed)
    assert result.missing == 1
    assert any("tap 2 of device 1" in subject for subject in named(closed))


def test_an_invented_ride_has_no_tap(closed: City, owner_engine: Engine) -> None:
    with owner_engine.begin() as connection:
        connection.execute(
            text(
                "INSERT INTO travel_ride SELECT medium_kind, medium_ref, counter + 100, device_id,"
                " journal_id, seq + 100, service_day, boarded_at, line, vehicle_id, owner_id, fare_rial,"
                " owner_rial, commission_rial, suspense_rial, suspense_reason, entry_id, proven_by,"
                " spent_before_rial, entitlement_version, delivered_version, record_read, record_written,"
                " proof,"
                " sealed_entry_id, tariff_version, tapped_line, area"
                " FROM travel_ride WHERE device_id = 1 AND seq = 1"
            )
        )
    assert any(finding.kind == "orphan" for finding in audited(closed).findings)


def test_what_a_card_holds_is_its_loads_less_its_rides(closed: City, owner_engine: Engine) -> None:
    card = closed.rows("SELECT min(serial) FROM ledger_entitlement WHERE version = 2")[0][0]
    with owner_engine.begin() as connection, _without_triggers(connection, "ledger_entitlement"):
        connection.execute(
            text(
                "UPDATE ledger_entitlement SET loaded_total_rial = loaded_total_rial + 1 WHERE serial = :s"
                " AND version = 2"
            ),
            {"s": card},
        )
    result = audited(closed)
    assert named(closed) == [f"stored_value:card:{card}"]
    assert result.media_mismatches == 1


def test_a_double_is_queued_and_not_missing(city: City) -> None:
    from tests.reconciliation.test_card import cloned

    bus, other = city.bus(1), city.bus(2, "o-2")
    card = rode(city, bus, 1)
    double = cloned(card)
    bus.ride(card, NOON + timedelta(hours=1))
    other.ride(double, NOON + timedelta(hours=2))
    bus.send()
    other.send()
    seal(city)
    assert audited(city).holds
    assert city.balance(f"stored_value:card:{card.serial}") == -(200_000 - 2 * FARE_RIAL)
    assert DAY
