"""The most that one boarding of one person may cost by a tariff: the bound of holds and of owners' credit.

A bound, not a price: it looks at no rider and no leg, so that no tap of the tariff is ever above it.
"""

from __future__ import annotations

from typing import Final

from fare.core.tariff.fares import dearest_distance, percent_of, rounded
from fare.core.tariff.model import (
    EMPTY,
    Concession,
    Direction,
    DistanceFare,
    IncompleteFare,
    Rounding,
    ShortPurse,
    Tariff,
    TransferType,
)

_PERCENT: Final = 100


def max_fare(tariff: Tariff) -> int:
    """The dearest single fare, in minor units; passes are no fares. 0 for a tariff without any.

    A `[[distance]]` table with `per_km` and neither bands nor `maximum` has no dearest fare: it counts with
    its beginning only.
    """
    passes = {each.product_id for each in tariff.passes}
    amounts = [each.amount for each in tariff.products if each.product_id not in passes]
    amounts += [_dearest(each) for each in tariff.distance_fares]
    if tariff.tap_off is not None and tariff.tap_off.incomplete is IncompleteFare.AMOUNT:
        amounts.append(tariff.tap_off.incomplete_amount)
    highest = max(amounts, default=0)
    highest = max([highest, *(_conceded(each, highest) for each in tariff.concessions)])
    highest = max(highest, rounded(highest, 1, _upwards(tariff.rounding)))
    highest += _transfer_on_top(tariff)
    if tariff.shortfall.action is ShortPurse.LOAD:
        highest += percent_of(highest, tariff.shortfall.fee_percent, _upwards(tariff.shortfall.rounding))
    return max(0, highest)


def _dearest(fare: DistanceFare) -> int:
    percent = max([_PERCENT, *fare.percents.values()])
    return percent_of(dearest_distance(fare), percent, _upwards(fare.rounding))


def _conceded(concession: Concession, amount: int) -> int:
    """A concession may be a surcharge: so many percent, above a hundred."""
    return percent_of(amount, concession.percent or 0, _upwards(concession.rounding))


def _transfer_on_top(tariff: Tariff) -> int:
    """What a transfer of type 1 adds to the fare of its second leg."""
    added = {
        rule.fare_product_id
        for rule in tariff.transfer_rules
        if rule.transfer_type is TransferType.FIRST_TRANSFER_AND_SECOND and rule.fare_product_id != EMPTY
    }
    return max([0, *(each.amount for each in tariff.products if each.product_id in added)])


def _upwards(rounding: Rounding) -> Rounding:
    return Rounding(rounding.unit, Direction.UP)
