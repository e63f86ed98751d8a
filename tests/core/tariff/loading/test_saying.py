"""Everything that can be wrong with a tariff is said in Persian too, with the same parts."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import fare
from fare.core.signed import canonical, decode_canonical
from fare.core.tariff.loading import TariffFault
from fare.core.tariff.loading.saying import Said, any_of, packed, say, told, unpacked
from fare.core.tariff.loading.words_fa import WORDS
from tests.core.tariff.loading.folders import PRODUCTS, load

PACKAGE = Path(fare.__file__).parent
PARTS = re.compile(r"\{[a-z_]+(?::,)?\}")
TELLING = {"fault": 2, "warn": 2, "TariffFault": 2, "_refused": 2, "CaseFileRefused": 1, "_Twice": 1}
"""Calls that take sentences, and how many of their last arguments those are."""


def calls() -> Iterator[tuple[str, ast.Call]]:
    for folder in ("core/tariff/loading", "tariffs"):
        for path in sorted((PACKAGE / folder).rglob("*.py")):
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call):
                    yield f"{path.name}:{node.lineno}", node


def templates() -> dict[str, str]:
    """Each template that the code says, and a place that does."""
    found: dict[str, str] = {}
    for place, call in calls():
        if isinstance(call.func, ast.Name) and call.func.id == "say":
            template = call.args[0]
            assert isinstance(template, ast.Constant), f"{place}: a template is written out"
            assert isinstance(template.value, str)
            given = {keyword.arg for keyword in call.keywords}
            assert given == {part.strip("{:,}") for part in PARTS.findall(template.value)}, place
            found[template.value] = place
    return found


def test_each_template_has_its_persian_and_no_persian_is_left_over() -> None:
    said = templates()
    assert {template: place for template, place in said.items() if template not in WORDS} == {}
    assert WORDS.keys() - said.keys() == set()


def test_both_languages_have_the_same_parts() -> None:
    wrong = {
        template: persian
        for template, persian in WORDS.items()
        if sorted(PARTS.findall(template)) != sorted(PARTS.findall(persian))
    }
    assert wrong == {}


def test_the_persian_marks_what_is_typed_from_left_to_right() -> None:
    """A Latin letter outside of marks would carry the punctuation beside it to the wrong side."""
    bare = {re.sub(r"`[^`]*`", "", PARTS.sub("", persian)) for persian in WORDS.values()}
    assert [text for text in bare if re.search(r"[A-Za-z0-9`]", text)] == []


def test_no_sentence_is_told_that_cannot_be_translated() -> None:
    for place, call in calls():
        name = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
        count = 1 if len(call.args) < 3 else TELLING.get(name, 0)
        for argument in call.args[-count:] if name in TELLING else ():
            bare = isinstance(argument, ast.JoinedStr) or (
                isinstance(argument, ast.Constant) and isinstance(argument.value, str) and argument.value
            )
            assert not bare, f"{place}: give say(…), so that it is told in Persian too"


def test_parts_keep_their_direction_and_numbers_have_the_digits_of_the_language() -> None:
    text = say("{value} is already in row {row}", value="'تک (۲)'", row=1205)
    assert text == "'تک (۲)' is already in row 1205"
    assert told(text, "en") == "\u2068'تک (۲)'\u2069 is already in row 1205"
    assert told(text, "fa") == "\u2068'تک (۲)'\u2069 پیش‌تر در سطر ۱۲۰۵ آمده است"
    assert told(say("there are more than {most:,} lines", most=250_000), "fa") == "بیش از ۲۵۰٬۰۰۰ سطر هست"
    assert told("not said by say", "fa") == "not said by say"


def test_what_is_said_may_hold_what_is_said_and_braces() -> None:
    text = say("write {words}", words=any_of(["{words}", "b", "c"]))
    assert text == "write {words} or b or c"
    assert told(text, "fa") == "\u2068{words}\u2069 یا \u2068b\u2069 یا \u2068c\u2069 بنویسید"


def test_what_is_to_be_typed_holds_no_marks() -> None:
    """Somebody copies it into a file."""
    assert (
        told(say('add a line {key} = "…"', key="product"), "fa")
        == 'سطر \u2068product = "…"\u2069 را اضافه کنید'
    )


def test_what_was_kept_is_told_in_both_languages() -> None:
    [fault] = load(fare_products=PRODUCTS.replace("35000", "35k")).faults
    kept = unpacked(decode_canonical(canonical(packed(fault.problem))))
    assert isinstance(kept, Said)
    assert (kept, told(kept, "fa")) == (fault.problem, told(fault.problem, "fa"))
    assert unpacked(decode_canonical(canonical(packed("from before")))) == "from before"


def test_a_fault_is_one_line_in_either_language() -> None:
    [fault] = load(fare_products=PRODUCTS.replace("35000", "35k")).faults
    assert str(fault) == (
        "fare_products.txt, row 2, column amount: '35k' is not an amount. "
        "Do: write digits with a point and no other marks, such as 35000."
    )
    plain = re.sub("[\u2068\u2069]", "", fault.told("fa"))
    assert plain == (
        "fare_products.txt، سطر ۲، ستون amount: '35k' مبلغ نیست. "
        "تنها رقم بنویسید و اگر لازم است نقطهٔ اعشار، بدون نشانهٔ دیگر، مانند 35000."
    )
    whole = TariffFault("mancard.toml", None, "", "x", "y")
    assert (str(whole), whole.told("en")) == ("mancard.toml: x. Do: y.",) * 2
