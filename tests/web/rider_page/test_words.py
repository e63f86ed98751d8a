from __future__ import annotations

import json
import re
from datetime import date, timedelta
from string import Formatter

import jdatetime
import pytest

from fare.core.money import Locale, format_amount
from fare.issuing.gateway import MAX_TOP_UP_RIAL, MIN_TOP_UP_RIAL
from fare.web.rider.refusals import RiderError
from fare.web.rider.shell import FOLDER
from tests.web.rider_page.phone import Phone

LANGUAGES: tuple[Locale, ...] = ("fa", "en", "azb", "ckb")
CATALOGUES = {
    each: json.loads((FOLDER / "texts" / f"{each}.json").read_text(encoding="utf-8")) for each in LANGUAGES
}
SCRIPTS = {
    path.relative_to(FOLDER / "static"): path.read_text(encoding="utf-8")
    for path in (FOLDER / "static").rglob("*.js")
}


def placeholders(text: str) -> list[str]:
    return sorted(name for _, name, _, _ in Formatter().parse(text) if name)


def test_every_language_says_everything_with_the_same_placeholders() -> None:
    for language in LANGUAGES:
        texts = CATALOGUES[language]
        assert list(texts) == list(CATALOGUES["fa"]), language
        for key, text in texts.items():
            if key == "_language":
                continue
            assert text.strip() == text != "", (language, key)
            assert placeholders(text) == placeholders(CATALOGUES["fa"][key]), (language, key)
            assert text.count("|") == CATALOGUES["fa"][key].count("|"), (language, key)


def test_what_nobody_has_reviewed_says_so() -> None:
    about = {language: CATALOGUES[language]["_language"] for language in LANGUAGES}
    assert {language for language, each in about.items() if each["reviewed"]} == {"fa", "en"}
    assert {language: each["babel"] for language, each in about.items()} == {
        "fa": "fa", "en": "en", "azb": "az_Arab", "ckb": "ckb"
    }  # fmt: skip
    assert [language for language in LANGUAGES if about[language]["dir"] == "ltr"] == ["en"]
    for language in ("azb", "ckb"):
        assert "ترجمه بازبینی نشده" in CATALOGUES[language]["language.unreviewed"]


def test_every_refusal_of_the_ledger_has_a_sentence() -> None:
    assert {f"error.{code}" for code in RiderError} <= set(CATALOGUES["fa"])


def test_every_text_is_asked_for_and_every_text_asked_for_is_there() -> None:
    source = "\n".join(SCRIPTS.values())
    keys = set(CATALOGUES["fa"]) - {"_language"}
    asked = set(re.findall(r"""\bt\(\s*"([a-z_.]+)"\s*[,)]""", source))
    assert asked <= keys
    composed = {f"{purpose}.{part}" for purpose in ("enrol", "lost") for part in ("title", "lead")}
    left_over = {key for key in keys - asked - composed if f'"{key}"' not in source}
    assert {key for key in left_over if not key.startswith("error.")} == set()
    known = {f"error.{code}" for code in RiderError} | {"error.unexpected", "error.offline", "error.no_room"}
    assert {key for key in left_over if key.startswith("error.")} <= known


def test_the_letters_are_those_of_the_language() -> None:
    # Arabic yeh and kaf look alike in some fonts and break search.
    for language in ("fa", "azb"):
        assert not any(letter in text for text in map(str, CATALOGUES[language].values()) for letter in "يك")
    assert "ڵ" in str(CATALOGUES["ckb"])
    assert "ؤ" in str(CATALOGUES["azb"])


def test_the_amounts_that_the_page_offers_are_those_that_the_ledger_takes() -> None:
    for language in LANGUAGES:
        hint = CATALOGUES[language]["topup.own_hint"] + CATALOGUES[language]["error.amount_out_of_range"]
        for limit in (MIN_TOP_UP_RIAL, MAX_TOP_UP_RIAL):
            assert hint.count(format_amount(limit, unit="toman", locale=language).split(" ")[0]) == 2, (
                language
            )
    offered = re.search(r"AMOUNTS_RIAL = \[([\d_, ]+)\]", "\n".join(SCRIPTS.values()))
    assert offered is not None
    assert all(MIN_TOP_UP_RIAL <= int(each) <= MAX_TOP_UP_RIAL for each in offered[1].split(","))


def test_amounts_digits_and_days_read_as_in_the_rest_of_the_product(phone: Phone) -> None:
    phone.open()
    amounts = [0, 7, 10, 1_505, 35_000, 12_345_678, 1_000_000_000_000]
    written = phone.page.evaluate(
        """async ([languages, amounts]) => {
          const words = await import("/rider/static/words.js");
          const all = {};
          for (const language of languages) {
            await words.choose(language);
            all[language] = amounts.map(words.toman);
          }
          return all;
        }""",
        [list(LANGUAGES), amounts],
    )
    for language in LANGUAGES:
        expected = [format_amount(each, unit="toman", locale=language) for each in amounts]
        assert written[language] == expected
    typed = 'import("/rider/static/words.js").then((words) => words.asciiDigits("۰۱۲۳۴۵۶۷۸۹ ٠١٢٣٤٥٦٧٨٩ 09a"))'
    assert phone.page.evaluate(typed) == "0123456789 0123456789 09a"


@pytest.mark.parametrize("how", ["the browser's calendar", "counting"])
def test_days_are_those_of_the_persian_calendar(phone: Phone, how: str) -> None:
    phone.open()
    days = [date(2016, 3, 20) + timedelta(days=step) for step in range(0, 30_000, 173)]
    days += [date(year, 3, day) for year in range(2017, 2090) for day in (19, 20, 21, 22)]
    found = phone.page.evaluate(
        """async ([days, counting]) => {
          const { jalali, jalaliByCounting } = await import("/rider/static/words.js");
          return days.map(([year, month, date]) => {
            const at = new Date(year, month - 1, date, 12);
            const { year: y, month: m, date: d } = counting ? jalaliByCounting(at) : jalali(at);
            return [y, m, d];
          });
        }""",
        [[[day.year, day.month, day.day] for day in days], how == "counting"],
    )
    expected = [jdatetime.date.fromgregorian(date=day) for day in days]
    assert found == [[day.year, day.month, day.day] for day in expected]
