"""Replacing lost cards for gain: a stranger pays, nobody pays, a debt is forgotten, a clerk takes it all."""

from __future__ import annotations

import dataclasses
from datetime import timedelta

import pytest

from fare.database.engine import read, write
from fare.desk.jobs import block, unblock
from fare.desk.lost_cards import report, succeed
from fare.issuing import (
    IssuingRefusal,
    IssuingRefused,
    card_view,
    entitlements_waiting,
    newest_funds,
    sign_next_entitlement,
)
from fare.issuing.models import Card
from fare.reconciliation import audit
from fare.settlement import late_fares, seal_day
from tests.collection.bus import EVENING, FARE_RIAL, NOON
from tests.desk.build import Counter, laid_again
from tests.desk.conftest import counter, sqlite_engine
from tests.settlement.build import DAY

__all__ = ["counter", "sqlite_engine"]

WAIT = timedelta(hours=72)
LOADED_RIAL = 5 * FARE_RIAL


def stored(counter: Counter, serial: int) -> int:
    return -counter.city.balance(f"stored_value:card:{serial}")


def sealed(counter: Counter) -> None:
    with write(counter.city.engine) as session:
        seal_day(session, DAY, counter.clock.now, counter.city.keys)


def moved(counter: Counter, old: int, new: int) -> int:
    """Reported by one person, moved by another after the waiting time."""
    report(dataclasses.replace(counter.desk, by="sara"), old)
    counter.clock.now += WAIT
    rial = succeed(counter.desk, old, new).moved_rial
    assert rial is not None
    return rial


def test_late_rides_are_never_charged_to_a_stranger_at_the_end_of_a_chain(counter: Counter) -> None:
    first, silent = counter.issued(1), counter.city.bus(1)
    waiting = first.load(counter.city, LOADED_RIAL)
    for ride in range(5):
        silent.ride(first, NOON + timedelta(minutes=ride), deliver=waiting if ride == 0 else None)
    second = counter.issued(2)
    assert moved(counter, first.serial, second.serial) == LOADED_RIAL
    # The cheat spends what was moved, and has the empty card "replaced" by one that somebody else carries.
    known, deliver = counter.city.bus(2), counter.read(entitlements_waiting)[second.serial]
    for ride in range(4):
        known.ride(second, NOON + timedelta(hours=1, minutes=ride), deliver=deliver if ride == 0 else None)
    known.send(counter.clock.now)
    strangers = counter.issued(3)
    assert moved(counter, second.serial, strangers.serial) == FARE_RIAL
    strangers.load(counter.city, 300_000)
    silent.send(counter.clock.now)
    sealed(counter)
    assert stored(counter, strangers.serial) == 300_000, "only what came to this card goes from it"
    assert counter.city.balance("capped_losses") == LOADED_RIAL - FARE_RIAL
    with read(counter.city.engine) as session:
        assert audit(session).findings == ()


@pytest.mark.parametrize("how", ["reported", "blocked"])
def test_a_card_that_is_denied_for_a_while_does_not_escape_late_rides(counter: Counter, how: str) -> None:
    first, silent = counter.issued(1), counter.city.bus(1)
    waiting = first.load(counter.city, LOADED_RIAL)
    for ride in range(5):
        silent.ride(first, NOON + timedelta(minutes=ride), deliver=waiting if ride == 0 else None)
    second = counter.issued(2)
    assert moved(counter, first.serial, second.serial) == LOADED_RIAL
    if how == "reported":
        report(dataclasses.replace(counter.desk, by="sara"), second.serial)
    else:
        laid_again(second.chip)
        for _ in block(counter.desk, second.serial, with_card=False):
            raise AssertionError("no card is asked")
    silent.send(counter.clock.now)
    sealed(counter)
    assert stored(counter, second.serial) == 0
    if how == "reported":
        third = counter.issued(3).serial
        counter.clock.now += WAIT
        assert succeed(counter.desk, second.serial, third).moved_rial == 0
    else:
        third = second.serial
        for _ in unblock(counter.desk, second.serial, with_card=False):
            raise AssertionError("no card is asked")
    assert stored(counter, third) == 0
    assert counter.read(lambda session: newest_funds(session, [third])) == {third: (0, 0)}
    assert counter.city.balance("capped_losses") == 0
    sealed(counter)
    with read(counter.city.engine) as session:
        assert late_fares(session, [first.serial]) == {}
        assert audit(session).findings == ()


def test_an_overdraft_is_not_lent_again_by_losing_the_card(counter: Counter) -> None:
    card, bus = counter.issued(1), counter.city.bus(1)
    with write(counter.city.engine) as session:
        session.get_one(Card, card.serial).overdraft_rial = 35_000
        raw = sign_next_entitlement(session, counter.city.keys, card.serial, now=NOON)
    bus.ride(card, deliver=raw)
    bus.send(EVENING)
    new = counter.issued(2).serial
    assert moved(counter, card.serial, new) == 0
    assert counter.read(lambda session: card_view(session, new)).overdraft_rial == 35_000 - FARE_RIAL
    assert counter.read(lambda session: newest_funds(session, [new])) == {new: (0, 35_000 - FARE_RIAL)}


def test_one_clerk_alone_moves_nobodys_balance(counter: Counter) -> None:
    """He knows the number of a card, reports it lost, and has a fresh card of his own."""
    victims, own = counter.issued(1), counter.issued(2)
    victims.load(counter.city, 300_000)
    clerk = dataclasses.replace(counter.desk, by="omid")
    report(clerk, victims.serial)
    for later in (timedelta(0), WAIT):
        counter.clock.now += later
        with pytest.raises(IssuingRefused) as caught:
            succeed(clerk, victims.serial, own.serial)
        assert caught.value.reason is IssuingRefusal.SAME_PERSON
    assert stored(counter, own.serial) == 0
    assert succeed(dataclasses.replace(counter.desk, by="sara"), victims.serial, own.serial).moved_rial
