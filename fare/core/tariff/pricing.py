"""`price()`: the one function that says what a tap costs, called by the bus and by the ledger.

No clock, no I/O, integers only: the same arguments give the same price on both sides for ever.
"""

from __future__ import annotations

from fare.core.tariff.context import Price, Rule, Step, TapContext
from fare.core.tariff.model import EMPTY, Tariff
from fare.core.tariff.state import RiderState


def price(tariff: Tariff, state: RiderState, tap: TapContext) -> tuple[Price, RiderState]:
    """Price one tap. Returns the price and the rider's state after it."""
    if tap.passes:
        held = tap.passes[0].product_id
        return Price(0, held, (Step(Rule.PASS, held, 0),), pass_product_id=held), state
    default = next((each for each in tariff.rider_categories if each.is_default), None)
    known = {each.rider_category_id for each in tariff.rider_categories}
    category = tap.rider_category if tap.category_valid and tap.rider_category in known else None
    if category is None and default is not None:
        category = default.rider_category_id
    for product in tariff.products:
        if product.rider_category_id in (category, EMPTY):
            amount = product.amount * tap.pax
            return Price(
                amount, product.product_id, (Step(Rule.FARE, product.product_id, amount),), fare=amount
            ), state
    return Price(0, None, (Step(Rule.UNKNOWN_FARE, "", 0),), boards=False), state
