"""A tariff version says one thing for ever, two people publish it, the last to have started is in force."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError, IntegrityError

from fare.core.signed import canonical
from fare.core.tariff.model import FareProduct, Tariff, flat_tariff
from fare.database.engine import read, write
from fare.distribution import (
    NoTariffInForce,
    TariffRefused,
    current_tariff,
    publication_payload,
    publication_sha256,
    publish_tariff,
    published_by_approval,
    tariff_history,
    tariffs_for_buses,
)
from fare.distribution.models import PublishedTariff
from fare.staff import Action, ApprovalView, NotApproved, request, use
from tests.tariffs.published import ASKS, approved, publish

AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
DAY = timedelta(days=1)


def a_tariff(version: int = 1, fare_rial: int = 35_000) -> Tariff:
    return flat_tariff(version, "نرخ یکسان", {0: FareProduct("adult", "بزرگسال", fare_rial)})


def a_row(tariff: Tariff, starts_at: datetime, approval_id: str | None) -> PublishedTariff:
    document = canonical(tariff.to_document())
    return PublishedTariff(
        version=tariff.version,
        document=document,
        starts_at=starts_at,
        publication_sha256=publication_sha256(document, starts_at),
        approval_id=approval_id,
        published_at=None if approval_id is None else AT,
    )


def test_the_last_started_is_in_force(engine: Engine) -> None:
    with write(engine) as session:
        publish(session, a_tariff(1), AT)
        publish(session, a_tariff(2), AT + 2 * DAY)
        publish(session, a_tariff(3), AT + DAY)
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
        publish(session, a_tariff(1), AT)
        publish(session, a_tariff(2), AT)
        assert current_tariff(session, AT).version == 2
        assert tariffs_for_buses(session, AT) == [(AT, a_tariff(2))]


def test_a_bus_gets_the_one_before_the_current_one_and_all_to_come(engine: Engine) -> None:
    with write(engine) as session:
        for version in range(1, 6):
            publish(session, a_tariff(version), AT + version * DAY)
        publish(session, a_tariff(6), AT + 5 * DAY)  # withdraws version 5
        expected = [(AT + 2 * DAY, a_tariff(2)), (AT + 3 * DAY, a_tariff(3)), (AT + 4 * DAY, a_tariff(4)),
                    (AT + 5 * DAY, a_tariff(6))]  # fmt: skip
        assert tariffs_for_buses(session, AT + 3.5 * DAY) == expected
        assert tariffs_for_buses(session, AT + 9 * DAY) == expected[2:]
        with pytest.raises(NoTariffInForce):
            tariffs_for_buses(session, AT)


@pytest.mark.parametrize(
    ("tariff", "starts_at", "words"),
    [
        (a_tariff(5, 1), AT + DAY, "take one above 5"),
        (a_tariff(4), AT + DAY, "take one above 5"),
        (a_tariff(6), AT - DAY, "in the past"),
        (a_tariff(6), AT + timedelta(milliseconds=1), "whole second"),
        (flat_tariff(6, "x", {}), AT + DAY, "prices no leg"),
    ],
)
def test_what_cannot_be_published_is_refused_in_a_sentence(
    engine: Engine, tariff: Tariff, starts_at: datetime, words: str
) -> None:
    with write(engine) as session:
        publish(session, a_tariff(5), AT)
    with pytest.raises(TariffRefused, match=words), write(engine) as session:
        publish_tariff(session, tariff, starts_at, approved(session, tariff, starts_at), AT)


def test_an_approval_publishes_exactly_one_tariff_once(engine: Engine) -> None:
    with write(engine) as session:
        given = approved(session, a_tariff(1), AT)
    for tariff, starts_at in ((a_tariff(1, 34_999), AT), (a_tariff(1), AT + DAY), (a_tariff(2), AT)):
        with pytest.raises(NotApproved, match="something else"), write(engine) as session:
            publish_tariff(session, tariff, starts_at, given, AT)
    with write(engine) as session:
        publish_tariff(session, a_tariff(1), AT, given, AT)
        assert published_by_approval(session) == {given: 1}
    with pytest.raises(NotApproved, match="something else"), write(engine) as session:
        publish_tariff(session, a_tariff(2), AT, given, AT)


def test_one_person_publishes_nothing(engine: Engine) -> None:
    with write(engine) as session:
        approved(session, a_tariff(9), AT)  # makes the accounts
        asked = request(session, Action.PUBLISH_TARIFF, publication_payload(a_tariff(1), AT), ASKS, AT)
        assert isinstance(asked, ApprovalView)
    with pytest.raises(NotApproved, match="second person"), write(engine) as session:
        publish_tariff(session, a_tariff(1), AT, asked.approval_id, AT)


def test_the_database_itself_refuses_what_nobody_approved(engine: Engine, owner_engine: Engine) -> None:
    with write(engine) as session:
        unspent = approved(session, a_tariff(1), AT)
        other = approved(session, a_tariff(2), AT)
        use(session, other, Action.PUBLISH_TARIFF, publication_payload(a_tariff(2), AT), AT)
    forged = a_row(a_tariff(1, 1), AT, other)
    forged.publication_sha256 = publication_sha256(canonical(a_tariff(2).to_document()), AT)
    rows = [a_row(a_tariff(1), AT, None), a_row(a_tariff(1), AT, unspent), a_row(a_tariff(1), AT, other)]
    if (
        engine.dialect.name == "postgresql"
    ):  # SQLite cannot hash: it takes the program's word for the document
        rows += [forged, a_row(a_tariff(2), AT + DAY, other)]
    for row in rows:
        copied = row.model_dump()
        with (
            pytest.raises((IntegrityError, DBAPIError), match="spent approval"),
            write(owner_engine) as session,
        ):
            session.add(PublishedTariff(**copied))
    with write(engine) as session:
        session.add(a_row(a_tariff(2), AT, other))


def test_a_published_tariff_is_there_for_ever(owner_engine: Engine) -> None:
    with write(owner_engine) as session:
        publish(session, a_tariff(1), AT)
    for statement in (
        "UPDATE travel_tariff SET starts_at = starts_at",
        "UPDATE travel_tariff SET approval_id = NULL, published_at = NULL",
        "DELETE FROM travel_tariff",
    ):
        with pytest.raises(DBAPIError, match="append-only"), owner_engine.begin() as connection:
            connection.execute(sa.text(statement))
