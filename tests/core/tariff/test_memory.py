from __future__ import annotations

from fare.core.tariff import memory
from fare.core.tariff.memory import Memory


def test_an_answer_is_found_once_even_if_it_is_none() -> None:
    asked: list[str] = []
    answers = Memory[str, int | None]()
    for _ in range(2):
        assert answers.answer("fare", lambda: asked.append("fare")) is None
    assert asked == ["fare"]


def test_a_full_memory_begins_anew_and_still_answers() -> None:
    answers = Memory[int, int]((number, number) for number in range(memory.MOST_ANSWERS))
    assert answers.answer(-1, lambda: 7) == 7
    assert answers == {-1: 7}
