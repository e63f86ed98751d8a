"""Somebody took over a rider's mobile number: a one-time code is worth one day's fares, however often.

Buses tell of rides late. What a ticket may still be ridden for counts as ridden, or enrolling again after
each ride would make a day's fares of every code.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from fare.database.engine import write
from fare.issuing import IssuedTicket, TicketNotIssued, enrol_phone, wallet_balance
from fare.keys import LedgerKeys
from tests.issuing.build import AT
from tests.issuing.riding import FARE, HOUR, POLICY, a_phone, ask, given, ride

CODES_A_DAY = 10


@pytest.fixture
def keys(tmp_path: Path) -> LedgerKeys:
    """A ledger's keys."""
    return LedgerKeys.open(tmp_path / "keys")


def test_enrolling_again_before_the_buses_have_told_brings_no_second_days_fares(
    engine: Engine, keys: LedgerKeys
) -> None:
    for keeps_keys in (True, False):
        with write(engine) as session:
            wallet_id, owner = a_phone(session, keys, 100 * FARE)
            given(session, keys, owner)
            taken: list[IssuedTicket] = []
            for number in range(CODES_A_DAY):
                now = AT + number * timedelta(minutes=1)
                thief = enrol_phone(session, wallet_id, keeps_keys, now).phone_id
                answer = ask(session, keys, thief, now, keeps_keys=keeps_keys)
                if isinstance(answer, IssuedTicket):
                    taken.append(answer)
                else:
                    assert answer is TicketNotIssued.DAY_LIMIT
            assert sum(ticket.max_taps for ticket in taken) == POLICY.day_rides
            # The buses that were offline tell now: the owner has lost one day's fares.
            for ticket in taken:
                for ctr in range(1, ticket.max_taps + 1):
                    ride(session, ticket.cti, ctr)
            assert wallet_balance(session, wallet_id) >= (100 - 10 - POLICY.day_rides) * FARE


def test_what_an_expired_ticket_did_not_ride_may_be_held_again(engine: Engine, keys: LedgerKeys) -> None:
    """The honest side of it: a day's fares that were never ridden are not lost to the day."""
    with write(engine) as session:
        wallet_id, owner = a_phone(session, keys, 100 * FARE)
        given(session, keys, owner)
        phone = enrol_phone(session, wallet_id, True, AT).phone_id
        first = given(session, keys, phone)
        ride(session, first.cti, 1)
        again = enrol_phone(session, wallet_id, True, AT + HOUR).phone_id
        assert ask(session, keys, again, AT + HOUR) is TicketNotIssued.DAY_LIMIT
        late = first.expires_at + timedelta(seconds=1)
        assert given(session, keys, again, late).max_taps == POLICY.day_rides


def test_a_revoked_channel_key_leaves_an_unconfirmed_phone_its_days_fares(
    engine: Engine, keys: LedgerKeys
) -> None:
    """Nobody denied that ticket: its rest moves to the new one, and the day is not used up by it."""
    with write(engine) as session:
        wallet_id, _ = a_phone(session, keys, 100 * FARE)
        phone = enrol_phone(session, wallet_id, True, AT).phone_id
        first = given(session, keys, phone)
        ride(session, first.cti, 1)
        keys.channels.revoke(keys.channel.kid, "test", AT)
        assert given(session, keys, phone, AT + HOUR).max_taps == POLICY.day_rides - 1
