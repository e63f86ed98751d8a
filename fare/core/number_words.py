"""Numbers as they are spoken, in the four languages of riders. Data and one rule; it knows no money.

fa   Persian               twenty and one thousand and five
en   English               twenty-one thousand five
azb  South Azerbaijani     twenty one thousand five       in Arabic script; not reviewed by a speaker yet
ckb  Central Kurdish       twenty and one thousand and five       not reviewed by a speaker yet
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

Locale = Literal["fa", "en", "azb", "ckb"]
WORDS_MAX: Final = 10**15
"""Largest number that `number_in_words` says."""


@dataclass(frozen=True, slots=True)
class _Language:
    """Words by the digit, ten's digit, hundred's digit, or group of three; unused places are empty.

    `joint` stands between all parts but tens and ones, which have `ones_joint`. `bare_thousand`: one thousand
    is said without its one.
    """

    under_20: tuple[str, ...]
    tens: tuple[str, ...]
    hundreds: tuple[str, ...]
    scales: tuple[str, ...]
    joint: str
    ones_joint: str
    bare_thousand: bool


# fmt: off
_FA: Final = _Language(
    (
        "صفر", "یک", "دو", "سه", "چهار", "پنج", "شش", "هفت", "هشت", "نه", "ده", "یازده", "دوازده", "سیزده",
        "چهارده", "پانزده", "شانزده", "هفده", "هجده", "نوزده",
    ),
    ("", "", "بیست", "سی", "چهل", "پنجاه", "شصت", "هفتاد", "هشتاد", "نود"),
    ("", "صد", "دویست", "سیصد", "چهارصد", "پانصد", "ششصد", "هفتصد", "هشتصد", "نهصد"),
    ("", "هزار", "میلیون", "میلیارد", "تریلیون", "کوادریلیون"),
    joint=" و ", ones_joint=" و ", bare_thousand=True,
)
_EN: Final = _Language(
    (
        "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
        "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
    ),
    ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety"),
    (
        "", "one hundred", "two hundred", "three hundred", "four hundred", "five hundred", "six hundred",
        "seven hundred", "eight hundred", "nine hundred",
    ),
    ("", "thousand", "million", "billion", "trillion", "quadrillion"),
    joint=" ", ones_joint="-", bare_thousand=False,
)
# Unreviewed: written from grammars, still to be read by somebody who speaks it.
_AZB: Final = _Language(
    (
        "صیفیر", "بیر", "ایکی", "اۆچ", "دؤرد", "بئش", "آلتی", "یئددی", "سککیز", "دوققوز", "اون", "اون بیر",
        "اون ایکی", "اون اۆچ", "اون دؤرد", "اون بئش", "اون آلتی", "اون یئددی", "اون سککیز", "اون دوققوز",
    ),
    ("", "", "اییرمی", "اوتوز", "قیرخ", "اللی", "آلتمیش", "یئتمیش", "سکسن", "دوخسان"),
    (
        "", "یۆز", "ایکی یۆز", "اۆچ یۆز", "دؤرد یۆز", "بئش یۆز", "آلتی یۆز", "یئددی یۆز", "سککیز یۆز",
        "دوققوز یۆز",
    ),
    ("", "مین", "میلیون", "میلیارد", "تریلیون", "کوادریلیون"),
    joint=" ", ones_joint=" ", bare_thousand=True,
)
# Unreviewed: written from grammars, still to be read by somebody who speaks it.
_CKB: Final = _Language(
    (
        "سفر", "یەک", "دوو", "سێ", "چوار", "پێنج", "شەش", "حەوت", "هەشت", "نۆ", "دە", "یازدە", "دوازدە",
        "سێزدە", "چواردە", "پازدە", "شازدە", "حەڤدە", "هەژدە", "نۆزدە",
    ),
    ("", "", "بیست", "سی", "چل", "پەنجا", "شەست", "حەفتا", "هەشتا", "نەوەد"),
    ("", "سەد", "دووسەد", "سێسەد", "چوارسەد", "پێنجسەد", "شەشسەد", "حەوتسەد", "هەشتسەد", "نۆسەد"),
    ("", "هەزار", "ملیۆن", "ملیار", "تریلیۆن", "کوادریلیۆن"),
    joint=" و ", ones_joint=" و ", bare_thousand=True,
)
# fmt: on
_LANGUAGES: Final[Mapping[Locale, _Language]] = {"fa": _FA, "en": _EN, "azb": _AZB, "ckb": _CKB}


def number_in_words(number: int, locale: Locale) -> str:
    """A whole number from 0 to `WORDS_MAX` in words; `ValueError` outside. A bare thousand is «هزار»."""
    if not 0 <= number <= WORDS_MAX:
        raise ValueError(f"only numbers from 0 to {WORDS_MAX} are written in words")
    language = _LANGUAGES[locale]
    if number == 0:
        return language.under_20[0]
    groups: list[str] = []
    scale = 0
    while number:
        number, group = divmod(number, 1000)
        if group:
            groups.append(_group(group, scale, language))
        scale += 1
    return language.joint.join(reversed(groups))


def _group(group: int, scale: int, language: _Language) -> str:
    if scale == 1 and group == 1 and language.bare_thousand:
        return language.scales[1]
    hundreds, rest = divmod(group, 100)
    parts: list[str] = []
    if hundreds:
        parts.append(language.hundreds[hundreds])
    if rest >= len(language.under_20):
        tens, ones = divmod(rest, 10)
        parts.append(
            language.tens[tens] + (f"{language.ones_joint}{language.under_20[ones]}" if ones else "")
        )
    elif rest:
        parts.append(language.under_20[rest])
    return language.joint.join(parts) + (f" {language.scales[scale]}" if scale else "")
