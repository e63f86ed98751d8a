"""What of a rider's state is still alive at an instant: the rest is forgotten before a tap is priced.

So two states that mean the same are equal, and a state stays small. It prices nothing and closes no journey.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from fare.core.tariff.model import EMPTY, Boundary, Cap, CapPeriod, Tariff, TransferRule, TransferWindow
from fare.core.tariff.periods import cap_period, service_day
from fare.core.tariff.state import CapUse, Chain, RiderState, WindowUse

SAME_TRIP_S: Final = 7_200
"""How long the same vehicle is taken for the same trip by a tariff without windows and transfers."""


def expire(tariff: Tariff, state: RiderState, at_s: int) -> RiderState:
    """The state as `price()` may see it at `at_s`: without windows, chains and caps' periods that have ended.

    While a journey is open, the rest stands as it was at its tap-on: that is when the leg is priced. What an
    earlier tariff knew and this one does not is dropped. Returns the same object when nothing has ended.
    """
    if state.journey is not None:
        at_s = min(at_s, state.journey.tap.at_s)
    windows, caps = state.windows, state.caps
    if windows:
        windows = _open_windows(tariff, windows, at_s)
    if caps:
        caps = _running_caps(tariff, caps, at_s)
    chain = state.chain
    if chain is not None and not _may_go_on(tariff, chain, at_s):
        chain = None
    if windows is state.windows and caps is state.caps and chain is state.chain:
        return state
    return replace(state, windows=windows, caps=caps, chain=chain)


def same_trip_s(tariff: Tariff) -> int:
    """Within how many seconds of a boarding the same vehicle is the same trip, where a trip is not known."""
    limits = [each.seconds for each in tariff.windows if each.seconds is not None]
    limits += [each.limit_s for each in tariff.transfer_rules if each.limit_s is not None]
    return max(limits, default=SAME_TRIP_S)


def window_is_open(tariff: Tariff, window: TransferWindow, since_s: int, at_s: int) -> bool:
    """Whether a window that began at `since_s` still lasts at `at_s`, by its own boundary."""
    if window.ends_with_service_day and service_day(tariff, since_s) != service_day(tariff, at_s):
        return False
    if window.seconds is None:
        return True
    age_s = at_s - since_s
    return age_s <= window.seconds if window.boundary is Boundary.INCLUSIVE else age_s < window.seconds


def within_limit(rule: TransferRule, since_s: int, at_s: int) -> bool:
    """Whether a transfer measured from `since_s` to `at_s` keeps the rule's limit."""
    if rule.limit_s is None:
        return True
    age_s = at_s - since_s
    return age_s <= rule.limit_s if rule.boundary is Boundary.INCLUSIVE else age_s < rule.limit_s


def transfers_from(tariff: Tariff, leg_group_id: str) -> tuple[TransferRule, ...]:
    """The transfer rules that may follow a leg of this group; an empty one means all that are not listed."""
    rules = _rules_by_group(tariff)
    if leg_group_id != EMPTY and leg_group_id in rules:
        return rules[leg_group_id]
    return rules.get(EMPTY, ())


def _rules_by_group(tariff: Tariff) -> Mapping[str, tuple[TransferRule, ...]]:
    known: Mapping[str, tuple[TransferRule, ...]] | None = tariff.derived.get(__name__)
    if known is None:
        grouped: dict[str, list[TransferRule]] = {}
        for each in tariff.transfer_rules:
            grouped.setdefault(each.from_leg_group_id, []).append(each)
        known = {group: tuple(rules) for group, rules in grouped.items()}
        tariff.derived[__name__] = known
    return known


def _open_windows(tariff: Tariff, windows: Mapping[str, WindowUse], at_s: int) -> Mapping[str, WindowUse]:
    known = {each.window_id: each for each in tariff.windows}
    alive = {
        window_id: use
        for window_id, use in windows.items()
        if window_id in known and window_is_open(tariff, known[window_id], use.since_s, at_s)
    }
    return windows if len(alive) == len(windows) else alive


def _running_caps(tariff: Tariff, caps: Mapping[str, CapUse], at_s: int) -> Mapping[str, CapUse]:
    known = {each.cap_id: each for each in tariff.caps}
    alive: dict[str, CapUse] = {}
    changed = False
    for cap_id, use in caps.items():
        now = _use_now(tariff, known[cap_id], use, at_s) if cap_id in known else None
        changed = changed or now is not use
        if now is not None:
            alive[cap_id] = now
    return alive if changed else caps


def _use_now(tariff: Tariff, cap: Cap, use: CapUse, at_s: int) -> CapUse | None:
    period = cap_period(tariff, cap, at_s, use)
    if cap.period is not CapPeriod.ROLLING:
        return use if use.period == period else None
    if use.period == period:
        return use
    days = tuple(each for each in use.days if each[0] >= period)
    return replace(use, period=period, spent=sum(amount for _, amount in days), days=days) if days else None


def _may_go_on(tariff: Tariff, chain: Chain, at_s: int) -> bool:
    """Whether any transfer rule could still follow; measured from the latest instant that a rule may take."""
    latest_s = chain.on_s if chain.off_s is None else max(chain.on_s, chain.off_s)
    return any(within_limit(each, latest_s, at_s) for each in transfers_from(tariff, chain.group))
