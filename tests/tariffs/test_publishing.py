"""A checked tariff becomes one in the bundle only if it fits the city and a second person saw exactly it."""

from __future__ import annotations

import io
import shutil
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from sqlalchemy import Engine
from sqlalchemy.exc import DBAPIError
from sqlmodel import Session

from fare.core.errors import OperatorError
from fare.core.tariff.model import EMPTY, LegRule, Tariff
from fare.database.engine import read, write
from fare.distribution import TariffRefused, current_tariff, tariffs_for_buses
from fare.network.models import Area, Line
from fare.settings import LedgerSettings
from fare.staff import ApprovalRefusal, Role
from fare.tariffs.drafts import check_upload, discard_draft, draft, drafts, keep_comparison, store_draft
from fare.tariffs.publishing import (
    DoesNotFit,
    PublicationRequest,
    approve_and_publish,
    fitted,
    publication_request,
    publication_requests,
    request_publication,
)
from fare.tariffs.source import open_tariff, read_tariff_files
from tests.staff.people import add_people

SAMPLE = Path(__file__).parents[2] / "fare" / "tariffs" / "samples" / "urmia"
AT = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
SPRING = datetime(2027, 3, 21, 4, 0, tzinfo=ZoneInfo("Asia/Tehran"))


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    """SQLite: what only a database can hold is tested on both in tests/distribution."""
    file = tmp_path / "mancard.db"
    shutil.copy(migrated_sqlite, file)
    return f"sqlite:///{file}"


@pytest.fixture
def settings(tmp_path: Path) -> LedgerSettings:
    return LedgerSettings(state_dir=tmp_path)


@pytest.fixture(scope="module")
def tariff() -> Tariff:
    return open_tariff(SAMPLE)


@pytest.fixture
def city(engine: Engine) -> Engine:
    """A network of two lines and an area, and people."""
    add_people(engine, sara=Role.FINANCE, reza=Role.FINANCE, nima=Role.AUDITOR)
    with write(engine) as session:
        for line, route in ((5, "r-5"), (6, "r-6")):
            session.add(Line(line=line, route_id=route, agency_name="", short_name=str(line), long_name="x"))
        session.add(Line(line=9, route_id="old", agency_name="", short_name="9", long_name="", active=False))
        session.add(Area(area=1, area_id="north", name="شمال"))
    return engine


def ask(session: Session, settings: LedgerSettings, tariff: Tariff, by: str = "sara") -> PublicationRequest:
    return request_publication(session, settings, tariff, SPRING, by, AT, effect=b"e")


def test_a_tariff_goes_from_one_person_over_another_into_the_bundle(
    city: Engine, settings: LedgerSettings, tariff: Tariff
) -> None:
    with write(city) as session:
        asked = ask(session, settings, tariff)
    assert (asked.tariff.version, asked.published, asked.approved_by, asked.effect) == (1, False, None, b"e")
    with write(city) as session:
        give = (session, asked.approval_id, asked.looked_at)
        assert approve_and_publish(*give, "sara", AT) is ApprovalRefusal.SAME_PERSON
        assert approve_and_publish(*give, "nima", AT) is ApprovalRefusal.NO_RIGHT
        assert (
            approve_and_publish(session, asked.approval_id, b"", "reza", AT) is ApprovalRefusal.OTHER_PAYLOAD
        )
        assert approve_and_publish(session, "none", b"", "reza", AT) is ApprovalRefusal.UNKNOWN
        done = approve_and_publish(*give, "reza", AT)
    assert isinstance(done, PublicationRequest)
    assert (done.published, done.approved_by) == (True, "reza")
    with read(city) as session:
        assert publication_requests(session) == [done]
        assert current_tariff(session, SPRING) == asked.tariff
        assert tariffs_for_buses(session, SPRING) == [(SPRING, asked.tariff)]


def test_buses_get_the_networks_numbers_and_names(
    city: Engine, settings: LedgerSettings, tariff: Tariff
) -> None:
    with read(city) as session:
        ready = fitted(session, settings, replace(tariff, names={"route:r-5": "own"}), 3)
    assert ready.version == 3
    assert ready.lines == {5: "r-5", 6: "r-6"}
    assert ready.areas == {1: "north"}
    assert ready.routes == {"r-5": EMPTY, "r-6": EMPTY}
    assert (ready.names["route:r-5"], ready.names["route:r-6"], ready.names["area:north"]) == (
        "5 · x",
        "6 · x",
        "شمال",
    )


def test_a_route_that_is_named_like_a_network_is_in_it(
    city: Engine, settings: LedgerSettings, tariff: Tariff
) -> None:
    rules = (LegRule("a", "single", network_id="r-5"), LegRule("b", "single", network_id="r-6"))
    with read(city) as session:
        ready = fitted(session, settings, replace(tariff, leg_rules=rules, default_products={}), 1)
    assert ready.routes == {"r-5": "r-5", "r-6": "r-6"}


def test_all_that_does_not_fit_the_city_is_said_at_once(
    city: Engine, settings: LedgerSettings, tariff: Tariff
) -> None:
    odd = replace(
        tariff,
        currency="EUR",
        exponent=2,
        zone_name="Europe/Berlin",
        service_day_starts_s=0,
        lines={5: "another"},
        areas={1: "south"},
        leg_rules=(LegRule("a", "single", network_id="r-5"),),
        default_products={},
    )
    with pytest.raises(DoesNotFit) as told, write(city) as session:
        ask(session, settings, odd)
    for words in (
        "in EUR",
        "Asia/Tehran",
        '"04:00"',
        "number 5 is line r-5",
        "number 1 is area north",
        "Line 6 · x",
    ):
        assert words in str(told.value)
    assert "Line 5" not in str(told.value), "its own network has a rule"
    assert "old" not in str(told.value), "a retired line needs no fare"


def test_a_default_fare_or_a_rule_for_all_covers_a_line(
    city: Engine, settings: LedgerSettings, tariff: Tariff
) -> None:
    one = (LegRule("a", "single", network_id="r-5"),)
    with read(city) as session:
        for covered in (
            replace(tariff, leg_rules=one, default_products={"r-6": "single"}),
            replace(tariff, leg_rules=(*one, LegRule("b", "single")), default_products={}),
            replace(tariff, leg_rules=(LegRule("b", "single"),), default_products={}, uses_priority=True),
        ):
            assert fitted(session, settings, covered, 1).version == 1


def test_a_tariff_by_areas_alone_would_refuse_everybody_on_a_bus_that_knows_no_area(
    city: Engine, settings: LedgerSettings, tariff: Tariff
) -> None:
    by_area = (LegRule("a", "single", from_area_id="north"), LegRule("b", "single", to_area_id="north"))
    zones = replace(tariff, leg_rules=by_area, default_products={})
    with pytest.raises(DoesNotFit) as told, write(city) as session:
        ask(session, settings, zones)
    for line in ("Line 5 · x (r-5)", "Line 6 · x (r-6)"):
        assert f"{line} has no fare where a bus does not know its area" in str(told.value)
    assert len(told.value.problems) == 2, "each line is named once"
    anywhere = LegRule("c", "single", network_id="r-5")
    with read(city) as session:
        for covered in (
            replace(zones, default_products={EMPTY: "single"}),
            replace(zones, leg_rules=(*by_area, anywhere), default_products={"r-6": "single"}),
            replace(zones, leg_rules=(*by_area, LegRule("c", "single"))),
        ):
            assert fitted(session, settings, covered, 1).version == 1


def test_an_approval_that_comes_after_the_start_publishes_nothing(
    city: Engine, settings: LedgerSettings, tariff: Tariff
) -> None:
    with write(city) as session:
        asked = ask(session, settings, tariff)
    late = SPRING + timedelta(seconds=1)
    with pytest.raises(TariffRefused, match="in the past"), write(city) as session:
        approve_and_publish(session, asked.approval_id, asked.looked_at, "reza", late)
    with read(city) as session:
        found = publication_request(session, asked.approval_id)
    assert found is not None
    assert (found.approved_by, found.published) == (None, False), "the yes went with the refusal"


def test_of_two_requests_the_later_version_can_still_be_published_first(
    city: Engine, settings: LedgerSettings, tariff: Tariff
) -> None:
    with write(city) as session:
        first, second = ask(session, settings, tariff), ask(session, settings, tariff)
        assert (first.tariff.version, second.tariff.version) == (1, 2)
        approve_and_publish(session, second.approval_id, second.looked_at, "reza", AT)
    with pytest.raises(TariffRefused, match="above 2"), write(city) as session:
        approve_and_publish(session, first.approval_id, first.looked_at, "reza", AT)


def test_who_may_not_ask_is_told(city: Engine, settings: LedgerSettings, tariff: Tariff) -> None:
    with pytest.raises(OperatorError, match="finance may"), write(city) as session:
        ask(session, settings, tariff, by="nima")


def test_what_was_asked_for_cannot_be_changed(city: Engine, settings: LedgerSettings, tariff: Tariff) -> None:
    with write(city) as session:
        ask(session, settings, tariff)
    for statement in (
        "UPDATE travel_tariff_request SET document = x'00'",
        "DELETE FROM travel_tariff_request",
    ):
        with pytest.raises(DBAPIError, match="append-only"), city.begin() as connection:
            connection.execute(sa.text(statement))


def zipped(files: dict[str, str]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return out.getvalue()


def test_a_draft_keeps_a_folder_with_its_faults(city: Engine) -> None:
    files = {name: content.decode() for name, content in read_tariff_files(SAMPLE).items()}
    rules = files["fare_leg_rules.txt"] + "bus,,no-such-product\n"
    with write(city) as session:
        good = store_draft(session, check_upload("urmia.zip", zipped(files)), "sara", AT)
        faulty = zipped(files | {"fare_leg_rules.txt": rules})
        bad = store_draft(session, check_upload("bad.zip", faulty), "sara", AT)
        none = store_draft(session, check_upload("note.txt", b"no zip at all"), "sara", AT)
        keep_comparison(session, good.draft_id, b"c", AT)
    with read(city) as session:
        found = draft(session, good.draft_id)
        assert found is not None
        assert found.tariff == open_tariff(SAMPLE)
        assert (found.faults, found.comparison, found.name) == ((), b"c", "کرایهٔ نمونهٔ ارومیه ۱۴۰۵")
        assert bad.tariff is None
        assert [(fault.file, fault.column) for fault in bad.faults] == [
            ("fare_leg_rules.txt", "fare_product_id")
        ]
        assert none.tariff is None
        assert "zip" in none.faults[0].problem
        assert len(drafts(session)) == 3
    with write(city) as session:
        discard_draft(session, bad.draft_id)
        assert draft(session, bad.draft_id) is None
    with pytest.raises(DBAPIError, match="append-only"), city.begin() as connection:
        connection.execute(sa.text("UPDATE travel_tariff_draft SET document = x'00'"))
