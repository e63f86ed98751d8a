"""What the pages say, in Persian and English, as data: `texts/fa.json` and `texts/en.json`, the same keys.

A key that is missing is a fault of ours and raises; it never shows as a key on a page.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Final

from fare.core.money import Locale

LOCALES: Final[tuple[Locale, ...]] = ("fa", "en")
FOLDER: Final = Path(__file__).with_name("texts")


@dataclass(frozen=True, slots=True)
class Texts:
    """One language. Call it with a key and the values of its placeholders."""

    locale: Locale
    catalogue: Mapping[str, str]

    def __call__(self, key: str, **values: object) -> str:
        """The text under `key`. Raises KeyError for a key that is not there."""
        text = self.catalogue[key]
        return text.format(**values) if values else text

    def known(self, key: str, otherwise: str) -> str:
        """The text under a key that came from data, such as a reason; `otherwise` for one of tomorrow."""
        return self.catalogue.get(key, otherwise)

    @property
    def direction(self) -> str:
        """Value of the HTML attribute `dir`."""
        return "rtl" if self.locale == "fa" else "ltr"


@cache
def texts(locale: Locale) -> Texts:
    """The catalogue of a language, read once."""
    return Texts(locale, json.loads((FOLDER / f"{locale}.json").read_text(encoding="utf-8")))
