"""Owners' statements: they add up, they never change, and what comes late stands on the next one."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fare.core.errors import OperatorError
from tests.collection.bus import EVENING, FARE_RIAL, NOON, OWNER_RIAL, City
from tests.settlement.build import DAY, NEXT_DAY, loaded_card, next_morning, pay, rode, seal, state

COMMISSION_RIAL = FARE_RIAL - OWNER_RIAL


def test_a_statement_says_what_the_owner_earned(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    rode(city, bus, 3)
    rode(city, other, 1)
    bus.send()
    other.send()
    seal(city)
    first, second = state(city)
    assert (first.owner_id, first.rides, first.gross_rial) == ("o-1", 3, 3 * FARE_RIAL)
    assert (first.commission_rial, first.suspense_rial) == (3 * COMMISSION_RIAL, 0)
    assert first.net_rial == first.payable_rial == 3 * OWNER_RIAL
    assert first.gross_rial == first.commission_rial + first.suspense_rial + first.net_rial
    assert (second.owner_id, second.net_rial) == ("o-2", OWNER_RIAL)
    assert first.payment_reference != second.payment_reference
    assert -city.balance("owner_payable:o-1") == first.payable_rial


def test_money_that_was_never_loaded_is_suspense_and_not_paid(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 3, amount_rial=50_000)
    bus.send()
    seal(city)
    (line,) = state(city)
    assert line.suspense_rial == 10_000
    assert line.gross_rial == line.commission_rial + line.suspense_rial + line.net_rial == 3 * FARE_RIAL


def test_issuing_again_changes_nothing(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 2)
    bus.send()
    seal(city)
    assert state(city) == state(city)


def test_a_day_that_is_not_sealed_has_no_statements(city: City) -> None:
    with pytest.raises(OperatorError, match="not sealed"):
        state(city)


def test_a_late_ride_leaves_its_days_statement_alone_and_stands_on_the_next(city: City) -> None:
    bus, offline = city.bus(1), city.bus(2)
    rode(city, bus, 2)
    bus.send()
    seal(city)
    (issued,) = state(city)
    rode(city, offline, 3)
    offline.send(EVENING + timedelta(days=1))
    rode(city, bus, 1, at=NOON + timedelta(days=1))
    bus.send(EVENING + timedelta(days=1))
    seal(city, at=next_morning())
    assert state(city, at=next_morning()) == [issued]
    seal(city, NEXT_DAY, next_morning())
    (following,) = state(city, NEXT_DAY, next_morning())
    assert (following.rides, following.net_rial) == (1, OWNER_RIAL)
    assert following.prior_days_rial == 3 * OWNER_RIAL
    assert following.payable_rial == 4 * OWNER_RIAL
    assert issued.payable_rial + following.payable_rial == -city.balance("owner_payable:o-1")


def test_prior_days_are_said_once_also_after_they_are_paid(city: City) -> None:
    bus, offline = city.bus(1), city.bus(2)
    rode(city, bus, 1)
    bus.send()
    seal(city)
    state(city)
    pay(city)
    rode(city, offline, 1)
    offline.send(EVENING + timedelta(days=1))
    for number in (1, 2):
        seal(city, DAY + timedelta(days=number), next_morning(number))
        state(city, DAY + timedelta(days=number), next_morning(number))
        pay(city, DAY + timedelta(days=number), next_morning(number))
    assert city.rows("SELECT prior_days_rial FROM ledger_statement ORDER BY service_day") == [
        (0,),
        (OWNER_RIAL,),
    ]
    assert city.balance("owner_payable:o-1") == 0


def test_an_owner_whose_only_rides_came_late_gets_them_on_the_next_statement(city: City) -> None:
    offline = city.bus(2, "o-2")
    seal(city)
    assert state(city) == []
    rode(city, offline, 2)
    offline.send(EVENING + timedelta(days=1))
    seal(city, NEXT_DAY, next_morning())
    (line,) = state(city, NEXT_DAY, next_morning())
    assert (line.owner_id, line.rides, line.prior_days_rial) == ("o-2", 0, 2 * OWNER_RIAL)
    # The earlier day is asked for after all: the later statement has it already.
    assert state(city, DAY, next_morning()) == []


def test_a_ride_after_midnight_belongs_to_the_day_before(city: City) -> None:
    bus = city.bus(1)
    card, load = loaded_card(city)
    bus.ride(card, NOON.replace(hour=23), deliver=load)  # 02:30 in the city
    bus.send(NOON + timedelta(hours=16))
    seal(city)
    (line,) = state(city)
    assert line.rides == 1
