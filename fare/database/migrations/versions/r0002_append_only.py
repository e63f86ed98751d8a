"""Triggers that refuse to change or remove what was written for ever: journal, entitlements, taps, evidence.

Grants (0003) are the first barrier, triggers the second: they also stop the owner's own mistakes, and they
are all that SQLite has. Where some columns live on (a tap's proof state), only the others are protected.
"""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"

# table -> columns that may still change; every other column, and the row itself, is there for ever
APPEND_ONLY: dict[str, tuple[str, ...]] = {
    "ledger_account": (),
    "ledger_entry": (),
    "ledger_posting": (),
    "ledger_entitlement": ("seen_day",),
    "ledger_approval": ("approved_by", "approved_at", "used_at"),
    "ledger_psp_line": (),
    "ledger_bank_line": ("matched_to",),
    "travel_batch": ("entry_id",),
    "travel_tap": ("proof_state", "counter", "flags"),
    "travel_ride": ("sealed_entry_id",),
    "travel_quarantine": ("resolution",),
    "travel_tariff": (),
    "travel_bundle": (),
}

COLUMNS: dict[str, tuple[str, ...]] = {
    "ledger_entitlement": (
        "serial", "version", "raw", "loaded_total_rial", "withdrawn_total_rial", "order_id", "signed_at",
    ),
    "ledger_approval": (
        "approval_id", "action", "payload", "payload_sha256", "requested_by", "requested_at",
    ),
    "ledger_bank_line": ("statement_id", "line_no", "booked_day", "amount_rial", "reference", "text"),
    "travel_batch": (
        "device_id", "batch_id", "journal_id", "first_seq", "last_seq", "envelope", "received_at",
    ),
    "travel_tap": (
        "device_id", "journal_id", "seq", "batch_id", "digest", "service_day", "tapped_at", "outcome",
        "reason", "medium_kind", "medium_ref", "fare_rial", "recovers",
    ),
    "travel_ride": (
        "medium_kind", "medium_ref", "counter", "device_id", "journal_id", "seq", "service_day", "boarded_at",
        "line", "vehicle_id", "owner_id", "fare_rial", "owner_rial", "commission_rial", "suspense_rial",
        "suspense_reason", "entry_id", "proven_by", "spent_before_rial", "entitlement_version",
        "delivered_version", "record_read", "record_written", "proof",
    ),
    "travel_quarantine": ("device_id", "quarantine_id", "journal_id", "seq", "reason", "raw", "received_at"),
}  # fmt: skip


def upgrade() -> None:
    """Create the triggers, in the words of each database."""
    if op.get_context().dialect.name == "postgresql":
        _postgresql()
    else:
        _sqlite()


def _update_of(table: str) -> str:
    columns = COLUMNS.get(table)
    return f"UPDATE OF {', '.join(columns)}" if columns else "UPDATE"


def _sqlite() -> None:
    for table in APPEND_ONLY:
        for verb, event in (("update", _update_of(table)), ("delete", "DELETE")):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{verb} BEFORE {event} ON {table} BEGIN"
                f" SELECT RAISE(ABORT, '{table} is append-only: correct it with a new entry'); END"
            )


def _postgresql() -> None:
    op.execute(
        "CREATE FUNCTION ledger.refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " RAISE EXCEPTION '% is append-only: correct it with a new entry', TG_TABLE_NAME"
        " USING ERRCODE = 'restrict_violation'; END $$"
    )
    for table in APPEND_ONLY:
        for verb, event, each in (
            ("update", _update_of(table), "ROW"),
            ("delete", "DELETE", "ROW"),
            ("truncate", "TRUNCATE", "STATEMENT"),
        ):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{verb} BEFORE {event} ON {table}"
                f" FOR EACH {each} EXECUTE FUNCTION ledger.refuse_change()"
            )
