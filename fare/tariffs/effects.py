"""What a tariff would have done to the rides of past days: to riders, lines, rider categories and revenue.

The sum over riders priced by both tariffs, small enough to be kept with a draft and shown to the second
person. Nobody's single rides are in it. Riders are taken to ride as they did: it forecasts nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import date
from typing import Any, Final

from fare.core.errors import MalformedDocument
from fare.core.signed import canonical, decode_canonical
from fare.core.tariff.model import EMPTY, Tariff
from fare.tariffs.cases import Case
from fare.tariffs.comparing import CaseChange, Group, NotComparable
from fare.tariffs.quoting import quote_case
from fare.tariffs.real_taps import RealTaps, in_words_of

_AT_ONCE: Final = 50
_BARS_EACH_SIDE: Final = 8
NO_LINE: Final = 0


@dataclass(frozen=True, slots=True)
class Bar:
    """So many riders pay over `above` and up to `up_to` rial more; below zero: less; both 0: the same."""

    above: int
    up_to: int
    riders: int


@dataclass(frozen=True, slots=True)
class Effect:
    """Rial over all days. `total`, `by_category` count riders, `by_line` rides (key: the line's number).

    `in_all`: the rides that there were, where `rides` and `on_passes` are those of a sample of the riders.
    """

    since: date
    until: date
    rides: int
    on_passes: int
    not_compared: int
    in_all: int
    total: Group
    by_category: tuple[Group, ...]
    by_line: tuple[Group, ...]
    bars: tuple[Bar, ...]
    why_not: str = ""

    @property
    def sampled(self) -> bool:
        """Whether only a sample of the riders was looked at."""
        return self.rides + self.on_passes < self.in_all

    def encode(self) -> bytes:
        """Canonical CBOR, for the database."""
        return canonical(
            {
                "since": self.since.isoformat(),
                "until": self.until.isoformat(),
                "rides": self.rides,
                "on_passes": self.on_passes,
                "not_compared": self.not_compared,
                "in_all": self.in_all,
                "total": _group_row(self.total),
                "by_category": [_group_row(each) for each in self.by_category],
                "by_line": [_group_row(each) for each in self.by_line],
                "bars": [[each.above, each.up_to, each.riders] for each in self.bars],
                "why_not": self.why_not,
            }
        )


def decode(raw: bytes) -> Effect:
    """Read what `Effect.encode` wrote. Raises MalformedDocument."""
    found: dict[str, Any] = decode_canonical(raw)
    try:
        return Effect(
            since=date.fromisoformat(found["since"]),
            until=date.fromisoformat(found["until"]),
            rides=found["rides"],
            on_passes=found["on_passes"],
            not_compared=found["not_compared"],
            in_all=found["in_all"],
            total=Group(*found["total"]),
            by_category=tuple(Group(*each) for each in found["by_category"]),
            by_line=tuple(Group(*each) for each in found["by_line"]),
            bars=tuple(Bar(*each) for each in found["bars"]),
            why_not=found["why_not"],
        )
    except (KeyError, TypeError, ValueError) as fault:
        raise MalformedDocument("a comparison of tariffs cannot be read") from fault


def effect_on(
    old: Tariff, new: Tariff, real: RealTaps, progress: Callable[[int, int], None] | None = None
) -> Effect:
    """Price all rides under both tariffs. `progress` hears (riders done, riders in all).

    Raises NotComparable for tariffs of two currencies.
    """
    if (old.currency, old.exponent) != (new.currency, new.exponent):
        raise NotComparable(
            f"The tariff in force is in {old.currency}, this one in {new.currency}: they cannot be compared."
        )
    summed = _Sums()
    done = 0
    for start in range(0, len(real.cases), _AT_ONCE):
        part = real.cases[start : start + _AT_ONCE]
        for case in part:
            summed.add(
                _change(old, new, case), [real.lines.get(tap.route_id or "", NO_LINE) for tap in case.taps]
            )
        done += len(part)
        if progress is not None:
            progress(done, len(real.cases))
    return Effect(
        since=real.since,
        until=real.until,
        rides=real.rides,
        on_passes=real.on_passes,
        not_compared=summed.not_compared,
        in_all=real.in_all,
        total=summed.total,
        by_category=_largest_first(summed.categories),
        by_line=_largest_first(summed.lines),
        bars=bars(summed.differences),
        why_not=summed.why_not,
    )


def bars(differences: list[int]) -> tuple[Bar, ...]:
    """Riders by what they pay more or less, in steps of 1, 2 or 5 times a power of ten, from less to more."""
    most = max((abs(each) for each in differences), default=0)
    step = _step(most)
    counts: dict[int, int] = {}
    for each in differences:
        index = -(-abs(each) // step) * (1 if each > 0 else -1) if each else 0
        counts[index] = counts.get(index, 0) + 1
    ends = range(min([0, *counts]), max([0, *counts]) + 1)
    return tuple(_bar(index, step, counts.get(index, 0)) for index in ends)


def _change(old: Tariff, new: Tariff, case: Case) -> CaseChange:
    before, after = quote_case(old, in_words_of(old, new, case)), quote_case(new, case)
    return CaseChange(case.case_id, case.rider_category or EMPTY, before.total, after.total, before, after)


@dataclass(slots=True)
class _Sums:
    total: Group = field(default_factory=lambda: Group(""))
    categories: dict[str, Group] = field(default_factory=dict[str, Group])
    lines: dict[str, Group] = field(default_factory=dict[str, Group])
    differences: list[int] = field(default_factory=list[int])
    not_compared: int = 0
    why_not: str = ""

    def add(self, change: CaseChange, lines: list[int]) -> None:
        if change.old is None or change.new is None:
            self.not_compared += 1
            self.why_not = self.why_not or change.error or ""
            return
        self.total = self.total.plus(change.old, change.new)
        key = change.rider_category
        self.categories[key] = self.categories.get(key, Group(key)).plus(change.old, change.new)
        self.differences.append(change.new - change.old)
        for line, old, new in zip(lines, change.old_quote.taps, change.new_quote.taps, strict=True):
            known = self.lines.get(str(line), Group(str(line)))
            self.lines[str(line)] = known.plus(old.due or 0, new.due or 0)


def _bar(index: int, step: int, riders: int) -> Bar:
    if index == 0:
        return Bar(0, 0, riders)
    near, far = (abs(index) - 1) * step, abs(index) * step
    return Bar(near, far, riders) if index > 0 else Bar(-near, -far, riders)


def _step(most: int) -> int:
    power = 1
    while True:
        for factor in (1, 2, 5):
            if factor * power * _BARS_EACH_SIDE >= most:
                return factor * power
        power *= 10


def _largest_first(groups: Mapping[str, Group]) -> tuple[Group, ...]:
    return tuple(sorted(groups.values(), key=lambda each: (-abs(each.difference), each.key)))


def _group_row(group: Group) -> list[Any]:
    return [group.key, group.count, group.old, group.new, group.more, group.less]
