"""`price()`: the one function that says what a tap costs, called by the bus and by the ledger.

No clock, no I/O, integers only: the same arguments give the same price on both sides for ever.
"""

from __future__ import annotations

from dataclasses import dataclass

from fare.core.card_record import RIDER_STATE_SIZE
from fare.core.tariff.model import FareMedium, Tariff


@dataclass(frozen=True, slots=True)
class RiderState:
    """What the tariff remembers of a rider between taps: the last bytes of a card's record; zero at first."""

    raw: bytes = bytes(RIDER_STATE_SIZE)


@dataclass(frozen=True, slots=True)
class TapContext:
    """The boarding. `at_s` is unix seconds; `category_valid` is False once a concession has lapsed.

    `on_pass` is the product number of a pass that covers it, None without one.
    """

    at_s: int
    medium: FareMedium
    rider_category: int
    category_valid: bool
    line: int
    area: int
    pax: int = 1
    on_pass: int | None = None


@dataclass(frozen=True, slots=True)
class Price:
    """What a tap costs and why, in terms a rider can be told. `rule` is "flat" or "pass"."""

    amount_rial: int
    product_id: str
    rule: str


def price(tariff: Tariff, state: RiderState, tap: TapContext) -> tuple[Price, RiderState]:
    """Price one boarding. Returns the price and the rider's state after it. A pass comes before the purse."""
    if tap.on_pass is not None:
        return Price(0, f"pass-{tap.on_pass}", "pass"), state
    known = tap.category_valid and tap.rider_category in tariff.rider_categories
    product = tariff.rider_categories[tap.rider_category if known else 0]
    return Price(product.amount_rial * tap.pax, product.product_id, "flat"), state
