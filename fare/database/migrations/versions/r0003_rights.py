"""The role `mancard_app` and what it may do on PostgreSQL. SQLite has no roles, only the triggers.

The role may read everything and add rows everywhere; it may change and remove only what is listed here. It
owns no table, so it can neither alter one nor drop a trigger.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"

SCHEMAS = ("ledger", "travel", "identity")

# table -> the columns that may be updated; an empty tuple stands for all of them
MAY_UPDATE: dict[str, tuple[str, ...]] = {
    "ledger_entitlement": ("seen_day",),
    "ledger_card": (),
    "ledger_order": (),
    "ledger_wallet": ("status",),
    "ledger_ticket_entitlement": ("status",),
    "ledger_owner": (),
    "ledger_contract": (),
    "ledger_approval": ("approved_by", "approved_at", "used_at"),
    "ledger_service_day": (),
    "ledger_statement": (),
    "ledger_payment": (),
    "ledger_bank_line": ("matched_to",),
    "travel_exception": (),
    "travel_stream": (),
    "travel_batch": ("entry_id",),
    "travel_tap": ("proof_state", "counter", "flags"),
    "travel_ride": ("sealed_entry_id",),
    "travel_quarantine": ("resolution",),
    "travel_feed": (),
    "travel_line": (),
    "travel_area": (),
    "travel_stop": (),
    "travel_device": (),
    "travel_vehicle": (),
    "travel_device_assignment": (),
    "travel_vehicle_assignment": (),
    "identity_rider": (),
    "identity_rider_medium": (),
    "identity_staff": (),
    "identity_staff_session": (),
}
MAY_DELETE = (
    "travel_open_evidence",
    "travel_stop",
    "travel_device_assignment",
    "travel_vehicle_assignment",
    "identity_rider",
    "identity_rider_medium",
    "identity_staff_session",
)


def upgrade() -> None:
    """Make the role where it is missing, and give it its rights."""
    if op.get_context().dialect.name != "postgresql":
        return
    # The role belongs to the whole server: another database's migration may be making it at this moment.
    op.execute(
        "DO $$ BEGIN IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = 'mancard_app') THEN"
        " CREATE ROLE mancard_app NOLOGIN; END IF;"
        " EXCEPTION WHEN duplicate_object OR unique_violation THEN NULL; END $$"
    )
    if not op.get_bind().execute(sa.text("SELECT pg_has_role('mancard_app', 'MEMBER')")).scalar():
        op.execute("GRANT mancard_app TO CURRENT_USER")
    for schema in SCHEMAS:
        op.execute(f"GRANT USAGE ON SCHEMA {schema} TO mancard_app")
        op.execute(f"GRANT SELECT, INSERT ON ALL TABLES IN SCHEMA {schema} TO mancard_app")
    op.execute("REVOKE INSERT ON alembic_version FROM mancard_app")
    for table, columns in MAY_UPDATE.items():
        op.execute(f"GRANT UPDATE{_listed(columns)} ON {table} TO mancard_app")
    for table in MAY_DELETE:
        op.execute(f"GRANT DELETE ON {table} TO mancard_app")


def _listed(columns: tuple[str, ...]) -> str:
    return f" ({', '.join(columns)})" if columns else ""
