"""One door's memory of paid rides: its own, rebuilt from its journal, first; then what the vehicle shares.

It writes no journal and charges nothing: claim before the journal's row, `keep` after it.
"""

from __future__ import annotations

import threading

from fare.core.inspection import RideFound, RideState
from fare.core.replay import ReplayMemory, RideClaim
from readers.vehicle_memory.port import (
    ClaimAnswer,
    JournalledRides,
    KeptRide,
    SharedRides,
)
from readers.vehicle_memory.vehicle import WhichVehicle


class VehicleMemory:
    """What one door knows of the rides paid on its vehicle. Thread-safe."""

    def __init__(
        self, device: int, rides: JournalledRides, which: WhichVehicle, shared: SharedRides | None
    ) -> None:
        """`shared` None: nothing is shared, which is enough on a vehicle whose only door is `device`."""
        self._device = device
        self._rides = rides
        self.which = which
        self._shared = shared
        self._lock = threading.Lock()
        self._own = self._journalled()
        self._may_have_forgotten = True  # what had expired at the start, or since

    def claim(
        self, claim: RideClaim, expires_at_s: int, at_s: int, *, one_per_ticket: bool = False
    ) -> ClaimAnswer:
        """Claim a ticket's rides on this vehicle, before they are journalled. Asks within a second.

        `one_per_ticket` is the rule while the clock is not synchronised.
        """
        with self._lock:
            if one_per_ticket and self._may_have_forgotten:
                # The time was lost: no picture is too old now, nor is any ride that the journal still keeps.
                self._own = self._journalled()
                self._may_have_forgotten = False
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

    def paid(self, claim: RideClaim) -> bool:
        """Whether one of these rides is known to be paid; claims nothing."""
        return any(ride.state is RideState.PAID for ride in self.found(claim))

    def found(self, claim: RideClaim) -> tuple[RideFound, ...]:
        """What is known of these rides, in order, for an inspector: claims nothing and changes nothing."""
        here: dict[int, int] = {}
        with self._lock:
            known = self._own.paid(*_ranged(claim))
        if known:
            mine = [ride for ride in self._rides() if ride.claim.overlaps(claim)]
            here = {n: r.at_s for r in mine for n in range(r.claim.first, r.claim.last + 1)}
        return tuple(
            RideFound(RideState.PAID, here[number] or None) if number in here else elsewhere
            for number, elsewhere in zip(
                range(claim.first, claim.last + 1), self._elsewhere(claim), strict=True
            )
        )

    def _elsewhere(self, claim: RideClaim) -> tuple[RideFound, ...]:
        if self._shared is not None:
            return self._shared.found(claim)
        state = RideState.NOT_PAID if self._stands_alone else RideState.NOT_REACHED
        return (RideFound(state),) * (claim.last - claim.first + 1)

    def forget_expired(self, now_s: int) -> None:
        """Drop own rides that cannot be shown any more. For a synchronised clock only."""
        with self._lock:
            self._may_have_forgotten |= self._own.forget_expired(now_s) > 0

    def _journalled(self) -> ReplayMemory:
        return ReplayMemory.from_rows((*_ranged(ride.claim), ride.expires_at_s) for ride in self._rides())

    @property
    def _stands_alone(self) -> bool:
        return self.which().doors <= {self._device}


def _ranged(claim: RideClaim) -> tuple[bytes, int, int]:
    return claim.cti, claim.first, claim.last - claim.first + 1
