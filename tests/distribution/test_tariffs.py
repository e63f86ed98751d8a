"""A tariff version says one thing for ever, and the last one to have started is in force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import Engine

from fare.core.errors import MalformedDocument
from fare.core.tariff.model import FareProduct, Tariff, flat_tariff
from fare.database.engine import read, write
from fare.distribution import NoTariffInForce, TariffRefused, current_tariff, publish_tariff, tariff_history

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def a_tariff(version: int = 1, fare_rial: int = 35_000) -> Tariff:
    return flat_tariff(version, "نرخ یکسان", {0: FareProduct("adult", "بزرگسال", fare_rial)})


def test_the_last_started_is_in_force(engine: Engine) -> None:
    with write(engine) as session:
        publish_tariff(session, a_tariff(1), AT)
        publish_tariff(session, a_tariff(2), AT + 2 * DAY)
        publish_tariff(session, a_tariff(3), AT + DAY)
    with read(engine) as session:
        assert [current_tariff(session, AT + days * DAY).version for days in (0, 1, 2, 9)] == [1, 3, 2, 2]
        assert current_tariff(session, AT) == a_tariff(1)
        assert tariff_history(session) == [
            (AT, a_tariff(1)), (AT + DAY, a_tariff(3)), (AT + 2 * DAY, a_tariff(2)),
        ]  # fmt: skip
        with pytest.raises(NoTariffInForce, match="publish one"):
            current_tariff(session, AT - DAY)


def test_of_two_that_start_together_the_higher_version_holds(engine: Engine) -> None:
    with write(engine) as session:
        publish_tariff(session, a_tariff(1), AT)
        publish_tariff(session, a_tariff(2), AT)
        assert current_tariff(session, AT).version == 2


def test_publishing_again_changes_nothing(engine: Engine) -> None:
    with write(engine) as session:
        publish_tariff(session, a_tariff(1), AT)
        publish_tariff(session, a_tariff(1), AT + DAY)
        assert tariff_history(session) == [(AT, a_tariff(1))]


@pytest.mark.parametrize(
    ("tariff", "words"),
    [(a_tariff(5, 1), "another content"), (a_tariff(4), "one above 5"), (a_tariff(0), "above")],
)
def test_a_version_is_never_reused(engine: Engine, tariff: Tariff, words: str) -> None:
    with write(engine) as session:
        publish_tariff(session, a_tariff(5), AT)
    with pytest.raises(TariffRefused, match=words), write(engine) as session:
        publish_tariff(session, tariff, AT + DAY)


@pytest.mark.parametrize("categories", [{}, {1: FareProduct("a", "a", 5)}, {0: FareProduct("a", "a", -1)}])
def test_a_tariff_without_a_base_fare_is_refused(engine: Engine, categories: dict[int, FareProduct]) -> None:
    with pytest.raises(MalformedDocument), write(engine) as session:
        publish_tariff(session, flat_tariff(1, "x", categories), AT)
