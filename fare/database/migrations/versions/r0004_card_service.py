"""What issuing needs to serve cards in the field: key generations, commits made at desks, replacement of lost
cards.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the two columns and the two tables, with their rights and triggers."""
    on_postgresql = op.get_context().dialect.name == "postgresql"
    op.add_column(
        "ledger_card",
        sa.Column("tm_key_version", sa.Integer(), nullable=False, server_default="1"),
    )
    op.add_column("travel_device", sa.Column("card_keys_version", sa.Integer(), nullable=True))
    _card_commits()
    _replacements()
    if on_postgresql:
        _postgresql()
    else:
        _sqlite()


def _card_commits() -> None:
    op.create_table(
        "travel_card_commit",
        sa.Column("medium_ref", sa.String(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("kind", sa.String(), nullable=False),
        sa.Column("spent_rial", sa.BigInteger(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.Column("record_written", sa.LargeBinary(), nullable=True),
        sa.Column("entitlement_version", sa.Integer(), nullable=False),
        sa.Column("device_id", sa.Integer(), nullable=False),
        sa.Column("committed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("medium_ref", "counter", name="pk_travel_card_commit"),
        sa.CheckConstraint("counter BETWEEN 1 AND 4294967295", name="ck_travel_card_commit_counter"),
        sa.CheckConstraint(
            "kind IN ('personalised', 'loaded', 'blocked', 'unblocked')", name="ck_travel_card_commit_kind"
        ),
        sa.CheckConstraint("spent_rial BETWEEN 0 AND 4294967295", name="ck_travel_card_commit_spent"),
        sa.CheckConstraint("length(proof) = 8", name="ck_travel_card_commit_proof"),
        sa.CheckConstraint("length(record_written) = 32", name="ck_travel_card_commit_record"),
        sa.CheckConstraint("device_id BETWEEN 0 AND 16777215", name="ck_travel_card_commit_device"),
    )


def _replacements() -> None:
    op.create_table(
        "ledger_replacement",
        sa.Column("old_serial", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("new_serial", sa.BigInteger(), nullable=True),
        sa.Column("reported_by", sa.String(), nullable=False),
        sa.Column("reported_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moves_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("moved_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("moved_rial", sa.BigInteger(), nullable=True),
        sa.Column("entry_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint("old_serial", name="pk_ledger_replacement"),
        sa.UniqueConstraint("new_serial", name="uq_ledger_replacement_new_serial"),
        sa.CheckConstraint("new_serial <> old_serial", name="ck_ledger_replacement_another"),
        sa.CheckConstraint("moves_at >= reported_at", name="ck_ledger_replacement_waiting"),
        sa.CheckConstraint(
            "(moved_at IS NULL AND moved_rial IS NULL) OR"
            " (moved_at >= moves_at AND moved_rial IS NOT NULL AND new_serial IS NOT NULL)",
            name="ck_ledger_replacement_moved",
        ),
    )


def _sqlite() -> None:
    for verb in ("UPDATE", "DELETE"):
        op.execute(
            f"CREATE TRIGGER travel_card_commit_refuses_{verb.lower()}"
            f" BEFORE {verb} ON travel_card_commit BEGIN"
            " SELECT RAISE(ABORT, 'travel_card_commit is append-only: correct it with a new entry'); END"
        )
    op.execute(
        "CREATE TRIGGER ledger_replacement_refuses_delete BEFORE DELETE ON ledger_replacement BEGIN"
        " SELECT RAISE(ABORT, 'ledger_replacement is append-only: correct it with a new entry'); END"
    )


def _postgresql() -> None:
    op.execute("ALTER TABLE ledger.travel_card_commit SET SCHEMA travel")
    for table, verb, each in (
        ("travel_card_commit", "UPDATE", "ROW"),
        ("travel_card_commit", "DELETE", "ROW"),
        ("travel_card_commit", "TRUNCATE", "STATEMENT"),
        ("ledger_replacement", "DELETE", "ROW"),
        ("ledger_replacement", "TRUNCATE", "STATEMENT"),
    ):
        op.execute(
            f"CREATE TRIGGER {table}_refuses_{verb.lower()} BEFORE {verb} ON {table}"
            f" FOR EACH {each} EXECUTE FUNCTION ledger.refuse_change()"
        )
    for table in ("travel_card_commit", "ledger_replacement"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO mancard_app")
    op.execute("GRANT UPDATE ON ledger_replacement TO mancard_app")
