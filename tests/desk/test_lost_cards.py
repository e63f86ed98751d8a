"""A lost card: denied at once, its balance moved once, after a waiting time, to a card never used."""

from __future__ import annotations

from datetime import timedelta

import pytest

from fare.core import entitlement
from fare.core.desfire.application import open_card, run
from fare.core.entitlement import Pass
from fare.core.errors import OperatorError
from fare.database.engine import write
from fare.desk import JobKind, JobRequest, begin, move_due
from fare.desk.lost_cards import replace_with_card, report, succeed
from fare.issuing import (
    IssuingRefusal,
    IssuingRefused,
    allow_card,
    card_view,
    cards,
    deny_card,
    entitlement_bytes,
    newest_funds,
    sign_next_entitlement,
)
from fare.issuing.models import Card
from fare.issuing.trails import unordered_loads
from fare.ledger import trial_balance
from fare.reconciliation import audit
from fare.settlement import seal_day
from tests.collection.bus import FARE_RIAL, NOON, OWNER_RIAL, denied_cards, drawn
from tests.desk.build import Counter, a_chip, every_cut, laid_again, length_of, run_torn

WAIT = timedelta(hours=72)


def refused(reason: IssuingRefusal):
    return pytest.raises(IssuingRefused, match=str(IssuingRefused(reason)))


def a_lost_card(counter: Counter, number: int = 1) -> int:
    """A student's card with 200,000 loaded, one ride known, and the report made."""
    card = counter.issued(number, rider_category=1)
    waiting = card.load(counter.city, 200_000)
    bus = counter.city.bus(number)
    bus.ride(card, deliver=waiting)
    bus.send()
    report(counter.desk, card.serial)
    return card.serial


def test_the_balance_moves_once_after_the_waiting_time(counter_on_both: Counter) -> None:
    counter = counter_on_both
    old, new = a_lost_card(counter), counter.issued(9).serial
    noted = report(counter.desk, old)
    assert noted.moves_at == counter.clock.now + WAIT
    assert counter.read(denied_cards) == {old}
    named = succeed(counter.desk, old, new)
    assert (named.new_serial, named.moved_rial) == (new, None)
    assert "may move from 1405/09/04 12:00" in " ".join(named.sentences(counter.desk.zone))
    assert counter.read(lambda session: newest_funds(session, [new])) == {new: (0, 0)}
    counter.clock.now += WAIT
    moved = succeed(counter.desk, old, new)
    assert moved.moved_rial == 200_000 - FARE_RIAL
    assert succeed(counter.desk, old, new) == moved
    assert move_due(counter.desk).moved == ()
    assert counter.read(lambda session: newest_funds(session, [new])) == {new: (moved.moved_rial, 0)}
    assert counter.city.balance(f"stored_value:card:{new}") == -moved.moved_rial
    assert counter.city.balance(f"stored_value:card:{old}") == moved.moved_rial - 200_000
    view = counter.read(lambda session: card_view(session, old))
    assert (view.status, view.loaded_rial, view.withdrawn_rial) == ("replaced", 200_000, 0)
    assert counter.read(lambda session: card_view(session, new)).rider_category == 1
    assert counter.read(unordered_loads) == []
    assert counter.read(trial_balance).holds


def test_what_becomes_due_is_moved_by_the_clock(counter: Counter) -> None:
    first, second, third = (a_lost_card(counter, number) for number in (1, 2, 3))
    for old, number in ((first, 11), (second, 12)):
        succeed(counter.desk, old, counter.issued(number).serial)
    assert move_due(counter.desk).moved == ()
    counter.clock.now += WAIT
    done = move_due(counter.desk)
    assert [moved.old_serial for moved in done.moved] == [first, second]
    assert done.failed == ()
    assert counter.read(lambda session: card_view(session, third)).status == "denied"


def test_one_that_cannot_move_does_not_keep_the_others_waiting(counter: Counter) -> None:
    first, second = a_lost_card(counter, 1), a_lost_card(counter, 2)
    blocked = counter.issued(11).serial
    succeed(counter.desk, first, blocked)
    succeed(counter.desk, second, counter.issued(12).serial)
    with write(counter.city.engine) as session:
        session.get_one(Card, blocked).status = "denied"
    counter.clock.now += WAIT
    done = move_due(counter.desk)
    assert [moved.old_serial for moved in done.moved] == [second]
    assert [serial for serial, _ in done.failed] == [first]
    with write(counter.city.engine) as session:
        allow_card(session, blocked)
    assert [moved.old_serial for moved in move_due(counter.desk).moved] == [first]


def test_a_load_that_only_claims_to_be_a_replacement_is_found(counter_on_both: Counter) -> None:
    counter = counter_on_both
    old, new = a_lost_card(counter), counter.issued(9).serial
    counter.clock.now += WAIT
    moved = succeed(counter.desk, old, new)
    for serial, rial, cause in (
        (new, 500, f"replacement:{old}"),
        (new, 600, None),
        (new, 700, "no-such-order"),
    ):
        with write(counter.city.engine) as session:
            sign_next_entitlement(
                session,
                counter.city.keys,
                serial,
                add_loaded_rial=rial,
                order_id=cause,
                now=counter.clock.now,
            )
    found = counter.read(unordered_loads)
    assert [(load.serial, load.amount_rial) for load in found] == [(new, 500), (new, 600), (new, 700)]
    assert moved.moved_rial not in {load.amount_rial for load in found}


def test_a_replaced_card_is_not_merely_denied_again(counter: Counter) -> None:
    old = a_lost_card(counter)
    counter.clock.now += WAIT
    succeed(counter.desk, old, counter.issued(9).serial)
    with write(counter.city.engine) as session:
        deny_card(session, old)
    assert counter.read(lambda session: card_view(session, old)).status == "replaced"


def test_terms_and_passes_go_along(counter: Counter) -> None:
    old, new = counter.issued(1).serial, counter.issued(2).serial
    a_pass = Pass(product=3, first_day=2_500, last_day=2_600)
    with write(counter.city.engine) as session:
        row = session.get_one(Card, old)
        row.rider_category, row.category_expires_day, row.overdraft_rial = 2, 2_700, 35_000
        session.add(row)
        sign_next_entitlement(
            session, counter.city.keys, old, add_loaded_rial=10, passes=(a_pass,), now=counter.clock.now
        )
    report(counter.desk, old)
    counter.clock.now += WAIT
    assert succeed(counter.desk, old, new).moved_rial == 10
    raw = counter.read(lambda session: entitlement_bytes(session, [(new, 2)]))[new, 2]
    signed = entitlement.decode(raw)
    assert signed.passes == (a_pass,)
    assert (signed.rider_category, signed.category_expires_day, signed.overdraft_rial) == (2, 2_700, 35_000)


def test_a_card_in_debt_moves_nothing(counter: Counter) -> None:
    card, bus = counter.issued(1), counter.city.bus(1)
    bus.ride(card)
    bus.send()
    report(counter.desk, card.serial)
    counter.clock.now += WAIT
    assert succeed(counter.desk, card.serial, counter.issued(2).serial).moved_rial == 0
    assert counter.read(trial_balance).holds


def test_the_spent_that_counts_is_the_highest_proven_one(counter: Counter) -> None:
    """A ride that arrives while the balance waits is not moved away from under it."""
    card, bus = counter.issued(1), counter.city.bus(1)
    bus.ride(card, deliver=card.load(counter.city, 100_000))
    report(counter.desk, card.serial)
    bus.send()
    counter.clock.now += WAIT
    assert succeed(counter.desk, card.serial, counter.issued(2).serial).moved_rial == 100_000 - FARE_RIAL


def test_a_ride_that_arrives_after_the_move_is_paid_and_charged_to_the_successor(counter: Counter) -> None:
    city = counter.city
    card, bus, late = counter.issued(1), city.bus(1), city.bus(2, owner="o-2")
    bus.ride(card, deliver=card.load(city, 100_000))
    bus.send()
    late.ride(card, counter.clock.now + timedelta(minutes=30))  # by a bus that stays away for a week
    report(counter.desk, card.serial)
    counter.clock.now += WAIT
    new = counter.issued(2).serial
    moved = succeed(counter.desk, card.serial, new)
    assert moved.moved_rial == 100_000 - FARE_RIAL
    after = counter.clock.now + timedelta(days=4)
    late.send(after)
    with write(city.engine) as session:
        assert seal_day(session, NOON.date(), after, city.keys).clearing_rial == 0
    assert city.balance("owner_payable:o-2") == -OWNER_RIAL
    assert city.balance(f"stored_value:card:{card.serial}") == 0
    assert counter.read(lambda session: newest_funds(session, [new])) == {new: (100_000 - 2 * FARE_RIAL, 0)}
    checked = counter.read(audit)
    assert checked.holds, checked.findings


def test_what_is_refused(counter: Counter) -> None:
    old, new, unreported = a_lost_card(counter), counter.issued(2).serial, counter.issued(3)
    for serial, other, reason in (
        (77, new, IssuingRefusal.UNKNOWN_CARD),
        (old, 77, IssuingRefusal.UNKNOWN_CARD),
        (old, old, IssuingRefusal.SAME_CARD),
        (unreported.serial, new, IssuingRefusal.NOT_REPORTED_LOST),
        (old, counter.registered(4), IssuingRefusal.SUCCESSOR_IN_USE),
    ):
        with refused(reason):
            succeed(counter.desk, serial, other)
    unreported.load(counter.city, 5)
    with refused(IssuingRefusal.SUCCESSOR_IN_USE):
        succeed(counter.desk, old, unreported.serial)
    ridden, bus = counter.issued(5), counter.city.bus(7)
    bus.ride(ridden, fare_rial=0)
    bus.send()
    with refused(IssuingRefusal.SUCCESSOR_IN_USE):
        succeed(counter.desk, old, ridden.serial)
    succeed(counter.desk, old, new)
    other_lost = a_lost_card(counter, 6)
    with refused(IssuingRefusal.SUCCESSOR_IN_USE):
        succeed(counter.desk, other_lost, new)
    counter.clock.now += WAIT
    succeed(counter.desk, old, new)
    for again in (lambda: report(counter.desk, old), lambda: succeed(counter.desk, old, other_lost)):
        with refused(IssuingRefusal.ALREADY_REPLACED):
            again()
    with refused(IssuingRefusal.UNKNOWN_CARD):
        report(counter.desk, 77)


def test_a_lost_card_that_is_found_stays_denied(counter: Counter) -> None:
    old = a_lost_card(counter)
    with refused(IssuingRefusal.REPORTED_LOST), write(counter.city.engine) as session:
        allow_card(session, old)
    counter.clock.now += WAIT
    succeed(counter.desk, old, counter.issued(2).serial)
    with refused(IssuingRefusal.ALREADY_REPLACED), write(counter.city.engine) as session:
        allow_card(session, old)
    assert old in counter.read(denied_cards)


def test_the_card_on_the_reader_becomes_the_successor(counter: Counter) -> None:
    old = a_lost_card(counter)
    counter.clock.now += WAIT
    chip = a_chip(50)
    done = run(replace_with_card(counter.desk, old), chip.transmit)
    assert (done.moved_rial, done.on_card, done.note) == (180_000, True, None)
    assert done.new_serial is not None
    assert counter.read(lambda session: card_view(session, done.new_serial or 0)).rider_category == 1
    keys = counter.city.keys.validator_keys
    opened = run(open_card(keys, lambda: drawn(16)), laid_again(chip).transmit)
    assert entitlement.decode(opened.entitlement).loaded_total_rial == 180_000


def test_nothing_is_issued_for_a_card_that_cannot_be_replaced(counter: Counter) -> None:
    kept = counter.issued(1).serial
    for serial, reason in ((kept, IssuingRefusal.NOT_REPORTED_LOST), (77, IssuingRefusal.UNKNOWN_CARD)):
        with refused(reason):
            run(replace_with_card(counter.desk, serial), a_chip(2).transmit)
    assert len(counter.read(cards)) == 1


def test_a_successor_torn_anywhere_is_laid_down_again(counter: Counter) -> None:
    probe = a_lost_card(counter, 1)
    counter.clock.now += WAIT
    steps = length_of(replace_with_card(counter.desk, probe), a_chip(1000))
    for number, (which, arrives) in list(enumerate(every_cut(steps), 2))[::5]:
        counter.clock.now += timedelta(minutes=1)
        old = counter.issued(number)
        old.load(counter.city, 70_000)
        report(counter.desk, old.serial)
        counter.clock.now += WAIT
        chip = a_chip(1000 + number)
        first = run_torn(replace_with_card(counter.desk, old.serial), chip, which, arrives=arrives)
        if first is None:
            first = run(replace_with_card(counter.desk, old.serial), chip.transmit)
        assert first.moved_rial == 70_000
        new = first.new_serial or 0
        assert counter.read(lambda session, new=new: newest_funds(session, [new])) == {new: (70_000, 0)}
    assert counter.read(trial_balance).holds


def test_a_request_must_say_one_thing(counter: Counter) -> None:
    for asked in (
        JobRequest(JobKind.REPLACE, 1, with_card=False),
        JobRequest(JobKind.REPLACE, 1, with_card=True, report_lost=True),
        JobRequest(JobKind.REPLACE, 1, with_card=False, report_lost=True, new_serial=2),
        JobRequest(JobKind.LOAD),
    ):
        with pytest.raises(OperatorError):
            begin(counter.desk, asked)
