"""Amounts of money as people read them: rial or toman, Persian or English, in digits or in words.

Stored money is always `int` rial; everything here turns it into text at the edge and nothing here computes
with it. It never rounds: a rial that does not make a whole toman is shown.
"""

from __future__ import annotations

from typing import Final, Literal

Rial = int
Unit = Literal["rial", "toman"]
Locale = Literal["fa", "en"]

RIAL_PER_TOMAN: Final = 10
WORDS_MAX: Final = 10**15
"""Largest number, either sign, that `number_in_words` says."""

_MOST_DIGITS: Final = 18
"""More than any amount has, and few enough that nobody makes us count for long."""
_PERSIAN_DIGITS: Final = "۰۱۲۳۴۵۶۷۸۹"
_ARABIC_INDIC_DIGITS: Final = "٠١٢٣٤٥٦٧٨٩"
_TO_ASCII: Final = str.maketrans(_PERSIAN_DIGITS + _ARABIC_INDIC_DIGITS, "0123456789" * 2)
_TO_PERSIAN: Final = str.maketrans("0123456789,.", _PERSIAN_DIGITS + "٬٫")
# The left-to-right mark keeps the sign before the digits in right-to-left text, as in CLDR's Persian.
_MINUS: Final[dict[Locale, str]] = {"fa": "\u200e\u2212", "en": "-"}
_UNIT_WORDS: Final[dict[Locale, dict[Unit, str]]] = {
    "fa": {"rial": "ریال", "toman": "تومان"},
    "en": {"rial": "rial", "toman": "toman"},
}

# Indexed by the digit, ten's digit, hundred's digit, or group of three; unused places are empty.
# fmt: off
_FA_UNDER_20: Final = (
    "صفر", "یک", "دو", "سه", "چهار", "پنج", "شش", "هفت", "هشت", "نه", "ده", "یازده", "دوازده", "سیزده",
    "چهارده", "پانزده", "شانزده", "هفده", "هجده", "نوزده",
)
_FA_TENS: Final = ("", "", "بیست", "سی", "چهل", "پنجاه", "شصت", "هفتاد", "هشتاد", "نود")
_FA_HUNDREDS: Final = ("", "صد", "دویست", "سیصد", "چهارصد", "پانصد", "ششصد", "هفتصد", "هشتصد", "نهصد")
_FA_SCALES: Final = ("", "هزار", "میلیون", "میلیارد", "تریلیون", "کوادریلیون")
_EN_UNDER_20: Final = (
    "zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine", "ten", "eleven",
    "twelve", "thirteen", "fourteen", "fifteen", "sixteen", "seventeen", "eighteen", "nineteen",
)
_EN_TENS: Final = ("", "", "twenty", "thirty", "forty", "fifty", "sixty", "seventy", "eighty", "ninety")
_EN_SCALES: Final = ("", "thousand", "million", "billion", "trillion", "quadrillion")
# fmt: on


class BadAmount(ValueError):
    """The text is no amount; the message is one sentence that can be shown to a person."""


def format_amount(amount_rial: Rial, *, unit: Unit, locale: Locale) -> str:
    """Digits with thousands separators and the unit's word: 1505 rial in toman is «۱۵۰٫۵ تومان»."""
    sign = _MINUS[locale] if amount_rial < 0 else ""
    whole, tenths = _split(abs(amount_rial), unit)
    digits = f"{whole:,}" + (f".{tenths}" if tenths else "")
    if locale == "fa":
        digits = digits.translate(_TO_PERSIAN)
    return f"{sign}{digits} {_UNIT_WORDS[locale][unit]}"


def amount_in_words(amount_rial: Rial, unit: Unit, locale: Locale) -> str:
    """The amount as it is spoken: 1505 rial in toman is «صد و پنجاه تومان و پنج ریال».

    `ValueError` beyond `WORDS_MAX` units.
    """
    words = _UNIT_WORDS[locale]
    whole, odd_rial = _split(abs(amount_rial), unit)
    parts: list[str] = []
    if whole or not odd_rial:
        parts.append(f"{number_in_words(whole, locale)} {words[unit]}")
    if odd_rial:
        parts.append(f"{number_in_words(odd_rial, locale)} {words['rial']}")
    negative = {"fa": "منفی ", "en": "minus "}[locale] if amount_rial < 0 else ""
    return negative + {"fa": " و ", "en": " and "}[locale].join(parts)


def number_in_words(number: int, locale: Locale) -> str:
    """A whole number from 0 to `WORDS_MAX` in words; `ValueError` outside. A bare thousand is «هزار»."""
    if not 0 <= number <= WORDS_MAX:
        raise ValueError(f"only numbers from 0 to {WORDS_MAX} are written in words")
    if number == 0:
        return {"fa": _FA_UNDER_20, "en": _EN_UNDER_20}[locale][0]
    groups: list[str] = []
    scale = 0
    while number:
        number, group = divmod(number, 1000)
        if group:
            groups.append(_fa_group(group, scale) if locale == "fa" else _en_group(group, scale))
        scale += 1
    return {"fa": " و ", "en": " "}[locale].join(reversed(groups))


def normalise_digits(text: str) -> str:
    """Persian and Arabic-Indic digits become ASCII; every other character stays as it is."""
    return text.translate(_TO_ASCII)


def parse_rial(text: str) -> Rial:
    """A whole amount as people type it, in any digits, with or without separators. Raises `BadAmount`."""
    digits = normalise_digits(text).strip().replace(",", "").replace("٬", "")
    if not digits.isascii() or not digits.isdigit() or len(digits) > _MOST_DIGITS:
        raise BadAmount("The amount is a whole number of rial: type its digits only.")
    return int(digits)


def persian_digits(text: str) -> str:
    """ASCII digits become Persian; every other character stays as it is."""
    return text.translate({ord(str(digit)): shape for digit, shape in enumerate(_PERSIAN_DIGITS)})


def _split(magnitude_rial: int, unit: Unit) -> tuple[int, int]:
    """Whole units, and the rials that make none."""
    return divmod(magnitude_rial, RIAL_PER_TOMAN) if unit == "toman" else (magnitude_rial, 0)


def _fa_group(group: int, scale: int) -> str:
    if scale == 1 and group == 1:
        return _FA_SCALES[1]
    hundreds, rest = divmod(group, 100)
    parts: list[str] = []
    if hundreds:
        parts.append(_FA_HUNDREDS[hundreds])
    if rest >= 20:
        parts.append(_FA_TENS[rest // 10])
        rest %= 10
    if rest:
        parts.append(_FA_UNDER_20[rest])
    return " و ".join(parts) + (f" {_FA_SCALES[scale]}" if scale else "")


def _en_group(group: int, scale: int) -> str:
    hundreds, rest = divmod(group, 100)
    parts: list[str] = []
    if hundreds:
        parts.append(f"{_EN_UNDER_20[hundreds]} hundred")
    if rest >= 20:
        tens, ones = divmod(rest, 10)
        parts.append(_EN_TENS[tens] + (f"-{_EN_UNDER_20[ones]}" if ones else ""))
    elif rest:
        parts.append(_EN_UNDER_20[rest])
    return " ".join(parts) + (f" {_EN_SCALES[scale]}" if scale else "")
