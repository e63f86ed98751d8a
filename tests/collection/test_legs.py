"""How a fare is divided: laws that hold for every fare, share, ceiling and balance."""

from __future__ import annotations

from dataclasses import replace
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from fare.collection.legs import divide
from fare.collection.rides import ProvenRide, RideKey, TapSource
from fare.collection.words import MediumKind, ProvenBy, SuspenseReason
from fare.fleet import Assignment
from tests.collection.bus import NOON

RIDE = ProvenRide(
    key=RideKey(MediumKind.CARD, "7", 2),
    source=TapSource(1, bytes(16), 1),
    boarded_at=NOON,
    service_day=date(2026, 11, 22),
    line=7,
    fare_rial=20_000,
    proven_by=ProvenBy.TAP,
    proof=bytes(8),
    ceiling_rial=20_000,
    funds_left_rial=1_000_000,
    evidence=None,
)
AMOUNTS = st.integers(0, 0xFFFF_FFFF)


def share(bps: int) -> Assignment:
    return Assignment("v-1", 7, "o-1", "c-1", bps)


@given(AMOUNTS, AMOUNTS, st.integers(-0xFFFF_FFFF, 0xFFFF_FFFF), st.integers(0, 10_000))
def test_the_parts_add_up_and_nobody_is_paid_beyond_what_is_covered(
    fare_rial: int, ceiling_rial: int, left_rial: int, bps: int
) -> None:
    ride = replace(RIDE, fare_rial=fare_rial, ceiling_rial=ceiling_rial, funds_left_rial=left_rial)
    legs = divide(ride, share(bps))
    assert legs.owner_rial + legs.commission_rial + legs.suspense_rial == fare_rial
    assert min(legs.owner_rial, legs.commission_rial, legs.suspense_rial) >= 0
    assert legs.owner_rial + legs.commission_rial <= max(0, min(fare_rial, ceiling_rial, left_rial))
    assert (legs.suspense_reason is None) == (legs.suspense_rial == 0)


@pytest.mark.parametrize(
    ("fare_rial", "bps", "owner_rial", "commission_rial"),
    [(10_001, 9_000, 9_001, 1_000), (9_999, 9_000, 9_000, 999), (1, 9_999, 1, 0), (3, 0, 0, 3)],
)
def test_commission_is_rounded_down_in_the_owners_favour(
    fare_rial: int, bps: int, owner_rial: int, commission_rial: int
) -> None:
    legs = divide(replace(RIDE, fare_rial=fare_rial), share(bps))
    assert (legs.owner_rial, legs.commission_rial, legs.suspense_rial) == (owner_rial, commission_rial, 0)


@pytest.mark.parametrize(
    ("ride", "assignment", "reason"),
    [
        (RIDE, None, SuspenseReason.NO_ASSIGNMENT),
        (replace(RIDE, ceiling_rial=1), share(9_000), SuspenseReason.ABOVE_TARIFF),
        (replace(RIDE, funds_left_rial=1), share(9_000), SuspenseReason.BEYOND_FUNDS),
        (replace(RIDE, held_back=SuspenseReason.DEVICE_REVOKED), share(9_000), SuspenseReason.DEVICE_REVOKED),
    ],
)
def test_what_is_held_back_says_why(
    ride: ProvenRide, assignment: Assignment | None, reason: SuspenseReason
) -> None:
    assert divide(ride, assignment).suspense_reason is reason
