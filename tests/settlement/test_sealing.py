"""A sealed day: clearing is zero, and every medium paid for exactly its rides."""

from __future__ import annotations

from datetime import timedelta

from tests.collection.bus import EVENING, FARE_RIAL, NOON, City
from tests.settlement.build import DAY, MORNING, NEXT_DAY, loaded_card, next_morning, rode, seal

CLEARING = f"clearing:{DAY}"


def test_every_ride_is_taken_from_its_medium_and_clearing_comes_to_zero(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    first, second = rode(city, bus, 3), rode(city, other, 1)
    phone = city.phone()
    bus.scan(phone, 1)
    bus.send()
    other.send()
    assert city.balance(CLEARING) == 5 * FARE_RIAL
    report = seal(city)
    assert (report.media, report.rides, report.fare_rial) == (3, 5, 5 * FARE_RIAL)
    assert report.clearing_rial == city.balance(CLEARING) == 0
    assert report.sealed_at == MORNING
    assert city.balance(f"stored_value:card:{first.serial}") == -(200_000 - 3 * FARE_RIAL)
    assert city.balance(f"stored_value:card:{second.serial}") == -(200_000 - FARE_RIAL)
    held = city.rows(
        "SELECT account_id, sum(amount_rial) FROM ledger_posting WHERE account_id LIKE 'holds:%'"
        " GROUP BY account_id"
    )
    assert [int(rial) for _, rial in held] == [-4 * FARE_RIAL]


def test_one_entry_a_medium_however_often_it_rode(city: City) -> None:
    bus = city.bus(1)
    card = rode(city, bus, 4)
    bus.send()
    seal(city)
    assert city.rows("SELECT entry_id FROM ledger_entry WHERE cause_kind = 'seal'") == [
        (f"seal:{DAY}:card:{card.serial}:1",)
    ]


def test_sealing_again_changes_nothing(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 2)
    bus.send()
    seal(city)
    before = city.rows("SELECT count(*) FROM ledger_entry")
    again = seal(city, at=MORNING + timedelta(hours=1))
    assert (again.media, again.rides, again.fare_rial, again.clearing_rial) == (0, 0, 0, 0)
    assert again.sealed_at == MORNING
    assert city.rows("SELECT count(*) FROM ledger_entry") == before


def test_late_rides_are_sealed_under_the_next_number(city: City) -> None:
    bus, offline = city.bus(1), city.bus(2)
    early = rode(city, bus, 2)
    bus.send()
    seal(city)
    offline.ride(early, NOON + timedelta(hours=2))
    late = rode(city, offline, 1)
    offline.send(EVENING + timedelta(days=1))
    assert city.balance(CLEARING) == 2 * FARE_RIAL
    report = seal(city, at=next_morning())
    assert (report.media, report.rides, report.clearing_rial) == (2, 2, 0)
    assert city.rows("SELECT entry_id FROM ledger_entry WHERE cause_kind = 'seal' ORDER BY entry_id") == [
        (f"seal:{DAY}:card:{early.serial}:1",),
        (f"seal:{DAY}:card:{early.serial}:2",),
        (f"seal:{DAY}:card:{late.serial}:1",),
    ]
    assert city.balance(f"stored_value:card:{early.serial}") == -(200_000 - 3 * FARE_RIAL)


def test_a_day_takes_only_its_own_rides(city: City) -> None:
    bus = city.bus(1)
    card, load = loaded_card(city)
    bus.ride(card, NOON, deliver=load)
    bus.ride(card, NOON + timedelta(days=1))
    bus.send(EVENING + timedelta(days=1))
    assert seal(city).rides == 1
    assert city.balance(f"clearing:{NEXT_DAY}") == FARE_RIAL
    assert seal(city, NEXT_DAY, next_morning()).rides == 1
    assert city.balance(f"clearing:{NEXT_DAY}") == 0


def test_a_day_without_rides_is_sealed_too(city: City) -> None:
    report = seal(city)
    assert (report.media, report.clearing_rial) == (0, 0)
    assert city.rows("SELECT count(*) FROM ledger_service_day") == [(1,)]
