"""`mancard settlement adjustments`: which fares were set right, by how much, and why, for one of finance."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from fare.database.engine import open_engine
from fare.keys import LedgerKeys
from fare.settings import LedgerSettings
from tests.collection.bus import NOON, City
from tests.collection.remembering import HOUR_FREE, remember
from tests.staff.commands import Commands, commands

__all__ = ["commands"]


@pytest.fixture
def own_city(commands: Commands, tmp_path: Path) -> City:
    """The small city on the very database that the command opens."""
    return City.found(open_engine(LedgerSettings().database_url), LedgerKeys.open(tmp_path / "keys"))


def test_finance_reads_what_was_given_back_and_why(commands: Commands, own_city: City) -> None:
    remember(own_city, windows=(HOUR_FREE,))
    phone = own_city.phone()
    for each, at in ((1, NOON), (2, NOON + timedelta(minutes=20))):
        bus = own_city.bus(each)
        bus.scan(phone, each, at, tariff_version=2)
        bus.send()
    status, out, _ = commands("settlement", "adjustments", "2026-11-22")
    assert status == 0
    told, total = out.splitlines()
    assert told.startswith("ticket ")
    assert "charged 20,000, adjusted by -20,000 rial (repriced): " in told
    assert told.endswith("a transfer within 60 minutes is free.")
    assert total == "1 adjustment, -20,000 rial."
    assert "رایگان" in commands("settlement", "adjustments", "1405/09/01", "--language", "fa")[1]
    assert (
        commands("settlement", "adjustments", "2026-11-22", "--card", "3")[1] == "0 adjustments, +0 rial.\n"
    )
    assert commands("settlement", "adjustments", "2026-11-21")[1] == "0 adjustments, +0 rial.\n"
    status, _, said = commands("settlement", "adjustments", "2026-11-22", "--language", "de")
    assert (status, "--language fa or --language en" in said) == (2, True)
