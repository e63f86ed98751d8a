"""Who pays what is due: pass, then multi-ride, then stored value as far as caps, purse and overdraft go."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from fare.core.tariff.context import HeldPass, Price, Rule, Step, TapContext
from fare.core.tariff.fares import Leg, covers, percent_of, prices_of
from fare.core.tariff.model import LegRule, PassStart, ShortPurse, Tariff
from fare.core.tariff.periods import pass_is_valid
from fare.core.tariff.state import PassUse
from fare.core.tariff.transfers import Offer


@dataclass(slots=True, eq=False)
class OnPass:
    """A pass that pays for the leg, what to remember of it afterwards, and whether it counts rides."""

    held: HeldPass
    use: PassUse | None
    counts_rides: bool


def paying_pass(
    tariff: Tariff, uses: Mapping[str, PassUse], leg: Leg, offer: Offer, rules: tuple[LegRule, ...]
) -> OnPass | None:
    """The pass that pays for a leg of these rules: one without a count of rides first, then the oldest."""
    found: list[OnPass] = []
    index = prices_of(tariff)
    candidate = offer.candidate
    named = {rule.fare_product_id for rule in rules}
    for held in _not_used_up(leg.on.passes, uses):
        product = index.passes.get(held.product_id)
        use = uses.get(held.product_id)
        if use is not None and use.key != held.key:
            use = None  # what is remembered is of an older pass of the same product
        if not pass_is_valid(tariff, product, held, use, leg.decided_s):
            continue
        # A leg rule that names the pass lets it ride, whatever product the rider would pay for otherwise.
        paid_as = held.product_id if held.product_id in named else candidate.product_id
        if product is not None and not covers(
            tariff, product.covers, leg, candidate.group, paid_as, leg.category
        ):
            continue
        rides = held.rides if held.rides is not None or product is None else product.rides
        used = 0 if use is None else use.used
        if rides is not None and used >= rides:
            continue
        counts = rides is not None
        after = None
        if counts or (product is not None and product.start is PassStart.FIRST_USE):
            after = PassUse(held.key, used + counts, leg.decided_s if use is None else use.first_s)
        found.append(OnPass(held, after, counts))
    return min(found, key=lambda each: each.counts_rides, default=None)


def _not_used_up(passes: tuple[HeldPass, ...], uses: Mapping[str, PassUse]) -> list[HeldPass]:
    """The passes by their beginnings, without those before the one of their product that was used last.

    A state remembers one use of each product. So passes of one product are used up one after the other: to go
    back to an older one would be to count its rides from nought again.
    """
    found: list[HeldPass] = []
    for held in sorted(passes, key=lambda each: each.from_s or 0):
        use = uses.get(held.product_id)
        if use is not None and use.key == held.key:
            found = [each for each in found if each.product_id != held.product_id]
        found.append(held)
    return found


def from_purse(tariff: Tariff, price: Price, tap: TapContext) -> Price:
    """The price as the purse can pay it: refused, overdrawn, or with what is missing loaded first."""
    if tap.balance is None or price.amount == 0:
        return price
    available = _available(tariff, tap, tap.balance)
    if price.amount <= available:
        return price
    if tariff.shortfall.action is ShortPurse.REFUSE:
        return replace(
            price, amount=0, adjustment=0, boards=False, rides_used=0, pass_product_id=None,
            steps=(*price.steps, Step(Rule.SHORT_PURSE, "", 0)),
        )  # fmt: skip
    missing = price.amount - available
    fee = percent_of(missing, tariff.shortfall.fee_percent, tariff.shortfall.rounding)
    amount = price.amount + fee
    steps = (*price.steps, Step(Rule.LOADED, "", amount))
    return replace(price, amount=amount, fee=fee, loaded=missing + fee, steps=steps)


def at_the_exit(tariff: Tariff, price: Price, tap: TapContext) -> Price:
    """A tap-off cannot be refused: what a short purse lacks is settled by the ledger."""
    if tap.balance is None or price.amount == 0:
        return price
    if tariff.shortfall.action is ShortPurse.LOAD:
        return from_purse(tariff, price, tap)
    available = max(0, _available(tariff, tap, tap.balance))
    if price.amount <= available:
        return price
    steps = (*price.steps, Step(Rule.SHORT_PURSE, "", available))
    return replace(
        price, amount=available, adjustment=price.adjustment + price.amount - available, steps=steps
    )


def _available(tariff: Tariff, tap: TapContext, balance: int) -> int:
    """What the purse can pay, the overdraft included."""
    overdraft = tariff.overdraft.amount if tap.overdraft is None else tap.overdraft
    if balance <= 0 and tariff.overdraft.only_from_positive:
        return min(balance, 0)
    return balance + overdraft
