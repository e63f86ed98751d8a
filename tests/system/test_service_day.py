"""`mancard day`: a whole service day adds up to the rial, and each planted fault is found by name."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from fare.database.engine import open_engine
from fare.reconciliation.cli import app as reconcile
from hardware.city.corruption import Corruption, corrupt
from tests.system.city import clean_environment

FIGURES = (
    "taps",
    "accepted",
    "refused",
    "unconfirmed",
    "posted",
    "posted_twice",
    "missing",
    "trial_balance",
    "media_mismatches",
    "unexplained",
)
PROOFS = ("device", "card", "channel", "bank")
SMALL = ("--vehicles", "1", "--taps", "30", "--seed", "5", "--offline-share", "0.3", "--json")


@dataclass(frozen=True)
class Day:
    """What one simulated day left: exit status, the JSON of standard output, what it told people."""

    status: int
    document: dict[str, Any]
    told: str

    @property
    def exceptions(self) -> dict[str, int]:
        return {name: proof["exceptions"] for name, proof in self.document["proofs"].items()}


def simulate(*options: str) -> Day:
    done = subprocess.run(
        [sys.executable, "-c", "from fare.cli import main; main()", "day", *options],
        env=clean_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )
    assert "Traceback" not in done.stderr
    assert done.returncode in (0, 1), done.stderr
    return Day(done.returncode, json.loads(done.stdout), done.stderr)


# In one worker, or each would live through the honest day anew.
_ONE_DAY = pytest.mark.xdist_group("system-day")


@dataclass(frozen=True)
class KeptDay:
    """An honest day and the folder that it left."""

    day: Day
    state: Path


@pytest.fixture(scope="module")
def honest(tmp_path_factory: pytest.TempPathFactory) -> KeptDay:
    state = tmp_path_factory.mktemp("day") / "state"
    day = simulate(
        "--vehicles", "2", "--taps", "120", "--seed", "3", "--offline-share", "0.3", "--date", "2026-11-22",
        "--json", "--state", str(state),
    )  # fmt: skip
    return KeptDay(day, state)


@_ONE_DAY
def test_every_rial_of_a_day_is_matched_or_explained(honest: KeptDay) -> None:
    day, figures = honest.day, honest.day.document
    assert day.status == 0, day.told
    assert all(type(figures[name]) is int for name in FIGURES)
    assert figures["taps"] == 120
    assert figures["taps"] == figures["accepted"] + figures["refused"] + figures["unconfirmed"]
    assert figures["posted"] == figures["accepted"] > 60
    assert figures["refused"] > 0
    assert figures["loads"] >= 0.05 * figures["taps"]
    nothing = ("posted_twice", "missing", "trial_balance", "clearing", "media_mismatches", "unexplained")
    assert {figures[name] for name in nothing} == {0}
    assert tuple(figures["proofs"]) == PROOFS
    for name, proof in figures["proofs"].items():
        assert proof["checked"] > 0, name
        assert proof["exceptions"] == 0, name


def test_each_injected_fault_is_one_exception_in_its_own_proof_beside_a_tampered_journal() -> None:
    faults = [option for name in PROOFS for option in ("--inject", name)]
    day = simulate(*SMALL, *faults, "--corrupt", "edit-posting")

    assert day.status == 1
    assert day.exceptions == dict.fromkeys(PROOFS, 1), day.told
    tampered = re.search(r"Tampered with on purpose: (\S+)", day.told)
    assert tampered is not None, day.told
    assert any(tampered[1] in finding for finding in day.document["findings"]), day.document["findings"]


@_ONE_DAY
@pytest.mark.parametrize("how", list(Corruption))
def test_a_tampered_journal_is_found_and_the_entry_named(
    how: Corruption, honest: KeptDay, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = f"sqlite:///{shutil.copy(honest.state / 'mancard.db', tmp_path)}"
    monkeypatch.setenv("MANCARD_DATABASE_URL", database)
    audit = ["audit"]
    before = CliRunner().invoke(reconcile, audit)
    assert before.exit_code == 0, before.output
    owner = open_engine(database, role="owner")
    entry = corrupt(owner, how)
    owner.dispose()

    found = CliRunner().invoke(reconcile, audit)

    assert found.exit_code == 1
    assert entry in found.output
