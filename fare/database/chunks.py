"""Long lists of values, cut so that no statement has more parameters than a database takes. No table."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any, Final, Protocol, TypeVar

MOST_AT_ONCE: Final = 500


class _Sortable(Protocol):
    def __lt__(self, other: Any, /) -> bool: ...
    def __hash__(self) -> int: ...


_T = TypeVar("_T", bound=_Sortable)


def in_chunks(values: Iterable[_T], most: int = MOST_AT_ONCE) -> Iterator[list[_T]]:
    """The values, each once and sorted, in lists of at most `most`; nothing for no value.

    Sorted, because some of these lists lock rows: everybody takes them in one order.
    """
    wanted = sorted(set(values))
    return (wanted[start : start + most] for start in range(0, len(wanted), most))
