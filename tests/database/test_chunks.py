"""Every value once, in everybody's order, and never too many at a time."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from fare.database.chunks import MOST_AT_ONCE, in_chunks


@given(st.lists(st.integers(0, 20)), st.integers(1, 7))
def test_chunks_are_the_values_sorted_once_each(values: list[int], most: int) -> None:
    chunks = list(in_chunks(values, most))
    assert [value for chunk in chunks for value in chunk] == sorted(set(values))
    assert all(1 <= len(chunk) <= most for chunk in chunks)


def test_a_full_chunk_is_one_statement() -> None:
    assert [len(chunk) for chunk in in_chunks(range(MOST_AT_ONCE + 1))] == [MOST_AT_ONCE, 1]
