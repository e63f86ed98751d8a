"""The sample tariffs of the product: without fault, and each worked case comes out to the rial."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

import fare.tariffs
from fare.tariffs import open_tariff
from fare.tariffs.cases import read_cases
from fare.tariffs.quoting import quote_case

SAMPLES = Path(fare.tariffs.__file__).parent / "samples"


@pytest.mark.parametrize("sample", sorted(path.name for path in SAMPLES.iterdir() if path.is_dir()))
def test_every_worked_case_of_a_sample_comes_out(sample: str) -> None:
    folder = SAMPLES / sample
    tariff = open_tariff(folder)
    expected = json.loads((folder / "expected.json").read_text("utf-8"))["expected"]
    cases = read_cases((folder / "cases.json").read_bytes())
    assert [case.case_id for case in cases] == [each["id"] for each in expected]
    for case, each in zip(cases, expected, strict=True):
        quoted = quote_case(tariff, case)
        assert quoted.total == each["total"], case.case_id
        if "charges" in each:
            assert [(tap.charge or 0) + tap.adjustment for tap in quoted.taps] == each["charges"], (
                case.case_id
            )
