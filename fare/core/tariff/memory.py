"""Answers that were found once, as far as they fit: what a tariff's indexes remember. It knows no tariff."""

from __future__ import annotations

from collections.abc import Callable, Hashable
from typing import Final, TypeVar

MOST_ANSWERS: Final = 20_000
"""Of one memory; more are found again."""

_Asked = TypeVar("_Asked", bound=Hashable)
_Answer = TypeVar("_Answer")


class Memory(dict[_Asked, _Answer]):
    """Answers by what was asked. A full one begins anew. Threads may share it: at worst one finds again."""

    def answer(self, asked: _Asked, find: Callable[[], _Answer]) -> _Answer:
        """The answer that is remembered, or else the one that `find` finds, remembered from now on."""
        try:
            return self[asked]
        except KeyError:
            found = find()
        if len(self) >= MOST_ANSWERS:
            self.clear()
        self[asked] = found
        return found
