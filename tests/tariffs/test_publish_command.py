"""`mancard tariff publish`: asks, shows exactly what is to be approved, and publishes for a second person."""

from __future__ import annotations

import io
import re
import shutil
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from fare.database.engine import open_engine, read, write
from fare.distribution import NoTariffInForce, current_tariff, tariff_history
from fare.network.models import Line
from fare.settings import LedgerSettings
from fare.staff import Role
from tests.staff.commands import Commands, commands
from tests.staff.people import PASSWORD, add_people

__all__ = ["commands"]

SAMPLE = Path(__file__).parents[2] / "fare" / "tariffs" / "samples" / "urmia"
NOWRUZ = datetime(2099, 3, 21, 0, 30, tzinfo=UTC)


@pytest.fixture
def people(commands: Commands) -> Commands:
    add_people(open_engine(LedgerSettings().database_url), sara=Role.FINANCE, reza=Role.FINANCE)
    return commands


def types(monkeypatch: pytest.MonkeyPatch, *lines: str) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("".join(f"{line}\n" for line in lines)))


def published() -> list[tuple[datetime, int]]:
    with read(open_engine(LedgerSettings().database_url)) as session:
        return [(starts_at, tariff.version) for starts_at, tariff in tariff_history(session)]


def test_two_people_publish_a_folder(people: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    types(monkeypatch, PASSWORD)
    asked = people("tariff", "publish", str(SAMPLE), "--from", "2099-03-21T04:00:00+03:30", "--by", "sara")
    assert asked[0] == 0, asked[2]
    assert "version 1" in asked[1]
    assert "2099-03-21T04:00:00+03:30" in asked[1]
    assert re.search(r"SHA-256   [0-9a-f]{64}\n", asked[1])
    assert "35,000 rial" in asked[1], "the tariff in sentences"
    assert "compared with no rides" in asked[1]
    assert published() == []
    number = re.search(r"--approve (\w+)", asked[1])
    assert number is not None

    types(monkeypatch, PASSWORD)
    status, _, said = people("tariff", "publish", "--approve", number[1], "--as", "sara")
    assert (status, "cannot be the second person" in said) == (2, True)
    types(monkeypatch, "not the password")
    assert people("tariff", "publish", "--approve", number[1], "--as", "reza")[0] == 2
    assert published() == []

    types(monkeypatch, PASSWORD)
    status, out, said = people("tariff", "publish", "--approve", number[1], "--as", "reza")
    assert status == 0, said
    assert "35,000 rial" in out, "who allows sees what was asked for"
    assert "Published: version 1, in force from 2099-03-21T04:00:00+03:30." in out, "in the time of the city"
    assert published() == [(NOWRUZ, 1)]
    with read(open_engine(LedgerSettings().database_url)) as session:
        assert current_tariff(session, NOWRUZ).name == "کرایهٔ نمونهٔ ارومیه ۱۴۰۵"
        with pytest.raises(NoTariffInForce):
            current_tariff(session, NOWRUZ - timedelta(seconds=1))


def test_nothing_is_asked_for_that_would_be_refused(
    people: Commands, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Nobody is asked for a password before all that can be known is right: standard input stays unread."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
    faulty, odd = tmp_path / "faulty", tmp_path / "odd"
    for folder in (faulty, odd):
        shutil.copytree(SAMPLE, folder)
    (faulty / "fare_leg_rules.txt").write_text("leg_group_id,network_id,fare_product_id\na,,b\nc,,d\n")
    with (odd / "rider_categories.txt").open("a") as rows:
        rows.write("nobody,بی‌کس,0\n")
    with (odd / "fare_products.txt").open("a") as rows:
        rows.write("unsold,x,nobody,card,5,IRR\n")
    start = ("--from", "2099-03-21T04:00:00+03:30", "--by", "sara")
    told = [
        (("publish", str(faulty), *start), ["fare_leg_rules.txt, row 2", "row 3"]),
        (("publish", str(SAMPLE), "--from", "2099-03-21", "--by", "sara"), ["with its offset"]),
        (("publish", str(SAMPLE), "--from", "2020-03-21T04:00:00+03:30", "--by", "sara"), ["in the past"]),
        (("publish", str(SAMPLE), *start[:2]), ["--by NAME"]),
        (("publish", str(SAMPLE)), ["one of the two"]),
        (("publish", "--approve", "1234", "--by", "reza"), ["Nobody asked"]),
        (("publish", str(odd), *start), ["warning", "--accept-warnings"]),
    ]
    for arguments, words in told:
        status, _, said = people("tariff", *arguments)
        assert status == 2, arguments
        assert [word for word in words if word not in said] == [], said
    with write(open_engine(LedgerSettings().database_url)) as session:
        session.add(Line(line=5, route_id="r-5", agency_name="", short_name="5", long_name=""))
    monkeypatch.setenv("MANCARD_DAY_STARTS", "03:00")
    status, _, said = people("tariff", "publish", str(SAMPLE), *start)
    assert (status, 'service_day_starts = "03:00"' in said) == (2, True)
