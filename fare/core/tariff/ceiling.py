"""The most that one boarding of one person may cost by a tariff: the bound of holds and of owners' credit."""

from __future__ import annotations

from fare.core.tariff.model import Tariff


def max_fare(tariff: Tariff) -> int:
    """The dearest single fare, in minor units; passes are no fares. 0 for a tariff without any."""
    passes = {each.product_id for each in tariff.passes}
    amounts = [each.amount for each in tariff.products if each.product_id not in passes]
    for distance in tariff.distance_fares:
        amounts += [band.amount for band in distance.bands]
        amounts += [] if distance.maximum is None else [distance.maximum]
    return max(amounts, default=0)
