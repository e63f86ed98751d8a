"""Every table of identity, travel and ledger, with its named constraints.

On PostgreSQL the tables are moved into the schemas of those names; a name is the same on both databases.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None

SCHEMAS = ("ledger", "travel", "identity")


def upgrade() -> None:
    """Create the tables, then give each its schema where there are schemas."""
    _identity()
    _journal()
    _media()
    _owners()
    _outside_records()
    _batches()
    _taps()
    _network()
    _fleet()
    _published()
    if op.get_context().dialect.name == "postgresql":
        _move_into_schemas()


def _key() -> sa.String:
    # Compared byte by byte on both databases, so that a prefix is a range of the index.
    return sa.String().with_variant(sa.String(collation="C"), "postgresql")


def _move_into_schemas() -> None:
    connection = op.get_bind()
    for table in sa.inspect(connection).get_table_names(schema="ledger"):
        schema = table.partition("_")[0]
        if schema in SCHEMAS and schema != "ledger":
            op.execute(f"ALTER TABLE ledger.{table} SET SCHEMA {schema}")


def _identity() -> None:
    op.create_table(
        "identity_rider",
        sa.Column("rider_id", sa.String(), nullable=False),
        sa.Column("mobile", sa.String(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("rider_id", name="pk_identity_rider"),
        sa.UniqueConstraint("mobile", name="uq_identity_rider_mobile"),
    )
    op.create_table(
        "identity_rider_medium",
        sa.Column("rider_id", sa.String(), nullable=False),
        sa.Column("medium_kind", sa.String(), nullable=False),
        sa.Column("medium_ref", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint(
            "rider_id", "medium_kind", "medium_ref", "starts_at", name="pk_identity_rider_medium"
        ),
        sa.CheckConstraint("medium_kind IN ('card', 'wallet')", name="ck_identity_rider_medium_kind"),
        sa.CheckConstraint("ends_at IS NULL OR ends_at > starts_at", name="ck_identity_rider_medium_dates"),
    )
    op.create_table(
        "identity_staff",
        sa.Column("staff_id", sa.String(), nullable=False),
        sa.Column("role", sa.String(), nullable=False),
        sa.Column("password_hash", sa.String(), nullable=False),
        sa.Column("owner_id", sa.String(), nullable=True),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("staff_id", name="pk_identity_staff"),
        sa.CheckConstraint(
            "role IN ('clerk', 'finance', 'auditor', 'operator', 'owner', 'technician', 'administrator')",
            name="ck_identity_staff_role",
        ),
    )
    op.create_table(
        "identity_staff_session",
        sa.Column("token_digest", sa.LargeBinary(), nullable=False),
        sa.Column("staff_id", sa.String(), nullable=False),
        sa.Column("csrf_secret", sa.String(), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("token_digest", name="pk_identity_staff_session"),
    )
    op.create_index("ix_identity_staff_session_staff_id", "identity_staff_session", ["staff_id"])


def _journal() -> None:
    op.create_table(
        "ledger_account",
        sa.Column("account_id", _key(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("party", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("account_id", name="pk_ledger_account"),
        sa.CheckConstraint("account_id = kind || coalesce(':' || party, '')", name="ck_ledger_account_id"),
    )
    op.create_index("ix_ledger_account_kind", "ledger_account", ["kind"])
    op.create_table(
        "ledger_entry",
        sa.Column("entry_id", _key(), nullable=False),
        sa.Column("cause_kind", sa.String(), nullable=False),
        sa.Column("cause_id", sa.String(), nullable=False),
        sa.Column("service_day", sa.Date(), nullable=False),
        sa.Column("posted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("description", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("entry_id", name="pk_ledger_entry"),
        sa.CheckConstraint("entry_id = cause_kind || ':' || cause_id", name="ck_ledger_entry_id"),
        sa.CheckConstraint("length(digest) = 32", name="ck_ledger_entry_digest"),
    )
    op.create_index("ix_ledger_entry_service_day", "ledger_entry", ["service_day"])
    op.create_table(
        "ledger_posting",
        sa.Column("account_id", _key(), nullable=False),
        sa.Column("entry_id", _key(), nullable=False),
        sa.Column("service_day", sa.Date(), nullable=False),
        sa.Column("amount_rial", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("account_id", "entry_id", name="pk_ledger_posting"),
        sa.CheckConstraint("amount_rial <> 0", name="ck_ledger_posting_amount"),
    )
    op.create_index("ix_ledger_posting_entry_id", "ledger_posting", ["entry_id"])


def _media() -> None:
    op.create_table(
        "ledger_card",
        sa.Column("serial", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("uid", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.Column("key_version", sa.Integer(), nullable=False),
        sa.Column("rider_category", sa.Integer(), nullable=False),
        sa.Column("category_expires_day", sa.Integer(), nullable=False),
        sa.Column("overdraft_rial", sa.BigInteger(), nullable=False),
        sa.Column("expires_day", sa.Integer(), nullable=False),
        sa.Column("issued_day", sa.Date(), nullable=False),
        sa.PrimaryKeyConstraint("serial", name="pk_ledger_card"),
        sa.UniqueConstraint("uid", name="uq_ledger_card_uid"),
        sa.CheckConstraint("serial BETWEEN 1 AND 4294967295", name="ck_ledger_card_serial"),
        sa.CheckConstraint("length(uid) = 7", name="ck_ledger_card_uid"),
        sa.CheckConstraint("status IN ('active', 'denied', 'replaced')", name="ck_ledger_card_status"),
        sa.CheckConstraint("overdraft_rial BETWEEN 0 AND 16777215", name="ck_ledger_card_overdraft"),
    )
    op.create_table(
        "ledger_entitlement",
        sa.Column("serial", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("version", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("loaded_total_rial", sa.BigInteger(), nullable=False),
        sa.Column("withdrawn_total_rial", sa.BigInteger(), nullable=False),
        sa.Column("order_id", sa.String(), nullable=True),
        sa.Column("signed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_day", sa.Date(), nullable=True),
        sa.PrimaryKeyConstraint("serial", "version", name="pk_ledger_entitlement"),
        sa.CheckConstraint("version BETWEEN 1 AND 65535", name="ck_ledger_entitlement_version"),
        sa.CheckConstraint("length(raw) = 128", name="ck_ledger_entitlement_raw"),
        sa.CheckConstraint(
            "withdrawn_total_rial BETWEEN 0 AND loaded_total_rial AND loaded_total_rial <= 4294967295",
            name="ck_ledger_entitlement_totals",
        ),
    )
    op.create_index("ix_ledger_entitlement_order_id", "ledger_entitlement", ["order_id"])
    waiting = sa.text("seen_day IS NULL AND version > 1")
    op.create_index(
        "ix_ledger_entitlement_waiting",
        "ledger_entitlement",
        ["serial"],
        sqlite_where=waiting,
        postgresql_where=waiting,
    )
    op.create_table(
        "ledger_order",
        sa.Column("order_id", sa.String(), nullable=False),
        sa.Column("medium_kind", sa.String(), nullable=False),
        sa.Column("medium_ref", sa.String(), nullable=False),
        sa.Column("amount_rial", sa.BigInteger(), nullable=False),
        sa.Column("channel", sa.String(), nullable=False),
        sa.Column("terminal", sa.String(), nullable=False),
        sa.Column("psp_reference", sa.String(), nullable=True),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("paid_day", sa.Date(), nullable=True),
        sa.Column("entitlement_version", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("order_id", name="pk_ledger_order"),
        sa.UniqueConstraint("psp_reference", name="uq_ledger_order_psp_reference"),
        sa.CheckConstraint("medium_kind IN ('card', 'wallet')", name="ck_ledger_order_kind"),
        sa.CheckConstraint("amount_rial > 0", name="ck_ledger_order_amount"),
        sa.CheckConstraint("state IN ('requested', 'paid', 'signed')", name="ck_ledger_order_state"),
        sa.CheckConstraint(
            "state = 'requested' OR (psp_reference IS NOT NULL AND paid_day IS NOT NULL)",
            name="ck_ledger_order_paid",
        ),
    )
    op.create_table(
        "ledger_wallet",
        sa.Column("wallet_id", sa.String(), nullable=False),
        sa.Column("opened_day", sa.Date(), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("wallet_id", name="pk_ledger_wallet"),
        sa.CheckConstraint("status IN ('active', 'closed')", name="ck_ledger_wallet_status"),
    )
    op.create_table(
        "ledger_ticket_entitlement",
        sa.Column("cti", sa.LargeBinary(), nullable=False),
        sa.Column("wallet_id", sa.String(), nullable=False),
        sa.Column("kid", sa.Integer(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("max_taps", sa.Integer(), nullable=False),
        sa.Column("max_fare_rial", sa.BigInteger(), nullable=False),
        sa.Column("hold_rial", sa.BigInteger(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("status", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("cti", name="pk_ledger_ticket_entitlement"),
        sa.CheckConstraint("length(cti) = 8", name="ck_ledger_ticket_entitlement_cti"),
        sa.CheckConstraint("max_taps BETWEEN 1 AND 255", name="ck_ledger_ticket_entitlement_taps"),
        sa.CheckConstraint("hold_rial = max_taps * max_fare_rial", name="ck_ledger_ticket_entitlement_hold"),
        sa.CheckConstraint(
            "status IN ('live', 'released', 'denied')", name="ck_ledger_ticket_entitlement_status"
        ),
        sa.CheckConstraint("expires_at > issued_at", name="ck_ledger_ticket_entitlement_expiry"),
    )
    op.create_index("ix_ledger_ticket_entitlement_wallet_id", "ledger_ticket_entitlement", ["wallet_id"])


def _owners() -> None:
    op.create_table(
        "ledger_owner",
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("iban", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("owner_id", name="pk_ledger_owner"),
        sa.CheckConstraint("kind IN ('private', 'municipal')", name="ck_ledger_owner_kind"),
    )
    op.create_table(
        "ledger_contract",
        sa.Column("contract_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("owner_share_bps", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("contract_id", name="pk_ledger_contract"),
        sa.CheckConstraint("owner_share_bps BETWEEN 0 AND 10000", name="ck_ledger_contract_share"),
    )
    op.create_table(
        "ledger_approval",
        sa.Column("approval_id", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("payload_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("requested_by", sa.String(), nullable=False),
        sa.Column("requested_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approved_by", sa.String(), nullable=True),
        sa.Column("approved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("used_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("approval_id", name="pk_ledger_approval"),
        sa.CheckConstraint(
            "approved_by IS NULL OR approved_by <> requested_by", name="ck_ledger_approval_two_people"
        ),
        sa.CheckConstraint(
            "(approved_by IS NULL) = (approved_at IS NULL)", name="ck_ledger_approval_approved"
        ),
        sa.CheckConstraint("used_at IS NULL OR approved_at IS NOT NULL", name="ck_ledger_approval_used"),
        sa.CheckConstraint("length(payload_sha256) = 32", name="ck_ledger_approval_sha256"),
    )
    op.create_table(
        "ledger_service_day",
        sa.Column("service_day", sa.Date(), nullable=False),
        sa.Column("sealed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("service_day", name="pk_ledger_service_day"),
    )
    op.create_table(
        "ledger_statement",
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("service_day", sa.Date(), nullable=False),
        sa.Column("rides", sa.Integer(), nullable=False),
        sa.Column("gross_rial", sa.BigInteger(), nullable=False),
        sa.Column("commission_rial", sa.BigInteger(), nullable=False),
        sa.Column("suspense_rial", sa.BigInteger(), nullable=False),
        sa.Column("net_rial", sa.BigInteger(), nullable=False),
        sa.Column("prior_days_rial", sa.BigInteger(), nullable=False),
        sa.Column("payment_reference", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("owner_id", "service_day", name="pk_ledger_statement"),
    )
    op.create_table(
        "ledger_payment",
        sa.Column("payment_reference", sa.String(), nullable=False),
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("service_day", sa.Date(), nullable=False),
        sa.Column("amount_rial", sa.BigInteger(), nullable=False),
        sa.Column("iban", sa.String(), nullable=False),
        sa.Column("state", sa.String(), nullable=False),
        sa.Column("instructed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("payment_reference", name="pk_ledger_payment"),
        sa.CheckConstraint("amount_rial > 0", name="ck_ledger_payment_amount"),
        sa.CheckConstraint(
            "state IN ('instructed', 'confirmed', 'rejected')", name="ck_ledger_payment_state"
        ),
    )


def _outside_records() -> None:
    op.create_table(
        "ledger_psp_line",
        sa.Column("report_id", sa.String(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("psp_reference", sa.String(), nullable=False),
        sa.Column("terminal", sa.String(), nullable=False),
        sa.Column("amount_rial", sa.BigInteger(), nullable=False),
        sa.Column("paid_day", sa.Date(), nullable=False),
        sa.Column("deposit_reference", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("report_id", "line_no", name="pk_ledger_psp_line"),
    )
    op.create_index("ix_ledger_psp_line_psp_reference", "ledger_psp_line", ["psp_reference"])
    op.create_table(
        "ledger_bank_line",
        sa.Column("statement_id", sa.String(), nullable=False),
        sa.Column("line_no", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("booked_day", sa.Date(), nullable=False),
        sa.Column("amount_rial", sa.BigInteger(), nullable=False),
        sa.Column("reference", sa.String(), nullable=False),
        sa.Column("text", sa.String(), nullable=False),
        sa.Column("matched_to", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("statement_id", "line_no", name="pk_ledger_bank_line"),
    )
    op.create_index("ix_ledger_bank_line_reference", "ledger_bank_line", ["reference"])
    op.create_table(
        "travel_exception",
        sa.Column("exception_id", sa.String(), nullable=False),
        sa.Column("proof", sa.String(), nullable=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("subject", sa.String(), nullable=False),
        sa.Column("service_day", sa.Date(), nullable=False),
        sa.Column("amount_rial", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.String(), nullable=False),
        sa.Column("queue_role", sa.String(), nullable=False),
        sa.Column("opened_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("resolution", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("exception_id", name="pk_travel_exception"),
        sa.CheckConstraint(
            "proof IN ('device', 'card', 'channel', 'bank')", name="ck_travel_exception_proof"
        ),
        sa.CheckConstraint(
            "(resolved_at IS NULL) = (resolution IS NULL)", name="ck_travel_exception_resolved"
        ),
    )
    op.create_index("ix_travel_exception_service_day", "travel_exception", ["service_day"])


def _batches() -> None:
    op.create_table(
        "travel_stream",
        sa.Column("device_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("journal_id", sa.LargeBinary(), nullable=False),
        sa.Column("acked_seq", sa.BigInteger(), nullable=False),
        sa.Column("acked_hash", sa.LargeBinary(), nullable=False),
        sa.Column("newest_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_upload_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("clock_offset_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "journal_id", name="pk_travel_stream"),
        sa.CheckConstraint("length(journal_id) = 16", name="ck_travel_stream_journal"),
        sa.CheckConstraint("acked_seq BETWEEN 0 AND newest_seq", name="ck_travel_stream_seqs"),
    )
    op.create_table(
        "travel_batch",
        sa.Column("device_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("journal_id", sa.LargeBinary(), nullable=False),
        sa.Column("first_seq", sa.BigInteger(), nullable=False),
        sa.Column("last_seq", sa.BigInteger(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("entry_id", _key(), nullable=True),
        sa.PrimaryKeyConstraint("device_id", "batch_id", name="pk_travel_batch"),
        sa.CheckConstraint("length(journal_id) = 16", name="ck_travel_batch_journal"),
        sa.CheckConstraint("first_seq BETWEEN 1 AND last_seq", name="ck_travel_batch_seqs"),
    )
    op.create_index("ix_travel_batch_entry_id", "travel_batch", ["entry_id"])
    op.create_table(
        "travel_quarantine",
        sa.Column("device_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("quarantine_id", sa.String(), nullable=False),
        sa.Column("journal_id", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("raw", sa.LargeBinary(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("resolution", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("device_id", "quarantine_id", name="pk_travel_quarantine"),
    )


def _taps() -> None:
    op.create_table(
        "travel_tap",
        sa.Column("device_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("journal_id", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("batch_id", sa.String(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("service_day", sa.Date(), nullable=False),
        sa.Column("tapped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(), nullable=False),
        sa.Column("medium_kind", sa.String(), nullable=True),
        sa.Column("medium_ref", sa.String(), nullable=True),
        sa.Column("counter", sa.BigInteger(), nullable=True),
        sa.Column("fare_rial", sa.BigInteger(), nullable=False),
        sa.Column("proof_state", sa.String(), nullable=False),
        sa.Column("recovers", sa.BigInteger(), nullable=True),
        sa.Column("flags", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "journal_id", "seq", name="pk_travel_tap"),
        sa.CheckConstraint("length(journal_id) = 16", name="ck_travel_tap_journal"),
        sa.CheckConstraint("length(digest) = 32", name="ck_travel_tap_digest"),
        sa.CheckConstraint("outcome BETWEEN 0 AND 2", name="ck_travel_tap_outcome"),
        sa.CheckConstraint("medium_kind IN ('card', 'ticket')", name="ck_travel_tap_kind"),
        sa.CheckConstraint(
            "proof_state IN ('none', 'valid', 'pending', 'bad', 'conflict')", name="ck_travel_tap_proof_state"
        ),
    )
    op.create_index("ix_travel_tap_batch_id", "travel_tap", ["batch_id"])
    op.create_index("ix_travel_tap_service_day", "travel_tap", ["service_day"])
    op.create_index("ix_travel_tap_medium_ref", "travel_tap", ["medium_ref"])
    op.create_table(
        "travel_ride",
        sa.Column("medium_kind", sa.String(), nullable=False),
        sa.Column("medium_ref", sa.String(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("journal_id", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False),
        sa.Column("service_day", sa.Date(), nullable=False),
        sa.Column("boarded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("vehicle_id", sa.String(), nullable=True),
        sa.Column("owner_id", sa.String(), nullable=True),
        sa.Column("fare_rial", sa.BigInteger(), nullable=False),
        sa.Column("owner_rial", sa.BigInteger(), nullable=False),
        sa.Column("commission_rial", sa.BigInteger(), nullable=False),
        sa.Column("suspense_rial", sa.BigInteger(), nullable=False),
        sa.Column("suspense_reason", sa.String(), nullable=True),
        sa.Column("entry_id", _key(), nullable=False),
        sa.Column("proven_by", sa.String(), nullable=False),
        sa.Column("spent_before_rial", sa.BigInteger(), nullable=True),
        sa.Column("entitlement_version", sa.Integer(), nullable=True),
        sa.Column("delivered_version", sa.Integer(), nullable=True),
        sa.Column("record_read", sa.LargeBinary(), nullable=True),
        sa.Column("record_written", sa.LargeBinary(), nullable=True),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.Column("sealed_entry_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("medium_kind", "medium_ref", "counter", name="pk_travel_ride"),
        sa.CheckConstraint("medium_kind IN ('card', 'ticket')", name="ck_travel_ride_kind"),
        sa.CheckConstraint(
            "owner_rial + commission_rial + suspense_rial = fare_rial", name="ck_travel_ride_legs"
        ),
        sa.CheckConstraint("proven_by IN ('tap', 'next_tap')", name="ck_travel_ride_proven_by"),
    )
    op.create_index("ix_travel_ride_service_day", "travel_ride", ["service_day"])
    op.create_index("ix_travel_ride_owner_id", "travel_ride", ["owner_id"])
    op.create_index("ix_travel_ride_entry_id", "travel_ride", ["entry_id"])
    op.create_table(
        "travel_open_evidence",
        sa.Column("medium_ref", sa.String(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("device_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("journal_id", sa.LargeBinary(), nullable=False),
        sa.Column("seq", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("record", sa.LargeBinary(), nullable=False),
        sa.Column("tmv", sa.LargeBinary(), nullable=True),
        sa.Column("raw_tap", sa.LargeBinary(), nullable=True),
        sa.Column("tapped_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint(
            "medium_ref", "counter", "device_id", "journal_id", "seq", name="pk_travel_open_evidence"
        ),
        sa.CheckConstraint("(tmv IS NULL) <> (raw_tap IS NULL)", name="ck_travel_open_evidence_kind"),
    )


def _network() -> None:
    op.create_table(
        "travel_feed",
        sa.Column("feed_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("sample", sa.Boolean(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("feed_id", name="pk_travel_feed"),
    )
    op.create_table(
        "travel_line",
        sa.Column("line", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("route_id", sa.String(), nullable=False),
        sa.Column("agency_name", sa.String(), nullable=False),
        sa.Column("short_name", sa.String(), nullable=False),
        sa.Column("long_name", sa.String(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("line", name="pk_travel_line"),
        sa.UniqueConstraint("route_id", name="uq_travel_line_route_id"),
        sa.CheckConstraint("line BETWEEN 1 AND 65535", name="ck_travel_line_line"),
    )
    op.create_table(
        "travel_area",
        sa.Column("area", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("area_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("area", name="pk_travel_area"),
        sa.UniqueConstraint("area_id", name="uq_travel_area_area_id"),
    )
    op.create_table(
        "travel_stop",
        sa.Column("stop_id", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("latitude", sa.Float(), nullable=True),
        sa.Column("longitude", sa.Float(), nullable=True),
        sa.Column("area", sa.Integer(), nullable=False),
        sa.Column("active", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("stop_id", name="pk_travel_stop"),
    )


def _fleet() -> None:
    op.create_table(
        "travel_device",
        sa.Column("device_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=True),
        sa.Column("claim_digest", sa.LargeBinary(), nullable=True),
        sa.Column("claim_expires_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("enrolled_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("revoked_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("device_id", name="pk_travel_device"),
        sa.CheckConstraint("device_id BETWEEN 1 AND 16777215", name="ck_travel_device_id"),
        sa.CheckConstraint("length(public_key) = 32", name="ck_travel_device_key"),
        sa.CheckConstraint("length(claim_digest) = 32", name="ck_travel_device_claim"),
    )
    op.create_table(
        "travel_vehicle",
        sa.Column("vehicle_id", sa.String(), nullable=False),
        sa.Column("plate", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("vehicle_id", name="pk_travel_vehicle"),
    )
    op.create_table(
        "travel_device_assignment",
        sa.Column("device_id", sa.Integer(), nullable=False, autoincrement=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("vehicle_id", sa.String(), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("device_id", "starts_at", name="pk_travel_device_assignment"),
        sa.CheckConstraint(
            "ends_at IS NULL OR ends_at > starts_at", name="ck_travel_device_assignment_dates"
        ),
    )
    op.create_table(
        "travel_vehicle_assignment",
        sa.Column("vehicle_id", sa.String(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("owner_id", sa.String(), nullable=False),
        sa.Column("contract_id", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("vehicle_id", "starts_at", name="pk_travel_vehicle_assignment"),
        sa.CheckConstraint(
            "ends_at IS NULL OR ends_at > starts_at", name="ck_travel_vehicle_assignment_dates"
        ),
    )


def _published() -> None:
    op.create_table(
        "travel_tariff",
        sa.Column("version", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("approval_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("version", name="pk_travel_tariff"),
    )
    op.create_table(
        "travel_bundle",
        sa.Column("ledger_epoch", sa.LargeBinary(), nullable=False),
        sa.Column("n", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("content_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("envelope", sa.LargeBinary(), nullable=False),
        sa.Column("issued_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("ledger_epoch", "n", name="pk_travel_bundle"),
        sa.CheckConstraint("length(ledger_epoch) = 8", name="ck_travel_bundle_epoch"),
        sa.CheckConstraint("length(content_sha256) = 32", name="ck_travel_bundle_sha256"),
    )
