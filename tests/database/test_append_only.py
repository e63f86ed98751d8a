"""What was written for ever stays: refused by triggers on both databases, and by rights on PostgreSQL."""

from __future__ import annotations

from datetime import UTC, date, datetime

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from fare.collection.models import RegisteredTap, Ride, StoredBatch
from fare.database.engine import write
from fare.issuing.models import Entitlement
from fare.ledger.models import Account, Entry, Posting
from fare.staff.models import Approval

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DAY = date(2026, 11, 22)
JOURNAL = bytes(16)


def an_approval(**changes: object) -> Approval:
    fields: dict[str, object] = {
        "approval_id": "a1", "action": "tariff.publish", "payload": b"{}", "payload_sha256": bytes(32),
        "requested_by": "maryam", "requested_at": AT,
    }  # fmt: skip
    return Approval(**(fields | changes))  # pyright: ignore[reportArgumentType]


def a_tap(seq: int) -> RegisteredTap:
    return RegisteredTap(
        device_id=7, journal_id=JOURNAL, seq=seq, batch_id="b" * 64, digest=bytes(32), service_day=DAY,
        tapped_at=AT, outcome=1, reason="ok", medium_kind="card", medium_ref="1", counter=2, fare_rial=9000,
        proof_state="pending",
    )  # fmt: skip


def a_ride() -> Ride:
    return Ride(
        medium_kind="card", medium_ref="1", counter=2, device_id=7, journal_id=JOURNAL, seq=1,
        service_day=DAY, boarded_at=AT, line=1, fare_rial=10, owner_rial=9, commission_rial=1,
        suspense_rial=0, entry_id="batch:x", proven_by="tap", proof=bytes(12),
    )  # fmt: skip


@pytest.fixture
def filled(engine: Engine) -> Engine:
    with write(engine) as session:
        session.add(Account(account_id="bank", kind="bank"))
        session.add(
            Entry(
                entry_id="load:1", cause_kind="load", cause_id="1", service_day=DAY, posted_at=AT,
                description="", digest=bytes(32),
            )
        )  # fmt: skip
        session.add(Posting(account_id="bank", entry_id="load:1", service_day=DAY, amount_rial=5))
        session.add(
            Entitlement(
                serial=1, version=1, raw=bytes(128), loaded_total_rial=0, withdrawn_total_rial=0, signed_at=AT
            )
        )
        session.add(an_approval())
        session.add(a_tap(1))
        session.add(a_ride())
        session.add(
            StoredBatch(
                device_id=7, batch_id="b" * 64, journal_id=JOURNAL, first_seq=1, last_seq=1, envelope=b"e",
                received_at=AT,
            )
        )  # fmt: skip
    return engine


CHANGES = [
    "UPDATE ledger_posting SET amount_rial = 6",
    "UPDATE ledger_entry SET description = 'x'",
    "UPDATE ledger_account SET kind = 'x'",
    "UPDATE ledger_entitlement SET loaded_total_rial = 6",
    "UPDATE ledger_approval SET payload = payload",
    "UPDATE travel_tap SET fare_rial = 6",
    "UPDATE travel_ride SET owner_id = 'o-2'",
    "UPDATE travel_batch SET envelope = envelope",
    "DELETE FROM ledger_posting",
    "DELETE FROM ledger_entry",
    "DELETE FROM ledger_account",
    "DELETE FROM ledger_entitlement",
    "DELETE FROM ledger_approval",
    "DELETE FROM travel_tap",
    "DELETE FROM travel_ride",
    "DELETE FROM travel_batch",
]
ALLOWED = [
    "UPDATE ledger_entitlement SET seen_day = '2026-11-22'",
    "UPDATE ledger_approval SET approved_by = 'reza', approved_at = '2026-11-22 08:00:00'",
    "UPDATE travel_tap SET proof_state = 'valid', counter = 3",
    "UPDATE travel_ride SET sealed_entry_id = 'seal:x'",
    "UPDATE travel_batch SET entry_id = 'batch:x'",
]


def answer(engine: Engine, statement: str) -> str:
    """What the database says to one statement in a transaction of its own."""
    try:
        with engine.begin() as connection:
            return f"{connection.execute(sa.text(statement)).rowcount} row"
    except DBAPIError as fault:
        return str(fault.orig)


def test_the_application_cannot_change_the_past(filled: Engine) -> None:
    # On PostgreSQL the rights refuse before it comes to a trigger.
    said = {statement: answer(filled, statement) for statement in CHANGES}
    words = "append-only" if filled.dialect.name == "sqlite" else "permission denied"
    assert {statement: text for statement, text in said.items() if words not in text} == {}


def test_the_owner_is_stopped_by_the_triggers(filled: Engine, owner_engine: Engine) -> None:
    said = {statement: answer(owner_engine, statement) for statement in CHANGES}
    assert {statement: text for statement, text in said.items() if "append-only" not in text} == {}


def test_what_lives_on_may_change(filled: Engine) -> None:
    assert {statement: answer(filled, statement) for statement in ALLOWED} == dict.fromkeys(ALLOWED, "1 row")


def test_replacing_a_row_is_deleting_it(filled: Engine) -> None:
    statement = "INSERT OR REPLACE INTO ledger_posting VALUES ('bank', 'load:1', '2026-11-22', 6)"
    if filled.dialect.name != "sqlite":
        statement = "TRUNCATE ledger_posting"
    with pytest.raises(DBAPIError, match=r"append-only|permission denied"), filled.begin() as connection:
        connection.execute(sa.text(statement))


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_the_application_cannot_drop_a_trigger_on_postgresql(filled: Engine) -> None:
    for statement in (
        "DROP TRIGGER ledger_posting_refuses_update ON ledger_posting",
        "ALTER TABLE ledger_posting DISABLE TRIGGER ALL",
        "DROP TABLE ledger_posting",
    ):
        with pytest.raises(DBAPIError, match="must be owner"), filled.begin() as connection:
            connection.execute(sa.text(statement))


def test_nobody_approves_his_own_request(filled: Engine) -> None:
    with pytest.raises(IntegrityError, match="ck_ledger_approval_two_people"), filled.begin() as connection:
        connection.execute(
            sa.text("UPDATE ledger_approval SET approved_by = 'maryam', approved_at = '2026-11-22 08:00:00'")
        )


def test_a_posting_of_nothing_is_refused(filled: Engine) -> None:
    with pytest.raises(IntegrityError, match="ck_ledger_posting_amount"), write(filled) as session:
        session.add(Posting(account_id="bank", entry_id="load:2", service_day=DAY, amount_rial=0))


def test_the_legs_of_a_ride_are_its_fare(filled: Engine) -> None:
    ride = a_ride()
    ride.counter, ride.owner_rial = 3, 10
    with pytest.raises(IntegrityError, match="ck_travel_ride_legs"), write(filled) as session:
        session.add(ride)
