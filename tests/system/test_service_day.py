"""`mancard day`: a whole service day adds up to the rial, and each planted fault is found by name."""

from __future__ import annotations

import json
import re
import subprocess
import sys
from dataclasses import dataclass
from typing import Any

import pytest

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


def test_every_rial_of_a_day_is_matched_or_explained() -> None:
    day = simulate(
        "--vehicles", "2", "--taps", "120", "--seed", "3", "--offline-share", "0.3", "--date", "2026-11-22",
        "--json",
    )  # fmt: skip

    figures = day.document
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


@pytest.mark.parametrize("fault", PROOFS)
def test_an_injected_fault_is_one_exception_in_its_own_proof(fault: str) -> None:
    day = simulate(*SMALL, "--inject", fault)

    assert day.status == 1
    assert day.exceptions == {name: int(name == fault) for name in PROOFS}, day.told


@pytest.mark.parametrize("how", ["double-post", "drop-tap", "edit-posting"])
def test_a_tampered_journal_is_found_and_the_entry_named(how: str) -> None:
    day = simulate(*SMALL, "--corrupt", how)

    assert day.status == 1
    tampered = re.search(r"Tampered with on purpose: (\S+)", day.told)
    assert tampered is not None, day.told
    entry = tampered[1]
    assert any(entry in finding for finding in day.document["findings"]), (entry, day.document["findings"])
