"""One leg, ridden from a state: the cheapest way to pay it, its companions, and the state afterwards.

It charges nothing: what is due is given back, and boarding, alighting and closing make a price of it.
"""

from __future__ import annotations

from dataclasses import dataclass

from fare.core.tariff.caps import capped
from fare.core.tariff.context import Price, Rule, Step
from fare.core.tariff.fares import Candidate, Leg, choices, companions_category
from fare.core.tariff.model import EMPTY, LegRule, Tariff, TransferRule, TransferWindow
from fare.core.tariff.payment import OnPass, paying_pass
from fare.core.tariff.state import LastBoarding, RiderState
from fare.core.tariff.transfers import Offer, after_transfer, transfer_cost, transfers
from fare.core.tariff.windows import after_windows, cost_in, window_offers


@dataclass(slots=True, eq=False)
class Ride:
    """What a leg comes to, in minor units, and the state after it; `due` below zero is owed to the rider."""

    due: int
    fare: int
    product_id: str
    steps: tuple[Step, ...]
    state: RiderState
    pass_product_id: str | None = None
    rides_used: int = 0

    def price(self, charged: int = 0) -> Price:
        """The price of a tap that settles the leg, when `charged` was taken before."""
        rest = self.due - charged
        return Price(
            amount=max(0, rest),
            product_id=self.product_id,
            steps=self.steps,
            adjustment=min(0, rest),
            fare=self.fare,
            rides_used=self.rides_used,
            pass_product_id=self.pass_product_id,
        )


def ride(
    tariff: Tariff,
    state: RiderState,
    leg: Leg,
    rules: tuple[LegRule, ...],
    *,
    alone: bool = False,
    capless: bool = False,
) -> Ride | None:
    """The leg paid as cheaply as these rules and the state allow; None: the fare is unknown.

    `alone`: as if nothing had gone before, so that no transfer and no window applies. `capless`: no cap
    either.
    """
    offer = _cheapest(tariff, state, leg, rules, alone=alone)
    offer, held = _with_pass(tariff, state, leg, rules, offer)
    if offer is None:
        return None
    own, steps = offer.cost, offer.steps
    fare, counted, uncounted = own, own, 0
    pax = leg.on.pax
    if pax > 1:
        others = _companions(tariff, state, leg, rules, offer)
        fare += others
        steps = (*steps, Step(Rule.COMPANIONS, str(pax - 1), fare))
        if tariff.companions.count_to_caps:
            counted += others
        else:
            uncounted = others
    passes, caps = state.passes, state.caps
    if held is not None:
        counted -= own
        rule = Rule.MULTI_RIDE if held.counts_rides else Rule.PASS
        steps = (*steps, Step(rule, held.held.product_id, counted + uncounted))
        if held.use is not None:
            passes = {**passes, held.held.product_id: held.use}
    if counted != 0 and tariff.caps and not capless:
        counted, reasons, caps = capped(tariff, caps, leg, offer, counted)
        if reasons:
            steps = (*steps, Step(reasons[0].rule, reasons[0].ref, counted + uncounted))
    windows, chain = state.windows, state.chain
    # Who rides on a pass without a count has paid nothing that a transfer could go on from.
    if held is None or held.counts_rides:
        windows = after_windows(tariff, windows, offer, leg, pax)
        chain = after_transfer(tariff, chain, offer, leg, 0 if held is not None else min(own, counted), pax)
    last = LastBoarding(leg.on.at_s, leg.on.vehicle, leg.on.trip)
    after = RiderState(last, chain, windows, caps, passes)
    return Ride(
        due=counted + uncounted,
        fare=fare,
        product_id=offer.product_id if held is None else held.held.product_id,
        steps=steps,
        state=after,
        pass_product_id=None if held is None else held.held.product_id,
        rides_used=0 if held is None else int(held.counts_rides),
    )


def _cheapest(
    tariff: Tariff, state: RiderState, leg: Leg, rules: tuple[LegRule, ...], *, alone: bool
) -> Offer | None:
    """The cheapest offer; of equal ones a transfer comes before the full fare, then the cheaper product.

    A GTFS transfer rule that applies is what the leg costs, dearer than the full fare or not: the reference
    says that it "must be processed". The windows of `mancard.toml` are offers beside it.
    """
    best: Offer | None = None
    for candidate in choices(tariff, leg, rules, leg.category):
        offers: list[Offer] = []
        if not alone and state.chain is not None:
            offers += transfers(tariff, state.chain, leg, candidate)
        if not offers:
            offers.append(Offer(candidate, candidate.amount, candidate.product_id))
        if not alone and state.windows:
            offers += window_offers(tariff, state.windows, leg, candidate)
        for offer in offers:
            if best is None or _order(offer) < _order(best):
                best = offer
    return best


def _with_pass(
    tariff: Tariff, state: RiderState, leg: Leg, rules: tuple[LegRule, ...], offer: Offer | None
) -> tuple[Offer | None, OnPass | None]:
    """The offer and the pass that pays it, if any. Where nothing is sold on board, a pass alone may ride."""
    if not leg.on.passes:
        return offer, None
    if offer is not None:
        return offer, paying_pass(tariff, state.passes, leg, offer, rules) if offer.cost > 0 else None
    if leg.on.pax > 1 or not rules:
        return None, None  # a pass covers nobody but its holder, and no leg that the tariff does not know
    bare = Offer(Candidate(rules[0].leg_group_id, EMPTY, 0, ()), 0, EMPTY)
    held = paying_pass(tariff, state.passes, leg, bare, rules)
    return (None, None) if held is None else (bare, held)


def _order(offer: Offer) -> tuple[int, bool, int]:
    return offer.cost, offer.via is None, offer.candidate.amount


def _companions(tariff: Tariff, state: RiderState, leg: Leg, rules: tuple[LegRule, ...], offer: Offer) -> int:
    """What all but the rider cost: as many as boarded before share the transfer, the rest pay in full."""
    others = leg.on.pax - 1
    category = companions_category(tariff, leg)
    fares = [each.amount for each in choices(tariff, leg, rules, category)]
    full = min(fares, default=offer.candidate.amount)
    together, reduced = 0, full
    if tariff.companions.transfer:
        match offer.via:
            case TransferWindow():
                use = state.windows[offer.via.window_id]
                together, reduced = min(others, use.pax - 1), cost_in(tariff, offer.via, use, full)
            case TransferRule() if state.chain is not None:
                together = min(others, state.chain.pax - 1)
                cost = transfer_cost(tariff, state.chain, offer.via, full, category, leg.medium)
                reduced = full if cost is None else max(0, cost)
            case _:
                pass
    return together * min(reduced, full) + (others - together) * full
