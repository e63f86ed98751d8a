"""One door's memory of paid rides: its own, rebuilt from its journal, first; then what the vehicle shares.

It writes no journal and charges nothing: claim before the journal's row, `keep` after it.
"""

from __future__ import annotations

import threading

from fare.core.proof.issued import CLOCK_SKEW_S
from fare.core.replay import ReplayMemory, RideClaim
from readers.vehicle_memory.port import (
    ClaimAnswer,
    JournalledRides,
    KeptRide,
    PaidAnswer,
    SharedRides,
)
from readers.vehicle_memory.vehicle import WhichVehicle


class VehicleMemory:
    """What one door knows of the rides paid on its vehicle. Thread-safe."""

    def __init__(self, rides: JournalledRides, which: WhichVehicle, shared: SharedRides | None) -> None:
        """`shared` None: nothing is shared, which is enough on a vehicle with one door."""
        self._rides = rides
        self._which = which
        self._shared = shared
        self._lock = threading.Lock()
        self._own = ReplayMemory.from_rows(
            (r.claim.cti, r.claim.first, r.claim.last - r.claim.first + 1, r.expires_at_s) for r in rides()
        )

    def claim(
        self, claim: RideClaim, expires_at_s: int, at_s: int, *, one_per_ticket: bool = False
    ) -> ClaimAnswer:
        """Claim a ticket's rides on this vehicle, before they are journalled. Asks within a second.

        `one_per_ticket` is the rule while the clock is not synchronised.
        """
        with self._lock:
            if self._own.paid(*_ranged(claim)) or (one_per_ticket and self._own.knows(claim.cti)):
                return ClaimAnswer.ALREADY_PAID
        if self._shared is not None:
            return self._shared.claim(claim, expires_at_s, at_s, one_per_ticket=one_per_ticket)
        return ClaimAnswer.FRESH if self._stands_alone else ClaimAnswer.NOT_REACHED

    def keep(self, ride: KeptRide, answer: ClaimAnswer) -> None:
        """The journal has the row of a ride that `claim` answered with `answer`."""
        with self._lock:
            self._own.remember(*_ranged(ride.claim), ride.expires_at_s)
        if self._shared is not None and answer is ClaimAnswer.NOT_REACHED:
            self._shared.kept(ride)

    def paid(self, claim: RideClaim) -> PaidAnswer:
        """What is known of these rides, for an inspector: claims nothing and changes nothing."""
        with self._lock:
            here = self._own.paid(*_ranged(claim))
        if here:
            times = [ride.at_s for ride in self._rides() if ride.claim.overlaps(claim)]
            return PaidAnswer(ClaimAnswer.ALREADY_PAID, max(times, default=None))
        if self._shared is not None:
            return self._shared.paid(claim)
        return PaidAnswer(ClaimAnswer.FRESH if self._stands_alone else ClaimAnswer.NOT_REACHED)

    def forget_expired(self, now_s: int) -> None:
        """Drop own rides that cannot be shown any more. For a synchronised clock only."""
        with self._lock:
            self._own.forget_expired(now_s - CLOCK_SKEW_S)

    @property
    def _stands_alone(self) -> bool:
        return len(self._which().doors) <= 1


def _ranged(claim: RideClaim) -> tuple[bytes, int, int]:
    return claim.cti, claim.first, claim.last - claim.first + 1
