"""Which bank line is which deposit or payment: deterministic, in tiers, never probable. Pure.

    1  exact reference, and the amounts agree (one line, or several that sum up)
    2  terminal or IBAN named in the line, amount, and date; only when it fits one thing alone
    3  one line for a batch: consecutive days of one terminal, all deposits of a day, all payments of a day
    4  whatever is left is for a person

A tier takes what it can and hands the rest on. An amount that fits two things fits none.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Final

BOOKED_WITHIN: Final = timedelta(days=7)
"""How long after the day a bank line may follow and still be matched without its reference."""
MAX_BATCH_DAYS: Final = 7

LineKey = tuple[str, int]


@dataclass(frozen=True, slots=True)
class Due:
    """Money that should move through the bank: a PSP's deposit positive, an owner's payment negative.

    `service_day` is the day it belongs to, `day` the one from which the bank may book it. `marks` are words
    that a bank's text may name it by: the terminal, or the IBAN.
    """

    kind: str
    reference: str
    service_day: date
    day: date
    amount_rial: int
    marks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Booked:
    """One bank line that is not matched yet."""

    key: LineKey
    booked_day: date
    amount_rial: int
    reference: str
    text: str

    def names(self, mark: str) -> bool:
        """Whether the mark is one of the line's words."""
        words = f"{self.reference} {self.text}".replace(",", " ").split()
        return mark in words


@dataclass(frozen=True, slots=True)
class Match:
    """These lines are these dues: their sums are equal."""

    tier: int
    lines: tuple[Booked, ...]
    dues: tuple[Due, ...]


@dataclass(frozen=True, slots=True)
class Disagreement:
    """Lines that name a due by its exact reference, with another sum."""

    lines: tuple[Booked, ...]
    due: Due


@dataclass(slots=True)
class Plan:
    """What matches, what names each other and disagrees, and what is left on both sides."""

    matches: list[Match] = field(default_factory=list[Match])
    disagreements: list[Disagreement] = field(default_factory=list[Disagreement])
    lines: list[Booked] = field(default_factory=list[Booked])
    dues: list[Due] = field(default_factory=list[Due])


def plan(dues: Iterable[Due], lines: Iterable[Booked]) -> Plan:
    """Sort it all out. The same input gives the same plan, in whatever order it comes."""
    result = Plan(
        lines=sorted(lines, key=lambda line: (line.booked_day, line.key)),
        dues=sorted(dues, key=lambda due: (due.day, due.kind, due.reference)),
    )
    _by_reference(result)
    _take(result, 2, _single_candidates(result))
    _take(result, 3, _batch_candidates(result))
    return result


def _by_reference(result: Plan) -> None:
    named: dict[str, list[Booked]] = defaultdict(list)
    for line in result.lines:
        named[line.reference].append(line)
    for due in list(result.dues):
        lines = named.get(due.reference, [])
        if not lines or not due.reference:
            continue
        if sum(line.amount_rial for line in lines) == due.amount_rial:
            result.matches.append(Match(1, tuple(lines), (due,)))
        else:
            result.disagreements.append(Disagreement(tuple(lines), due))
        _remove(result, lines, [due])


def _single_candidates(result: Plan) -> Iterator[tuple[Booked, tuple[Due, ...]]]:
    for line in result.lines:
        for due in result.dues:
            fits = due.amount_rial == line.amount_rial and _in_time(line, due.day)
            if fits and any(line.names(mark) for mark in due.marks):
                yield line, (due,)


def _batch_candidates(result: Plan) -> Iterator[tuple[Booked, tuple[Due, ...]]]:
    groups = list(_batches(result.dues))
    for line in result.lines:
        for group in groups:
            if sum(due.amount_rial for due in group) == line.amount_rial and _in_time(line, group[-1].day):
                yield line, group


def _batches(dues: Sequence[Due]) -> Iterator[tuple[Due, ...]]:
    """Two or more dues that a bank may well book as one."""
    of_day: dict[tuple[str, date], list[Due]] = defaultdict(list)
    of_mark: dict[tuple[str, tuple[str, ...]], list[Due]] = defaultdict(list)
    for due in dues:
        of_day[due.kind, due.day].append(due)
        of_mark[due.kind, due.marks].append(due)
    yield from (tuple(group) for group in of_day.values() if len(group) > 1)
    for group in of_mark.values():
        for start in range(len(group)):
            for end in range(start + 2, min(len(group), start + MAX_BATCH_DAYS) + 1):
                yield tuple(group[start:end])


def _take(result: Plan, tier: int, candidates: Iterable[tuple[Booked, tuple[Due, ...]]]) -> None:
    """Match what fits one thing alone, seen from the line and from every due of it."""
    distinct = {(line.key, tuple(due.reference for due in dues)): (line, dues) for line, dues in candidates}
    of_line: dict[LineKey, int] = defaultdict(int)
    of_due: dict[tuple[str, str], int] = defaultdict(int)
    for line, dues in distinct.values():
        of_line[line.key] += 1
        for due in dues:
            of_due[due.kind, due.reference] += 1
    for line, dues in distinct.values():
        if of_line[line.key] == 1 and all(of_due[due.kind, due.reference] == 1 for due in dues):
            result.matches.append(Match(tier, (line,), dues))
            _remove(result, [line], dues)


def _in_time(line: Booked, day: date) -> bool:
    return day <= line.booked_day <= day + BOOKED_WITHIN


def _remove(result: Plan, lines: Sequence[Booked], dues: Sequence[Due]) -> None:
    taken = {line.key for line in lines}
    settled = {(due.kind, due.reference) for due in dues}
    result.lines = [line for line in result.lines if line.key not in taken]
    result.dues = [due for due in result.dues if (due.kind, due.reference) not in settled]
