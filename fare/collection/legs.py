"""Who gets what of a fare: owner, commission, suspense. Integers only; the parts always add up to the fare.

An owner is credited only from money that the ledger itself has received and never above the tariff; a
device that claims more turns the rest into suspense against itself. Commission is rounded down to the rial,
so an owner never loses a part of a rial.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fare.collection.rides import ProvenRide
from fare.collection.words import SuspenseReason
from fare.fleet import Assignment

_WHOLE_BPS: Final = 10_000


@dataclass(frozen=True, slots=True)
class Legs:
    """The parts of one fare in rial; `suspense_reason` names the first reason that held something back."""

    owner_rial: int
    commission_rial: int
    suspense_rial: int
    suspense_reason: SuspenseReason | None


def divide(ride: ProvenRide, assignment: Assignment | None) -> Legs:
    """Divide a ride's fare by the contract of the bus that carried it."""
    payable, reason = _payable(ride, assignment)
    if assignment is None:
        return Legs(0, 0, ride.fare_rial, reason)
    owner, commission = shares(payable, assignment.owner_share_bps)
    return Legs(owner, commission, ride.fare_rial - payable, reason)


def shares(payable_rial: int, owner_share_bps: int) -> tuple[int, int]:
    """(owner's part, commission) of what is paid out."""
    commission = payable_rial * (_WHOLE_BPS - owner_share_bps) // _WHOLE_BPS
    return payable_rial - commission, commission


def _payable(ride: ProvenRide, assignment: Assignment | None) -> tuple[int, SuspenseReason | None]:
    if ride.held_back is not None:
        return 0, ride.held_back
    if assignment is None:
        return 0, SuspenseReason.NO_ASSIGNMENT
    payable = min(ride.fare_rial, ride.ceiling_rial)
    reason = SuspenseReason.ABOVE_TARIFF if payable < ride.fare_rial else None
    covered = payable if ride.funds_left_rial is None else max(0, ride.funds_left_rial)
    if covered < payable:
        payable, reason = covered, SuspenseReason.BEYOND_FUNDS
    return payable, reason
