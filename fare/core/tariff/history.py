"""A rider's taps priced as one history: any order in, each tap's price and what later taps changed in it out.

This is how the ledger re-prices what came late or out of order: it sorts and folds `price()` again. It drops
no duplicates: who delivers taps knows which are the same.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from fare.core.tariff.context import Price, Step, TapContext, TapKind
from fare.core.tariff.model import Tariff
from fare.core.tariff.pricing import close, price
from fare.core.tariff.state import RiderState


@dataclass(frozen=True, slots=True)
class PricedTap:
    """A tap in its history. Minor units.

    `adjustment`: `price.adjustment` and what a later tap, or the closing, found for the journey it began;
    `steps` tell all of it. `state` is the one after this tap.
    """

    tap: TapContext
    price: Price
    adjustment: int
    steps: tuple[Step, ...]
    state: RiderState


def price_history(
    tariff_at: Callable[[TapContext], Tariff],
    taps: Sequence[TapContext],
    until_s: int | None = None,
    state: RiderState | None = None,
    *,
    as_given: bool = False,
    purses: Mapping[int, int] | None = None,
) -> tuple[list[PricedTap], RiderState]:
    """Price all taps of one rider; answers in the order given. The second value is the state at the end.

    `tariff_at` tells by which tariff a tap is priced; `until_s` (unix seconds) is when an incomplete
    journey may be closed. The purse of the first given tap, where known, runs on through all; `purses` sets
    it anew before some taps, by their places in `taps`.
    """
    state = RiderState() if state is None else state
    priced: dict[int, PricedTap] = {}
    opener: int | None = None
    balance = taps[0].balance if taps else None
    waiting = sorted(
        range(len(taps)), key=lambda number: taps[number].at_s if as_given else _when(taps[number])
    )
    while waiting:
        number = waiting.pop(0) if as_given else _next(taps, waiting, state)
        tap = taps[number]
        balance = balance if purses is None else purses.get(number, balance)
        if balance is not None and tap.balance != balance:
            tap = replace(tap, balance=balance)
        found, after = price(tariff_at(tap), state, tap)
        if balance is not None:
            balance += found.loaded - found.amount - found.adjustment - found.earlier
        if opener is not None and (found.earlier or found.earlier_steps):
            priced[opener] = _with_earlier(priced[opener], found.earlier, found.earlier_steps)
        if after.journey is None:
            opener = None
        elif after.journey is not state.journey:
            opener = number
        priced[number] = PricedTap(taps[number], found, found.adjustment, found.steps, after)
        state = after
    if until_s is not None and state.journey is not None:
        ended, state = close(tariff_at(state.journey.tap), state, until_s)
        if ended is not None and opener is not None:
            priced[opener] = _with_earlier(priced[opener], ended.adjustment, ended.steps)
    return [priced[number] for number in range(len(taps))], state


def _with_earlier(one: PricedTap, amount: int, steps: tuple[Step, ...]) -> PricedTap:
    return replace(one, adjustment=one.adjustment + amount, steps=(*one.steps, *steps))


def _when(tap: TapContext) -> tuple[int, bool, str]:
    """The order of time; taps of the very same second in an order that does not hang on how they came."""
    return tap.at_s, tap.kind is TapKind.OFF, repr(tap)


def _next(taps: Sequence[TapContext], waiting: list[int], state: RiderState) -> int:
    """Take the next tap. In one second a ride that is open ends before another begins."""
    first = taps[waiting[0]]
    if state.journey is None or first.kind is TapKind.OFF:
        return waiting.pop(0)
    opened = state.journey.tap
    ends = [
        place
        for place, number in enumerate(waiting)
        if taps[number].at_s == first.at_s and taps[number].kind is TapKind.OFF
    ]
    if not ends:
        return waiting.pop(0)
    same = (place for place in ends if _same_ride(opened, taps[waiting[place]]))
    return waiting.pop(next(same, ends[0]))


def _same_ride(on: TapContext, off: TapContext) -> bool:
    return (on.vehicle, on.trip, on.route) == (off.vehicle, off.trip, off.route)
