"""The device proof: journals arrive whole, and the register says what was signed."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from hardware.city.corruption import _without_triggers
from tests.collection.bus import EVENING, NOON, Bus, City
from tests.reconciliation.build import close, found, proofs
from tests.settlement.build import rode, seal


def copied(bus: Bus) -> Bus:
    """The same device, key and journal, going its own way from here on."""
    return Bus(bus.device, bus.key, bus.journal_id, bus.city, bus.boot_id, list(bus.journal))


def test_whole_journals_agree(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    rode(city, bus, 2)
    rode(city, other, 1)
    bus.send()
    other.send()
    close(city)
    state = proofs(city)["device"]
    assert (state.checked, state.matched, state.exceptions) == (4, 4, 0)


def test_a_copied_validator_is_one_exception_however_many_taps_it_makes(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 1)
    bus.send()
    copy = copied(bus)
    bus.write()
    bus.write()
    bus.send()
    for minute in range(3):
        copy.write(NOON + timedelta(minutes=minute), reason="blocked")
    copy.send()
    close(city)
    assert found(city) == [f"device:fork:1:{bus.journal_id.hex()[:8]}"]


def test_a_batch_that_never_arrives_is_missed_once_the_day_is_closed(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 3)
    city.take(bus.batch(1, 2))
    state = proofs(city, at=EVENING + timedelta(minutes=5))["device"]
    assert (state.exceptions, state.waiting) == (0, 1)
    seal(city)
    name = f"device:missing_batch:1:{bus.journal_id.hex()[:8]}"
    assert found(city) == [name]
    bus.send(EVENING + timedelta(days=1))
    assert not [n for n in found(city) if n.startswith("device:")]


def test_an_open_day_is_waited_for_a_few_minutes_only(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 3)
    city.take(bus.batch(1, 2))
    assert proofs(city, at=EVENING + timedelta(minutes=10))["device"].exceptions == 1


def test_what_cannot_be_decoded_is_one_exception(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 1)
    bus.journal += [b"\xa0", b"\x00"]
    bus.send()
    close(city)
    assert found(city) == [f"device:undecodable:1:{bus.journal_id.hex()[:8]}"]


def test_a_bus_without_an_owner_is_the_operators_work(city: City) -> None:
    bus = city.bus(1, assigned=False)
    rode(city, bus, 2)
    bus.send()
    close(city)
    (item,) = proofs(city)["device"].items
    assert (item.kind, item.queue_role, item.amount_rial) == ("no_assignment", "operator", 40_000)


@pytest.mark.parametrize("damage", ["digest", "envelope"])
def test_a_register_that_was_changed_shows_against_the_signed_batch(
    city: City, owner_engine: Engine, damage: str
) -> None:
    bus = city.bus(1)
    rode(city, bus, 2)
    bus.send()
    close(city)
    table, column = ("travel_tap", "digest") if damage == "digest" else ("travel_batch", "envelope")
    value = bytes(32) if damage == "digest" else b"nothing"
    which = " WHERE seq = 1" if damage == "digest" else ""
    with owner_engine.begin() as connection, _without_triggers(connection, table):
        connection.execute(text(f"UPDATE {table} SET {column} = :value{which}"), {"value": value})
    (name,) = found(city)
    assert name.startswith("device:batch_differs:1:")


def test_a_tap_that_was_removed_is_a_hole(city: City, owner_engine: Engine) -> None:
    bus = city.bus(1)
    rode(city, bus, 1)
    bus.write()
    bus.write()
    bus.send()
    close(city)
    with owner_engine.begin() as connection, _without_triggers(connection, "travel_tap"):
        connection.execute(text("DELETE FROM travel_tap WHERE seq = 2"))
    assert found(city) == [f"device:seq_hole:1:{bus.journal_id.hex()[:8]}"]
