"""Every reason has a sentence a rider can act on, in both languages."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fare.core.bundle import Bundle
from fare.core.decision import Reason
from fare.core.inspection import Inspected, InspectionReason
from fare.core.money import Locale
from fare.core.proof.refusal import TicketRefusal
from fare.core.tap import BundleVersion
from fare.core.tariff.context import Rule
from fare.core.tariff.model import flat_tariff
from readers.shown import Lamp, Shown, ShownMedium
from readers.web.controls import ProblemKind
from readers.web.words import LOCALES, shown_text, tariff_text, texts

REASONS = sorted({*map(str, Reason), *map(str, TicketRefusal), *map(str, InspectionReason)})


@pytest.mark.parametrize("locale", LOCALES)
def test_every_reason_has_its_sentence(locale: Locale) -> None:
    sentences = texts(locale)["reasons"]
    assert sorted(sentences) == REASONS
    assert all(sentence.endswith(".") and len(sentence) > 15 for sentence in sentences.values())


@pytest.mark.parametrize("locale", LOCALES)
def test_every_kind_of_problem_has_its_sentence(locale: Locale) -> None:
    sentences = texts(locale)["problems"]
    assert sorted(sentences) == sorted(ProblemKind)
    assert all(sentence.endswith(".") and len(sentence) > 15 for sentence in sentences.values())


def test_both_languages_say_the_same_things() -> None:
    persian, english = texts("fa"), texts("en")
    assert sorted(persian) == sorted(english)
    assert all(value for value in (*persian.values(), *english.values()))


def test_a_green_answer_names_fare_and_balance_and_a_red_one_no_fare() -> None:
    green = Shown(Lamp.GREEN, "ok", ShownMedium.CARD, 0, fare_rial=50_000, balance_rial=-10_005)
    assert [figure["value"] for figure in shown_text(green, "en")["figures"]] == [
        "5,000 toman",
        "-1,000.5 toman",
    ]
    red = Shown(Lamp.RED, "insufficient_balance", ShownMedium.CARD, 0, balance_rial=0)
    assert [figure["name"] for figure in shown_text(red, "en")["figures"]] == ["Card balance"]


@pytest.mark.parametrize("locale", LOCALES)
def test_a_rider_is_told_why_the_fare_is_not_the_usual_one(locale: Locale) -> None:
    said = texts(locale)
    assert {*said["rules"]} <= {*map(str, Rule)}
    assert sorted(said["rules"]) == sorted(texts("en")["rules"])
    free = Shown(Lamp.GREEN, "ok", ShownMedium.CARD, 0, rule=Rule.WINDOW)
    assert shown_text(free, locale)["note"] == said["rules"]["window"]
    assert shown_text(replace(free, rule=Rule.FARE), locale)["note"] == ""
    counted = replace(free, rule=Rule.MULTI_RIDE, on_pass=True)
    assert shown_text(counted, locale)["note"] == said["rules"]["multi_ride"]
    left = shown_text(replace(free, reason="alighted"), locale)
    assert (left["title"], left["sentence"]) == (said["goodbye"], said["reasons"]["alighted"])


def test_the_tariff_and_its_next_change_are_told_in_the_citys_time() -> None:
    now, coming = flat_tariff(3, "now", {}), flat_tariff(4, "next", {})
    starts_s = 1_805_574_600  # 2027-03-21 00:00 in Tehran
    bundle = Bundle(
        BundleVersion(bytes(8), 1),
        0,
        "urmia",
        "Asia/Tehran",
        0,
        1,
        ((0, now), (starts_s, coming)),
        {},
        {},
        {},
    )
    assert tariff_text(bundle, starts_s - 1, "en") == "Version 3; version 4 from 2027-03-21 00:00"
    assert tariff_text(bundle, starts_s - 1, "fa") == "نسخهٔ ۳؛ نسخهٔ ۴ از ۱۴۰۶/۰۱/۰۱ ۰۰:۰۰"
    assert tariff_text(bundle, starts_s, "en") == "Version 4"


def test_a_recovered_tap_says_that_nothing_was_taken_twice() -> None:
    shown = Shown(Lamp.GREEN, "ok", ShownMedium.CARD, 0, recovered=True)
    assert "not taken again" in shown_text(shown, "en")["note"]


@pytest.mark.parametrize("locale", LOCALES)
def test_an_inspector_is_told_paid_or_not_and_no_amount(locale: Locale) -> None:
    said = texts(locale)
    for answer, lamp in ((Inspected.PAID, Lamp.GREEN), (Inspected.CANNOT_TELL, Lamp.AMBER)):
        shown = Shown(
            lamp, "ride_here", ShownMedium.CARD, 0, pax=2, inspected=answer, minutes_left=45, denied=True
        )
        told = shown_text(shown, locale)
        assert (told["title"], told["note"]) == (said[answer], said["blocked_by_now"])
        assert [figure["value"] for figure in told["figures"]] == (
            ["45", "2"] if locale == "en" else ["۴۵", "۲"]
        )
