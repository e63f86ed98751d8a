"""How the parts of a ride's fare change when the ride is priced anew: by a difference, never an edit. Pure.

    the rider paid more than is due   -> the rest goes back, out of what the owner and the city were credited
    the rider paid less               -> out of what its device took above the tariff, then from the rider

What waits for a person (a record that differs, a revoked device, paper without leave) waits as it was.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fare.collection.legs import shares
from fare.collection.words import SuspenseReason

WAIT_FOR_A_PERSON: Final = frozenset(
    {SuspenseReason.RECORD_DIFFERS, SuspenseReason.DEVICE_REVOKED, SuspenseReason.PAPER_WITHOUT_LEAVE}
)


@dataclass(frozen=True, slots=True)
class Parts:
    """What one ride took from its rider, and who got it, in rial. `rider = owner + commission + suspense`."""

    rider_rial: int = 0
    owner_rial: int = 0
    commission_rial: int = 0
    suspense_rial: int = 0

    def plus(self, other: Parts) -> Parts:
        """Both together."""
        return Parts(
            self.rider_rial + other.rider_rial,
            self.owner_rial + other.owner_rial,
            self.commission_rial + other.commission_rial,
            self.suspense_rial + other.suspense_rial,
        )

    def minus(self, other: Parts) -> Parts:
        """What is to be added to `other` to come here."""
        return Parts(
            self.rider_rial - other.rider_rial,
            self.owner_rial - other.owner_rial,
            self.commission_rial - other.commission_rial,
            self.suspense_rial - other.suspense_rial,
        )

    @property
    def is_nothing(self) -> bool:
        """Whether all of it is zero."""
        return self == Parts()


def due_parts(
    posted: Parts, reason: SuspenseReason | None, due_rial: int, owner_share_bps: int | None
) -> Parts:
    """The parts that a ride should have, which was posted as `posted` and comes to `due_rial` in all.

    `owner_share_bps` is that of the contract of its bus; None where it is not known any more, and then the
    parts are in proportion to those posted.
    """
    if reason in WAIT_FOR_A_PERSON:
        return posted
    # What a device took above the tariff is not the rider's fare: it stays in suspense against the device.
    above_rial = posted.suspense_rial if reason is SuspenseReason.ABOVE_TARIFF else 0
    fare_rial = posted.rider_rial - above_rial
    rider_rial = due_rial + above_rial if due_rial <= fare_rial else max(posted.rider_rial, due_rial)
    paid_rial = posted.owner_rial + posted.commission_rial
    payable_rial = due_rial
    if reason is SuspenseReason.NO_ASSIGNMENT:
        payable_rial = 0
    elif reason is SuspenseReason.BEYOND_FUNDS:
        payable_rial = min(due_rial, paid_rial)
    if payable_rial == paid_rial:
        owner_rial, commission_rial = posted.owner_rial, posted.commission_rial
    elif owner_share_bps is not None:
        owner_rial, commission_rial = shares(payable_rial, owner_share_bps)
    else:
        commission_rial = payable_rial * posted.commission_rial // paid_rial if paid_rial else 0
        owner_rial = payable_rial - commission_rial
    return Parts(rider_rial, owner_rial, commission_rial, rider_rial - payable_rial)


def cover(extra_rial: list[int], room_rial: int) -> list[int]:
    """How much of each ride's extra the rider's funds cover, the earlier rides first."""
    covered: list[int] = []
    for rial in extra_rial:
        part_rial = min(rial, max(0, room_rial))
        covered.append(part_rial)
        room_rial -= part_rial
    return covered
