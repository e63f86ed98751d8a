"""Matching is deterministic: the same lines and dues give the same plan, and a doubt is a person's."""

from __future__ import annotations

import random
from datetime import date, timedelta

from hypothesis import given
from hypothesis import strategies as st

from fare.reconciliation.matching import Booked, Due, plan

DAY = date(2026, 11, 22)


def deposit(reference: str, rial: int, day: date = DAY, terminal: str = "t-1") -> Due:
    return Due("deposit", reference, day, day, rial, (terminal,))


def line(
    number: int, rial: int, reference: str = "", text: str = "", day: date = DAY + timedelta(days=1)
) -> Booked:
    return Booked(("s", number), day, rial, reference, text)


def told(dues: list[Due], lines: list[Booked]) -> list[tuple[int, list[int], list[str]]]:
    found = plan(dues, lines)
    return [(m.tier, [b.key[1] for b in m.lines], [d.reference for d in m.dues]) for m in found.matches]


def test_an_exact_reference_comes_first() -> None:
    dues = [deposit("D-1", 100), deposit("D-2", 100)]
    assert told(dues, [line(1, 100, "D-2", "t-1")]) == [(1, [1], ["D-2"])]


def test_several_lines_of_one_reference_sum_up() -> None:
    assert told([deposit("D-1", 100)], [line(1, 60, "D-1"), line(2, 40, "D-1")]) == [(1, [1, 2], ["D-1"])]


def test_a_reference_with_another_sum_is_a_disagreement_and_not_two_unknowns() -> None:
    found = plan([deposit("D-1", 100)], [line(1, 90, "D-1")])
    assert (found.matches, found.lines, found.dues) == ([], [], [])
    assert [d.due.reference for d in found.disagreements] == ["D-1"]


def test_terminal_amount_and_date_match_without_a_reference() -> None:
    assert told([deposit("D-1", 100)], [line(1, 100, "", "settlement t-1")]) == [(2, [1], ["D-1"])]


def test_an_amount_without_its_terminal_or_out_of_time_is_not_enough() -> None:
    late = line(2, 100, "", "t-1", DAY + timedelta(days=8))
    early = line(3, 100, "", "t-1", DAY - timedelta(days=1))
    assert told([deposit("D-1", 100)], [line(1, 100, "", "t-12"), late, early]) == []


def test_what_fits_two_fits_none() -> None:
    dues = [deposit("D-1", 100), deposit("D-2", 100, DAY - timedelta(days=1))]
    assert told(dues, [line(1, 100, "", "t-1")]) == []
    assert told([deposit("D-1", 100)], [line(1, 100, "", "t-1"), line(2, 100, "", "t-1")]) == []


def test_one_line_for_the_days_of_a_weekend() -> None:
    dues = [deposit(f"D-{n}", rial, DAY + timedelta(days=n)) for n, rial in enumerate((100, 250, 75))]
    assert told(dues, [line(1, 425, "", "batch", DAY + timedelta(days=3))]) == [
        (3, [1], ["D-0", "D-1", "D-2"])
    ]


def test_one_line_for_all_terminals_of_a_day() -> None:
    dues = [deposit("D-1", 100, terminal="t-1"), deposit("D-2", 30, terminal="t-2")]
    assert told(dues, [line(1, 130)]) == [(3, [1], ["D-1", "D-2"])]


def test_one_line_for_all_payments_of_a_day() -> None:
    dues = [Due("payment", f"P-{n}", DAY, DAY, -rial, (f"IR{n}",)) for n, rial in enumerate((100, 30))]
    assert told(dues, [line(1, -130)]) == [(3, [1], ["P-0", "P-1"])]


amounts = st.integers(1, 6)


@given(
    st.lists(st.tuples(amounts, st.integers(0, 3), st.sampled_from(["t-1", "t-2"])), max_size=6),
    st.lists(
        st.tuples(amounts, st.sampled_from(["", "D-0", "D-1"]), st.sampled_from(["t-1", "t-2", ""])),
        max_size=6,
    ),
    st.randoms(use_true_random=False),
)
def test_the_order_of_the_input_does_not_matter_and_no_match_invents_money(
    dues: list[tuple[int, int, str]], lines: list[tuple[int, str, str]], shuffle: random.Random
) -> None:
    due_list = [deposit(f"D-{n}", r, DAY + timedelta(days=d), t) for n, (r, d, t) in enumerate(dues)]
    line_list = [line(n, r, ref, text, DAY + timedelta(days=4)) for n, (r, ref, text) in enumerate(lines)]
    first = plan(due_list, line_list)
    shuffle.shuffle(due_list)
    shuffle.shuffle(line_list)
    again = plan(due_list, line_list)
    assert (first.matches, first.disagreements, first.lines, first.dues) == (
        again.matches,
        again.disagreements,
        again.lines,
        again.dues,
    )
    for match in first.matches:
        assert sum(b.amount_rial for b in match.lines) == sum(d.amount_rial for d in match.dues)
    used = [b.key for m in first.matches for b in m.lines] + [
        b.key for d in first.disagreements for b in d.lines
    ]
    assert len(used) == len(set(used))
    assert len(used) + len(first.lines) == len(line_list)
