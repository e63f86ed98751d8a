"""Top-ups whose rider closed the browser: paid ones are posted once, others stay as they are."""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from fare.database.engine import read, write
from fare.issuing import wallet_balance
from fare.issuing.checking import ASKED_FOR, check_top_ups, open_top_ups
from fare.issuing.gateway import GatewayUnavailable, order_top_up
from fare.issuing.sandbox_payments import SandboxGateway
from fare.issuing.wallets import open_wallet
from fare.keys import LedgerKeys
from fare.ledger import trial_balance
from tests.issuing.build import AT

RIAL = 50_000


class Counted(SandboxGateway):
    """The sandbox, with a line that can be cut."""

    asked = 0
    cut = False

    def authority_of(self, order_id: str) -> str | None:
        self.asked += 1
        if self.cut:
            raise GatewayUnavailable("no line")
        return super().authority_of(order_id)


@pytest.fixture
def gateway(tmp_path: Path) -> Counted:
    return Counted(tmp_path, lambda: AT)


def ordered(engine: Engine, gateway: Counted, button: str | None = None, at: datetime = AT) -> str:
    """A wallet with an order; the rider pressed a button at the provider, and closed the browser."""
    with write(engine) as session:
        order = order_top_up(session, open_wallet(session, AT), RIAL, gateway, at)
    page = gateway.begin(order.order_id, RIAL, "https://bus.example/")
    if button is not None:
        gateway.end(page.rpartition("/")[2], paid=button == "pay")
    return order.wallet_id


def test_what_was_paid_is_posted_once_and_the_rest_is_counted(
    engine: Engine, keys: LedgerKeys, gateway: Counted
) -> None:
    paid = ordered(engine, gateway, "pay")
    waiting = ordered(engine, gateway)
    ordered(engine, gateway, "cancel")
    ordered(engine, gateway, "pay", AT - ASKED_FOR - timedelta(seconds=1))
    first = check_top_ups(engine, keys, gateway, AT)
    again = check_top_ups(engine, keys, gateway, AT)
    assert (first.paid, first.failed, first.still_open, first.refused) == (1, 1, 1, ())
    assert (again.paid, again.failed, again.still_open) == (0, 1, 1)
    with read(engine) as session:
        assert (wallet_balance(session, paid), wallet_balance(session, waiting)) == (RIAL, 0)
        assert trial_balance(session).total == 0


def test_a_gateway_that_does_not_answer_is_left_alone_soon(
    engine: Engine, keys: LedgerKeys, gateway: Counted
) -> None:
    for _ in range(5):
        ordered(engine, gateway, "pay")
    gateway.cut, gateway.asked = True, 0
    found = check_top_ups(engine, keys, gateway, AT)
    assert (found.paid, found.still_open, found.unanswered, gateway.asked) == (0, 5, 5, 3)
    gateway.cut = False
    assert check_top_ups(engine, keys, gateway, AT).paid == 5


def test_the_newest_orders_are_asked_for_first(engine: Engine, gateway: Counted) -> None:
    old = ordered(engine, gateway, at=AT - timedelta(hours=1))
    new = ordered(engine, gateway)
    with read(engine) as session:
        assert [one.wallet_id for one in open_top_ups(session, gateway, AT)] == [new, old]
        assert [one.wallet_id for one in open_top_ups(session, gateway, AT, 1)] == [new]
