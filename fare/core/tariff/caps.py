"""Caps: how much of a fare is still due in the period, and what counts to it. It moves no money."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from fare.core.tariff.context import Rule, Step
from fare.core.tariff.fares import Leg, covers
from fare.core.tariff.model import Cap, CapPeriod, LastTap, Tariff
from fare.core.tariff.periods import cap_period, service_day
from fare.core.tariff.state import CapUse
from fare.core.tariff.transfers import Offer

_NO_LEVEL: Final = -1


def capped(
    tariff: Tariff, uses: Mapping[str, CapUse], leg: Leg, offer: Offer, due: int
) -> tuple[int, tuple[Step, ...], Mapping[str, CapUse]]:
    """What is left of `due` (minor units), why, and the caps after it is paid; below zero it lessens them."""
    counted: list[tuple[Cap, CapUse]] = []
    left, step = due, None
    # A cap counts by service days: its weekdays are theirs, not those of the date after midnight.
    leg = replace(leg, day=service_day(tariff, leg.decided_s))
    for cap in tariff.caps:
        candidate = offer.candidate
        if not covers(tariff, cap.covers, leg, candidate.group, candidate.product_id, leg.category):
            continue
        known = uses.get(cap.cap_id)
        use = None if known is None else use_at(tariff, cap, known, leg.decided_s)
        use = use or CapUse(cap_period(tariff, cap, leg.decided_s), 0)
        use = _with_level(tariff, cap, use, leg, offer)
        counted.append((cap, use))
        limit = _limit(cap, use)
        if limit is None:
            continue
        free = max(0, limit - use.spent)
        allowed = due if cap.last_tap is LastTap.WHOLE and free > 0 else free
        if allowed < left:
            left, step = allowed, Step(Rule.CAP, cap.cap_id, allowed)
    if not counted:
        return due, (), uses
    now = dict(uses)
    today = leg.day if any(_rolls(cap) for cap, _ in counted) else 0
    for cap, use in counted:
        after = _add(cap, use, left, today)
        if after is None:
            now.pop(cap.cap_id, None)
        else:
            now[cap.cap_id] = after
    return left, () if step is None else (step,), now


def _rolls(cap: Cap) -> bool:
    return cap.period is CapPeriod.ROLLING


def use_at(tariff: Tariff, cap: Cap, use: CapUse, at_s: int) -> CapUse | None:
    """What of a use still counts at an instant: the same object where all does, None where nothing does."""
    period = cap_period(tariff, cap, at_s, use)
    if use.period == period:
        return use
    days = tuple(each for each in use.days if each[0] >= period) if _rolls(cap) else ()
    return CapUse(period, sum(amount for _, amount in days), use.level, days) if days else None


def _with_level(tariff: Tariff, cap: Cap, use: CapUse, leg: Leg, offer: Offer) -> CapUse:
    """The use with the highest level that this leg or one before it met."""
    best = use.level if use.level < len(cap.levels) else _NO_LEVEL
    candidate = offer.candidate
    for number, level in enumerate(cap.levels):
        higher = best == _NO_LEVEL or level.amount > cap.levels[best].amount
        if higher and covers(tariff, level.covers, leg, candidate.group, candidate.product_id, leg.category):
            best = number
    return use if best == use.level else CapUse(use.period, use.spent, best, use.days)


def _limit(cap: Cap, use: CapUse) -> int | None:
    return None if use.level == _NO_LEVEL else cap.levels[use.level].amount


def _add(cap: Cap, use: CapUse, paid: int, today: int) -> CapUse | None:
    """The use after a payment; None where nothing is worth remembering."""
    spent = max(0, use.spent + paid)
    if _rolls(cap):
        days = dict(use.days)
        days[today] = max(0, days.get(today, 0) + paid)
        kept = tuple((day, amount) for day, amount in sorted(days.items()) if amount)
        return CapUse(use.period, sum(amount for _, amount in kept), use.level, kept) if kept else None
    if spent == 0 and len(cap.levels) < 2:
        return None
    return CapUse(use.period, spent, use.level, ())
