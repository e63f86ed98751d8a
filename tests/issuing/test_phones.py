"""One live phone for a wallet, and nobody who only has the SIM card can vouch for himself."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from fare.database.engine import read, write
from fare.issuing import (
    BY_OLD_PHONE,
    IssuingRefusal,
    IssuingRefused,
    block_phone_of,
    by_counter,
    confirm_phone,
    contest_phone,
    denied,
    enrol_phone,
    newer_phone_of,
    open_wallet,
    phone_view,
    phones_of,
    report_phone_lost,
)
from fare.keys import LedgerKeys
from tests.issuing.build import AT, a_wallet
from tests.issuing.riding import a_phone, given

LATER = AT + timedelta(minutes=10)


def states(session: Session, wallet_id: str) -> list[tuple[str, str | None]]:
    return [(phone.status, phone.confirmed_by) for phone in phones_of(session, wallet_id)]


def test_the_first_phone_is_confirmed_and_a_later_one_takes_its_place(
    engine: Engine, keys: LedgerKeys
) -> None:
    with write(engine) as session:
        wallet_id, first = a_phone(session, keys, 500_000)
        ticket = given(session, keys, first)
        again = enrol_phone(session, wallet_id, False, AT)
        assert (again.confirmed, again.supersedes) == (False, first)
        assert denied(session, AT) == (set(), {ticket.cti})
        assert states(session, wallet_id) == [("superseded", "first"), ("live", None)]
        newer = newer_phone_of(session, first)
        assert newer is not None
        assert (newer.phone_id, newer.keeps_keys, newer.confirmed) == (again.phone_id, False, False)
        assert newer_phone_of(session, again.phone_id) is None
        assert confirm_phone(session, again.phone_id, BY_OLD_PHONE, LATER)
        assert confirm_phone(session, again.phone_id, by_counter("parvin"), LATER)
        assert states(session, wallet_id)[1] == ("live", "old_phone"), "who vouched first stays noted"
        assert newer_phone_of(session, first) is None
        assert contest_phone(session, first, LATER) is None
        assert not confirm_phone(session, first, BY_OLD_PHONE, LATER), "it is not live"
        assert not confirm_phone(session, "nobody", BY_OLD_PHONE, LATER)


def test_not_me_brings_the_old_phone_back_over_every_phone_since(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id, mine = a_phone(session, keys, 500_000)
        second = enrol_phone(session, wallet_id, True, LATER).phone_id
        third = enrol_phone(session, wallet_id, True, LATER).phone_id
        stolen = given(session, keys, third, LATER)
        # Who enrolled twice with a stolen SIM card may not answer for himself.
        assert newer_phone_of(session, second) is None
        assert contest_phone(session, second, LATER) is None
        assert contest_phone(session, mine, LATER) == [stolen.cti]
        assert states(session, wallet_id) == [("live", "first"), ("contested", None), ("contested", None)]
        view = phone_view(session, mine)
        assert view is not None
        assert view.ended_at is None
        given(session, keys, mine, LATER)


def test_a_lost_phone_gets_no_say_any_more(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id, first = a_phone(session, keys, 500_000)
        ticket = given(session, keys, first)
        assert report_phone_lost(session, wallet_id, LATER) == [ticket.cti]
        assert report_phone_lost(session, wallet_id, LATER) == []
        second = enrol_phone(session, wallet_id, True, LATER)
        assert (second.confirmed, second.supersedes) == (False, None)
        assert newer_phone_of(session, first) is None
        third = enrol_phone(session, wallet_id, True, LATER)
        assert third.supersedes == second.phone_id
        assert confirm_phone(session, third.phone_id, BY_OLD_PHONE, LATER)
        enrol_phone(session, wallet_id, True, LATER)
        report_phone_lost(session, wallet_id, LATER)
        assert states(session, wallet_id) == [
            ("lost", "first"), ("lost", None), ("lost", "old_phone"), ("lost", None),
        ]  # fmt: skip


def test_a_repeat_blocks_the_phone_until_it_enrols_anew(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id, phone_id = a_phone(session, keys, 500_000)
        ticket = given(session, keys, phone_id)
        assert block_phone_of(session, ticket.cti, LATER) == phone_id
        assert denied(session, LATER)[1] == {ticket.cti}
        assert block_phone_of(session, ticket.cti, LATER) == phone_id
        assert block_phone_of(session, bytes(8), LATER) is None
        again = enrol_phone(session, wallet_id, True, LATER)
        assert (again.confirmed, again.supersedes) == (False, None)
        assert newer_phone_of(session, phone_id) is None, "it may not vouch for the next"
        assert states(session, wallet_id) == [("blocked", "first"), ("live", None)]


def test_a_superseded_phone_can_be_blocked_too(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id, phone_id = a_phone(session, keys, 500_000)
        ticket = given(session, keys, phone_id)
        enrol_phone(session, wallet_id, True, LATER)
        block_phone_of(session, ticket.cti, LATER)
        assert newer_phone_of(session, phone_id) is None
        assert [status for status, _ in states(session, wallet_id)] == ["blocked", "live"]


def test_a_wallet_that_is_not_there_has_no_phone(engine: Engine) -> None:
    with pytest.raises(IssuingRefused) as caught, write(engine) as session:
        enrol_phone(session, "nobody", True, AT)
    assert caught.value.reason is IssuingRefusal.UNKNOWN_WALLET
    with pytest.raises(IssuingRefused) as caught, write(engine) as session:
        report_phone_lost(session, "nobody", AT)
    assert caught.value.reason is IssuingRefusal.UNKNOWN_WALLET


def test_many_enrolments_at_once_leave_one_live_phone(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id = a_wallet(session, keys, 100_000)
        other = open_wallet(session, AT)
    gate = threading.Barrier(6)
    faults: list[BaseException] = []

    def enrol() -> None:
        gate.wait()
        try:
            for _ in range(3):
                with write(engine) as session:
                    enrol_phone(session, wallet_id, True, AT)
        except BaseException as fault:  # noqa: BLE001 - told to the test below
            faults.append(fault)

    threads = [threading.Thread(target=enrol) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert faults == []
    with read(engine) as session:
        found = phones_of(session, wallet_id)
        assert len(found) == 18
        assert [phone.status for phone in found] == ["superseded"] * 17 + ["live"]
        assert [phone.confirmed for phone in found] == [True] + [False] * 17
        assert phones_of(session, other) == []
