"""Real rides under two tariffs: who pays more, by line and category, and what it earns."""

from __future__ import annotations

import shutil
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from sqlalchemy import Engine

from fare.collection.models import Ride
from fare.core.card_record import CardRecord
from fare.core.entitlement import CardEntitlement, day_number, sign
from fare.core.tariff.model import FareProduct, Tariff, flat_tariff
from fare.database.engine import read, write
from fare.issuing.models import Entitlement
from fare.network.models import Line
from fare.tariffs.cases import Case, CaseTap
from fare.tariffs.comparing import Group, NotComparable
from fare.tariffs.effects import Bar, bars, decode, effect_on
from fare.tariffs.publishing import with_network
from fare.tariffs.real_taps import RealTaps, cases_from_register, in_words_of
from fare.tariffs.source import open_tariff

SAMPLE = Path(__file__).parents[2] / "fare" / "tariffs" / "samples" / "urmia"
DAY = date(2026, 11, 21)
MORNING = datetime(2026, 11, 21, 4, 30, tzinfo=UTC)
KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
FLAT = flat_tariff(1, "flat", {0: FareProduct("a", "a", 30_000), 1: FareProduct("s", "s", 20_000)})
STUDENT = 1


@pytest.fixture
def database_url(migrated_sqlite: Path, tmp_path: Path) -> str:
    file = tmp_path / "mancard.db"
    shutil.copy(migrated_sqlite, file)
    return f"sqlite:///{file}"


def a_ride(card: int, counter: int, at: datetime, line: int = 5, *, on_pass: bool = False) -> Ride:
    written = CardRecord(7, counter, int(at.timestamp()), line, 0, 0, 0, 1, on_pass=on_pass)
    return Ride(
        medium_kind="card", medium_ref=str(card), counter=counter, device_id=1, journal_id=bytes(16),
        seq=counter, service_day=DAY, boarded_at=at, line=line, vehicle_id=f"bus-{counter}", fare_rial=1,
        owner_rial=1, commission_rial=0, suspense_rial=0, entry_id="x", proven_by="tap", proof=bytes(12),
        entitlement_version=1, record_written=written.encode(),
    )  # fmt: skip


def an_entitlement(card: int, category: int, expires: date | None = None) -> Entitlement:
    signed = CardEntitlement(
        issuer=1, kid=1, aid=bytes(3), serial=card, uid=bytes(7), version=1, loaded_total_rial=0,
        withdrawn_total_rial=0, rider_category=category,
        category_expires_day=0 if expires is None else day_number(expires), overdraft_rial=0, expires_day=0,
        passes=(), issued_at_s=0,
    )  # fmt: skip
    return Entitlement(
        serial=card, version=1, raw=sign(signed, KEY), loaded_total_rial=0, withdrawn_total_rial=0,
        signed_at=MORNING,
    )  # fmt: skip


@pytest.fixture
def city(engine: Engine) -> Engine:
    """An adult who changes buses, a student with one ride, a student of yesterday, and a ride on a pass."""
    with write(engine) as session:
        for line in (5, 6):
            session.add(Line(line=line, route_id=f"r-{line}", agency_name="", short_name="", long_name="x"))
        for card, category, expires in (
            (1, 0, None), (2, STUDENT, None), (3, STUDENT, DAY - timedelta(days=1)), (4, 0, None),
        ):  # fmt: skip
            session.add(an_entitlement(card, category, expires))
        session.add(a_ride(1, 10, MORNING))
        session.add(a_ride(1, 11, MORNING + timedelta(minutes=40), line=6))
        session.add(a_ride(2, 20, MORNING))
        session.add(a_ride(3, 30, MORNING))
        session.add(a_ride(4, 40, MORNING, on_pass=True))
    return engine


def real(engine: Engine, new: Tariff, most: int = 100) -> RealTaps:
    with read(engine) as session:
        return cases_from_register(session, with_network(session, new), DAY, DAY, most)


def test_rides_become_cases_without_names(city: Engine) -> None:
    new = open_tariff(SAMPLE)
    found = real(city, new)
    assert (found.rides, found.on_passes, found.in_all) == (4, 1, 5)
    assert sorted((case.rider_category, len(case.taps)) for case in found.cases) == [
        ("adult", 1), ("adult", 2), ("student", 1),
    ]  # fmt: skip
    changing = max(found.cases, key=lambda case: len(case.taps))
    assert [(tap.route_id, tap.vehicle_id) for tap in changing.taps] == [("r-5", "bus-10"), ("r-6", "bus-11")]
    assert changing.fare_media == "card"
    sample = real(city, new, most=3)
    assert (sample.rides + sample.on_passes <= 3, sample.in_all) == (True, 5)
    assert sample.cases
    assert {case.taps for case in sample.cases} <= {case.taps for case in found.cases}, "whole riders"
    with read(city) as session:
        earlier = DAY - timedelta(days=1)
        assert cases_from_register(session, new, earlier, earlier).cases == ()


def test_who_pays_more_and_what_it_earns(city: Engine) -> None:
    heard: list[tuple[int, int]] = []
    with read(city) as session:
        new, old = with_network(session, open_tariff(SAMPLE)), with_network(session, FLAT)
    effect = effect_on(old, new, real(city, new), lambda done, riders: heard.append((done, riders)))
    # By hand: the adult paid 2 x 30,000 and pays 35,000; the student 20,000 and 17,500; the one of yesterday
    # 30,000 and 35,000.
    assert effect.total == Group("", 3, 110_000, 87_500, 1, 2)
    assert {group.key: group for group in effect.by_category} == {
        "adult": Group("adult", 2, 90_000, 70_000, 1, 1),
        "student": Group("student", 1, 20_000, 17_500, 0, 1),
    }
    assert {group.key: (group.count, group.old, group.new) for group in effect.by_line} == {
        "5": (3, 80_000, 87_500), "6": (1, 30_000, 0),
    }  # fmt: skip
    assert (effect.rides, effect.on_passes, effect.not_compared) == (4, 1, 0)
    assert sum(bar.riders for bar in effect.bars) == 3
    assert heard == [(3, 3)]
    assert decode(effect.encode()) == effect


def test_categories_and_areas_go_by_their_numbers() -> None:
    new = replace(open_tariff(SAMPLE), areas={1: "north", 2: "new-area"})
    old = replace(FLAT, areas={1: "shomal"})
    taps = tuple(CaseTap(MORNING, area_id=area) for area in ("north", "new-area", None))
    told = {
        category: in_words_of(old, new, Case("1", taps, rider_category=category))
        for category in ("adult", "student", "senior", None)
    }
    assert {category: case.rider_category for category, case in told.items()} == {
        "adult": "category-0", "student": "category-1", "senior": None, None: None,
    }  # fmt: skip
    assert [tap.area_id for tap in told["adult"].taps] == ["shomal", None, None]


def test_a_category_that_is_new_paid_as_the_default_one(city: Engine) -> None:
    with read(city) as session:
        new, old = with_network(session, open_tariff(SAMPLE)), with_network(session, FLAT)
    seniors = replace(
        real(city, new), cases=(Case("1", (CaseTap(MORNING),), rider_category="senior", fare_media="card"),)
    )
    assert effect_on(old, new, seniors).total == Group("", 1, 30_000, 0, 0, 1)


def test_tariffs_of_two_currencies_are_not_compared(city: Engine) -> None:
    new = replace(open_tariff(SAMPLE), currency="EUR")
    with pytest.raises(NotComparable, match="EUR"):
        effect_on(FLAT, new, real(city, new))


@pytest.mark.parametrize(
    ("differences", "expected"),
    [
        ([], ((0, 0, 0),)),
        ([0, 0], ((0, 0, 2),)),
        ([5, 5, -3], ((-2, -3, 1), (-1, -2, 0), (0, -1, 0), (0, 0, 0), (0, 1, 0), (1, 2, 0), (2, 3, 0),
                      (3, 4, 0), (4, 5, 2))),
        ([90_000], ((0, 0, 0), (0, 20_000, 0), (20_000, 40_000, 0), (40_000, 60_000, 0), (60_000, 80_000, 0),
                    (80_000, 100_000, 1))),
    ],
)  # fmt: skip
def test_bars_have_round_steps(differences: list[int], expected: tuple[tuple[int, int, int], ...]) -> None:
    found = bars(differences)
    assert found == tuple(Bar(*each) for each in expected)
