"""Which rides of one rider were told at a time that the others contradict. Pure; it sets no clock right.

A card's counter tells the order of its rides, whatever the clocks of its buses say. A time that lies beyond
those of later rides, or before those of earlier ones, is false. Which of two that contradict each other is
the false one, the other buses say: each vehicle has one voice for rides in a row, so that whoever taps one
card a hundred times outvotes nobody.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from fare.collection.tap_time import AHEAD_MAX

APART_S: Final = int(AHEAD_MAX.total_seconds())
"""Clocks of honest buses differ by less."""

_Chain = tuple[int, int, int]
"""Voices, the last time negated (of equal chains the earlier end is better), and its ride."""


def in_order(times_s: Sequence[int], since_s: int) -> bool:
    """Whether these times (unix seconds), in order of the counter, contradict neither each other nor that
    they came after `since_s`.
    """
    latest_s = since_s
    for at_s in times_s:
        if at_s < since_s or at_s < latest_s - APART_S:
            return False
        latest_s = max(latest_s, at_s)
    return True


def contradicted(times_s: Sequence[int], vehicles: Sequence[str | None]) -> set[int]:
    """The rides, by their places in the row, whose times the others contradict."""
    if in_order(times_s, min(times_s, default=0)):
        return set()
    agreed = _agreed(times_s, _voices(vehicles))
    beyond = _from_behind(times_s, agreed)
    false: set[int] = set()
    latest_s: int | None = None
    for i, at_s in enumerate(times_s):
        fits = latest_s is None or at_s >= latest_s - APART_S
        if i in agreed or (fits and (beyond[i] is None or at_s <= (beyond[i] or 0) + APART_S)):
            latest_s = at_s if latest_s is None else max(latest_s, at_s)
        else:
            false.add(i)
    return false


def _voices(vehicles: Sequence[str | None]) -> list[int]:
    return [
        int(i == 0 or vehicle is None or vehicle != vehicles[i - 1]) for i, vehicle in enumerate(vehicles)
    ]


def _agreed(times_s: Sequence[int], voices: Sequence[int]) -> set[int]:
    """The rides of the chain of rising times that most voices agree on."""
    ranks = {at_s: rank for rank, at_s in enumerate(sorted(set(times_s)), 1)}
    best: list[_Chain | None] = [None] * (len(ranks) + 1)  # a Fenwick tree of prefix maxima
    before: list[int | None] = []
    found: _Chain | None = None
    for i, at_s in enumerate(times_s):
        rank = ranks[at_s]
        chain = _best_up_to(best, rank)
        before.append(None if chain is None else chain[2])
        longer = (voices[i] + (0 if chain is None else chain[0]), -at_s, i)
        found = longer if found is None or longer[:2] > found[:2] else found
        while rank < len(best):
            known = best[rank]
            if known is None or longer[:2] > known[:2]:
                best[rank] = longer
            rank += rank & -rank
    agreed: set[int] = set()
    place = None if found is None else found[2]
    while place is not None:
        agreed.add(place)
        place = before[place]
    return agreed


def _best_up_to(best: Sequence[_Chain | None], rank: int) -> _Chain | None:
    found: _Chain | None = None
    while rank:
        chain = best[rank]
        if chain is not None and (found is None or chain[:2] > found[:2]):
            found = chain
        rank -= rank & -rank
    return found


def _from_behind(times_s: Sequence[int], agreed: set[int]) -> list[int | None]:
    """For each ride the time of the next agreed one after it, None where none follows."""
    beyond: list[int | None] = []
    following: int | None = None
    for i in reversed(range(len(times_s))):
        beyond.append(following)
        if i in agreed:
            following = times_s[i]
    return beyond[::-1]
