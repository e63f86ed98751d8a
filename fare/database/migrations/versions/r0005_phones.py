"""Phones as riders carry them: enrolment by one-time code, paper tickets, and tickets shown on two buses."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    """Add the tables and columns, with their rights and triggers."""
    _people()
    _phones()
    _conflicts()
    for column in (
        sa.Column("medium", sa.String(), nullable=False, server_default="phone"),
        sa.Column("phone_id", sa.String(), nullable=True),
        sa.Column("vehicle_id", sa.String(), nullable=True),
        sa.Column("denied_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("replaced_by", sa.LargeBinary(), nullable=True),
    ):
        op.add_column("ledger_ticket_entitlement", column)
    op.create_index("ix_ledger_ticket_entitlement_phone_id", "ledger_ticket_entitlement", ["phone_id"])
    denied_ones = sa.text("denied_at IS NOT NULL")
    op.create_index(
        "ix_ledger_ticket_entitlement_denied",
        "ledger_ticket_entitlement",
        ["expires_at"],
        sqlite_where=denied_ones,
        postgresql_where=denied_ones,
    )
    if op.get_context().dialect.name == "postgresql":
        _postgresql()
    else:
        _sqlite()


def _people() -> None:
    op.create_table(
        "identity_one_time_code",
        sa.Column("mobile", sa.String(), nullable=False),
        sa.Column("salt", sa.LargeBinary(), nullable=False),
        sa.Column("code_digest", sa.LargeBinary(), nullable=False),
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        sa.Column("tries_left", sa.Integer(), nullable=False),
        sa.Column("sent_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("hour_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("hour_count", sa.Integer(), nullable=False),
        sa.Column("day_since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("day_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("mobile", name="pk_identity_one_time_code"),
        sa.CheckConstraint("length(code_digest) = 32", name="ck_identity_one_time_code_digest"),
        sa.CheckConstraint("tries_left >= 0", name="ck_identity_one_time_code_tries"),
    )
    op.create_table(
        "identity_rider_session",
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("rider_id", sa.String(), nullable=False),
        sa.Column("phone_id", sa.String(), nullable=True),
        sa.Column("challenge", sa.LargeBinary(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_digest", name="pk_identity_rider_session"),
        sa.ForeignKeyConstraint(
            ["rider_id"], ["identity_rider.rider_id"], name="fk_identity_rider_session_rider"
        ),
        sa.CheckConstraint("length(token_digest) = 32", name="ck_identity_rider_session_digest"),
    )
    op.create_index("ix_identity_rider_session_rider_id", "identity_rider_session", ["rider_id"])


def _phones() -> None:
    op.create_table(
        "ledger_phone",
        sa.Column("phone_id", sa.String(), nullable=False),
        sa.Column("wallet_id", sa.String(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("keeps_keys", sa.Boolean(), nullable=False),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("confirmed_by", sa.String(), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("phone_id", name="pk_ledger_phone"),
        sa.CheckConstraint(
            "status IN ('live', 'superseded', 'lost', 'blocked', 'contested')", name="ck_ledger_phone_status"
        ),
        sa.CheckConstraint("(status = 'live') = (ended_at IS NULL)", name="ck_ledger_phone_ended"),
    )
    op.create_index("ix_ledger_phone_wallet_id", "ledger_phone", ["wallet_id"])
    only_live = sa.text("status = 'live'")
    # One live phone for a wallet: two requests at once cannot make two.
    op.create_index(
        "uq_ledger_phone_live",
        "ledger_phone",
        ["wallet_id"],
        unique=True,
        sqlite_where=only_live,
        postgresql_where=only_live,
    )


def _conflicts() -> None:
    op.create_table(
        "travel_ticket_conflict",
        sa.Column("conflict_id", sa.String(), nullable=False),
        sa.Column("cti", sa.LargeBinary(), nullable=False),
        sa.Column("ride_ctr", sa.Integer(), nullable=False),
        sa.Column("first_ctr", sa.Integer(), nullable=False),
        sa.Column("last_ctr", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("journal_id", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("vehicle_id", sa.String(), nullable=True),
        sa.Column("tapped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("shown_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("fare_rial", sa.BigInteger(), nullable=False),
        sa.Column("found_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("denied", sa.Boolean(), nullable=False),
        sa.Column("decision", sa.String(), nullable=True),
        sa.Column("decided_by", sa.String(), nullable=True),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("note", sa.String(), nullable=True),
        sa.Column("entry_id", sa.String(), nullable=True),
        sa.Column("back_owner_rial", sa.BigInteger(), nullable=False),
        sa.Column("back_commission_rial", sa.BigInteger(), nullable=False),
        sa.Column("owner_id", sa.String(), nullable=True),
        sa.Column("owner_rial", sa.BigInteger(), nullable=False),
        sa.Column("commission_rial", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("conflict_id", name="pk_travel_ticket_conflict"),
        sa.UniqueConstraint("device_id", "journal_id", "seq", name="uq_travel_ticket_conflict_tap"),
        sa.CheckConstraint("length(cti) = 8", name="ck_travel_ticket_conflict_cti"),
        sa.CheckConstraint(
            "decision IN ('pay_first', 'pay_second', 'pay_nobody')", name="ck_travel_ticket_conflict_decision"
        ),
        sa.CheckConstraint(
            "(decision IS NULL) = (decided_at IS NULL) AND (decision IS NULL) = (decided_by IS NULL)",
            name="ck_travel_ticket_conflict_decided",
        ),
        sa.CheckConstraint(
            "decision IS NOT NULL OR entry_id IS NULL", name="ck_travel_ticket_conflict_settled"
        ),
    )
    op.create_index("ix_travel_ticket_conflict_cti", "travel_ticket_conflict", ["cti"])
    open_ones = sa.text("decision IS NULL")
    op.create_index(
        "ix_travel_ticket_conflict_open",
        "travel_ticket_conflict",
        ["found_at"],
        sqlite_where=open_ones,
        postgresql_where=open_ones,
    )
    op.create_table(
        "travel_paper_redemption",
        sa.Column("cti", sa.LargeBinary(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("vehicle_id", sa.String(), nullable=True),
        sa.Column("redeemed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("cti", name="pk_travel_paper_redemption"),
        sa.CheckConstraint("length(cti) = 8", name="ck_travel_paper_redemption_cti"),
    )


_KEPT = ("ledger_phone", "travel_ticket_conflict", "travel_paper_redemption")


def _sqlite() -> None:
    for table in _KEPT:
        op.execute(
            f"CREATE TRIGGER {table}_refuses_delete BEFORE DELETE ON {table} BEGIN"
            f" SELECT RAISE(ABORT, '{table} is append-only: correct it with a new entry'); END"
        )


def _postgresql() -> None:
    for table in ("identity_one_time_code", "identity_rider_session"):
        op.execute(f"ALTER TABLE ledger.{table} SET SCHEMA identity")
    for table in ("travel_ticket_conflict", "travel_paper_redemption"):
        op.execute(f"ALTER TABLE ledger.{table} SET SCHEMA travel")
    for table in _KEPT:
        for verb, each in (("DELETE", "ROW"), ("TRUNCATE", "STATEMENT")):
            op.execute(
                f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table}"
                f" FOR EACH {each} EXECUTE FUNCTION ledger.refuse_change()"
            )
    for table in ("identity_one_time_code", "identity_rider_session", *_KEPT):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO mancard_app")
    for table in ("identity_one_time_code", "identity_rider_session"):
        op.execute(f"GRANT UPDATE, DELETE ON {table} TO mancard_app")
    op.execute("GRANT UPDATE ON ledger_phone TO mancard_app")
    op.execute(
        "GRANT UPDATE (decision, decided_by, decided_at, note, entry_id, back_owner_rial,"
        " back_commission_rial, owner_id, owner_rial, commission_rial) ON travel_ticket_conflict"
        " TO mancard_app"
    )
    op.execute("GRANT UPDATE (denied_at, replaced_by) ON ledger_ticket_entitlement TO mancard_app")
