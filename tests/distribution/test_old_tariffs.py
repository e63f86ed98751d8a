"""A city that runs goes on: a tariff from before the rule of two people stays in force, and none joins it."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import cbor2
import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from sqlalchemy.exc import DBAPIError

import fare
from fare.core.tariff.context import TapContext
from fare.core.tariff.model import FareMedium, FareProduct, flat_tariff
from fare.core.tariff.pricing import price
from fare.core.tariff.state import RiderState
from fare.database.engine import SCHEMAS, open_engine, read, write
from fare.database.migrate import migrate
from fare.distribution import current_tariff, tariffs_for_buses
from tests.tariffs.published import publish

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
OLD = {
    "version": 3,
    "name": "نرخ یکسان",
    "rider_categories": {0: ["adult", "بزرگسال", 35_000], 1: ["student", "دانشجو", 17_500]},
}


def at_revision(url: str, revision: str) -> None:
    """A database as an earlier program left it, with the tariff it had published."""
    engine = open_engine(url, role="owner")
    with engine.begin() as connection:
        if connection.dialect.name == "postgresql":
            for schema in SCHEMAS:
                connection.execute(sa.text(f"CREATE SCHEMA {schema}"))
        config = Config()
        folder = Path(fare.__file__).parent / "database" / "migrations"
        config.set_main_option("script_location", str(folder))
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
        connection.execute(
            sa.text("INSERT INTO travel_tariff (version, document, starts_at) VALUES (3, :document, :at)"),
            {
                "document": cbor2.dumps(OLD, canonical=True),
                "at": (AT - timedelta(days=9)).replace(tzinfo=None)
                if connection.dialect.name == "sqlite"
                else AT - timedelta(days=9),
            },
        )
    engine.dispose()


@pytest.mark.parametrize("backend", ["sqlite", "postgresql"])
def test_the_tariff_of_a_running_city_outlives_the_upgrade(
    backend: str, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = f"sqlite:///{tmp_path / 'old.db'}"
    if backend == "postgresql":
        url = str(request.getfixturevalue("postgres_url"))
    else:
        Path(tmp_path / "old.db").touch(mode=0o600)
    at_revision(url, "0005")
    migrate(url)
    engine = open_engine(url)
    same = flat_tariff(
        3,
        "نرخ یکسان",
        {0: FareProduct("adult", "بزرگسال", 35_000), 1: FareProduct("student", "دانشجو", 17_500)},
    )
    with read(engine) as session:
        found = current_tariff(session, AT)
        assert found == same
        assert tariffs_for_buses(session, AT) == [(AT - timedelta(days=9), same)]
        tap = TapContext(int(AT.timestamp()), rider_category="category-1", medium=FareMedium.CARD.value)
        assert price(found, RiderState(), tap)[0].amount == 17_500
    with write(engine) as session:
        publish(session, flat_tariff(4, "x", {0: FareProduct("a", "a", 1)}), AT)
    owner = open_engine(url, role="owner")
    for statement, words in (
        ("UPDATE travel_tariff SET document = document", "append-only"),
        ("DELETE FROM travel_tariff", "append-only"),
        (
            "INSERT INTO travel_tariff (version, document, starts_at, publication_sha256)"
            " SELECT 9, document, starts_at, publication_sha256 FROM travel_tariff WHERE version = 3",
            "spent approval",
        ),
    ):
        with pytest.raises(DBAPIError, match=words), owner.begin() as connection:
            connection.execute(sa.text(statement))
    owner.dispose()
    engine.dispose()
