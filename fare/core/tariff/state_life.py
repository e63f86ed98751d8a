"""What of a rider's state is still alive at an instant: the rest is forgotten before a tap is priced.

So two states that mean the same are equal, and a state stays small. It prices nothing and closes no journey.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Final

from fare.core.tariff.caps import use_at
from fare.core.tariff.model import Tariff
from fare.core.tariff.state import CapUse, Chain, RiderState, WindowUse
from fare.core.tariff.transfers import transfers_from, within_limit
from fare.core.tariff.windows import is_open

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


def _open_windows(tariff: Tariff, windows: Mapping[str, WindowUse], at_s: int) -> Mapping[str, WindowUse]:
    known = {each.window_id: each for each in tariff.windows}
    alive = {
        window_id: use
        for window_id, use in windows.items()
        if window_id in known and is_open(tariff, known[window_id], use.since_s, at_s)
    }
    return windows if len(alive) == len(windows) else alive


def _running_caps(tariff: Tariff, caps: Mapping[str, CapUse], at_s: int) -> Mapping[str, CapUse]:
    known = {each.cap_id: each for each in tariff.caps}
    alive: dict[str, CapUse] = {}
    changed = False
    for cap_id, use in caps.items():
        now = use_at(tariff, known[cap_id], use, at_s) if cap_id in known else None
        changed = changed or now is not use
        if now is not None:
            alive[cap_id] = now
    return alive if changed else caps


def _may_go_on(tariff: Tariff, chain: Chain, at_s: int) -> bool:
    """Whether any transfer rule could still follow; measured from the latest instant that a rule may take."""
    latest_s = chain.on_s if chain.off_s is None else max(chain.on_s, chain.off_s)
    return any(within_limit(each, latest_s, at_s) for each in transfers_from(tariff, chain.group))
