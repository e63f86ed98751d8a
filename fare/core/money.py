"""Amounts of money as people read them: rial or toman, in four languages, in digits or in words.

Stored money is always `int` rial; everything here turns it into text at the edge and nothing here computes
with it. It never rounds: a rial that does not make a whole toman is shown.
"""

from __future__ import annotations

from typing import Final, Literal

from fare.core.number_words import WORDS_MAX, Locale, number_in_words

__all__ = [
    "RIAL_PER_TOMAN",
    "WORDS_MAX",
    "BadAmount",
    "Locale",
    "Rial",
    "Unit",
    "amount_in_words",
    "format_amount",
    "normalise_digits",
    "number_in_words",
    "parse_rial",
    "persian_digits",
]

Rial = int
Unit = Literal["rial", "toman"]

RIAL_PER_TOMAN: Final = 10

_MOST_DIGITS: Final = 18
"""More than any amount has, and few enough that nobody makes us count for long."""
_PERSIAN_DIGITS: Final = "۰۱۲۳۴۵۶۷۸۹"
_ARABIC_INDIC_DIGITS: Final = "٠١٢٣٤٥٦٧٨٩"
_TO_ASCII: Final = str.maketrans(_PERSIAN_DIGITS + _ARABIC_INDIC_DIGITS, "0123456789" * 2)
_TO_PERSIAN: Final = str.maketrans("0123456789,.", _PERSIAN_DIGITS + "٬٫")
# The left-to-right mark keeps the sign before the digits in right-to-left text, as in CLDR's Persian.
_RTL_MINUS: Final = "\u200e\u2212"
_MINUS: Final[dict[Locale, str]] = {"fa": _RTL_MINUS, "en": "-", "azb": _RTL_MINUS, "ckb": _RTL_MINUS}
# Not reviewed by speakers yet, here and below: azb and ckb.
_UNIT_WORDS: Final[dict[Locale, dict[Unit, str]]] = {
    "fa": {"rial": "ریال", "toman": "تومان"},
    "en": {"rial": "rial", "toman": "toman"},
    "azb": {"rial": "ریال", "toman": "تومن"},
    "ckb": {"rial": "ڕیاڵ", "toman": "تمەن"},
}
_NEGATIVE: Final[dict[Locale, str]] = {"fa": "منفی", "en": "minus", "azb": "منفی", "ckb": "سالب"}
_AND: Final[dict[Locale, str]] = {"fa": " و ", "en": " and ", "azb": " و ", "ckb": " و "}


class BadAmount(ValueError):
    """The text is no amount; the message is one sentence that can be shown to a person."""


def format_amount(amount_rial: Rial, *, unit: Unit, locale: Locale) -> str:
    """Digits with thousands separators and the unit's word: 1505 rial in toman is «۱۵۰٫۵ تومان»."""
    sign = _MINUS[locale] if amount_rial < 0 else ""
    whole, tenths = _split(abs(amount_rial), unit)
    digits = f"{whole:,}" + (f".{tenths}" if tenths else "")
    if locale != "en":  # what Urmia's Turkish and Kurdish write as well
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
    negative = f"{_NEGATIVE[locale]} " if amount_rial < 0 else ""
    return negative + _AND[locale].join(parts)


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
