"""Join rules: two complete legs that count as one, from the origin of the first to the end of the second.

Semantics: GTFS reference, fare_leg_join_rules. The joined leg is priced from the state before its first
part, and what that part cost is taken off.
"""

from __future__ import annotations

from dataclasses import replace

from fare.core.tariff.context import Rule, Step, TapContext
from fare.core.tariff.fares import Leg, areas_of, leg_of, rules_of
from fare.core.tariff.model import EMPTY, JoinRule, Tariff
from fare.core.tariff.riding import Ride, ride
from fare.core.tariff.state import JoinedLeg, RiderState


def joined(tariff: Tariff, state: RiderState, leg: Leg) -> Ride | None:
    """The rest that is due when `leg` and the one before it are one; None: they are two."""
    first, before = state.leg, state.before_leg
    if first is None or before is None or leg.off is None:
        return None
    if leg.on.at_s - first.off.at_s > tariff.join_within_s:
        return None  # GTFS speaks of one journey; who comes back in the evening makes another
    network = leg_of(tariff, first.on, first.off).network
    if not any(_joins(tariff, rule, network, leg, first) for rule in tariff.join_rules):
        return None
    whole = leg_of(tariff, first.on, _end(first.off, leg.off))
    if leg.network != network:
        whole.network = EMPTY  # one leg must have one network for a rule to name it
    found = ride(tariff, before, whole, rules_of(tariff, whole))
    if found is None:
        return None
    found.due -= first.due
    found.steps = (*found.steps, Step(Rule.JOINED, "", found.due))
    return found


def remember(tariff: Tariff, before: RiderState, found: Ride, leg: Leg) -> RiderState:
    """The state after a complete leg, with the leg itself where a next one may join it."""
    if not tariff.join_rules or leg.off is None:
        return found.state
    if found.steps and found.steps[-1].rule is Rule.JOINED and before.leg is not None:
        whole = JoinedLeg(before.leg.on, _end(before.leg.off, leg.off), before.leg.due + found.due)
        return replace(found.state, leg=whole, before_leg=before.before_leg)
    origin = replace(before, leg=None, before_leg=None)
    off = leg.off if leg.off.balance is None else replace(leg.off, balance=None)
    return replace(found.state, leg=JoinedLeg(leg.on, off, found.due), before_leg=origin)


def _joins(tariff: Tariff, rule: JoinRule, network: str, leg: Leg, first: JoinedLeg) -> bool:
    return (
        rule.from_network_id in (EMPTY, network)
        and rule.to_network_id in (EMPTY, leg.network)
        and _changes_at(tariff, rule, first.off, leg.on)
    )


def _changes_at(tariff: Tariff, rule: JoinRule, off: TapContext, on: TapContext) -> bool:
    if rule.from_stop_id != EMPTY or rule.to_stop_id != EMPTY:
        return (
            rule.from_stop_id in (EMPTY, off.stop, _station(tariff, off))
            and rule.to_stop_id in (EMPTY, on.stop, _station(tariff, on))
        )  # fmt: skip
    if tariff.join_anywhere:
        return True
    if off.stop is not None and on.stop is not None:
        return off.stop == on.stop or _station(tariff, off) == _station(tariff, on)
    return areas_of(tariff, off) == areas_of(tariff, on)


def _station(tariff: Tariff, tap: TapContext) -> str | None:
    return None if tap.stop is None else tariff.stations.get(tap.stop, tap.stop)


def _end(first: TapContext, second: TapContext) -> TapContext:
    """The tap-off of the whole, with the length of both parts."""
    if first.distance_m is not None and second.distance_m is not None:
        return replace(second, distance_m=first.distance_m + second.distance_m, balance=None)
    return replace(second, balance=None)
