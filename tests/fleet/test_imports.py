from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Engine

from fare.core.bundle import DeviceConfiguration
from fare.core.calendar import DAY_STARTS_AT
from fare.core.errors import OperatorError
from fare.database.engine import read, write
from fare.fleet import (
    Assignment,
    FleetFileFaults,
    ImportReport,
    assignments_at,
    configurations,
    import_assignments,
    owners,
)
from fare.fleet.assignment_file import read_file
from fare.network import import_feed
from tests.fleet.files import HEADER, IBAN_ONE, IBAN_TWO, row, write_file
from tests.network.feeds import write_zip

ZONE = ZoneInfo("Asia/Tehran")
NOW = datetime(2026, 11, 22, 8, 0, tzinfo=UTC)
FIRST = datetime(2026, 11, 1, 4, 0, tzinfo=ZONE)
MOMENT = timedelta(microseconds=1)


@pytest.fixture
def city(engine: Engine, tmp_path: Path) -> Engine:
    """A database with the small network."""
    with write(engine) as session:
        import_feed(session, write_zip(tmp_path / "feed.zip"), NOW)
    return engine


def load(engine: Engine, path: Path) -> ImportReport:
    with write(engine) as session:
        return import_assignments(session, path, ZONE)


def at(engine: Engine, device: int, when: datetime) -> Assignment | None:
    with read(engine) as session:
        return assignments_at(session, [device]).at(device, when)


def test_an_assignment_holds_from_the_start_of_its_service_day(city: Engine, tmp_path: Path) -> None:
    report = load(city, write_file(tmp_path, row()))
    assert report == ImportReport(1, 1, 1, 1, 1)
    assert at(city, 7, FIRST - MOMENT) is None
    assert at(city, 7, FIRST) == Assignment("bus-7", 1, "o-1", "c-1", 9250)
    assert at(city, 8, FIRST) is None
    with read(city) as session:
        assert configurations(session, NOW) == {
            7: DeviceConfiguration(line=1, line_name="۱ · میدان – دانشگاه", area=0, vehicle="bus-7")
        }
        assert [owner.iban for owner in owners(session)] == [IBAN_ONE]


def test_importing_the_same_file_again_changes_nothing(city: Engine, tmp_path: Path) -> None:
    path = write_file(tmp_path, row(), row(starts_at="2026-11-10", route="r-2"))
    load(city, path)
    assert load(city, path) == ImportReport(2, 0, 0, 0, 0)
    assert at(city, 7, FIRST) == Assignment("bus-7", 1, "o-1", "c-1", 9250)


def test_a_bus_sold_in_the_middle_of_a_month_splits_by_time(city: Engine, tmp_path: Path) -> None:
    sold = datetime(2026, 11, 15, 13, 30, tzinfo=ZONE)
    second = row(
        owner="o-2",
        owner_name="خریدار",
        iban=IBAN_TWO,
        contract="c-2",
        share="۸۰",
        starts_at="2026-11-15T13:30",
    )
    load(city, write_file(tmp_path, row(), second))
    before, after = at(city, 7, sold - MOMENT), at(city, 7, sold)
    assert before is not None
    assert after is not None
    assert (before.owner_id, after.owner_id) == ("o-1", "o-2")
    assert after.owner_share_bps == 8000


def test_a_second_device_on_a_bus_follows_the_same_owner(city: Engine, tmp_path: Path) -> None:
    load(city, write_file(tmp_path, row(), row(device="8", starts_at="2026-11-05")))
    load(
        city,
        write_file(tmp_path, row(owner="o-2", owner_name="خریدار", iban=IBAN_TWO, starts_at="2026-11-20")),
    )
    rear = at(city, 8, datetime(2026, 11, 21, tzinfo=UTC))
    assert rear is not None
    assert rear.owner_id == "o-2"


def test_a_device_that_left_its_bus_earns_for_nobody(city: Engine, tmp_path: Path) -> None:
    load(city, write_file(tmp_path, row(ends_at="2026-11-10T12:00+03:30")))
    assert at(city, 7, datetime(2026, 11, 10, 8, 29, tzinfo=UTC)) is not None
    assert at(city, 7, datetime(2026, 11, 10, 8, 30, tzinfo=UTC)) is None


def test_jalali_dates_and_persian_digits_mean_the_same_day(city: Engine, tmp_path: Path) -> None:
    load(city, write_file(tmp_path, row(device="۷", starts_at="۱۴۰۵/۰۸/۱۰", share="۹۲٫۵٪")))
    assert at(city, 7, FIRST - MOMENT) is None
    assert at(city, 7, FIRST) == Assignment("bus-7", 1, "o-1", "c-1", 9250)


def test_a_later_file_may_end_an_open_assignment_but_not_rewrite_it(city: Engine, tmp_path: Path) -> None:
    load(city, write_file(tmp_path, row()))
    load(city, write_file(tmp_path, row(ends_at="2026-11-20")))
    assert at(city, 7, NOW) is None
    for rewriting in (row(route="r-2"), row(starts_at="2026-11-05", route="r-2"), row(ends_at="2026-11-21")):
        with pytest.raises(FleetFileFaults):
            load(city, write_file(tmp_path, rewriting))
    assert at(city, 7, FIRST) == Assignment("bus-7", 1, "o-1", "c-1", 9250)


@pytest.mark.parametrize(
    ("line", "column", "told"),
    [
        (row(device="0"), "device", "A device number is"),
        (row(device="seven"), "device", "A device number is"),
        (row(device=str(2**24)), "device", "A device number is"),
        (row(vehicle="bus 7"), "vehicle", "is no id"),
        (row(plate=""), "plate", "is empty"),
        (row(owner="a:b"), "owner", "is no id"),
        (row(kind="public"), "owner_kind", "private or municipal"),
        (row(iban="IR062960000000100324200002"), "iban", "check digits"),
        (row(share="100.01"), "owner_share_percent", "is no share"),
        (row(share="-1"), "owner_share_percent", "is no share"),
        (row(starts_at="tomorrow"), "starts_at", "is no time"),
        (row(starts_at="2026-13-01"), "starts_at", "is no time"),
        (row(starts_at="1405/13/01"), "starts_at", "no day"),
        (row(ends_at="2026-10-01"), "ends_at", "not after"),
        (row() + ",more", "", "13 fields under 12 columns"),
    ],
)
def test_a_bad_cell_is_named(tmp_path: Path, line: str, column: str, told: str) -> None:
    with pytest.raises(FleetFileFaults) as refused:
        read_file(write_file(tmp_path, row(), line), ZONE, DAY_STARTS_AT)
    [fault] = refused.value.faults
    assert (fault.line, fault.column) == (3, column)
    assert told in str(fault)


@pytest.mark.parametrize("line", [row(share="200"), row(route="r-9")])
def test_one_fault_keeps_the_whole_file_out(city: Engine, tmp_path: Path, line: str) -> None:
    with pytest.raises(FleetFileFaults, match="line 3"):
        load(city, write_file(tmp_path, row(device="9", vehicle="bus-9", owner="o-9"), line))
    assert at(city, 9, FIRST) is None
    with read(city) as session:
        assert owners(session) == []


@pytest.mark.parametrize(
    ("second", "column"),
    [
        (row(device="8", vehicle="bus-8", iban=IBAN_TWO), "iban"),
        (row(device="8", vehicle="bus-8", owner_name="نام دیگر"), "owner_name"),
        (row(device="8", vehicle="bus-8", share="10"), "owner_share_percent"),
        (row(device="8", plate="other"), "plate"),
        (row(route="r-2"), "starts_at"),
        (row(device="8", owner="o-2", iban=IBAN_TWO), "owner"),
    ],
)
def test_rows_that_contradict_each_other_are_refused(
    city: Engine, tmp_path: Path, second: str, column: str
) -> None:
    with pytest.raises(FleetFileFaults) as refused:
        load(city, write_file(tmp_path, row(), second))
    assert [(fault.line, fault.column) for fault in refused.value.faults] == [(3, column)]


def test_all_faults_are_told_at_once(city: Engine, tmp_path: Path) -> None:
    with pytest.raises(FleetFileFaults) as refused:
        load(city, write_file(tmp_path, row(device="x", iban="y"), row(share="z")))
    assert [(fault.line, fault.column) for fault in refused.value.faults] == [
        (2, "device"),
        (2, "iban"),
        (3, "owner_share_percent"),
    ]


@pytest.mark.parametrize(
    ("header", "told"),
    [
        (HEADER.replace("iban,", ""), "no column iban"),
        (HEADER + ",colour", "'colour'"),
        (HEADER.replace(",", ";"), "semicolons"),
    ],
)
def test_another_kind_of_file_is_told_in_one_sentence(
    city: Engine, tmp_path: Path, header: str, told: str
) -> None:
    with pytest.raises(OperatorError, match=told):
        load(city, write_file(tmp_path, row(), header=header))


def test_files_that_cannot_be_read_are_told(city: Engine, tmp_path: Path) -> None:
    with pytest.raises(OperatorError, match="cannot be read"):
        load(city, tmp_path / "missing.csv")
    with pytest.raises(OperatorError, match="no assignment"):
        load(city, write_file(tmp_path))
    (tmp_path / "fleet.csv").write_bytes(b"\xff\xfe")
    with pytest.raises(OperatorError, match="not UTF-8"):
        load(city, tmp_path / "fleet.csv")
