"""Text of one direction inside a sentence of the other, kept in one piece.

Without the marks a Persian name moves the words and digits beside it in an English sentence. It knows no
words.
"""

from __future__ import annotations

import unicodedata
from typing import Final

_FIRST_STRONG_ISOLATE: Final = "\u2068"
_POP_ISOLATE: Final = "\u2069"
_RIGHT_TO_LEFT: Final = frozenset(("R", "AL"))


def isolated(text: str) -> str:
    """The text with marks around it: it takes its own direction and changes nothing beside it."""
    return f"{_FIRST_STRONG_ISOLATE}{text}{_POP_ISOLATE}"


def reads_from_left(text: str) -> bool:
    """Whether some letter of it belongs to a script such as Latin."""
    return any(unicodedata.bidirectional(each) == "L" for each in text)


def reads_from_right(text: str) -> bool:
    """Whether some letter of it belongs to a script such as Persian."""
    return not text.isascii() and any(unicodedata.bidirectional(each) in _RIGHT_TO_LEFT for each in text)
