"""What the page says, in Persian and English: sentences from the text files, amounts by `fare.core.money`.

It holds no sentence of its own; a reason without one in both languages fails a test.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final, TypedDict
from zoneinfo import ZoneInfo

from fare.core.bundle import Bundle
from fare.core.calendar import jalali_numeric
from fare.core.decision import Reason
from fare.core.inspection import Inspected
from fare.core.money import Locale, amount_in_words, format_amount, number_in_words, persian_digits
from fare.core.tariff.context import Rule
from readers.shown import Lamp, Shown

LOCALES: Final[tuple[Locale, ...]] = ("fa", "en")


class Figure(TypedDict):
    """One figure beside the lamp: name, digits, and the same in words."""

    name: str
    value: str
    words: str


class ShownText(TypedDict):
    """An answer in one language."""

    lamp: str
    reason: str
    title: str
    sentence: str
    note: str
    figures: list[Figure]
    inspected: bool


@cache
def texts(locale: Locale) -> Mapping[str, Any]:
    """The text file of one language."""
    document: dict[str, Any] = json.loads(text_file(locale))
    return document


def text_file(locale: Locale) -> bytes:
    """Its bytes, as served to the page."""
    return files("readers.web").joinpath("texts", f"{locale}.json").read_bytes()


def locale_of(text: str | None) -> Locale:
    """The language asked for; Persian unless English was."""
    return "en" if text == "en" else "fa"


def shown_text(shown: Shown, locale: Locale) -> ShownText:
    """The answer as a rider reads it."""
    said = texts(locale)
    if shown.inspected is not None:
        return _inspection_text(shown, shown.inspected, said, locale)
    figures: list[Figure] = []
    if shown.lamp is Lamp.GREEN:
        figures.append(_amount(said["fare"], shown.fare_rial, locale))
    if shown.balance_rial is not None:
        figures.append(_amount(said["balance"], shown.balance_rial, locale))
    if shown.rides_left is not None:
        figures.append(_count(said["rides_left"], shown.rides_left, locale))
    if shown.pax > 1:
        figures.append(_count(said["passengers"], shown.pax, locale))
    return ShownText(
        lamp=shown.lamp,
        reason=shown.reason,
        title=said["goodbye" if shown.reason == Reason.ALIGHTED else shown.lamp],
        sentence=said["reasons"][shown.reason],
        note=_note(shown, said),
        figures=figures,
        inspected=False,
    )


def tariff_text(bundle: Bundle, at_s: int, locale: Locale) -> str:
    """Which tariff is in force, and when the next one begins: date and time of the city's clocks."""
    said, now, coming = texts(locale), bundle.tariff_at(at_s), bundle.next_tariff(at_s)
    if coming is None:
        return _localised(said["tariff_now"].format(n=now.version), locale)
    starts = datetime.fromtimestamp(coming[0], ZoneInfo(bundle.zone))
    day = jalali_numeric(starts.date()) if locale == "fa" else starts.date().isoformat()
    at = f"{day} {starts:%H:%M}"
    return _localised(said["tariff_next"].format(n=now.version, next=coming[1].version, at=at), locale)


def _localised(text: str, locale: Locale) -> str:
    return persian_digits(text) if locale == "fa" else text


def _inspection_text(shown: Shown, answer: Inspected, said: Mapping[str, Any], locale: Locale) -> ShownText:
    """The answer as an inspector reads it. No fare and no balance: that is the rider's affair."""
    figures: list[Figure] = []
    if shown.minutes_left is not None:
        figures.append(_count(said["minutes_left"], shown.minutes_left, locale))
    if shown.pax > 1:
        figures.append(_count(said["people_paid"], shown.pax, locale))
    return ShownText(
        lamp=shown.lamp,
        reason=shown.reason,
        title=said[answer],
        sentence=said["reasons"][shown.reason],
        note=said["blocked_by_now"] if shown.denied else "",
        figures=figures,
        inspected=True,
    )


def _note(shown: Shown, said: Mapping[str, Any]) -> str:
    """What the rider may wonder about: why nothing, or less, or more than the usual fare was taken."""
    if shown.recovered:
        return said["recovered"]
    if shown.on_pass and shown.rule is not Rule.MULTI_RIDE:
        return said["on_pass"]
    return said["rules"].get(shown.rule, "")


def _amount(name: str, amount_rial: int, locale: Locale) -> Figure:
    # Riders say toman; the rial of the ledger is ten times that.
    return Figure(
        name=name,
        value=format_amount(amount_rial, unit="toman", locale=locale),
        words=amount_in_words(amount_rial, "toman", locale),
    )


def _count(name: str, count: int, locale: Locale) -> Figure:
    return Figure(name=name, value=_localised(str(count), locale), words=number_in_words(count, locale))
