"""Bus and ledger agree to the rial on ten thousand taps, whatever becomes of the batches on their way.

Buses decide by the 32 bytes of virtual cards; the ledger rebuilds every rider's state from the batches.
`AGREEMENT_TAPS` rides more, or fewer; `make agreement` tries PostgreSQL as well (`AGREEMENT_EVERYWHERE`).
"""

from __future__ import annotations

import os
import shutil
from collections import defaultdict
from pathlib import Path
from random import Random
from typing import Final

import pytest

from fare.database.engine import open_engine, read
from fare.keys import LedgerKeys
from fare.reconciliation.audit import audit
from tests.collection.bus import City
from tests.system.agreement import Fleet, dues, plan, settle

TAPS: Final = int(os.environ.get("AGREEMENT_TAPS", "10000"))
SEED: Final = int(os.environ.get("AGREEMENT_SEED", "20261117"))
BACKENDS: Final = ["sqlite", "postgresql"] if "AGREEMENT_EVERYWHERE" in os.environ else ["sqlite"]


def ridden(city: City, taps: int, chance: Random) -> Fleet:
    """The riders have ridden for ten days, and no bus has sent anything yet."""
    riders = taps // 50
    fleet = Fleet(city, riders)
    for one in plan(riders, taps, chance):
        fleet.tap(one)
    fleet.close_journeys()
    return fleet


def assert_books(city: City) -> None:
    with read(city.engine) as session:
        found = audit(session)
    assert found.holds, [str(each) for each in found.findings]


@pytest.mark.timeout(900)
@pytest.mark.parametrize("database_url", BACKENDS, indirect=True)
def test_bus_and_ledger_agree_to_the_rial(database_url: str, tmp_path: Path) -> None:
    engine, chance = open_engine(database_url), Random(SEED)
    city = City.found(engine, LedgerKeys.open(tmp_path / "keys"))
    fleet = ridden(city, TAPS, chance)
    assert min(fleet.upload(city, chance)) > 3, "some came late, some twice"
    settle(city)
    ledger = dues(city)
    assert len(ledger) > TAPS * 0.9
    assert ledger == fleet.whole_histories()
    by_rider: dict[int, int] = defaultdict(int)
    for (serial, _), rial in ledger.items():
        by_rider[int(serial)] += rial
    assert by_rider == {serial: rider.due_rial for serial, rider in fleet.ridden.items()}
    assert_books(city)
    engine.dispose()


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_ledger_that_heard_late_and_twice_ends_like_one_that_heard_in_order(
    database_url: str, tmp_path: Path
) -> None:
    engine, chance = open_engine(database_url), Random(SEED + 1)
    city = City.found(engine, LedgerKeys.open(tmp_path / "keys"))
    fleet = ridden(city, 500, chance)
    engine.dispose()
    shutil.copy(database_url.removeprefix("sqlite:///"), tmp_path / "in-order.db")
    in_order = City(open_engine(f"sqlite:///{tmp_path / 'in-order.db'}"), city.keys)
    fleet.upload(in_order, None)
    fleet.upload(city, chance)
    for each in (city, in_order):
        settle(each)
        assert_books(each)
    assert dues(city) == dues(in_order)
    funds = "SELECT account_id, sum(amount_rial) FROM ledger_posting GROUP BY account_id ORDER BY account_id"
    assert city.rows(funds) == in_order.rows(funds)
    for each in (city, in_order):
        each.engine.dispose()
