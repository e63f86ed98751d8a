"""Rides priced anew by all that is known: differences as rows and entries of their own, in any order."""

from __future__ import annotations

from datetime import date, timedelta
from itertools import permutations
from random import Random
from typing import Any

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import DBAPIError

from fare.collection import rides_of_tickets
from fare.core import entitlement
from fare.core.tariff.context import TapKind
from fare.core.tariff.explaining import explain
from fare.core.tariff.model import TapOff, TapOffCharge
from fare.core.tariff.periods import cap_period
from fare.core.tariff.state import CapUse, RiderState
from fare.database.engine import read, write
from fare.fleet.models import Owner
from fare.issuing import entitlements_waiting
from fare.reconciliation.audit import audit
from fare.reconciliation.card import check_card
from fare.reconciliation.findings import Kind
from fare.settlement import make_statements, seal_day
from hardware.city.corruption import _without_triggers
from tests.collection.bus import EVENING, FARE_RIAL, NOON, OWNER_RIAL, SHARE_BPS, Bus, City, RidersCard
from tests.collection.remembering import HOUR_FREE, day_cap, pay, remember

DAY = date(2026, 11, 22)
NEXT_MORNING = EVENING + timedelta(hours=12)
LATER = timedelta(minutes=20)
IBAN = "IR062960000000100324200001"


def adjustments(city: City) -> list[Any]:
    """(medium, counter, rider's, owner, owner's, cause), as they came."""
    return city.rows(
        "SELECT medium_ref, counter, rider_rial, owner_id, owner_rial, cause FROM travel_adjustment"
        " ORDER BY medium_ref, counter, number"
    )


def balances(city: City) -> dict[str, int]:
    """Every account that is not at zero."""
    rows = city.rows("SELECT account_id, sum(amount_rial) FROM ledger_posting GROUP BY account_id")
    return {account: int(rial) for account, rial in rows if rial}


def net(city: City) -> dict[tuple[str, int], int]:
    """What adjustments come to by ride."""
    rows = city.rows("SELECT medium_ref, counter, sum(rider_rial) FROM travel_adjustment GROUP BY 1, 2")
    return {(ref, counter): int(rial) for ref, counter, rial in rows if rial}


def seal(city: City, day: date = DAY) -> None:
    with write(city.engine) as session:
        assert seal_day(session, day, NEXT_MORNING, city.keys).clearing_rial == 0


def assert_books(city: City) -> None:
    """Everything in the journal is explained by what happened."""
    with read(city.engine) as session:
        found = audit(session)
    assert found.holds, [str(each) for each in found.findings]


def test_a_transfer_that_the_card_told_is_charged_nothing_twice(city: City) -> None:
    remember(city, windows=(HOUR_FREE,))
    first, second = city.bus(1, "o-1"), city.bus(2, "o-2")
    card = city.card()
    pay(first, card, deliver=card.load(city, 100_000))
    pay(second, card, NOON + LATER)
    second.send()
    first.send()
    assert [(r[1], r[4]) for r in city.rides()] == [(2, FARE_RIAL), (3, 0)]
    assert adjustments(city) == []
    seal(city)
    assert_books(city)


def test_a_phone_pays_each_bus_in_full_and_gets_its_transfer_back(city: City) -> None:
    tariff = remember(city, windows=(HOUR_FREE,))
    first, second = city.bus(1, "o-1"), city.bus(2, "o-2")
    rider = city.rider()
    phone = city.phone(of=rider)
    first.scan(phone, 1, tariff_version=2)
    second.scan(phone, 2, NOON + LATER, tariff_version=2)
    second.send()  # the later bus is home first
    assert adjustments(city) == []
    first.send()
    ref = city.rides()[0][0]
    assert adjustments(city) == [(ref, 2, -FARE_RIAL, "o-2", -OWNER_RIAL, "repriced")]
    assert city.balance("owner_payable:o-1") == -OWNER_RIAL
    assert city.balance("owner_payable:o-2") == 0
    newest, oldest = city.session(lambda session: rides_of_tickets(session, [bytes.fromhex(ref)]))
    assert (newest.adjusted_rial, oldest.adjusted_rial) == (-FARE_RIAL, 0)
    assert newest.adjustment is not None
    assert oldest.adjustment is None
    assert "60 minutes" in explain(tariff, newest.adjustment.steps, "en")
    before = city.balance(f"stored_value:wallet:{rider.wallet_id}")
    seal(city)
    assert city.balance(f"stored_value:wallet:{rider.wallet_id}") == before - FARE_RIAL
    assert_books(city)
    seal(city)  # again: nothing is left
    assert city.balance(f"stored_value:wallet:{rider.wallet_id}") == before - FARE_RIAL


def test_any_order_and_any_duplicates_come_to_the_same_ledger(city: City) -> None:
    """The same five rides of one wallet, in six cities that hear of them in six orders."""
    remember(city, windows=(HOUR_FREE,), caps=(day_cap(30_000),))
    found: list[tuple[dict[str, int], list[tuple[int, int]]]] = []
    for n, order in enumerate(permutations(range(3))):
        buses = [city.bus(10 * n + i + 1, f"o-{i % 2 + 1}") for i in range(3)]
        rider = city.rider()
        phone = city.phone(of=rider)
        for ctr, (bus, minutes) in enumerate(zip((0, 1, 2, 0, 1), (0, 20, 90, 100, 200), strict=True), 1):
            buses[bus].scan(phone, ctr, NOON + timedelta(minutes=minutes), tariff_version=2)
        before = balances(city)
        for which in order:
            buses[which].send()
            buses[which].send()  # its answer was lost
        seal(city)
        after = balances(city)
        owners = {
            name: after.get(name, 0) - before.get(name, 0)
            for name in ("owner_payable:o-1", "owner_payable:o-2")
        }
        back = city.rows(
            "SELECT counter, sum(rider_rial) FROM travel_adjustment WHERE rider_ref = :wallet"
            " GROUP BY counter ORDER BY counter",
            wallet=rider.wallet_id,
        )
        found.append((owners, [(counter, int(rial)) for counter, rial in back if rial]))
    assert all(each == found[0] for each in found)
    assert found[0][1] == [(2, -FARE_RIAL), (3, -10_000), (4, -FARE_RIAL), (5, -FARE_RIAL)]
    assert_books(city)


def test_a_day_that_was_paid_out_is_set_right_on_a_later_statement(city: City) -> None:
    remember(city, windows=(HOUR_FREE,))
    early, late = city.bus(1, "o-1"), city.bus(2, "o-2")
    phone = city.phone()
    early.scan(phone, 1, tariff_version=2)
    late.scan(phone, 2, NOON + LATER, tariff_version=2)
    late.scan(city.phone(), 1, NOON + timedelta(days=1), tariff_version=2)
    late.send(NOON + timedelta(days=1, hours=1))
    seal(city)
    with write(city.engine) as session:
        [first] = make_statements(session, DAY, NEXT_MORNING)
    assert (first.owner_id, first.net_rial, first.adjustments_rial) == ("o-2", OWNER_RIAL, 0)
    early.send(NOON + timedelta(days=1, hours=2))
    seal(city)
    seal(city, DAY + timedelta(days=1))
    with write(city.engine) as session:
        told = {
            line.owner_id: line for line in make_statements(session, DAY + timedelta(days=1), NEXT_MORNING)
        }
    # The second bus of the first day earned nothing after all: its next statement takes that back.
    assert (told["o-2"].net_rial, told["o-2"].prior_days_rial, told["o-2"].payable_rial) == (
        OWNER_RIAL,
        -OWNER_RIAL,
        0,
    )
    assert told["o-1"].prior_days_rial == OWNER_RIAL
    assert_books(city)


def test_what_a_card_forgot_comes_back_with_its_next_entitlement(city: City) -> None:
    """The card told nothing of its first ride: its state had no room, or a desk had cleared it."""
    remember(city, caps=(day_cap(30_000),))
    bus = city.bus(1)
    card = city.card()
    pay(bus, card, deliver=card.load(city, 200_000), leaves=RiderState())
    pay(bus, card, NOON + timedelta(hours=4))
    bus.send()
    serial = str(card.serial)
    assert adjustments(city) == [(serial, 3, -10_000, "o-1", -9_001, "repriced")]
    seal(city)
    waiting = city.session(entitlements_waiting)
    assert entitlement.decode(waiting[card.serial]).loaded_total_rial == 210_000
    assert city.balance(f"stored_value:card:{serial}") == -(200_000 - 30_000)
    assert_books(city)


def test_a_late_ride_takes_a_card_over_its_cap(city: City) -> None:
    remember(city, caps=(day_cap(50_000),))
    away, home = city.bus(1, "o-1"), city.bus(2, "o-2")
    card = city.card()
    pay(away, card, deliver=card.load(city, 200_000), leaves=RiderState())
    pay(away, card, NOON + timedelta(hours=3), leaves=RiderState())
    pay(home, card, NOON + timedelta(hours=4), leaves=RiderState())
    home.send()
    # The card brought the ride before, and nobody knows of the first one yet.
    assert net(city) == {}
    away.send(EVENING + timedelta(hours=1))
    assert net(city) == {(str(card.serial), 4): -10_000}
    seal(city)
    assert_books(city)


def test_a_false_cap_reached_buys_nothing_twice(city: City) -> None:
    tariff = remember(city, caps=(day_cap(30_000),))
    bus, other = city.bus(1), city.bus(2, "o-2")
    card = city.card()
    at = NOON + timedelta(hours=4)
    period = cap_period(tariff, tariff.caps[0], int(at.timestamp()), None)
    reached = RiderState(caps={"day": CapUse(period, 30_000)})
    pay(bus, card, deliver=card.load(city, 200_000), leaves=reached)
    assert pay(other, card, at, leaves=reached).fare_rial == 0
    other.send()
    bus.send()
    serial = str(card.serial)
    # 10,000 were left to the cap: the owner gets them, and the rider owes them.
    owners_rial = 10_000 * SHARE_BPS // 10_000
    assert adjustments(city) == [(serial, 3, 10_000, "o-2", owners_rial, "false_state")]
    assert city.session(lambda session: check_card(session, DAY, EVENING, is_closed=False)).findings == []
    seal(city)
    waiting = city.session(entitlements_waiting)
    assert entitlement.decode(waiting[card.serial]).withdrawn_total_rial == 10_000
    assert city.balance(f"stored_value:card:{serial}") == -(200_000 - 30_000)
    # A repeat is not left to chance.
    tomorrow = DAY + timedelta(days=1)
    period = cap_period(tariff, tariff.caps[0], int((at + timedelta(days=1)).timestamp()), None)
    again = RiderState(caps={"day": CapUse(period, 30_000)})
    pay(bus, card, at + timedelta(days=1), leaves=again)
    assert pay(other, card, at + timedelta(days=1, hours=1)).fare_rial == 0
    for each in (bus, other):
        each.send(at + timedelta(days=1, hours=2))
    found = city.session(lambda session: check_card(session, tomorrow, at, is_closed=False))
    assert [(each.kind, each.subject) for each in found.findings] == [
        (Kind.FALSE_STATE, f"{serial}:{tomorrow}")
    ]
    assert_books(city)


def test_a_card_in_want_of_money_owes_no_more_than_it_has(city: City) -> None:
    tariff = remember(city, caps=(day_cap(30_000),))
    bus = city.bus(1)
    card = city.card()
    period = cap_period(tariff, tariff.caps[0], int(NOON.timestamp()), None)
    reached = RiderState(caps={"day": CapUse(period, 30_000)})
    pay(bus, card, deliver=card.load(city, 24_000), leaves=reached)
    pay(bus, card, NOON + timedelta(hours=4))
    bus.send()
    assert net(city) == {(str(card.serial), 3): 4_000}
    seal(city)
    assert city.balance(f"stored_value:card:{card.serial}") == 0
    assert_books(city)
    # Its next load pays for the rest, as soon as anything else of the card is heard.
    pay(bus, card, NOON + timedelta(hours=5), deliver=card.load(city, 100_000))
    bus.send(EVENING + timedelta(hours=1))
    assert net(city) == {(str(card.serial), 3): 10_000}


def test_a_journey_without_an_end_is_closed(city: City) -> None:
    off = TapOff(charge=TapOffCharge.AT_TAP_OFF, close_after_s=3_600)
    remember(city, tap_off=off)
    bus = city.bus(1)
    card = city.card()
    pay(bus, card, deliver=card.load(city, 100_000))
    bus.send(NOON + timedelta(minutes=30))
    assert [(r[1], r[4]) for r in city.rides()] == [(2, 0)]
    assert adjustments(city) == []
    seal(city)
    assert adjustments(city) == [(str(card.serial), 2, FARE_RIAL, "o-1", OWNER_RIAL, "closed")]
    assert city.balance(f"stored_value:card:{card.serial}") == FARE_RIAL - 100_000
    seal(city)
    assert_books(city)
    # Its bus tells of the tap-off a day late: the journey is no longer one without an end.
    pay(bus, card, NOON + timedelta(minutes=40), kind=TapKind.OFF)
    bus.send(EVENING)
    assert sum(net(city).values()) == 0
    seal(city)
    assert_books(city)


def test_a_disputed_ride_is_adjusted_within_suspense(city: City) -> None:
    remember(city, windows=(HOUR_FREE,))
    first, second, copier = city.bus(1, "o-1"), city.bus(2, "o-2"), city.bus(3, "o-2")
    for order in ((copier, first), (first, copier)):
        phone = city.phone()
        first.scan(phone, 1, tariff_version=2)
        second.scan(phone, 2, NOON + LATER, tariff_version=2)
        copier.scan(phone, 2, NOON + LATER, tariff_version=2)
        second.send()
        for bus in order:
            bus.send()
        assert city.balance("owner_payable:o-2") == 0
        assert city.balance("suspense:device:2") == 0
        for bus in (first, second, copier):
            assert bus.city is city
    assert city.balance("owner_payable:o-1") == -2 * OWNER_RIAL
    seal(city)
    with write(city.engine) as session:
        told = {line.owner_id: line.net_rial for line in make_statements(session, DAY, NEXT_MORNING)}
    assert told == {"o-1": 2 * OWNER_RIAL, "o-2": 0}
    assert_books(city)


def test_a_flat_tariff_folds_nothing(city: City) -> None:
    bus = city.bus(1)
    card = city.card()
    bus.ride(card, deliver=card.load(city, 100_000))
    bus.ride(card, NOON + LATER, fare_rial=0)
    bus.send()
    assert city.rows("SELECT * FROM travel_rider") == []
    assert adjustments(city) == []


def test_an_adjustment_that_was_tampered_with_is_named(city: City, owner_engine: Engine) -> None:
    remember(city, windows=(HOUR_FREE,))
    first, second = city.bus(1, "o-1"), city.bus(2, "o-2")
    phone = city.phone()
    first.scan(phone, 1, tariff_version=2)
    second.scan(phone, 2, NOON + LATER, tariff_version=2)
    for bus in (first, second):
        bus.send()
    seal(city)
    assert_books(city)
    with owner_engine.begin() as connection, _without_triggers(connection, "travel_adjustment"):
        connection.execute(
            text("UPDATE travel_adjustment SET rider_rial = rider_rial - 1, owner_rial = owner_rial - 1")
        )
    with read(city.engine) as session:
        found = audit(session)
    assert {each.subject.split(":")[0] for each in found.findings} >= {"entry adjust", "entry adjusted"}


def test_parts_that_do_not_add_up_are_refused_by_the_database(city: City) -> None:
    columns = (
        "medium_kind, medium_ref, counter, number, rider_kind, rider_ref, service_day, rider_rial,"
        " owner_rial, commission_rial, suspense_rial, is_held, cause, steps, tariff_version, entry_id,"
        " adjusted_at"
    )
    row = (
        "'card', '1', 2, 1, 'card', '1', '2026-11-22', 1, 1, 1, 0, false, 'repriced', '', 1, 'adjust:x',"
        " '2026-11-22 00:00:00'"
    )
    with pytest.raises(DBAPIError), city.engine.begin() as connection:
        connection.execute(text(f"INSERT INTO travel_adjustment ({columns}) VALUES ({row})"))


def _season(city: City, first_device: int, dice: Random) -> tuple[list[Bus], list[RidersCard]]:
    """Two days of three cards on three buses; each card now and then forgets what it knew."""
    buses = [city.bus(first_device + i, f"o-{first_device + i}") for i in range(3)]
    cards = [city.card() for _ in range(3)]
    loads = {card.serial: card.load(city, 900_000) for card in cards}
    at = NOON
    for _ in range(24):
        at += timedelta(minutes=dice.choice((7, 31, 65, 240)))
        card, bus = dice.choice(cards), dice.choice(buses)
        leaves = RiderState() if dice.random() < 0.3 else None
        pay(bus, card, at, deliver=loads.pop(card.serial, None), leaves=leaves)
    return buses, cards


def test_withheld_batches_come_to_the_ledger_that_prompt_ones_make(city: City) -> None:
    """One season told in order, the same one backwards, in pieces, twice, and with days sealed in between."""
    with write(city.engine) as session:
        for i in (*range(10, 13), *range(20, 23)):
            session.add(Owner(owner_id=f"o-{i}", name=f"o-{i}", kind="private", iban=IBAN))
    remember(city, windows=(HOUR_FREE,), caps=(day_cap(50_000),))
    days = [DAY + timedelta(days=n) for n in range(4)]
    at = NOON + timedelta(days=3)
    prompt, first = _season(city, 10, Random(7))
    for bus in prompt:
        bus.send(at)
    late, second = _season(city, 20, Random(7))
    for bus in reversed(late):
        half = len(bus.journal) // 2
        city.take(bus.batch(1, half, at=at), at)
        for day in days:
            seal(city, day)
    for bus in late:
        bus.send(at + timedelta(days=1))
        bus.send(at + timedelta(days=1))
    for day in days:
        seal(city, day)
    found = balances(city)
    assert net(city)
    for i in range(3):
        assert found.get(f"owner_payable:o-{10 + i}") == found.get(f"owner_payable:o-{20 + i}")
    for one, other in zip(first, second, strict=True):
        held = [found.get(f"stored_value:card:{card.serial}") for card in (one, other)]
        assert held[0] == held[1]
    by_ride = net(city)
    for one, other in zip(first, second, strict=True):
        told = [
            {counter: rial for (ref, counter), rial in by_ride.items() if ref == str(card.serial)}
            for card in (one, other)
        ]
        assert told[0] == told[1]
    assert_books(city)
