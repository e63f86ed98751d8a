from __future__ import annotations

from fare.core.tariff.context import TapContext
from fare.core.tariff.model import (
    Concession,
    DistanceBand,
    DistanceFare,
    PassPeriod,
    PassProduct,
    ProductPrice,
    Rounding,
    Selection,
    Shortfall,
    ShortPurse,
    TransferRule,
    TransferType,
)
from fare.core.tariff.pricing import price
from fare.core.tariff.state import RiderState
from tests.core.tariff.cities import EIGHT_S, flat


def test_no_boarding_costs_more_than_the_ceiling() -> None:
    night = Concession("night", "", Selection(), percent=155, rounding=Rounding(10))
    bands = DistanceFare("d", "", Selection(), (DistanceBand(1_000, 100), DistanceBand(None, 905)))
    rate = DistanceFare("km", "", Selection(), base=100, per_km=50, maximum=700, percents={"": 120})
    load = Shortfall(ShortPurse.LOAD, fee_percent=3, rounding=Rounding(5))
    for tariff, highest in (
        (flat(), 200),
        (flat(rounding=Rounding(150)), 300),
        (flat(concessions=(night,)), 310),
        (flat(distance_fares=(bands,)), 905),
        (flat(distance_fares=(rate,)), 840),
        (flat(concessions=(night,), distance_fares=(bands,), shortfall=load), 1_410 + 45),
    ):
        dearest, _ = price(tariff, RiderState(), TapContext(EIGHT_S, distance_m=90_000, balance=0))
        assert dearest.amount <= tariff.max_fare_rial == highest


def test_a_pass_is_no_fare_and_a_transfer_of_type_1_comes_on_top() -> None:
    month = PassProduct("month", "", 1, PassPeriod.MONTH)
    products = (ProductPrice("month", "", 9_000), ProductPrice("change", "", 30))
    change = TransferRule("g", "g", TransferType.FIRST_TRANSFER_AND_SECOND, "change", -1)
    assert flat(products=products, passes=(month,)).max_fare_rial == 200
    assert flat(products=products, passes=(month,), transfer_rules=(change,)).max_fare_rial == 230
