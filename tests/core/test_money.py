from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fare.core.money import (
    WORDS_MAX,
    Locale,
    Unit,
    amount_in_words,
    format_amount,
    normalise_digits,
    number_in_words,
    persian_digits,
)


@pytest.mark.parametrize(
    ("rial", "unit", "locale", "text"),
    [
        (0, "rial", "fa", "۰ ریال"),
        (1505, "rial", "fa", "۱٬۵۰۵ ریال"),
        (1505, "toman", "fa", "۱۵۰٫۵ تومان"),
        (12_345_670, "toman", "fa", "۱٬۲۳۴٬۵۶۷ تومان"),
        (5, "toman", "fa", "۰٫۵ تومان"),
        (-1500, "toman", "fa", "\u200e\u2212۱۵۰ تومان"),
        (-5, "toman", "en", "-0.5 toman"),
        (1505, "rial", "en", "1,505 rial"),
        (1505, "toman", "en", "150.5 toman"),
        (10_000, "toman", "en", "1,000 toman"),
    ],
)
def test_digits(rial: int, unit: Unit, locale: Locale, text: str) -> None:
    assert format_amount(rial, unit=unit, locale=locale) == text


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "صفر"),
        (7, "هفت"),
        (10, "ده"),
        (11, "یازده"),
        (15, "پانزده"),
        (16, "شانزده"),
        (18, "هجده"),
        (19, "نوزده"),
        (20, "بیست"),
        (21, "بیست و یک"),
        (30, "سی"),
        (99, "نود و نه"),
        (100, "صد"),
        (101, "صد و یک"),
        (212, "دویست و دوازده"),
        (345, "سیصد و چهل و پنج"),
        (500, "پانصد"),
        (666, "ششصد و شصت و شش"),
        (1000, "هزار"),
        (1001, "هزار و یک"),
        (1500, "هزار و پانصد"),
        (2000, "دو هزار"),
        (21_000, "بیست و یک هزار"),
        (100_000, "صد هزار"),
        (101_000, "صد و یک هزار"),
        (1_000_000, "یک میلیون"),
        (1_001_000, "یک میلیون و هزار"),
        (1_234_567, "یک میلیون و دویست و سی و چهار هزار و پانصد و شصت و هفت"),
        (1_000_000_000, "یک میلیارد"),
        (10**12, "یک تریلیون"),
        (999_000_000_000_999, "نهصد و نود و نه تریلیون و نهصد و نود و نه"),
        (10**15, "یک کوادریلیون"),
    ],
)
def test_persian_numbers(number: int, words: str) -> None:
    assert number_in_words(number, "fa") == words


@pytest.mark.parametrize(
    ("number", "words"),
    [
        (0, "zero"),
        (13, "thirteen"),
        (40, "forty"),
        (42, "forty-two"),
        (100, "one hundred"),
        (115, "one hundred fifteen"),
        (1_000, "one thousand"),
        (1_234_567, "one million two hundred thirty-four thousand five hundred sixty-seven"),
        (10**15, "one quadrillion"),
    ],
)
def test_english_numbers(number: int, words: str) -> None:
    assert number_in_words(number, "en") == words


@pytest.mark.parametrize(
    ("rial", "unit", "locale", "words"),
    [
        (1500, "toman", "fa", "صد و پنجاه تومان"),
        (1505, "toman", "fa", "صد و پنجاه تومان و پنج ریال"),
        (5, "toman", "fa", "پنج ریال"),
        (0, "toman", "fa", "صفر تومان"),
        (-20_000, "rial", "fa", "منفی بیست هزار ریال"),
        (1505, "toman", "en", "one hundred fifty toman and five rial"),
        (-5, "rial", "en", "minus five rial"),
    ],
)
def test_amounts_in_words(rial: int, unit: Unit, locale: Locale, words: str) -> None:
    assert amount_in_words(rial, unit, locale) == words


@pytest.mark.parametrize("number", [-1, WORDS_MAX + 1])
def test_numbers_without_words_are_refused(number: int) -> None:
    with pytest.raises(ValueError, match="in words"):
        number_in_words(number, "fa")


FA_VALUES = {
    number_in_words(n, "fa"): n for n in [*range(1, 20), *range(20, 100, 10), *range(100, 1000, 100)]
}
FA_SCALES = {"هزار": 10**3, "میلیون": 10**6, "میلیارد": 10**9, "تریلیون": 10**12, "کوادریلیون": 10**15}


def spoken_value(words: str) -> int:
    """The number that Persian words say: each scale word multiplies what was said since the last one."""
    total = group = 0
    for word in words.replace(" و ", " ").split():
        if word in FA_SCALES:
            total += (group or 1) * FA_SCALES[word]
            group = 0
        else:
            group += FA_VALUES[word]
    return total + group


LANGUAGES: tuple[Locale, ...] = ("fa", "en", "azb", "ckb")


def test_the_languages_of_urmia() -> None:
    said = {
        ("azb", 0): "صیفیر",
        ("azb", 21): "اییرمی بیر",
        ("azb", 1_235): "مین ایکی یۆز اوتوز بئش",
        ("azb", 40_000): "قیرخ مین",
        ("ckb", 0): "سفر",
        ("ckb", 21): "بیست و یەک",
        ("ckb", 1_235): "هەزار و دووسەد و سی و پێنج",
        ("ckb", 2_000_000): "دوو ملیۆن",
    }
    spoken = {(locale, number): number_in_words(number, locale) for locale, number in said}  # pyright: ignore[reportArgumentType]
    assert spoken == said
    assert amount_in_words(150_000, "toman", "azb") == "اون بئش مین تومن"
    assert amount_in_words(150_005, "toman", "ckb") == "پازدە هەزار تمەن و پێنج ڕیاڵ"
    assert amount_in_words(-20, "toman", "azb") == "منفی ایکی تومن"
    assert format_amount(1505, unit="toman", locale="ckb") == "۱۵۰٫۵ تمەن"


@given(st.lists(st.integers(0, WORDS_MAX) | st.integers(0, 3000), min_size=2, unique=True))
def test_two_numbers_are_never_said_alike(numbers: list[int]) -> None:
    for locale in LANGUAGES:
        assert len({number_in_words(number, locale) for number in numbers}) == len(numbers)


@given(st.one_of(st.integers(1, WORDS_MAX), st.integers(1, 3000)))
def test_persian_words_say_the_number(number: int) -> None:
    words = number_in_words(number, "fa")
    assert spoken_value(words) == number
    assert "  " not in words


@given(st.integers(-(10**18), 10**18), st.sampled_from(["rial", "toman"]))
def test_no_rial_is_lost_in_either_unit_or_language(rial: int, unit: Unit) -> None:
    persian = normalise_digits(format_amount(rial, unit=unit, locale="fa")).translate(
        {ord("٬"): ",", ord("٫"): "."}
    )
    english = format_amount(rial, unit=unit, locale="en")
    assert persian.split()[0].replace("\u200e\u2212", "-") == english.split()[0]
    whole, _, tenths = english.split()[0].lstrip("-").replace(",", "").partition(".")
    magnitude = int(whole) * 10 + int(tenths or 0) if unit == "toman" else int(whole)
    assert (magnitude, english.startswith("-")) == (abs(rial), rial < 0)


def test_three_kinds_of_digits_become_one() -> None:
    assert normalise_digits("۰۱۲۳۴۵۶۷۸۹ ٠١٢٣٤٥٦٧٨٩ 0123456789 الف") == "0123456789 0123456789 0123456789 الف"
    assert persian_digits("0123456789, a") == "۰۱۲۳۴۵۶۷۸۹, a"


@given(st.text())
def test_digits_round_trip_and_nothing_else_moves(text: str) -> None:
    ascii_text = normalise_digits(text)
    assert len(ascii_text) == len(text)
    assert normalise_digits(persian_digits(ascii_text)) == ascii_text
