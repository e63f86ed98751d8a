from __future__ import annotations

import json
import pickle
from dataclasses import dataclass, field, replace

import pytest

from fare.core.errors import MalformedDocument
from fare.core.tariff.document import from_document, to_document
from fare.core.tariff.model import (
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    DurationLimitType,
    LegRule,
    ProductPrice,
    Selection,
    Service,
    TapOff,
    Tariff,
    Timeframe,
    TransferRule,
    TransferType,
    TransferWindow,
    flat_tariff,
)
from fare.core.tariff.plain import as_map, from_map

FULL = Tariff(
    version=3,
    name="Test",
    currency="CAD",
    exponent=2,
    zone_name="America/Toronto",
    products=(ProductPrice("p", "P", 500), ProductPrice("p", "P", 0, "senior", "card")),
    leg_rules=(LegRule("g", "p", from_area_id="a"),),
    transfer_rules=(
        TransferRule("g", "g", TransferType.TRANSFER_ONLY, count=-1, limit_type=DurationLimitType(3)),
    ),
    timeframes={"peak": (Timeframe(0, 3_600, "s", Boundary.INCLUSIVE),)},
    services={"s": Service((True,) * 7, 5, 9, added=frozenset({12, 11}))},
    lines={5: "line-5"},
    windows=(
        TransferWindow(
            "w",
            "W",
            None,
            Boundary.EXCLUSIVE,
            Selection(weekdays=frozenset({6, 0})),
            opened_by=Selection(networks=frozenset({"rail"})),
        ),
    ),
    caps=(Cap("c", "C", CapPeriod.WEEK, (CapLevel(900),)),),
    tap_off=TapOff(cancel_within_s=-1),
)


def test_a_tariff_comes_back_from_its_document_as_it_was() -> None:
    document = to_document(FULL)
    assert from_document(document) == FULL
    assert document == FULL.to_document()
    assert document["windows"][0]["covers"] == {"weekdays": [0, 6]}, "sets are sorted"
    assert "caps" not in to_document(flat_tariff(1, "Flat", {})), "defaults are left out"
    through_json = json.loads(json.dumps({**document, "lines": {}}))
    assert from_document(through_json) == replace(FULL, lines={})


def test_a_document_that_is_none_names_the_field() -> None:
    good = to_document(FULL)
    cases = {
        "tariff: not a map": [],
        "only format 1": {**good, "format": 2},
        "tariff: unknown or missing: surprise": {**good, "surprise": 1},
        "unknown or missing: currency": {key: one for key, one in good.items() if key != "currency"},
        "tariff: exponent: int expected": {**good, "exponent": True},
        "tariff: calendar: 'lunar' is not known": {**good, "calendar": "lunar"},
        "tariff: caps: a list expected": {**good, "caps": "none"},
        "tariff: tap_off: a map expected": {**good, "tap_off": 5},
        "tariff: media: a map expected": {**good, "media": []},
    }
    for sentence, document in cases.items():
        with pytest.raises(MalformedDocument) as caught:
            from_document(document)
        assert sentence in str(caught.value)


@dataclass(frozen=True, slots=True)
class Node:
    name: str
    inner: Node | None = None
    numbers: tuple[int, ...] = field(default=())


def test_a_record_may_hold_itself() -> None:
    node = Node("a", Node("b", numbers=(1, 2)))
    assert as_map(node) == {"name": "a", "inner": {"name": "b", "numbers": [1, 2]}}
    assert from_map(Node, as_map(node), "node") == node


def test_what_is_derived_from_a_tariff_is_made_once_and_is_no_part_of_it() -> None:
    tariff = replace(FULL)
    made: list[Tariff] = []

    def index(of: Tariff) -> list[Tariff]:
        made.append(of)
        return made

    assert tariff.derive(index) is tariff.derive(index) is made
    assert made == [tariff]
    assert tariff == FULL
    assert replace(tariff).derived == {}
    copied = pickle.loads(pickle.dumps(tariff))
    assert copied == tariff
    assert copied.derived == {}
