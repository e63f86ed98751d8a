"""What stands in a file of cases, and what is said of it where it will not do."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from fare.core.tariff.context import TapKind
from fare.tariffs import cases as cases_module
from fare.tariffs.case_fields import MOST_FAULTS_TOLD
from fare.tariffs.cases import CASE_KEYS, TAP_KEYS, CaseFileRefused, open_cases, read_cases

TAP = {"at": "2026-03-04T08:00:00+03:30"}


def file_of(*cases: object) -> bytes:
    return json.dumps({"cases": cases}).encode()


def test_a_case_says_all_that_the_contract_names() -> None:
    (case,) = read_cases(
        file_of(
            {
                "id": "one",
                "rider_category": "student",
                "fare_media": "card",
                "passes": [
                    {"product": "month", "valid_from": "2026-03-01", "valid_until": "2026-03-31T12:00Z"}
                ],
                "balance": -5_000,
                "until": "2026-03-05T00:00:00+03:30",
                "taps": [
                    {
                        **TAP,
                        "kind": "off",
                        "route_id": "5",
                        "stop_id": "s",
                        "area_id": "a",
                        "vehicle_id": "v",
                        "trip_id": "t",
                        "distance_m": 1200,
                        "pax": 2,
                        "validator_status": "out_of_service",
                    },
                    {"at": "2026-03-04T04:30:00Z", "route_id": None},
                ],
            }
        )
    )
    assert case.faults == ()
    assert (case.case_id, case.rider_category, case.fare_media, case.balance) == (
        "one",
        "student",
        "card",
        -5_000,
    )
    assert case.passes[0].rides_left is None
    first, second = case.taps
    assert (first.kind, first.pax, first.in_service, first.distance_m) == (TapKind.OFF, 2, False, 1200)
    assert first.at == second.at
    assert (second.kind, second.route_id, second.pax, second.in_service) == (TapKind.ON, None, 1, True)


def one(**fields: object) -> dict[str, Any]:
    return {"taps": [{**TAP, **fields}]}


def held(**fields: object) -> dict[str, Any]:
    return {"passes": [{"product": "m", **fields}]}


# What is changed in a sound case, and what is said of it.
BROKEN: list[tuple[dict[str, Any], str]] = [
    (one(rout_id="5"), 'taps[0].rout_id: there is no such key. Do: write "route_id"'),
    ({"riders": 1}, "riders: there is no such key."),
    ({"taps": [{"at": "2026-03-04T08:00:00"}]}, "taps[0].at: \"2026-03-04T08:00:00\" has no UTC offset"),
    ({"taps": [{"at": "yesterday"}]}, 'taps[0].at: "yesterday" is no time'),
    ({"taps": [{"at": 1772600000}]}, "taps[0].at: a text is needed here, not 1772600000"),
    ({"taps": [{"at": "0001-01-01T00:00:00+00:00"}]}, "taps[0].at: the year must be 1971"),
    ({"taps": [{}]}, "taps[0].at: it is missing"),
    ({"taps": ["08:00"]}, 'taps[0]: an object is needed here, not "08:00"'),
    ({"taps": {}}, "taps: a list is needed here"),
    ({"taps": None}, "taps: it is missing"),
    (one(kind="tap"), 'taps[0].kind: tap is not known here. Do: write "on" or "off"'),
    (one(kind=["on"]), "taps[0].kind: a list is not known here"),
    (one(validator_status="broken"), 'Do: write "in_service" or "out_of_service"'),
    (one(pax=0), "taps[0].pax: it must be 1 to 1000"),
    (one(pax=True), "taps[0].pax: a whole number is needed here, not true"),
    (one(distance_m=1.5), "taps[0].distance_m: a whole number is needed here"),
    (one(route_id=5), "taps[0].route_id: a text is needed here, not 5. Do: put it"),
    (one(stop_id="a\x1b[2J"), "taps[0].stop_id: it holds a control character"),
    (one(trip_id="\ud800"), "taps[0].trip_id: it holds a control character"),
    ({"\ud800\n": 1}, 'cases[0]."\ufffd\ufffd": there is no such key'),
    (one(stop_id=""), "taps[0].stop_id: a text of 1 to 256 characters"),
    ({"balance": "1000"}, 'balance: a whole number is needed here, not "1000"'),
    ({"balance": 10**18}, "balance: it must be"),
    ({"id": ""}, "id: a text of 1 to 256 characters"),
    ({"id": None}, "id: it is missing"),
    ({"until": "2026-03-04T07:59:59+03:30"}, "until: it is before the last tap"),
    ({"refund": "yes"}, "refund: true or false is needed here"),
    ({"refund": True}, "balance: a refund needs it"),
    ({"passes": [{}]}, "passes[0].product: it is missing"),
    (held(valid_from="2026-02-30"), 'valid_from: "2026-02-30" is no date'),
    (held(valid_from="2026-03-02", valid_until="2026-03-01"), "is before valid_from"),
    (held(valid_until="2026-03-02T08:00:00"), "valid_until: \"2026-03-02T08:00:00\" has no"),
    (held(rides_left=-1), "rides_left: it must be 0 to"),
]  # fmt: skip


def test_a_fault_names_its_place_and_the_mend() -> None:
    for change, told in BROKEN:
        broken, sound = read_cases(file_of({"id": "a", "taps": [TAP], **change}, {"id": "b", "taps": [TAP]}))
        assert len(broken.faults) == 1, broken.faults
        assert broken.faults[0].startswith("cases[0].")
        assert told in broken.faults[0]
        assert " Do: " in broken.faults[0]
        assert sound.faults == ()


def test_every_fault_of_a_case_is_told_up_to_a_bound() -> None:
    (case,) = read_cases(file_of({"id": "a", "taps": [{"at": "no", "pax": 0, "kind": "x"}] * 2}))
    assert len(case.faults) == 6
    (case,) = read_cases(file_of({"id": "a", "taps": [{}] * 500}))
    assert len(case.faults) == MOST_FAULTS_TOLD + 1
    assert case.faults[-1].startswith("… and 480 more")


def test_two_cases_have_two_ids() -> None:
    _, second = read_cases(file_of({"id": "a", "taps": []}, {"id": "a", "taps": []}))
    assert second.faults == ('cases[1].id: "a" is the id of cases[0] too. Do: write another.',)


# The file, and what is said of it.
REFUSED: list[tuple[bytes, str]] = [
    (b"", "it is no JSON at line 1, column 1"),
    (b'{"cases": [\n{"id": }]}', "it is no JSON at line 2, column 8"),
    (b"[]", "it is no JSON object"),
    (b"{}", "cases: a list is needed here"),
    (b'{"cases": {}}', "cases: a list is needed here"),
    (b'{"cases": [], "case": []}', 'case: there is no such key. Do: write "cases"'),
    (b'{"cases": [{"id": "a", "id": "b", "taps": []}]}', "the key id stands twice"),
    (b'{"cases": [{"id": "a", "balance": NaN, "taps": []}]}', "NaN is no number in JSON"),
    (b'{"cases": [{"id": "a", "balance": ' + b"9" * 5_000 + b"}]}", "a number in it has too many digits"),
    (b'{"cases": ' + b"[" * 100_000, "it is nested too deeply"),
    ("{\"cases\": [{\"id\": \"ü\"}]}".encode("latin-1"), "byte 20 is not UTF-8"),
    (b'{"cases": []}' + b" " * (1 << 25), "it has more than 32 MiB"),
    (b'{"cases": [' + b"{}," * 1_000_000 + b"{}]}", "it has more than 1,000,000 objects"),
]  # fmt: skip


def test_what_is_no_file_of_cases_is_refused_in_a_sentence() -> None:
    for raw, told in REFUSED:
        with pytest.raises(CaseFileRefused, match=r" Do: ") as refused:
            read_cases(raw)
        assert told in str(refused.value)


def test_too_many_taps_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cases_module, "MOST_TAPS", 3)
    with pytest.raises(CaseFileRefused, match="more than 3 taps"):
        read_cases(file_of({"id": "a", "taps": [TAP] * 2}, {"id": "b", "taps": [TAP] * 2}))


def test_a_file_that_cannot_be_read_is_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(CaseFileRefused, match=r"There is no file .*cases\.json"):
        open_cases(tmp_path / "cases.json")
    with pytest.raises(CaseFileRefused, match="is no file"):
        open_cases(tmp_path)
    (tmp_path / "bad.json").write_bytes(b"{")
    with pytest.raises(CaseFileRefused, match=r"bad\.json: it is no JSON"):
        open_cases(tmp_path / "bad.json")


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=5)
    | st.just("2026-03-04T08:00:00Z"),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from((*CASE_KEYS, *TAP_KEYS, "x\ud800")), inner, max_size=4)
    ),
    max_leaves=12,
)


@given(st.lists(JSON, max_size=3))
@settings(max_examples=40, deadline=None)
def test_whatever_stands_in_a_file_is_read_or_told(entries: list[object]) -> None:
    for raw in (json.dumps({"cases": entries}), json.dumps({"cases": [{"id": "a", "taps": entries}]})):
        try:
            cases = read_cases(raw.encode())
        except CaseFileRefused as refused:
            told = [str(refused)]
        else:
            told = [fault for case in cases for fault in case.faults]
        for sentence in told:
            assert " Do: " in sentence
            sentence.encode()
