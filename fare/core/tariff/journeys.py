"""Journeys with a tap at each end: the tap-on and its charge, the tap-off, and what has only one of them."""

from __future__ import annotations

from dataclasses import replace

from fare.core.tariff.context import Price, Rule, Step, TapContext, TapKind
from fare.core.tariff.fares import Leg, areas_of, covers, leg_of, prices_of, rules_of
from fare.core.tariff.joins import joined, remember
from fare.core.tariff.matching import LONGEST_RIDE_S
from fare.core.tariff.model import IncompleteFare, TapOff, TapOffCharge, Tariff, TransferRule
from fare.core.tariff.periods import service_day
from fare.core.tariff.reaching import dearest_kinds, reachable
from fare.core.tariff.riding import Ride, ride
from fare.core.tariff.state import LastBoarding, OpenJourney, RiderState


def taps_off(tariff: Tariff, leg: Leg) -> TapOff | None:
    """The tariff's tap-off rules where they hold for this leg."""
    rules = tariff.tap_off
    if rules is None or not covers(tariff, rules.covers, leg, None, None, leg.category):
        return None
    return rules


def begin(
    tariff: Tariff, rules: TapOff, state: RiderState, leg: Leg, *, alone: bool
) -> tuple[Price, RiderState] | None:
    """The tap-on of a journey: nothing yet, or the dearest fare reachable; None: no fare is known.

    `alone`: it is no transfer.
    """
    found = dearest(tariff, state, leg, alone=alone)
    if found is None:
        return None
    charged = found.due if rules.charge is TapOffCharge.AT_TAP_ON else 0
    charged = max(0, charged)
    steps = (*found.steps, Step(Rule.MAXIMUM, found.product_id, charged))
    price = Price(charged, found.product_id, steps, fare=found.fare, pass_product_id=found.pass_product_id)
    # A tap is remembered as the leg needs it: the purse will be another one at its other end.
    tap = leg.on if leg.on.balance is None else replace(leg.on, balance=None)
    last = LastBoarding(tap.at_s, tap.vehicle, tap.trip)
    return price, replace(state, last=last, journey=OpenJourney(tap, charged, alone))


def dearest(
    tariff: Tariff, state: RiderState, leg: Leg, *, backwards: bool = False, alone: bool = False
) -> Ride | None:
    """The dearest ride that the leg may turn out to be; None: no rule and no default fare prices any."""
    reached = reachable(tariff, leg, backwards=backwards)
    kinds = reached.kinds or (rules_of(tariff, leg),)
    if reached.kinds and not prices_of(tariff).picks_products:
        # Windows and caps leave the order of fares as it is: what costs most in full costs most.
        kinds = dearest_kinds(tariff, leg, reached, by_group=state.chain is not None and not alone)
    states = [state]
    if state.chain is not None and leg.off is None and any(map(_by_arrival, tariff.transfer_rules)):
        states.append(replace(state, chain=None))  # who arrives too late has made no transfer
    found = (ride(tariff, one, leg, rules, alone=alone) for one in states for rules in kinds)
    rides = [each for each in found if each is not None]
    return max(rides, key=lambda each: (each.due, each.fare), default=None)


def _by_arrival(rule: TransferRule) -> bool:
    return rule.limit_s is not None and rule.limit_type.to_arrival


def finish(
    tariff: Tariff, state: RiderState, journey: OpenJourney, off: TapContext
) -> tuple[Price, RiderState]:
    """The tap-off: the leg is priced anew with both ends from the state before it, and the rest settled."""
    before = replace(state, journey=None)
    leg = leg_of(tariff, journey.tap, off)
    gone = left(off)
    if _cancels(tariff, journey.tap, off):
        back = -journey.charged
        return Price(0, None, (Step(Rule.CANCELLED, "", 0),), adjustment=back), replace(before, last=gone)
    found = joined(tariff, before, leg)
    if found is None:
        found = ride(tariff, before, leg, rules_of(tariff, leg), alone=journey.alone)
    if found is None:
        unknown = Step(Rule.UNKNOWN_FARE, "", journey.charged)
        return Price(0, None, (unknown,)), replace(before, last=gone)
    after = remember(tariff, before, found, leg)
    return found.price(journey.charged), replace(after, last=gone)


def alight_only(tariff: Tariff, state: RiderState, off: TapContext) -> tuple[Price, RiderState]:
    """A tap-off without a tap-on: an incomplete journey, priced from wherever it may have begun."""
    leg = leg_of(tariff, off, off)
    leg.from_areas = ()
    rules = taps_off(tariff, leg)
    if rules is None:
        return _alighted(state, off)
    found = _incomplete(tariff, rules, state, leg, backwards=True)
    if found is None:
        return Price(0, None, (Step(Rule.UNKNOWN_FARE, "", 0),)), replace(state, last=left(off))
    return found.price(), replace(found.state, last=left(off))


def _alighted(state: RiderState, off: TapContext) -> tuple[Price, RiderState]:
    """Where nobody has to tap off, a tap-off tells only when and that the rider left."""
    chain = state.chain
    if chain is not None and chain.off_s is None:
        first = chain.rule == "" and chain.since_on_s == chain.on_s
        chain = replace(chain, off_s=off.at_s, since_off_s=off.at_s if first else chain.since_off_s)
    return Price(0, None, (Step(Rule.ALIGHTED, "", 0),)), replace(state, last=left(off), chain=chain)


def left(off: TapContext) -> LastBoarding:
    """The last boarding once the rider has tapped off: where that was is all that a card's record tells."""
    return LastBoarding(off.at_s, off.vehicle, off.trip, alighted=True)


def is_over(tariff: Tariff, journey: OpenJourney, at_s: int, kind: TapKind = TapKind.ON) -> bool:
    """Whether an open journey has lasted too long to go on; a tap-off may still end it after the day."""
    rules = tariff.tap_off
    on_s = journey.tap.at_s
    if rules is not None and rules.close_after_s is not None:
        return at_s - on_s >= rules.close_after_s + (kind is TapKind.OFF)
    # A tap-off soon after tap-on ends its journey even when the service day has ended in between.
    if kind is TapKind.OFF and at_s - on_s <= LONGEST_RIDE_S:
        return False
    return service_day(tariff, at_s) != service_day(tariff, on_s)


def close(tariff: Tariff, state: RiderState, at_s: int) -> tuple[Price | None, RiderState]:
    """Close an incomplete journey that is over at `at_s`; None: nothing is open, or it may still go on.

    `Price.adjustment` is what is due beyond the charge of its tap-on, below zero what comes back.
    """
    if state.journey is None or not is_over(tariff, state.journey, at_s):
        return None, state
    return close_incomplete(tariff, state, state.journey)


def close_before(
    tariff: Tariff, state: RiderState, journey: OpenJourney, tap: TapContext
) -> tuple[Price, RiderState]:
    """Close the open journey because the next begins: completed here where the tariff says so."""
    rules = tariff.tap_off
    within_s = None if rules is None else rules.auto_complete_within_s
    if within_s is not None and 0 <= tap.at_s - journey.tap.at_s <= within_s:
        on = journey.tap  # it is that ride which ends here, not the one that begins
        off = replace(tap, kind=TapKind.OFF, vehicle=on.vehicle, trip=on.trip, distance_m=None)
        price, after = finish(tariff, state, journey, off)
        if price.known:
            due = price.amount + price.adjustment
            steps = (*price.steps, Step(Rule.COMPLETED, "", journey.charged + due))
            return replace(price, amount=0, adjustment=due, steps=steps), after
    return close_incomplete(tariff, state, journey)


def close_incomplete(tariff: Tariff, state: RiderState, journey: OpenJourney) -> tuple[Price, RiderState]:
    """Close a journey whose tap-off never came, at what the tariff asks for that."""
    before = replace(state, journey=None)
    leg = leg_of(tariff, journey.tap)
    found = _incomplete(tariff, tariff.tap_off or TapOff(), before, leg, alone=journey.alone)
    if found is None:
        return Price(0, None, (Step(Rule.INCOMPLETE, "", journey.charged),)), before
    price = found.price()
    due = price.amount + price.adjustment - journey.charged
    return replace(price, amount=0, adjustment=due), found.state


def _incomplete(
    tariff: Tariff,
    rules: TapOff,
    state: RiderState,
    leg: Leg,
    *,
    backwards: bool = False,
    alone: bool = False,
) -> Ride | None:
    found = dearest(tariff, state, leg, backwards=backwards, alone=alone)
    if found is None:
        return None
    if rules.incomplete is not IncompleteFare.MAXIMUM and found.pass_product_id is None:
        amount = rules.incomplete_amount if rules.incomplete is IncompleteFare.AMOUNT else 0
        step = Step(Rule.INCOMPLETE, "", amount)
        last = LastBoarding(leg.on.at_s, leg.on.vehicle, leg.on.trip)
        return Ride(amount, amount, found.product_id, (step,), replace(state, last=last))
    found.steps = (*found.steps, Step(Rule.INCOMPLETE, "", found.due))
    return found


def _cancels(tariff: Tariff, on: TapContext, off: TapContext) -> bool:
    rules = tariff.tap_off
    if rules is None or rules.cancel_within_s is None:
        return False
    if rules.cancel_within_s >= 0 and off.at_s - on.at_s > rules.cancel_within_s:
        return False
    if on.stop is not None and off.stop is not None:
        return on.stop == off.stop
    here = areas_of(tariff, on)
    return bool(here) and set(here) == set(areas_of(tariff, off))
