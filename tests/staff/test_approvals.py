from __future__ import annotations

import pytest
from sqlalchemy import Engine, text
from sqlalchemy.exc import IntegrityError

from fare.database.engine import read, write
from fare.staff import (
    Action,
    ApprovalRefusal,
    ApprovalView,
    NotApproved,
    Role,
    approvals,
    approve,
    disable,
    request,
    use,
)
from tests.staff.people import NOW, add_people

PAYLOAD = {"owner": "o-1", "iban": "IR062960000000100324200001"}


@pytest.fixture
def asked(engine: Engine) -> ApprovalView:
    """A request by sara, in a house with the usual people."""
    add_people(
        engine,
        sara=Role.FINANCE,
        reza=Role.FINANCE,
        nima=Role.AUDITOR,
        ada=Role.ADMINISTRATOR,
    )
    with write(engine) as session:
        view = request(session, Action.CHANGE_IBAN, PAYLOAD, "sara", NOW)
    assert isinstance(view, ApprovalView)
    return view


def give(engine: Engine, asked: ApprovalView, by: str, sha256: bytes | None = None) -> ApprovalRefusal | None:
    with write(engine) as session:
        return approve(session, asked.approval_id, sha256 or asked.payload_sha256, by, NOW)


def spend(engine: Engine, asked: ApprovalView, payload: dict[str, str] | None = None) -> None:
    with write(engine) as session:
        use(session, asked.approval_id, Action.CHANGE_IBAN, payload or PAYLOAD, NOW)


def test_an_action_happens_once_after_a_second_person(engine: Engine, asked: ApprovalView) -> None:
    with pytest.raises(NotApproved, match="not approved"):
        spend(engine, asked)
    assert give(engine, asked, "reza") is None
    spend(engine, asked)
    with pytest.raises(NotApproved, match="used before"):
        spend(engine, asked)
    with read(engine) as session:
        [view] = approvals(session)
    assert (view.requested_by, view.approved_by, view.used_at, view.payload) == ("sara", "reza", NOW, PAYLOAD)


@pytest.mark.parametrize(
    ("by", "refusal"),
    [
        ("sara", ApprovalRefusal.SAME_PERSON),
        ("nima", ApprovalRefusal.NO_RIGHT),
        ("ada", ApprovalRefusal.NO_RIGHT),
        ("nobody", ApprovalRefusal.NO_RIGHT),
    ],
)
def test_only_a_second_person_with_the_right_may_approve(
    engine: Engine, asked: ApprovalView, by: str, refusal: ApprovalRefusal
) -> None:
    assert give(engine, asked, by) is refusal
    with pytest.raises(NotApproved):
        spend(engine, asked)


def test_an_approval_is_for_what_was_looked_at(engine: Engine, asked: ApprovalView) -> None:
    assert give(engine, asked, "reza", bytes(32)) is ApprovalRefusal.OTHER_PAYLOAD
    assert give(engine, asked, "reza") is None
    with pytest.raises(NotApproved, match="something else"):
        spend(engine, asked, {**PAYLOAD, "iban": "IR580540105180021273113007"})
    with pytest.raises(NotApproved, match="of this kind"), write(engine) as session:
        use(session, asked.approval_id, Action.REFUND, PAYLOAD, NOW)
    assert give(engine, asked, "reza") is ApprovalRefusal.ALREADY_APPROVED


def test_who_lost_the_account_can_neither_ask_nor_approve(engine: Engine, asked: ApprovalView) -> None:
    with write(engine) as session:
        disable(session, "reza")
    assert give(engine, asked, "reza") is ApprovalRefusal.NO_RIGHT
    with write(engine) as session:
        assert request(session, Action.REFUND, {}, "reza", NOW) is ApprovalRefusal.NO_RIGHT
        assert request(session, Action.REFUND, {}, "ada", NOW) is ApprovalRefusal.NO_RIGHT


def test_an_unknown_approval_is_told(engine: Engine, asked: ApprovalView) -> None:
    with write(engine) as session:
        assert approve(session, "none", asked.payload_sha256, "reza", NOW) is ApprovalRefusal.UNKNOWN


def test_the_database_itself_refuses_one_person_for_both(engine: Engine, asked: ApprovalView) -> None:
    statement = text("UPDATE ledger_approval SET approved_by = requested_by, approved_at = requested_at")
    with pytest.raises(IntegrityError), write(engine) as session:
        session.connection().execute(statement)


def test_not_even_the_owner_of_the_tables_edits_a_payload(owner_engine: Engine, asked: ApprovalView) -> None:
    with pytest.raises(IntegrityError, match="append-only"), owner_engine.begin() as connection:
        connection.execute(text("UPDATE ledger_approval SET payload = :other"), {"other": b"\xa0"})
