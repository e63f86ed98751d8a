"""A lost card's balance has moved on, and then an offline bus brings a ride of it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from fare.collection.card_register import proven_spent
from fare.database.engine import read, write
from fare.issuing import card_written, move_balance, name_successor, report_lost
from fare.reconciliation import audit
from fare.settlement import late_fares, seal_day
from tests.collection.bus import FARE_RIAL, NOON, OWNER_RIAL, Bus, City, RidersCard
from tests.settlement.build import DAY, MORNING, loaded_card, next_morning

LOADED_RIAL = 100_000


def sealed(city: City, at: datetime = MORNING) -> None:
    with write(city.engine) as session:
        assert seal_day(session, DAY, at, city.keys).clearing_rial == 0
    holds(city)


def holds(city: City) -> None:
    with read(city.engine) as session:
        found = audit(session)
    assert found.findings == ()
    assert found.holds


def replaced(city: City, old: RidersCard, at: datetime = MORNING) -> RidersCard:
    """A new card that has the old one's balance."""
    new = city.card()
    with write(city.engine) as session:
        card_written(session, new.serial, DAY)
        report_lost(session, old.serial, "clerk", at, timedelta(0))
        name_successor(session, old.serial, new.serial)
        move_balance(session, city.keys, old.serial, proven_spent(session, old.serial), at)
    holds(city)
    return new


def stored(city: City, card: RidersCard) -> int:
    return -city.balance(f"stored_value:card:{card.serial}")


def totals(city: City, card: RidersCard) -> tuple[int, int]:
    rows = city.rows(
        "SELECT loaded_total_rial, withdrawn_total_rial FROM ledger_entitlement"
        " WHERE serial = :s ORDER BY version DESC LIMIT 1",
        s=card.serial,
    )
    return rows[0][0], rows[0][1]


def lost_after(city: City, bus: Bus, silent: Bus, rides: int) -> tuple[RidersCard, RidersCard]:
    """One known ride, `rides` more on a bus that does not upload, and the balance moved meanwhile."""
    card, raw = loaded_card(city, LOADED_RIAL)
    bus.ride(card, deliver=raw)
    for ride in range(rides):
        silent.ride(card, NOON + timedelta(minutes=20 + ride))
    bus.send()
    sealed(city)
    return card, replaced(city, card)


def test_late_rides_are_paid_and_charged_to_the_new_card_once(city: City) -> None:
    bus, silent = city.bus(1, "o-1"), city.bus(2, "o-2")
    old, new = lost_after(city, bus, silent, 2)
    assert stored(city, new) == LOADED_RIAL - FARE_RIAL
    city.take(silent.batch(1, 1), next_morning())
    with read(city.engine) as session:
        assert late_fares(session, [old.serial]) == {}, "it is late once it is sealed"
    sealed(city, next_morning())
    city.take(silent.batch(1, 2), next_morning())
    for hour in (1, 2):
        sealed(city, next_morning() + timedelta(hours=hour))
    assert city.balance("owner_payable:o-2") == -2 * OWNER_RIAL
    assert (stored(city, old), stored(city, new)) == (0, LOADED_RIAL - 3 * FARE_RIAL)
    assert totals(city, old) == (LOADED_RIAL, 0)
    assert totals(city, new) == (LOADED_RIAL - FARE_RIAL, 2 * FARE_RIAL)
    assert city.rows(
        "SELECT entry_id FROM ledger_entry WHERE cause_kind = 'late_fare' ORDER BY entry_id"
    ) == [
        (f"late_fare:{old.serial}:{FARE_RIAL}",),
        (f"late_fare:{old.serial}:{2 * FARE_RIAL}",),
    ]


def test_what_the_new_card_does_not_hold_any_more_is_a_capped_loss(city: City) -> None:
    bus, silent = city.bus(1, "o-1"), city.bus(2, "o-2")
    old, new = lost_after(city, bus, silent, 2)
    moved = city.rows("SELECT raw FROM ledger_entitlement WHERE serial = :s AND version = 2", s=new.serial)
    for ride in range(3):
        deliver = bytes(moved[0][0]) if ride == 0 else None
        bus.ride(new, NOON + timedelta(hours=3, minutes=ride), deliver=deliver)
    bus.send(next_morning())
    silent.send(next_morning())
    sealed(city, next_morning())
    assert city.balance("capped_losses") == FARE_RIAL
    assert (stored(city, old), stored(city, new)) == (0, 0)
    assert totals(city, new) == (LOADED_RIAL - FARE_RIAL, FARE_RIAL)


def test_the_heir_of_an_heir_pays_and_a_denied_one_as_well(city: City) -> None:
    bus, silent = city.bus(1, "o-1"), city.bus(2, "o-2")
    old, new = lost_after(city, bus, silent, 2)
    heir = replaced(city, new)
    city.take(silent.batch(1, 1), next_morning())
    sealed(city, next_morning())
    assert (stored(city, new), stored(city, heir)) == (0, LOADED_RIAL - 2 * FARE_RIAL)
    with write(city.engine) as session:
        report_lost(session, heir.serial, "clerk", datetime(2026, 11, 24, tzinfo=UTC), timedelta(days=3))
    city.take(silent.batch(1, 2), next_morning())
    sealed(city, next_morning(2))
    assert stored(city, heir) == LOADED_RIAL - 3 * FARE_RIAL
    assert city.balance("capped_losses") == 0
    assert stored(city, old) == 0


@pytest.mark.parametrize("beyond", [1, 4])
def test_what_a_lost_card_spent_beyond_its_loads_is_no_late_fare(city: City, beyond: int) -> None:
    bus, silent = city.bus(1, "o-1"), city.bus(2, "o-2")
    old, new = lost_after(city, bus, silent, 4 + beyond)
    silent.send(next_morning())
    sealed(city, next_morning())
    # Four late rides were covered by what had been loaded; the rest is suspense against the device.
    assert (stored(city, old), stored(city, new)) == (-beyond * FARE_RIAL, 0)
    assert city.balance("suspense:device:2") == -beyond * FARE_RIAL
    assert city.balance("capped_losses") == 0


def test_the_audit_names_a_late_fare_that_nobody_was_charged(
    city: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    bus, silent = city.bus(1, "o-1"), city.bus(2, "o-2")
    old, _ = lost_after(city, bus, silent, 1)
    silent.send(next_morning())
    monkeypatch.setattr("fare.settlement.sealing.charge_late_fares", lambda *_: [])
    with write(city.engine) as session:
        seal_day(session, DAY, next_morning(), city.keys)
    with read(city.engine) as session:
        assert late_fares(session, [old.serial]) == {old.serial: FARE_RIAL}
        named = [finding.subject for finding in audit(session).findings]
    assert f"entry late_fare:{old.serial}:{FARE_RIAL}" in named
