"""What a dishonest superuser might do behind the ledger's back. For `mancard day --corrupt` only.

Append-only triggers are taken off and put back, digests are recomputed where a careful hand would: the audit
must find it by the figures, not by the tool marks.
"""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from datetime import date
from enum import StrEnum

from sqlalchemy import Connection, Engine, text

from fare.core.errors import OperatorError
from fare.ledger.journal import entry_digest

_SKIMMED_RIAL = 1_000


class Corruption(StrEnum):
    """Which record is tampered with."""

    DOUBLE_POST = "double-post"
    DROP_TAP = "drop-tap"
    EDIT_POSTING = "edit-posting"


def corrupt(owner_engine: Engine, what: Corruption) -> str:
    """Tamper, and return the journal entry concerned. The engine must be the tables' owner."""
    with owner_engine.begin() as connection:
        match what:
            case Corruption.DOUBLE_POST:
                return _double_post(connection)
            case Corruption.DROP_TAP:
                return _drop_tap(connection)
            case Corruption.EDIT_POSTING:
                return _edit_posting(connection)


def _double_post(connection: Connection) -> str:
    entry_id, cause_id, day, description = _a_batch_entry(connection)
    postings = [
        (str(row[0]), int(row[1]))
        for row in connection.execute(
            text(
                "SELECT account_id, amount_rial FROM ledger_posting WHERE entry_id = :e ORDER BY account_id"
            ),
            {"e": entry_id},
        )
    ]
    again = f"{entry_id}-again"
    digest = entry_digest(again, _as_date(day), description, postings)
    connection.execute(
        text(
            "INSERT INTO ledger_entry"
            " (entry_id, cause_kind, cause_id, service_day, posted_at, description, digest)"
            " SELECT :again, cause_kind, :cause, service_day, posted_at, description, :digest"
            " FROM ledger_entry WHERE entry_id = :e"
        ),
        {"again": again, "cause": f"{cause_id}-again", "digest": digest, "e": entry_id},
    )
    connection.execute(
        text(
            "INSERT INTO ledger_posting (account_id, entry_id, service_day, amount_rial)"
            " SELECT account_id, :again, service_day, amount_rial FROM ledger_posting WHERE entry_id = :e"
        ),
        {"again": again, "e": entry_id},
    )
    return again


def _drop_tap(connection: Connection) -> str:
    row = connection.execute(
        text(
            "SELECT entry_id, device_id, journal_id, seq FROM travel_ride WHERE fare_rial > 0"
            " AND proven_by = 'tap' ORDER BY device_id, seq LIMIT 1"
        )
    ).one_or_none()
    if row is None:
        raise _nothing_to_tamper_with()
    place = {"d": row.device_id, "j": row.journal_id, "s": row.seq}
    with _without_triggers(connection, "travel_ride"), _without_triggers(connection, "travel_tap"):
        for table in ("travel_ride", "travel_tap"):
            connection.execute(
                text(f"DELETE FROM {table} WHERE device_id = :d AND journal_id = :j AND seq = :s"),  # noqa: S608
                place,
            )
    return str(row.entry_id)


def _edit_posting(connection: Connection) -> str:
    entry_id = _a_batch_entry(connection)[0]
    with _without_triggers(connection, "ledger_posting"):
        connection.execute(
            text(
                "UPDATE ledger_posting SET amount_rial = amount_rial - :skim"
                " WHERE entry_id = :e AND account_id = ("
                "SELECT min(account_id) FROM ledger_posting WHERE entry_id = :e AND amount_rial < 0)"
            ),
            {"skim": _SKIMMED_RIAL, "e": entry_id},
        )
    return entry_id


def _a_batch_entry(connection: Connection) -> tuple[str, str, object, str]:
    row = connection.execute(
        text(
            "SELECT entry_id, cause_id, service_day, description FROM ledger_entry WHERE cause_kind = 'batch'"
            " ORDER BY entry_id LIMIT 1"
        )
    ).one_or_none()
    if row is None:
        raise _nothing_to_tamper_with()
    return str(row.entry_id), str(row.cause_id), row.service_day, str(row.description)


def _as_date(value: object) -> date:
    return value if isinstance(value, date) else date.fromisoformat(str(value))


def _nothing_to_tamper_with() -> OperatorError:
    return OperatorError("There is no posted ride to tamper with: simulate a day with more taps.")


@contextmanager
def _without_triggers(connection: Connection, table: str) -> Generator[None]:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"ALTER TABLE {table} DISABLE TRIGGER USER"))
        yield
        connection.execute(text(f"ALTER TABLE {table} ENABLE TRIGGER USER"))
        return
    triggers = connection.execute(
        text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger' AND tbl_name = :t"), {"t": table}
    ).all()
    for trigger in triggers:
        connection.execute(text(f"DROP TRIGGER {trigger.name}"))
    yield
    for trigger in triggers:
        connection.exec_driver_sql(trigger.sql)
