"""A clerk who hides terms of a tariff from the second person: what is not read out is allowed unseen."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from fare.core.errors import OperatorError
from fare.core.tariff.loading import load_tariff
from fare.core.tariff.model import (
    Concession,
    Direction,
    FareProduct,
    FreeDays,
    ProductPrice,
    RiderCategory,
    Rounding,
    Selection,
    Service,
    Tariff,
    flat_tariff,
)
from fare.core.tariff.sentences import Topic, abridged, sentences
from fare.tariffs.publication.cli import _instant

FLAT = flat_tariff(1, "flat", {0: FareProduct("single", "Single", 35_000)})


def differ(tariff: Tariff, other: Tariff) -> bool:
    """Whether anybody who reads both can tell them apart, in each language."""
    return all(
        [each.text for each in sentences(tariff, locale)] != [each.text for each in sentences(other, locale)]
        for locale in ("fa", "en")
    )


def test_free_days_that_name_neither_dates_nor_a_service_are_told() -> None:
    everyday = Selection(weekdays=frozenset(range(7)))
    for covers in (everyday, Selection()):
        free = replace(FLAT, free_days=(FreeDays("Public holidays", covers=covers),))
        assert differ(FLAT, free)


def test_a_service_is_told_with_the_days_that_it_has() -> None:
    """Every ride of 30 years on "holidays" that are every day."""
    holidays = replace(
        FLAT,
        free_days=(FreeDays("Holidays", service_id="holidays"),),
        services={"holidays": Service(added=frozenset({739_700, 739_900}))},
    )
    always = replace(holidays, services={"holidays": Service((True,) * 7, 739_000, 750_000)})
    assert differ(holidays, always)
    [told] = [each.text for each in sentences(always, "en") if each.topic is Topic.FREE_DAYS]
    assert "(11,001 days from " in told
    # Of every day from the year 1 to 9999 nobody counts each.
    ever = Service((True,) * 7, 1, 3_652_059, frozenset({7}), frozenset({8, 9}))
    [told] = [
        each.text
        for each in sentences(replace(holidays, services={"holidays": ever}), "en")
        if each.topic is Topic.FREE_DAYS
    ]
    assert "(3,652,057 days from " in told


def test_rounding_that_makes_a_fare_nothing_is_told() -> None:
    half = Concession("half", "Half fare", Selection(), percent=99)
    fair = replace(FLAT, concessions=(half,))
    free = replace(fair, concessions=(replace(half, rounding=Rounding(1_000_000, Direction.DOWN)),))
    assert differ(fair, free)


def test_whom_the_numbers_on_cards_mean_is_told() -> None:
    """The fares stay as they were; every card in the city becomes a student's."""
    adult, student = RiderCategory("adult", "Adult", 0, True), RiderCategory("student", "Student", 1)
    products = (
        ProductPrice("single", "Single", 35_000, "adult"),
        ProductPrice("single", "Single", 1, "student"),
    )
    fair = replace(FLAT, products=products, rider_categories=(adult, student))
    moved = replace(fair, rider_categories=(replace(adult, number=1), replace(student, number=0)))
    assert differ(fair, moved)


def test_a_thousand_fares_push_nothing_else_out_of_sight() -> None:
    many = tuple(ProductPrice("single", "Single", 35_000 + n, f"c{n}") for n in range(1_600))
    padded = replace(FLAT, products=many, concessions=(Concession("x", "Club", Selection(), percent=1),))
    for most in (200, 1_500):
        told = abridged(padded, "en", "rial", most)
        fares = [each.text for each in told if each.topic is Topic.FARES]
        assert len(fares) == most
        assert fares[-1].startswith(f"{1_600 - most + 1:,} more rules are not told here")
        assert "Club: 1% of the fare is paid." in [each.text for each in told]


@pytest.mark.parametrize(
    "name", ["Single\u202e000,53", "Single\n  - Free.", "\x1b[1ASingle", "Sin\u200bgle", "\u2069x"]
)
def test_a_name_that_turns_what_stands_beside_it_is_refused(name: str) -> None:
    """On a page it moves the digits of an amount, in a terminal it writes over the line above."""
    products = f'fare_product_id,fare_product_name,amount,currency\nsingle,"{name}",35000,IRR\n'
    rules = b"leg_group_id,fare_product_id\nbus,single\n"
    found = load_tariff({"fare_products.txt": products.encode(), "fare_leg_rules.txt": rules})
    assert [(fault.file, fault.row) for fault in found.faults] == [("fare_products.txt", 2)]
    assert "nobody sees" in found.faults[0].problem
    assert name not in str(found.faults[0])
    toml = f"[tariff]\nname = {json.dumps(name)}\n".encode()
    plain = products.replace(name, "بلیت\u200cها").encode()
    found = load_tariff({"fare_products.txt": plain, "fare_leg_rules.txt": rules, "mancard.toml": toml})
    assert [fault.file for fault in found.faults] == ["mancard.toml"]


@pytest.mark.parametrize(
    "at", ["0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "2027-03-21T00:00:00"]
)
def test_a_start_that_is_no_instant_is_refused_in_a_sentence(at: str) -> None:
    with pytest.raises(OperatorError, match="names no instant"):
        _instant(at)
