"""What is wrong with a tariff, in English and in Persian: templates and the parts that fill them.

    say("{value} is not in {where}", value=shown(product_id), where=PRODUCTS)

is the English sentence and remembers how it was made, so that `told` can say it in Persian, by what
`words_fa` has for the same template. What a tariff in order says is for `fare.core.tariff.sentences`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import reduce
from typing import Any, Final, LiteralString, cast

from fare.core.money import persian_digits
from fare.core.tariff.directions import isolated, reads_from_right
from fare.core.tariff.loading.words_fa import WORDS
from fare.core.tariff.naming import TariffLocale

Part = str | int

_PART: Final = re.compile(r"\{([a-z_]+)(:,)?\}")
_PIECE: Final = re.compile(r"`([^`]*)`|" + _PART.pattern)
"""In Persian: what is typed as it is, or a part."""


class Said(str):
    """An English text, with the template and the parts it was made of. It never changes."""

    __slots__ = ("parts", "template")
    template: str
    parts: Mapping[str, Part]


def say(template: LiteralString, /, **parts: Part) -> Said:
    """The template with its parts: `{name}`, and `{name:,}` for a number that wants separators.

    A part is a number, a text as it stands in somebody's file, or something said itself.
    """
    return _said(template, parts)


def any_of(words: Sequence[str]) -> str:
    """`a or b or c`."""
    return reduce(lambda these, that: say("{these} or {that}", these=these, that=that), words)


def all_of(words: Sequence[str]) -> str:
    """`a and b and c`."""
    return reduce(lambda these, that: say("{these} and {that}", these=these, that=that), words)


def each_of(words: Sequence[str]) -> str:
    """`a, b, c`."""
    return reduce(lambda these, that: say("{these}, {that}", these=these, that=that), words)


def one_after_another(words: Sequence[str]) -> str:
    """`a b c`, empty for none."""
    return reduce(lambda these, that: say("{these} {that}", these=these, that=that), words) if words else ""


def told(text: str, locale: TariffLocale) -> str:
    """A text for people to read: in their language, and with each part in its own direction.

    What was not said by `say` is told as it is.
    """
    if not isinstance(text, Said):
        return text
    words = WORDS.get(text.template, text.template) if locale == "fa" else text.template
    return _PIECE.sub(lambda found: _piece(found, text.parts, locale), words)


def packed(text: str) -> str | list[Any]:
    """A text as lists and maps, to be kept and said again later."""
    if not isinstance(text, Said):
        return text
    parts = {name: part if isinstance(part, int) else packed(part) for name, part in text.parts.items()}
    return [text.template, parts]


def unpacked(plain: str | list[Any]) -> str:
    """The text of what `packed` made."""
    if isinstance(plain, str):
        return plain
    template, parts = plain
    found = cast("Mapping[str, Any]", parts)
    kept = {name: part if isinstance(part, int) else unpacked(part) for name, part in found.items()}
    return _said(template, kept)


def _said(template: str, parts: Mapping[str, Part]) -> Said:
    said = Said(_plain(template, parts))
    said.template, said.parts = template, parts
    return said


def _plain(template: str, parts: Mapping[str, Part]) -> str:
    def plain(found: re.Match[str]) -> str:
        part = parts[found[1]]
        return f"{part:,}" if found[2] and isinstance(part, int) else str(part)

    return _PART.sub(plain, template)


def _piece(found: re.Match[str], parts: Mapping[str, Part], locale: TariffLocale) -> str:
    if found[1] is not None:
        return isolated(_plain(found[1], parts))  # to be typed or copied: no marks and no other digits inside
    part, separators = parts[found[2]], bool(found[3])
    if isinstance(part, int):
        digits = f"{part:,}" if separators else str(part)
        return persian_digits(digits.replace(",", "٬")) if locale == "fa" else digits
    if isinstance(part, Said):
        return told(part, locale)
    return isolated(part) if part and (locale == "fa" or reads_from_right(part)) else part
