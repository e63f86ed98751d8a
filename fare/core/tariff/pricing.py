"""`price()`: the one function that says what a tap costs, called by the bus and by the ledger.

No clock, no I/O, integers only: the same arguments give the same price on both sides for ever. A journey's
prices are a fold over its taps in order of time: state in, price and state out.
"""

from __future__ import annotations

from dataclasses import replace

from fare.core.tariff.context import Price, Rule, Step, TapContext, TapKind
from fare.core.tariff.fares import Leg, companions_category, leg_of, rules_of
from fare.core.tariff.journeys import (
    alight_only,
    begin,
    close,
    close_before,
    close_incomplete,
    finish,
    is_over,
    left,
    taps_off,
)
from fare.core.tariff.model import OutOfService, SecondTap, Tariff
from fare.core.tariff.payment import at_the_exit, from_purse
from fare.core.tariff.riding import ride
from fare.core.tariff.state import LastBoarding, OpenJourney, RiderState
from fare.core.tariff.state_life import expire, same_trip_s

__all__ = ["close", "is_memoryless", "price"]


def price(tariff: Tariff, state: RiderState, tap: TapContext) -> tuple[Price, RiderState]:
    """Price one tap. Returns the price and the rider's state after it.

    Taps of one rider come in order of time; amounts are minor units of the tariff's currency. A tap that does
    not board (`Price.boards`) or is a pass-back leaves the state as it was.
    """
    if tap.kind is TapKind.OFF:
        return _alight(tariff, state, tap)
    if not tap.in_service:
        if tariff.out_of_service is OutOfService.RIDE_FREE:
            return Price(0, None, (Step(Rule.OUT_OF_SERVICE, "", 0),)), state
        return Price(0, None, (Step(Rule.ANOTHER_DOOR, "", 0),), boards=False), state
    if _is_pass_back(tariff, state, tap):
        return Price(0, None, (Step(Rule.PASS_BACK, "", 0),)), state
    if tap.pax > tariff.companions.most:
        return Price(0, None, (Step(Rule.TOO_MANY, str(tariff.companions.most), 0),), boards=False), state
    if state.journey is None:
        now = expire(tariff, state, tap.at_s)
        if _is_second_tap(tariff, now, tap):
            return _second_tap(tariff, now, tap)
        return _board(tariff, now, tap)
    return _board_again(tariff, state, state.journey, tap)


def is_memoryless(tariff: Tariff) -> bool:
    """Whether a tap's price never depends on earlier ones, but for pass-back and companions."""
    return not (
        tariff.windows
        or tariff.caps
        or tariff.transfer_rules
        or tariff.join_rules
        or tariff.tap_off is not None
        or any(each.rides is not None for each in tariff.passes)
    )


def _board_again(
    tariff: Tariff, state: RiderState, journey: OpenJourney, tap: TapContext
) -> tuple[Price, RiderState]:
    """Board while a journey is open: that one ends first, and what it is found to cost is told beside."""
    if is_over(tariff, journey, tap.at_s):
        ended, between = close_incomplete(tariff, state, journey)
    else:
        ended, between = close_before(tariff, state, journey, tap)
    found, after = _board(tariff, expire(tariff, between, tap.at_s), tap)
    if not found.boards:
        return found, state  # who was refused may still be aboard, and nothing was written
    return replace(found, earlier=ended.adjustment, earlier_steps=ended.steps), after


def _board(tariff: Tariff, state: RiderState, tap: TapContext) -> tuple[Price, RiderState]:
    leg = leg_of(tariff, tap)
    alone = _on_same_trip(state, tap)
    tap_off = None if tariff.tap_off is None else taps_off(tariff, leg)
    if tap_off is not None:
        begun = begin(tariff, tap_off, state, leg, alone=alone)
        if begun is None:
            return _unknown(), state
        found, after = begun
    else:
        ridden = ride(tariff, state, leg, rules_of(tariff, leg), alone=alone)
        if ridden is None:
            return _unknown(), state
        found, after = ridden.price(), ridden.state
    if tap.balance is None:
        return found, after
    paid = from_purse(tariff, found, tap)
    return paid, after if paid.boards else state


def _alight(tariff: Tariff, state: RiderState, tap: TapContext) -> tuple[Price, RiderState]:
    journey, last = state.journey, state.last
    if journey is None:
        if last is not None and last.alighted and _is_repeated(tariff, last, tap):
            return Price(0, None, (Step(Rule.PASS_BACK, "", 0),)), state
        found, after = alight_only(tariff, expire(tariff, state, tap.at_s), tap)
    elif is_over(tariff, journey, tap.at_s, TapKind.OFF):
        # It was settled as incomplete: the late tap-off tells nothing that is still paid for.
        ended, after = close_incomplete(tariff, state, journey)
        step = Step(Rule.INCOMPLETE, "", 0)
        late = Price(0, None, (step,), earlier=ended.adjustment, earlier_steps=ended.steps)
        return late, replace(after, last=left(tap))
    else:
        found, after = finish(tariff, state, journey, tap)
    return at_the_exit(tariff, found, tap), after


def _is_pass_back(tariff: Tariff, state: RiderState, tap: TapContext) -> bool:
    last = state.last
    return last is not None and not last.alighted and _is_repeated(tariff, last, tap)


def _is_repeated(tariff: Tariff, last: LastBoarding, tap: TapContext) -> bool:
    """The same medium at the same vehicle and trip within the pass-back interval: nobody means that."""
    return (
        last.vehicle is not None
        and last.vehicle == tap.vehicle
        and (last.trip is None or tap.trip is None or last.trip == tap.trip)
        and 0 <= tap.at_s - last.at_s < tariff.pass_back_s
    )


def _is_second_tap(tariff: Tariff, state: RiderState, tap: TapContext) -> bool:
    """Whether the medium has boarded this very ride before: the tap is for a companion."""
    last = state.last
    if last is None or last.alighted or last.vehicle is None or last.vehicle != tap.vehicle:
        return False
    if last.trip is not None and tap.trip is not None:
        return last.trip == tap.trip
    return 0 <= tap.at_s - last.at_s <= tariff.derive(same_trip_s)


def _on_same_trip(state: RiderState, tap: TapContext) -> bool:
    """Who gets off and on the same trip again has changed nothing: that is no transfer."""
    last = state.last
    return (
        last is not None
        and last.vehicle is not None
        and last.vehicle == tap.vehicle
        and last.trip is not None
        and last.trip == tap.trip
    )


def _second_tap(tariff: Tariff, state: RiderState, tap: TapContext) -> tuple[Price, RiderState]:
    """A companion's tap pays in full and leaves the rider's transfers alone; or all have paid already."""
    if tariff.companions.second_tap is SecondTap.ALREADY_PAID:
        return Price(0, None, (Step(Rule.ALREADY_PAID, "", 0),)), state
    own = leg_of(tariff, tap)
    leg = _without_passes(own, companions_category(tariff, own))
    counts = tariff.companions.count_to_caps
    found = ride(tariff, state, leg, rules_of(tariff, leg), alone=True, capless=not counts)
    if found is None:
        return _unknown(), state
    found.steps = (*found.steps, Step(Rule.COMPANIONS, str(tap.pax), found.due))
    paid = from_purse(tariff, found.price(), tap)
    if not paid.boards:
        return paid, state
    last = LastBoarding(tap.at_s, tap.vehicle, tap.trip)
    return paid, replace(state, last=last, caps=found.state.caps if counts else state.caps)


def _without_passes(leg: Leg, category: str) -> Leg:
    leg.on = replace(leg.on, passes=())
    leg.category = category
    return leg


def _unknown() -> Price:
    """Never zero by silence: a leg without a fare does not board, and says so."""
    return Price(0, None, (Step(Rule.UNKNOWN_FARE, "", 0),), boards=False)
