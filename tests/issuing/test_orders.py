"""A payment becomes money on the medium once, however often it is confirmed."""

from __future__ import annotations

import threading
from datetime import UTC, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlmodel import Session

from fare.core import entitlement
from fare.database.engine import read, write
from fare.issuing import (
    IssuingRefusal,
    IssuingRefused,
    confirm_paid,
    deny_card,
    newest_funds,
    open_wallet,
    request_load,
    wallet_balance,
)
from fare.issuing.models import Order
from fare.keys import LedgerKeys
from fare.ledger import balance, postings_of, trial_balance
from tests.issuing.build import AT, a_card, load


def test_a_paid_order_is_signed_for_the_card(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        serial = a_card(session, keys)
        order_id = load(session, keys, "card", str(serial), 50_000)
    with read(engine) as session:
        assert postings_of(session, f"load:{order_id}") == {
            "psp_receivable:t1": 50_000,
            f"stored_value:card:{serial}": -50_000,
        }
        assert newest_funds(session, [serial, 99]) == {serial: (50_000, 0)}
        order = session.get_one(Order, order_id)
        assert (order.state, order.entitlement_version, order.paid_day) == ("signed", 2, AT.date())


def test_loads_add_up(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        serial = a_card(session, keys)
        for amount in (50_000, 20_000, 1):
            load(session, keys, "card", str(serial), amount)
        assert newest_funds(session, [serial]) == {serial: (70_001, 0)}
        assert balance(session, f"stored_value:card:{serial}") == -70_001


def test_a_wallet_is_credited(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id = open_wallet(session, AT)
        assert wallet_balance(session, wallet_id) == 0
        order_id = load(session, keys, "wallet", wallet_id, 70_000)
        assert wallet_balance(session, wallet_id) == 70_000
        assert session.get_one(Order, order_id).state == "signed"


def test_a_request_posts_nothing(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        serial = a_card(session, keys)
        request_load(session, "card", str(serial), 50_000, "psp", "t1", AT)
        assert trial_balance(session).by_kind == {}
        assert newest_funds(session, [serial]) == {serial: (0, 0)}


def test_confirming_again_does_nothing(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        serial = a_card(session, keys)
        order_id = request_load(session, "card", str(serial), 50_000, "psp", "t1", AT)
    later = datetime(2026, 11, 25, 1, 0, tzinfo=UTC)
    for at in (AT, AT, later):
        with write(engine) as session:
            confirm_paid(session, keys, order_id, "psp-1", at)
    with read(engine) as session:
        assert newest_funds(session, [serial]) == {serial: (50_000, 0)}
        assert balance(session, "psp_receivable:t1") == 50_000


def test_two_callbacks_at_once_load_once(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        serial = a_card(session, keys)
        order_id = request_load(session, "card", str(serial), 50_000, "psp", "t1", AT)
    gate = threading.Barrier(4)
    done: list[bool] = []

    def callback() -> None:
        gate.wait()
        with write(engine) as session:
            confirm_paid(session, keys, order_id, "psp-1", AT)
        done.append(True)

    threads = [threading.Thread(target=callback) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(done) == 4
    with read(engine) as session:
        assert newest_funds(session, [serial]) == {serial: (50_000, 0)}
        versions = session.connection().execute(sa.text("SELECT count(*) FROM ledger_entitlement")).scalar()
        assert versions == 2


def test_two_loads_of_one_card_at_once_are_two_versions(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        serial = a_card(session, keys)
        orders = [request_load(session, "card", str(serial), 1_000, "psp", "t1", AT) for _ in range(6)]
    gate = threading.Barrier(6)

    def callback(order_id: str) -> None:
        gate.wait()
        with write(engine) as session:
            confirm_paid(session, keys, order_id, f"psp-{order_id}", AT)

    threads = [threading.Thread(target=callback, args=(order_id,)) for order_id in orders]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    with read(engine) as session:
        assert newest_funds(session, [serial]) == {serial: (6_000, 0)}
        versions = (
            session.connection().execute(sa.text("SELECT max(version) FROM ledger_entitlement")).scalar()
        )
        assert versions == 7


def refusal(engine: Engine, work: object) -> IssuingRefusal:
    assert callable(work)
    with pytest.raises(IssuingRefused) as caught, write(engine) as session:
        work(session)
    assert str(caught.value)
    return caught.value.reason


def test_another_payment_of_a_paid_order_is_refused(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        serial = a_card(session, keys)
        order_id = load(session, keys, "card", str(serial), 50_000)
        other = request_load(session, "card", str(serial), 50_000, "psp", "t1", AT)

    def pay_again(session: Session) -> None:
        confirm_paid(session, keys, order_id, "psp-other", AT)

    def use_twice(session: Session) -> None:
        confirm_paid(session, keys, other, f"psp-{order_id}", AT)

    def pay_nothing(session: Session) -> None:
        confirm_paid(session, keys, "no-such-order", "psp-9", AT)

    assert refusal(engine, pay_again) is IssuingRefusal.PAID_BY_ANOTHER_PAYMENT
    assert refusal(engine, use_twice) is IssuingRefusal.PAYMENT_ALREADY_USED
    assert refusal(engine, pay_nothing) is IssuingRefusal.UNKNOWN_ORDER
    with read(engine) as session:
        assert balance(session, "psp_receivable:t1") == 50_000


@pytest.mark.parametrize(
    ("kind", "ref", "amount", "reason"),
    [
        ("card", "1", 0, IssuingRefusal.AMOUNT_OUT_OF_RANGE),
        ("card", "1", -5, IssuingRefusal.AMOUNT_OUT_OF_RANGE),
        ("card", "1", entitlement.MAX_TOTAL_RIAL + 1, IssuingRefusal.AMOUNT_OUT_OF_RANGE),
        ("card", "2", 5, IssuingRefusal.UNKNOWN_CARD),
        ("card", "01", 5, IssuingRefusal.UNKNOWN_CARD),
        ("card", "۱", 5, IssuingRefusal.UNKNOWN_CARD),
        ("card", "x", 5, IssuingRefusal.UNKNOWN_CARD),
        ("wallet", "x", 5, IssuingRefusal.UNKNOWN_WALLET),
        ("pocket", "1", 5, IssuingRefusal.UNKNOWN_WALLET),
    ],
)
def test_a_load_that_cannot_be(
    engine: Engine, keys: LedgerKeys, kind: str, ref: str, amount: int, reason: IssuingRefusal
) -> None:
    with write(engine) as session:
        a_card(session, keys)
    assert refusal(engine, lambda s: request_load(s, kind, ref, amount, "psp", "t1", AT)) is reason


def test_a_denied_card_takes_no_load(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        serial = a_card(session, keys)
        deny_card(session, serial)
    reason = refusal(engine, lambda s: request_load(s, "card", str(serial), 5, "psp", "t1", AT))
    assert reason is IssuingRefusal.NOT_ACTIVE


def test_money_for_a_card_denied_meanwhile_is_kept_and_waits(engine: Engine, keys: LedgerKeys) -> None:
    """A payment taken is never dropped: the order stays `paid`, where reconciliation finds it."""
    with write(engine) as session:
        serial = a_card(session, keys)
        order_id = request_load(session, "card", str(serial), 50_000, "psp", "t1", AT)
        deny_card(session, serial)
    with write(engine) as session:
        confirm_paid(session, keys, order_id, "psp-1", AT)
    with read(engine) as session:
        assert session.get_one(Order, order_id).state == "paid"
        assert balance(session, f"stored_value:card:{serial}") == -50_000
        assert newest_funds(session, [serial]) == {serial: (0, 0)}


def test_a_card_whose_counter_is_full_keeps_the_money_waiting(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        serial = a_card(session, keys)
        load(session, keys, "card", str(serial), entitlement.MAX_TOTAL_RIAL)
        order_id = load(session, keys, "card", str(serial), 1)
        assert session.get_one(Order, order_id).state == "paid"
        assert newest_funds(session, [serial]) == {serial: (entitlement.MAX_TOTAL_RIAL, 0)}


def test_the_paid_day_is_the_date_where_the_payment_was_made(engine: Engine, keys: LedgerKeys) -> None:
    at = datetime.fromisoformat("2026-11-22T01:30:00+03:30")
    with write(engine) as session:
        serial = a_card(session, keys)
        order_id = request_load(session, "card", str(serial), 5, "psp", "t1", at)
        confirm_paid(session, keys, order_id, "psp-1", at)
        assert str(session.get_one(Order, order_id).paid_day) == "2026-11-22"
    with pytest.raises(ValueError, match="naive"), write(engine) as session:
        confirm_paid(session, keys, order_id, "psp-1", at.replace(tzinfo=None))
