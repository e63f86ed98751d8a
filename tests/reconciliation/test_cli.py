"""`mancard settlement …` and `mancard reconcile …` as a person types them, on SQLite."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer import Typer
from typer.testing import CliRunner, Result

from fare.core.errors import OperatorError
from fare.database.engine import open_engine
from fare.database.migrate import migrate
from fare.keys import LedgerKeys
from fare.reconciliation.cli import app as reconcile
from fare.settlement.cli import app as settlement
from fare.settlement.days import read_day
from tests.collection.bus import NOON, City
from tests.settlement.build import DAY, MORNING, deposited, psp_report, rode, statement


@pytest.fixture
def city_at_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> City:
    """A city whose ledger is where the commands look for it."""
    monkeypatch.setenv("MANCARD_STATE_DIR", str(tmp_path))
    monkeypatch.delenv("MANCARD_DATABASE_URL", raising=False)
    url = f"sqlite:///{tmp_path / 'mancard.db'}"
    migrate(url)
    city = City.found(open_engine(url), LedgerKeys.open(tmp_path / "keys"))
    bus = city.bus(1)
    rode(city, bus, 2)
    bus.send()
    return city


def type_in(app: Typer, *words: str) -> Result:
    return CliRunner().invoke(app, list(words), catch_exceptions=False)


def test_a_day_is_closed_paid_and_reconciled(
    city_at_home: City, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fare.settlement.cli.clock", lambda: MORNING)
    monkeypatch.setattr("fare.reconciliation.cli.clock", lambda: MORNING)
    assert "clearing 0 rial" in type_in(settlement, "seal", "1405/09/01").output
    stated = type_in(settlement, "statements", DAY.isoformat())
    assert "1 statements, 36,004 rial to pay." in stated.output
    file = tmp_path / "payments.csv"
    assert "1 payments" in type_in(settlement, "pay", DAY.isoformat(), "--out", str(file)).output
    assert file.stat().st_mode & 0o777 == 0o600
    assert "IR062960000000100324200001" in file.read_text()
    report = psp_report(city_at_home)
    (tmp_path / "psp.csv").write_text(report)
    assert "1 new" in type_in(reconcile, "psp", str(tmp_path / "psp.csv")).output
    assert "0 new" in type_in(reconcile, "psp", str(tmp_path / "psp.csv")).output
    (tmp_path / "bank.csv").write_text(statement(*deposited(report), (DAY, 7, "unknown", "")))
    assert "2 new" in type_in(reconcile, "bank", str(tmp_path / "bank.csv")).output
    run = type_in(reconcile, "run", DAY.isoformat())
    assert run.exit_code == 1
    assert "line_unknown" in run.output
    assert "bank:line_unknown:" in type_in(reconcile, "exceptions").output
    audited = type_in(reconcile, "audit")
    assert audited.exit_code == 0
    assert "posted twice 0, missing 0" in audited.output


def test_disputed_tickets_are_listed_for_people_and_programs(
    city_at_home: City, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("fare.reconciliation.cli.clock", lambda: MORNING)
    assert type_in(reconcile, "conflicts").output == "No ticket waits for a decision.\n"
    assert json.loads(type_in(reconcile, "conflicts", "--json").output) == {"conflicts": []}
    phone = city_at_home.phone()
    for bus in (city_at_home.bus(2), city_at_home.bus(3, "o-2")):
        bus.scan(phone, 1, NOON + timedelta(seconds=20 * bus.device))
        bus.send()
    (line,) = type_in(reconcile, "conflicts").output.splitlines()
    assert "on v-2 (line 7) and v-3 (line 7), 20 s apart; 20,000 rial wait, 0 earlier" in line
    (one,) = json.loads(type_in(reconcile, "conflicts", "--json").output)["conflicts"]
    assert (one["first"]["owner_id"], one["second"]["owner_id"], one["apart_s"]) == ("o-1", "o-2", 20)
    assert one["conflict_id"] in line
    assert one["cti"] in line


def test_a_day_that_is_not_over_is_not_sealed(city_at_home: City) -> None:
    assert city_at_home
    with pytest.raises(OperatorError, match="is not over"):
        type_in(settlement, "seal", "2999-01-01")


@pytest.mark.parametrize("text", ["", "yesterday", "2026-13-01", "1405/13/01", "22-11-2026"])
def test_what_is_no_day_is_said_in_a_sentence(text: str) -> None:
    with pytest.raises(OperatorError, match="is not a day: write it as 2026-11-22"):
        read_day(text)


@pytest.mark.parametrize("text", ["2026-11-22", "2026/11/22", "1405/09/01", "۱۴۰۵/۹/۱", "1405-9-1"])
def test_a_day_in_either_calendar(text: str) -> None:
    assert read_day(text) == DAY
