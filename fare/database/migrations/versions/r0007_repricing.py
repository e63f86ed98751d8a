"""Fares set right by all rides that are known: what rides were priced by, adjustments, riders' states.

A ride says by which tariff version it was judged, and as which line and area; rides from before say nothing,
and are priced by none but the flat tariffs that there were. An adjustment is there for ever; a rider's state
is worked out from the rides and may be thrown away at any time.
"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_PRICED_BY = ("tariff_version", "tapped_line", "area")
_ADJUSTMENT_STAYS = (
    "medium_kind", "medium_ref", "counter", "number", "rider_kind", "rider_ref", "service_day", "owner_id",
    "rider_rial", "owner_rial", "commission_rial", "suspense_rial", "is_held", "cause", "steps",
    "tariff_version", "entry_id", "adjusted_at",
)  # fmt: skip
_KEPT = {"travel_ride": ("priced", _PRICED_BY), "travel_adjustment": ("", _ADJUSTMENT_STAYS)}


def upgrade() -> None:
    """Add the columns and the tables, with their rights and triggers."""
    postgresql = op.get_context().dialect.name == "postgresql"
    schema = "travel" if postgresql else None
    op.add_column("travel_ride", sa.Column("tariff_version", sa.BigInteger(), nullable=True), schema=schema)
    op.add_column("travel_ride", sa.Column("tapped_line", sa.Integer(), nullable=True), schema=schema)
    op.add_column("travel_ride", sa.Column("area", sa.Integer(), nullable=True), schema=schema)
    op.add_column(
        "ledger_statement",
        sa.Column("adjustments_rial", sa.BigInteger(), nullable=False, server_default="0"),
        schema="ledger" if postgresql else None,
    )
    _adjustments(schema)
    _riders(schema)
    if postgresql:
        _rights()
    for table, (name, columns) in _KEPT.items():
        _refuse(table, name, "UPDATE", columns, postgresql=postgresql)
    _refuse("travel_adjustment", "", "DELETE", (), postgresql=postgresql)


def _adjustments(schema: str | None) -> None:
    op.create_table(
        "travel_adjustment",
        sa.Column("medium_kind", sa.String(), nullable=False),
        sa.Column("medium_ref", sa.String(), nullable=False),
        sa.Column("counter", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("rider_kind", sa.String(), nullable=False),
        sa.Column("rider_ref", sa.String(), nullable=False),
        sa.Column("service_day", sa.Date(), nullable=False),
        sa.Column("owner_id", sa.String(), nullable=True),
        sa.Column("rider_rial", sa.BigInteger(), nullable=False),
        sa.Column("owner_rial", sa.BigInteger(), nullable=False),
        sa.Column("commission_rial", sa.BigInteger(), nullable=False),
        sa.Column("suspense_rial", sa.BigInteger(), nullable=False),
        sa.Column("is_held", sa.Boolean(), nullable=False),
        sa.Column("cause", sa.String(), nullable=False),
        sa.Column("steps", sa.LargeBinary(), nullable=False),
        sa.Column("tariff_version", sa.BigInteger(), nullable=False),
        sa.Column("entry_id", sa.String(), nullable=False),
        sa.Column("adjusted_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed_entry_id", sa.String(), nullable=True),
        sa.PrimaryKeyConstraint(
            "medium_kind", "medium_ref", "counter", "number", name="pk_travel_adjustment"
        ),
        sa.CheckConstraint("rider_kind IN ('card', 'wallet')", name="ck_travel_adjustment_rider"),
        sa.CheckConstraint(
            "owner_rial + commission_rial + suspense_rial = rider_rial", name="ck_travel_adjustment_legs"
        ),
        sa.CheckConstraint(
            "cause IN ('repriced', 'closed', 'false_state', 'undercharged')",
            name="ck_travel_adjustment_cause",
        ),
        schema=schema,
    )
    for column in ("service_day", "entry_id"):
        op.create_index(f"ix_travel_adjustment_{column}", "travel_adjustment", [column], schema=schema)
    op.create_index(
        "ix_travel_adjustment_rider", "travel_adjustment", ["rider_kind", "rider_ref"], schema=schema
    )


def _riders(schema: str | None) -> None:
    op.create_table(
        "travel_rider",
        sa.Column("rider_kind", sa.String(), nullable=False),
        sa.Column("rider_ref", sa.String(), nullable=False),
        sa.Column("open_since", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("rider_kind", "rider_ref", name="pk_travel_rider"),
        schema=schema,
    )
    waiting = sa.text("open_since IS NOT NULL")
    op.create_index(
        "ix_travel_rider_open",
        "travel_rider",
        ["open_since"],
        sqlite_where=waiting,
        postgresql_where=waiting,
        schema=schema,
    )
    op.create_table(
        "travel_rider_state",
        sa.Column("rider_kind", sa.String(), nullable=False),
        sa.Column("rider_ref", sa.String(), nullable=False),
        sa.Column("place", sa.BigInteger(), nullable=False),
        sa.Column("at_s", sa.BigInteger(), nullable=False),
        sa.Column("tariff_version", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("rider_kind", "rider_ref", "place", name="pk_travel_rider_state"),
        schema=schema,
    )


def _rights() -> None:
    for table in ("travel_adjustment", "travel_rider", "travel_rider_state"):
        op.execute(f"GRANT SELECT, INSERT ON travel.{table} TO mancard_app")
    op.execute("GRANT UPDATE (sealed_entry_id) ON travel.travel_adjustment TO mancard_app")
    op.execute("GRANT UPDATE ON travel.travel_rider TO mancard_app")
    op.execute("GRANT UPDATE, DELETE ON travel.travel_rider_state TO mancard_app")


def _refuse(table: str, name: str, verb: str, columns: tuple[str, ...], *, postgresql: bool) -> None:
    event = f"{verb} OF {', '.join(columns)}" if columns else verb
    trigger = "_".join(part for part in (table, name, "refuses", verb.lower()) if part)
    if postgresql:
        op.execute(
            f"CREATE TRIGGER {trigger} BEFORE {event} ON travel.{table}"
            " FOR EACH ROW EXECUTE FUNCTION ledger.refuse_change()"
        )
        if verb == "DELETE":
            op.execute(
                f"CREATE TRIGGER {table}_refuses_truncate BEFORE TRUNCATE ON travel.{table}"
                " FOR EACH STATEMENT EXECUTE FUNCTION ledger.refuse_change()"
            )
    else:
        op.execute(
            f"CREATE TRIGGER {trigger} BEFORE {event} ON {table} BEGIN"
            f" SELECT RAISE(ABORT, '{table} is append-only: correct it with a new entry'); END"
        )
