"""An employee who wants to be two people, or more than his role."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine

from fare.database.engine import read, write
from fare.staff import (
    Action,
    ApprovalRefusal,
    ApprovalView,
    LoginThrottle,
    NotApproved,
    Role,
    approve,
    create_account,
    request,
    use,
)
from tests.collection.bus import NOON, City

REFUND = {"card": 7, "amount_rial": 50_000}


@pytest.fixture
def two_of_finance(engine: Engine) -> Engine:
    with write(engine) as session:
        for name, role in (("sara", Role.FINANCE), ("reza", Role.FINANCE), ("omid", Role.CLERK)):
            create_account(session, name, role, "not a hash", NOON)
    return engine


@pytest.mark.parametrize(("first", "second"), [("sara", "Sara"), (" SARA", "sara"), ("sara ", " sara")])
def test_nobody_is_a_second_person_by_writing_the_name_otherwise(
    two_of_finance: Engine, first: str, second: str
) -> None:
    with write(two_of_finance) as session:
        asked = request(session, Action.REFUND, REFUND, first, NOON)
        assert isinstance(asked, ApprovalView)
        told = approve(session, asked.approval_id, asked.payload_sha256, second, NOON)
        assert told is ApprovalRefusal.SAME_PERSON
        with pytest.raises(NotApproved):
            use(session, asked.approval_id, Action.REFUND, REFUND, NOON)


def test_an_approval_is_for_one_payload_once(two_of_finance: Engine) -> None:
    with write(two_of_finance) as session:
        asked = request(session, Action.REFUND, REFUND, "sara", NOON)
        assert isinstance(asked, ApprovalView)
        assert approve(session, asked.approval_id, bytes(32), "reza", NOON) is ApprovalRefusal.OTHER_PAYLOAD
        assert approve(session, asked.approval_id, asked.payload_sha256, "omid", NOON) is (
            ApprovalRefusal.NO_RIGHT
        )
        assert approve(session, asked.approval_id, asked.payload_sha256, "Reza ", NOON) is None
        for action, payload in (
            (Action.REFUND, {**REFUND, "amount_rial": 500_000}),
            (Action.ADJUSTMENT, REFUND),
        ):
            with pytest.raises(NotApproved):
                use(session, asked.approval_id, action, payload, NOON)
        use(session, asked.approval_id, Action.REFUND, REFUND, NOON)
        with pytest.raises(NotApproved):
            use(session, asked.approval_id, Action.REFUND, REFUND, NOON)
    with read(two_of_finance) as session:
        from fare.staff import approvals

        assert [(a.requested_by, a.approved_by) for a in approvals(session)] == [("sara", "reza")]


def test_a_clerk_may_not_ask_for_a_refund(two_of_finance: Engine) -> None:
    with write(two_of_finance) as session:
        assert request(session, Action.REFUND, REFUND, "omid", NOON) is ApprovalRefusal.NO_RIGHT
        assert request(session, Action.REFUND, REFUND, "nobody", NOON) is ApprovalRefusal.NO_RIGHT


def test_a_load_signed_with_the_real_key_and_no_order_pays_nobody(city: City) -> None:
    """The entitlement of the card's next version, made behind the ledger's back (A9)."""
    from dataclasses import replace

    from fare.core import entitlement
    from fare.issuing import entitlements_waiting

    bus = city.bus(1)
    card = city.card()
    card.load(city, 20_000)
    with read(city.engine) as session:
        newest = entitlement.decode(entitlements_waiting(session)[card.serial])
    forged = replace(newest, version=3, loaded_total_rial=4_000_000)
    bus.ride(card, deliver=entitlement.sign(forged, city.keys.card_issuer.private))
    bus.ride(card, NOON + timedelta(hours=1))
    bus.send()
    assert city.balance("owner_payable:o-1") == 0
    assert {(state, flags) for _, _, state, flags in city.taps()} == {("bad", "unknown_entitlement")}
    assert city.rows("SELECT status FROM ledger_card") == [("active",)]


def test_guesses_at_once_are_counted_before_they_are_answered() -> None:
    """Passwords take half a second to check: many tries sent together must not slip past the count."""
    throttle = LoginThrottle()
    allowed = sum(throttle.is_open("sara", "203.0.113.5", NOON) for _ in range(40))
    assert allowed <= 5
