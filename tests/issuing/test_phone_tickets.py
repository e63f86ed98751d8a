"""When a phone gets a ticket, for how many rides, and that no more is held than may be."""

from __future__ import annotations

import dataclasses
import threading
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from fare.core.proof.mc1 import decode_entitlement
from fare.core.tariff.model import FareProduct, flat_tariff
from fare.database.engine import read, write
from fare.distribution import NoTariffInForce
from fare.issuing import (
    BY_OLD_PHONE,
    IssuedTicket,
    PhoneAccount,
    TicketNotIssued,
    TicketPolicy,
    confirm_phone,
    contest_phone,
    denied,
    due_ticket,
    enrol_phone,
    issue_phone_ticket,
    phone_account,
    report_phone_lost,
    ticket_entitlements,
    ticket_policy,
    tickets_of_wallet,
    wallet_balance,
)
from fare.keys import LedgerKeys
from fare.ledger import accounts, balance, trial_balance
from fare.settings import LedgerSettings
from fare.settlement import seal_day
from tests.issuing.build import AT, a_wallet, load
from tests.issuing.riding import DAY, FARE, HOUR, POLICY, a_key, a_phone, ask, given, ride
from tests.tariffs.published import publish


@pytest.fixture
def own_keys(tmp_path: Path) -> LedgerKeys:
    """Keys of this test's own: it revokes one."""
    return LedgerKeys.open(tmp_path / "keys")


def account(
    session: Session, phone_id: str, now: datetime = AT, revoked: frozenset[int] = frozenset()
) -> PhoneAccount:
    return phone_account(session, POLICY, phone_id, now, revoked)


def live(session: Session, wallet_id: str) -> set[bytes]:
    return {face.cti for face in tickets_of_wallet(session, wallet_id) if face.status == "live"}


def test_a_ticket_holds_what_its_rides_may_cost(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id, phone_id = a_phone(session, keys, 1_000_000)
        assert account(session, phone_id).refresh_due
        issued = given(session, keys, phone_id)
        assert (issued.max_taps, issued.max_fare_rial, issued.expires_at) == (10, FARE, AT + 72 * HOUR)
        assert decode_entitlement(issued.raw).cti == issued.cti
        assert wallet_balance(session, wallet_id) == 800_000
        assert ticket_entitlements(session, [issued.cti])[issued.cti].phone_id == phone_id
        seen = account(session, phone_id)
        assert (seen.balance_rial, seen.held_rial, seen.day_limit_rial) == (800_000, 200_000, None)
        assert seen.not_issued is TicketNotIssued.NOT_DUE
        assert seen.ticket is not None
        assert (seen.ticket.raw, seen.ticket.rides_taken_in, seen.ticket.reissue) == (issued.raw, 0, False)
        ride(session, issued.cti, 1, 15_000)
        seen = account(session, phone_id)
        assert (seen.balance_rial, seen.held_rial) == (800_000, 185_000)
        assert seen.ticket is not None
        assert seen.ticket.rides_taken_in == 1


def test_as_many_rides_as_the_money_gives_at_least_one(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id, phone_id = a_phone(session, keys, FARE - 1)
        assert ask(session, keys, phone_id) is TicketNotIssued.SHORT_OF_FUNDS
        load(session, keys, "wallet", wallet_id, 2 * FARE)
        first = given(session, keys, phone_id)
        assert first.max_taps == 2
        # The rest is in the ticket: nobody who can ride is told that there is no money.
        assert ask(session, keys, phone_id) is TicketNotIssued.NOT_DUE
        load(session, keys, "wallet", wallet_id, 5 * FARE)
        assert given(session, keys, phone_id).max_taps == 5, "there is money for more than are left"
        free = TicketPolicy(max_fare_rial=0)
        _, rich = a_phone(session, keys, 1)
        assert given(session, keys, rich, policy=free).max_taps == 10


def test_another_ticket_is_due_by_the_hour_and_by_the_ride(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        _, phone_id = a_phone(session, keys, 2_000_000)
        first = given(session, keys, phone_id)
        none = frozenset[int]()
        assert due_ticket(session, POLICY, phone_id, AT + 60 * HOUR, none) is TicketNotIssued.NOT_DUE
        assert due_ticket(session, POLICY, phone_id, AT + 60 * HOUR + timedelta(seconds=1), none) is None
        ride(session, first.cti, 7)
        assert due_ticket(session, POLICY, phone_id, AT, none) is TicketNotIssued.NOT_DUE, "three are left"
        ride(session, first.cti, 8)
        assert due_ticket(session, POLICY, phone_id, AT, none) is None
        _, short = a_phone(session, keys, 2_000_000)
        issued = ask(session, keys, short, keeps_keys=False)
        assert isinstance(issued, IssuedTicket)
        assert issued.expires_at == AT + 2 * HOUR
        assert due_ticket(session, POLICY, short, AT + HOUR, none) is TicketNotIssued.NOT_DUE
        assert due_ticket(session, POLICY, short, AT + HOUR + timedelta(seconds=1), none) is None
        assert due_ticket(session, POLICY, short, AT + 2 * HOUR, none) is None


def test_a_phone_has_two_live_tickets_at_most(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id, phone_id = a_phone(session, keys, 5_000_000)
        tickets: list[bytes] = []
        for number in range(4):
            now = AT + number * HOUR
            tickets.append(given(session, keys, phone_id, now).cti)
            ride(session, tickets[-1], 10)
            assert live(session, wallet_id) == set(tickets[-2:])
        assert denied(session, AT)[1] == set(tickets[:2])
        assert {account(session, phone_id, AT).held_rial} == {2 * 180_000}


def test_a_revoked_key_moves_what_is_left_to_a_new_ticket(engine: Engine, own_keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id, phone_id = a_phone(session, own_keys, 10 * FARE)
        first = given(session, own_keys, phone_id)
        ride(session, first.cti, 1)
        ride(session, first.cti, 2)
        kid = own_keys.channel.kid
        assert wallet_balance(session, wallet_id) == 0
        own_keys.channels.revoke(kid, "test", AT)
        seen = account(session, phone_id, AT, own_keys.channels.revoked())
        assert seen.refresh_due
        assert (seen.balance_rial, seen.held_rial) == (8 * FARE, 0)
        assert seen.ticket is not None
        assert seen.ticket.reissue
        second = given(session, own_keys, phone_id, AT + HOUR)
        assert second.max_taps == 8
        assert decode_entitlement(second.raw).kid != decode_entitlement(first.raw).kid
        assert balance(session, accounts.holds(first.cti)) == -2 * FARE, "two rides are still to be captured"
        replaced = session.connection().exec_driver_sql(
            "SELECT replaced_by FROM ledger_ticket_entitlement WHERE status = 'released'"
        )
        assert [bytes(row[0]) for row in replaced] == [second.cti]
        seal_day(session, DAY, AT, own_keys)
        assert balance(session, accounts.holds(first.cti)) == 0
        assert wallet_balance(session, wallet_id) == 0
        assert trial_balance(session).holds


def test_an_unconfirmed_phone_gets_one_days_fares(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id, first = a_phone(session, keys, 2_000_000)
        given(session, keys, first)
        phone_id = enrol_phone(session, wallet_id, True, AT).phone_id
        ticket = given(session, keys, phone_id)
        assert (ticket.max_taps, ticket.expires_at) == (4, AT + 24 * HOUR)
        assert account(session, phone_id).day_limit_rial == 4 * FARE
        ride(session, ticket.cti, 1)
        ride(session, ticket.cti, 2)
        assert ask(session, keys, phone_id) is TicketNotIssued.NOT_DUE
        ride(session, ticket.cti, 4)
        assert ask(session, keys, phone_id) is TicketNotIssued.DAY_LIMIT
        # Enrolling again brings no second day's fares: the fourth may have been ridden on a bus that waits.
        again = enrol_phone(session, wallet_id, True, AT + HOUR).phone_id
        assert ask(session, keys, again, AT + HOUR) is TicketNotIssued.DAY_LIMIT
        assert account(session, again, AT + 2 * HOUR).not_issued is TicketNotIssued.DAY_LIMIT
        # A day later there is another day's.
        assert given(session, keys, again, AT + 25 * HOUR).max_taps == 4
        assert confirm_phone(session, again, BY_OLD_PHONE, AT + 26 * HOUR)
        assert due_ticket(session, POLICY, again, AT + 26 * HOUR, ()) is TicketNotIssued.NOT_DUE
        assert given(session, keys, again, AT + 45 * HOUR).max_taps == 10


def test_a_phone_that_is_not_live_gets_none(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        for lost, reason in (
            (False, TicketNotIssued.PHONE_SUPERSEDED),
            (True, TicketNotIssued.PHONE_LOST),
        ):
            wallet_id, phone_id = a_phone(session, keys, 500_000)
            given(session, keys, phone_id)
            if lost:
                report_phone_lost(session, wallet_id, AT)
            else:
                enrol_phone(session, wallet_id, True, AT)
            assert ask(session, keys, phone_id) is reason
            seen = account(session, phone_id)
            assert (seen.not_issued, seen.ticket) == (reason, None)
            assert seen.balance_rial + seen.held_rial == 500_000


def test_a_key_is_for_one_ticket(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        _, phone_id = a_phone(session, keys, 2_000_000)
        key = a_key()
        first = issue_phone_ticket(session, keys, POLICY, phone_id, key, AT)
        assert isinstance(first, IssuedTicket)
        ride(session, first.cti, 10)
        again = issue_phone_ticket(session, keys, POLICY, phone_id, key, AT)
        assert again is TicketNotIssued.BAD_KEY
        given(session, keys, phone_id)


def test_contested_and_closed(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id, mine = a_phone(session, keys, 500_000)
        theirs = enrol_phone(session, wallet_id, True, AT).phone_id
        assert contest_phone(session, mine, AT) == []
        assert ask(session, keys, theirs) is TicketNotIssued.PHONE_CONTESTED
        session.connection().exec_driver_sql("UPDATE ledger_wallet SET status = 'closed'")
        session.expire_all()
        assert ask(session, keys, mine) is TicketNotIssued.WALLET_CLOSED
        with pytest.raises(KeyError):
            ask(session, keys, "nobody")


def test_late_rides_are_covered_and_a_debt_is_collected_first(engine: Engine, keys: LedgerKeys) -> None:
    """A bus was offline: the hold was given back before its rides came."""
    with write(engine) as session:
        wallet_id, phone_id = a_phone(session, keys, 10 * FARE)
        first = given(session, keys, phone_id)
        second = given(session, keys, phone_id, AT + 73 * HOUR)
        assert second.max_taps == 10
        for ctr in range(1, 4):
            ride(session, first.cti, ctr)
        load(session, keys, "wallet", wallet_id, FARE + 5)
        seal_day(session, DAY, AT, keys)
        assert balance(session, accounts.holds(first.cti)) == 2 * FARE - 5, "as far as the wallet reached"
        assert wallet_balance(session, wallet_id) == 0
        load(session, keys, "wallet", wallet_id, 4 * FARE)
        assert ask(session, keys, phone_id, AT + 74 * HOUR) is TicketNotIssued.NOT_DUE
        assert balance(session, accounts.holds(first.cti)) == 0
        assert wallet_balance(session, wallet_id) == 2 * FARE + 5
        seal_day(session, DAY, AT, keys)
        assert wallet_balance(session, wallet_id) == 2 * FARE + 5
        assert trial_balance(session).holds


def test_requests_at_once_hold_no_rial_twice(engine: Engine, keys: LedgerKeys) -> None:
    """Two browsers of one phone, and another enrolment in between: at most one ticket is live at the end."""
    with write(engine) as session:
        wallet_id, phone_id = a_phone(session, keys, 15 * FARE)
    gate = threading.Barrier(4)
    faults: list[BaseException] = []

    def work(number: int) -> None:
        gate.wait()
        try:
            for _ in range(3):
                with write(engine) as session:
                    if number == 3:
                        enrol_phone(session, wallet_id, True, AT)
                    else:
                        ask(session, keys, phone_id)
        except BaseException as fault:  # noqa: BLE001 - told to the test below
            faults.append(fault)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with read(engine) as session:
        faces = tickets_of_wallet(session, wallet_id)
        held = -sum(balance(session, accounts.holds(face.cti)) for face in faces)
        assert wallet_balance(session, wallet_id) + held == 15 * FARE
        assert wallet_balance(session, wallet_id) >= 0
        assert live(session, wallet_id) == set(), "the phone that asked was superseded"
        assert len(faces) <= 1
        assert trial_balance(session).holds


def test_without_a_tariff_nothing_is_issued(engine: Engine, keys: LedgerKeys) -> None:
    settings = LedgerSettings(rides_per_ticket=6, day_rides=2)
    with write(engine) as session:
        with pytest.raises(NoTariffInForce):
            ticket_policy(session, settings, AT)
        tariff = flat_tariff(1, "flat", {0: FareProduct("single", "Single", 7), 1: FareProduct("s", "S", 3)})
        publish(session, tariff, AT)
        policy = ticket_policy(session, settings, AT)
        assert (policy.max_fare_rial, policy.rides_per_ticket, policy.day_limit_rial) == (7, 6, 14)
        assert dataclasses.replace(policy, max_fare_rial=0).rides_for(0) == 6
        a_wallet(session, keys, 1)
