from __future__ import annotations

import re
from pathlib import Path
from string import Formatter

import pytest

import fare.web
from fare.collection import ConflictDecision, ConflictRefusal
from fare.core.decision import Reason
from fare.core.proof.refusal import TicketRefusal
from fare.core.tariff.model import FareMedium
from fare.reconciliation.findings import Kind
from fare.staff import Action, ApprovalRefusal, Role
from fare.web.texts import LOCALES, texts

FOLDER = Path(fare.web.__file__).parent
FA, EN = texts("fa").catalogue, texts("en").catalogue
# Keys that are made from data: their prefix is in a template, the rest is a word of this closed set.
COMPOSED = (
    {f"reason.{reason}" for reason in [*Reason, *TicketRefusal] if reason is not Reason.OK}
    | {f"exception.{kind}" for kind in Kind}
    | {f"role.{role}" for role in Role}
    | {f"action.{action}" for action in Action}
    | {f"approval.refused.{refusal}" for refusal in ApprovalRefusal}
    | {f"conflict.decide.{decision}{rest}" for decision in ConflictDecision for rest in ("", ".about")}
    | {f"conflict.refused.{refusal}" for refusal in ConflictRefusal if refusal != "unknown_conflict"}
    | {f"medium.{medium}" for medium in FareMedium}
    | {f"unit.{unit}" for unit in ("toman", "rial")}
    | {f"proof.{name}{rest}" for name in ("device", "card", "channel", "bank") for rest in ("", ".about")}
    | {f"proof.{state}" for state in ("good", "bad", "nothing")}
    | {f"books.clearing.{state}" for state in ("zero", "open", "wrong")}
)


def keys_in_templates() -> set[str]:
    """Every key that a template asks for literally."""
    found: set[str] = set()
    for template in (FOLDER / "templates").glob("*.html"):
        found |= set(re.findall(r"""\bt\(\s*"([a-z_.]+)"\s*[,)]""", template.read_text(encoding="utf-8")))
    return found


def keys_in_code() -> set[str]:
    """Every dotted key in the package's Python."""
    source = "\n".join(path.read_text(encoding="utf-8") for path in FOLDER.glob("*.py"))
    return {key for key in re.findall(r'"([a-z]+\.[a-z_.]+)"', source) if key in EN or key in FA}


def test_both_languages_have_the_same_keys() -> None:
    assert set(FA) == set(EN)


@pytest.mark.parametrize("key", sorted(EN))
def test_both_languages_have_the_same_placeholders(key: str) -> None:
    def names(text: str) -> list[str]:
        return sorted(name for _, name, _, _ in Formatter().parse(text) if name)

    assert names(FA[key]) == names(EN[key])
    assert FA[key].strip()
    assert EN[key].strip()


def test_every_key_that_is_asked_for_is_there() -> None:
    assert keys_in_templates() | COMPOSED <= set(EN)


def test_no_text_is_left_over() -> None:
    assert set(EN) - keys_in_templates() - COMPOSED - keys_in_code() == set()


def test_a_missing_key_is_a_fault_and_a_word_of_tomorrow_is_not() -> None:
    t = texts("fa")
    with pytest.raises(KeyError):
        t("no.such.key")
    assert t.known("reason.word_of_tomorrow", "word_of_tomorrow") == "word_of_tomorrow"


@pytest.mark.parametrize("locale", LOCALES)
def test_persian_letters_are_persian(locale: str) -> None:
    # Arabic yeh and kaf look alike in some fonts and break search.
    assert not any(letter in text for text in FA.values() for letter in "يكة")
    assert texts("fa" if locale == "fa" else "en").direction == ("rtl" if locale == "fa" else "ltr")
