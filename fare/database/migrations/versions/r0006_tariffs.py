"""Tariffs that two people published: every new one names a spent approval of exactly it. Drafts and requests.

And validators at doors where riders tap when they leave.

Rows from before this rule stay in force, told by `published_at` and `approval_id` being empty: to drop them
would stop every bus of a running city. Their documents, all of them flat, become format 1.
"""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

import cbor2
import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"

_TARIFF = sa.table(
    "travel_tariff",
    sa.column("version", sa.BigInteger()),
    sa.column("document", sa.LargeBinary()),
    sa.column("starts_at", sa.DateTime(timezone=True)),
    sa.column("publication_sha256", sa.LargeBinary()),
)


def upgrade() -> None:
    """Rebuild the published tariffs under the rule, add the two tables that lead to one, and the doors."""
    op.add_column(
        "travel_device", sa.Column("at_exit", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    if op.get_context().dialect.name == "postgresql":
        _tables("travel")
        _tariffs_on_postgresql()
        _rights_on_postgresql()
    else:
        _tables(None)
        _tariffs_on_sqlite()
        _triggers_on_sqlite()


def _tables(schema: str | None) -> None:
    op.create_table(
        "travel_tariff_draft",
        sa.Column("draft_id", sa.String(), nullable=False),
        sa.Column("file_name", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("files", sa.LargeBinary(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=True),
        sa.Column("faults", sa.LargeBinary(), nullable=False),
        sa.Column("warnings", sa.LargeBinary(), nullable=False),
        sa.Column("uploaded_by", sa.String(), nullable=False),
        sa.Column("uploaded_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("comparison", sa.LargeBinary(), nullable=True),
        sa.Column("compared_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("draft_id", name="pk_travel_tariff_draft"),
        sa.CheckConstraint(
            "(comparison IS NULL) = (compared_at IS NULL)", name="ck_travel_tariff_draft_compared"
        ),
        schema=schema,
    )
    op.create_table(
        "travel_tariff_request",
        sa.Column("approval_id", sa.String(), nullable=False),
        sa.Column("draft_id", sa.String(), nullable=True),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("effect", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("approval_id", name="pk_travel_tariff_request"),
        sa.ForeignKeyConstraint(
            ["approval_id"],
            [f"{'ledger.' if schema else ''}ledger_approval.approval_id"],
            name="fk_travel_tariff_request_approval",
        ),
        schema=schema,
    )


def _flat(raw: bytes) -> bytes:
    """A document from before format 1 as one of format 1: the same products, by the same category numbers."""
    old: dict[str, Any] = cbor2.loads(raw)
    if "format" in old:
        return raw
    named = sorted(old["rider_categories"].items())
    new: dict[str, Any] = {
        "format": 1,
        "version": old["version"],
        "name": old["name"],
        "currency": "IRR",
        "exponent": 0,
        "zone_name": "Asia/Tehran",
        "calendar": "jalali",
        "products": [
            {"product_id": product, "name": name, "amount": amount, "rider_category_id": f"category-{number}"}
            for number, (product, name, amount) in named
        ],
        "rider_categories": [
            {"rider_category_id": f"category-{number}", "name": name, "number": number}
            | ({"is_default": True} if number == 0 else {})
            for number, (_, name, _) in named
        ],
        "leg_rules": [
            {"leg_group_id": "", "fare_product_id": product}
            for product in dict.fromkeys(product for _, (product, _, _) in named)
        ],
    }
    return cbor2.dumps(new, canonical=True)


def _bound(document: bytes, starts_at: datetime) -> bytes:
    instant = starts_at if starts_at.tzinfo else starts_at.replace(tzinfo=UTC)
    return hashlib.sha256(document + int(instant.timestamp()).to_bytes(8, "big")).digest()


def _rows() -> list[dict[str, object]]:
    """The published tariffs, as they are from now on."""
    found = op.get_bind().execute(sa.select(_TARIFF.c.version, _TARIFF.c.document, _TARIFF.c.starts_at))
    return [
        {"version": version, "document": _flat(document), "starts_at": starts_at,
         "publication_sha256": _bound(_flat(document), starts_at)}
        for version, document, starts_at in found.all()
    ]  # fmt: skip


_CHECKS = {
    "ck_travel_tariff_sha256": "length(publication_sha256) = 32",
    "ck_travel_tariff_published": "(approval_id IS NULL) = (published_at IS NULL)",
}


def _tariffs_on_sqlite() -> None:
    rows = _rows()
    op.drop_table("travel_tariff")  # its triggers go with it
    op.create_table(
        "travel_tariff",
        sa.Column("version", sa.BigInteger(), nullable=False, autoincrement=False),
        sa.Column("document", sa.LargeBinary(), nullable=False),
        sa.Column("starts_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("publication_sha256", sa.LargeBinary(), nullable=False),
        sa.Column("approval_id", sa.String(), nullable=True),
        sa.Column("published_at", sa.DateTime(timezone=True), nullable=True),
        sa.PrimaryKeyConstraint("version", name="pk_travel_tariff"),
        sa.UniqueConstraint("approval_id", name="uq_travel_tariff_approval_id"),
        sa.ForeignKeyConstraint(
            ["approval_id"], ["ledger_approval.approval_id"], name="fk_travel_tariff_approval"
        ),
        *(sa.CheckConstraint(text, name=name) for name, text in _CHECKS.items()),
    )
    if rows:
        op.bulk_insert(_TARIFF, rows)


def _triggers_on_sqlite() -> None:
    # SQLite knows no SHA-256: that the hash is the document's is checked by the program alone.
    op.execute(
        "CREATE TRIGGER travel_tariff_needs_approval BEFORE INSERT ON travel_tariff"
        " WHEN NOT EXISTS (SELECT 1 FROM ledger_approval a WHERE a.approval_id = NEW.approval_id"
        " AND a.action = 'publish_tariff' AND a.approved_by IS NOT NULL AND a.used_at IS NOT NULL"
        " AND instr(a.payload, NEW.publication_sha256) > 0) BEGIN"
        " SELECT RAISE(ABORT, 'travel_tariff needs the spent approval of exactly this tariff'); END"
    )
    for table, verb in (
        ("travel_tariff", "UPDATE"),
        ("travel_tariff", "DELETE"),
        ("travel_tariff_request", "UPDATE"),
        ("travel_tariff_request", "DELETE"),
        ("travel_tariff_draft", "UPDATE OF draft_id, file_name, name, files, document, faults, warnings,"
         " uploaded_by, uploaded_at"),
    ):  # fmt: skip
        op.execute(
            f"CREATE TRIGGER {table}_refuses_{verb.split()[0].lower()} BEFORE {verb} ON {table} BEGIN"
            f" SELECT RAISE(ABORT, '{table} is append-only: correct it with a new entry'); END"
        )


def _tariffs_on_postgresql() -> None:
    rows = _rows()
    op.execute("ALTER TABLE travel_tariff DISABLE TRIGGER USER")
    op.add_column("travel_tariff", sa.Column("publication_sha256", sa.LargeBinary(), nullable=True))
    op.add_column("travel_tariff", sa.Column("published_at", sa.DateTime(timezone=True), nullable=True))
    for row in rows:
        op.execute(
            _TARIFF.update()
            .where(_TARIFF.c.version == row["version"])
            .values(document=row["document"], publication_sha256=row["publication_sha256"])
        )
    op.execute("UPDATE travel_tariff SET approval_id = NULL")  # no program so far could have asked for one
    op.execute("ALTER TABLE travel_tariff ALTER COLUMN publication_sha256 SET NOT NULL")
    op.execute(
        "ALTER TABLE travel_tariff ADD CONSTRAINT uq_travel_tariff_approval_id UNIQUE (approval_id),"
        " ADD CONSTRAINT fk_travel_tariff_approval FOREIGN KEY (approval_id)"
        " REFERENCES ledger.ledger_approval (approval_id)"
    )
    for name, text in _CHECKS.items():
        op.execute(f"ALTER TABLE travel_tariff ADD CONSTRAINT {name} CHECK ({text})")
    op.execute("ALTER TABLE travel_tariff ENABLE TRIGGER USER")
    op.execute(
        "CREATE FUNCTION travel.tariff_needs_approval() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN"
        " IF NEW.publication_sha256 IS DISTINCT FROM"
        " sha256(NEW.document || int8send(floor(extract(epoch FROM NEW.starts_at))::bigint))"
        " OR NOT EXISTS (SELECT FROM ledger.ledger_approval a WHERE a.approval_id = NEW.approval_id"
        " AND a.action = 'publish_tariff' AND a.approved_by IS NOT NULL AND a.used_at IS NOT NULL"
        " AND position(NEW.publication_sha256 IN a.payload) > 0) THEN"
        " RAISE EXCEPTION 'travel_tariff needs the spent approval of exactly this tariff'"
        " USING ERRCODE = 'restrict_violation'; END IF; RETURN NEW; END $$"
    )
    op.execute(
        "CREATE TRIGGER travel_tariff_needs_approval BEFORE INSERT ON travel_tariff"
        " FOR EACH ROW EXECUTE FUNCTION travel.tariff_needs_approval()"
    )


def _rights_on_postgresql() -> None:
    for table, verb, each in (
        ("travel_tariff_request", "UPDATE", "ROW"),
        ("travel_tariff_request", "DELETE", "ROW"),
        ("travel_tariff_request", "TRUNCATE", "STATEMENT"),
        ("travel_tariff_draft", "UPDATE OF draft_id, file_name, name, files, document, faults, warnings,"
         " uploaded_by, uploaded_at", "ROW"),
    ):  # fmt: skip
        op.execute(
            f"CREATE TRIGGER {table}_refuses_{verb.split()[0].lower()} BEFORE {verb} ON {table}"
            f" FOR EACH {each} EXECUTE FUNCTION ledger.refuse_change()"
        )
    for table in ("travel_tariff_draft", "travel_tariff_request"):
        op.execute(f"GRANT SELECT, INSERT ON {table} TO mancard_app")
    op.execute("GRANT UPDATE (comparison, compared_at), DELETE ON travel_tariff_draft TO mancard_app")
