"""The migrated tables are the models' tables, on both databases."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import Engine
from sqlmodel import SQLModel

import fare
from fare.database.engine import HEAD, SCHEMAS, parse_url
from fare.database.migrate import migrate

ROOM = Path(fare.__file__).parent


@pytest.fixture(scope="module")
def models() -> sa.MetaData:
    for module in ROOM.glob("*/models.py"):
        importlib.import_module(f"fare.{module.parent.name}.models")
    return SQLModel.metadata


def family(column_type: sa.types.TypeEngine[object]) -> str:
    """What two types must share to hold the same values."""
    if isinstance(column_type, sa.types.TypeDecorator):
        column_type = column_type.impl_instance
    for kind in (
        sa.BigInteger,
        sa.Integer,
        sa.String,
        sa.LargeBinary,
        sa.Boolean,
        sa.DateTime,
        sa.Date,
        sa.Float,
    ):
        if isinstance(column_type, kind):
            return kind.__name__
    return type(column_type).__name__


def described(table: sa.Table) -> dict[str, object]:
    return {
        "columns": {c.name: (family(c.type), c.nullable) for c in table.columns},
        "primary key": [c.name for c in table.primary_key.columns],
        "unique": {
            (c.name, *[k.name for k in c.columns])
            for c in table.constraints
            if isinstance(c, sa.UniqueConstraint)
        },
        "indexes": {(index.name, *[c.name for c in index.columns]) for index in table.indexes},
    }


def reflected(engine: Engine, name: str) -> dict[str, object]:
    inspector = sa.inspect(engine)
    uniques = inspector.get_unique_constraints(name)
    own = {unique["name"] for unique in uniques}
    return {
        "columns": {c["name"]: (family(c["type"]), c["nullable"]) for c in inspector.get_columns(name)},
        "primary key": inspector.get_pk_constraint(name)["constrained_columns"],
        "unique": {(unique["name"], *unique["column_names"]) for unique in uniques},
        "indexes": {
            (i["name"], *i["column_names"]) for i in inspector.get_indexes(name) if i["name"] not in own
        },
    }


def test_the_migrations_build_exactly_the_models(engine: Engine, models: sa.MetaData) -> None:
    assert len(models.tables) > 30
    for name, table in models.tables.items():
        assert reflected(engine, name) == described(table), name


def test_no_table_is_without_a_model(engine: Engine, models: sa.MetaData) -> None:
    inspector = sa.inspect(engine)
    if engine.dialect.name == "sqlite":
        found = set(inspector.get_table_names())
    else:
        by_schema = {schema: set(inspector.get_table_names(schema=schema)) for schema in SCHEMAS}
        assert inspector.get_table_names(schema="public") == []
        for schema, tables in by_schema.items():
            assert {t for t in tables if not t.startswith(f"{schema}_")} <= {"alembic_version"}
        found = set[str]().union(*by_schema.values())
    assert found == {*models.tables, "alembic_version"}


def test_no_number_is_drawn_from_a_sequence(engine: Engine, models: sa.MetaData) -> None:
    """A sequence would be one place that every city cell has to ask."""
    if engine.dialect.name == "postgresql":
        assert [
            name for schema in SCHEMAS for name in sa.inspect(engine).get_sequence_names(schema=schema)
        ] == []
    for table in models.tables.values():
        assert table.autoincrement_column is None, table.name


def test_every_constraint_has_a_name_of_ours(engine: Engine, models: sa.MetaData) -> None:
    inspector = sa.inspect(engine)
    for name in models.tables:
        assert inspector.get_pk_constraint(name)["name"] == f"pk_{name}"
        for check in inspector.get_check_constraints(name):
            assert str(check["name"]).startswith(f"ck_{name}_")


def test_the_engine_expects_the_newest_revision() -> None:
    config = Config()
    config.set_main_option("script_location", str(ROOM / "database" / "migrations"))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_migrating_again_changes_nothing(database_url: str, engine: Engine) -> None:
    before = sorted(sa.inspect(engine).get_table_names())
    migrate(database_url)
    assert sorted(sa.inspect(engine).get_table_names()) == before


def test_a_new_file_is_readable_by_its_owner_alone(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'new' / 'mancard.db'}"
    migrate(url)
    file = Path(str(parse_url(url).database))
    assert file.stat().st_mode & 0o777 == 0o600
    assert file.parent.stat().st_mode & 0o777 == 0o700
