"""What the doors of vehicles share when they live in one process: simulated cities, and a vehicle computer
that serves several readers. It is gone with its process; each door's journal brings its rides back.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable

from fare.core.inspection import RideFound, RideState
from fare.core.replay import CLAIM_GRACE_S, RideClaim
from readers.vehicle_memory.port import (
    ClaimAnswer,
    Claimant,
    JournalledRides,
    KeptRide,
)
from readers.vehicle_memory.vehicle import Vehicle, WhichVehicle


class SharedInProcess:
    """The rides of any number of vehicles. Thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        # (vehicle, cti) -> ride -> who took it and when
        self._taken: dict[tuple[str, bytes], dict[int, tuple[Claimant, int]]] = {}
        self._expires_at_s: dict[tuple[str, bytes], int] = {}
        self._told: dict[str, set[int]] = {}  # vehicle -> devices whose journals are in here

    def door(self, claimant: Claimant, rides: JournalledRides, which: WhichVehicle) -> DoorInProcess:
        """One door's way in."""
        return DoorInProcess(self, claimant, rides, which)

    def tell(self, vehicle: str, claimant: Claimant, rides: Iterable[KeptRide]) -> None:
        """Take over what a door's journal keeps; what another door took stays that door's."""
        with self._lock:
            for ride in rides:
                self._take(vehicle, claimant, ride.claim, ride.expires_at_s, ride.at_s)
            self._told.setdefault(vehicle, set()).add(claimant.device)

    def knows_door(self, vehicle: str, device: int) -> bool:
        """Whether this device's journal was told for this vehicle."""
        with self._lock:
            return device in self._told.get(vehicle, ())

    def claim(
        self, vehicle: Vehicle, claimant: Claimant, ride: KeptRide, *, one_per_ticket: bool
    ) -> ClaimAnswer:
        """See `SharedRides.claim`."""
        with self._lock:
            if not one_per_ticket:  # a clock that is not synchronised must not make the others forget
                self._forget_expired(ride.at_s)
            taken = self._taken.get((vehicle.name, ride.claim.cti), {})
            wanted = taken if one_per_ticket else range(ride.claim.first, ride.claim.last + 1)
            if any(number in taken and taken[number][0] != claimant for number in wanted):
                return ClaimAnswer.ALREADY_PAID
            self._take(vehicle.name, claimant, ride.claim, ride.expires_at_s, ride.at_s)
            return self._fresh(vehicle)

    def found(self, vehicle: Vehicle, claimant: Claimant, claim: RideClaim) -> tuple[RideFound, ...]:
        """See `SharedRides.found`."""
        with self._lock:
            taken = self._taken.get((vehicle.name, claim.cti), {})
            times = {ride: at_s for ride, (who, at_s) in taken.items() if who != claimant}
            all_told = self._fresh(vehicle) is ClaimAnswer.FRESH
        unpaid = RideFound(RideState.NOT_PAID if all_told else RideState.NOT_REACHED)
        return tuple(
            RideFound(RideState.PAID, times[ride]) if ride in times else unpaid
            for ride in range(claim.first, claim.last + 1)
        )

    def _fresh(self, vehicle: Vehicle) -> ClaimAnswer:
        all_told = vehicle.doors <= self._told.get(vehicle.name, set())
        return ClaimAnswer.FRESH if all_told else ClaimAnswer.NOT_REACHED

    def _take(self, vehicle: str, claimant: Claimant, claim: RideClaim, expires_at_s: int, at_s: int) -> None:
        place = (vehicle, claim.cti)
        taken = self._taken.setdefault(place, {})
        for ride in range(claim.first, claim.last + 1):
            if ride not in taken or taken[ride][0] == claimant:
                taken[ride] = (claimant, at_s)
        self._expires_at_s[place] = max(expires_at_s, self._expires_at_s.get(place, 0))

    def _forget_expired(self, now_s: int) -> None:
        for place in [p for p, at_s in self._expires_at_s.items() if at_s + CLAIM_GRACE_S < now_s]:
            del self._expires_at_s[place], self._taken[place]


class DoorInProcess:
    """The SharedRides of one door."""

    def __init__(
        self, shared: SharedInProcess, claimant: Claimant, rides: JournalledRides, which: WhichVehicle
    ) -> None:
        self._shared = shared
        self._claimant = claimant
        self._rides = rides
        self._which = which

    @property
    def reached(self) -> bool:
        """Always, once the journal was told."""
        return self._shared.knows_door(self._which().name, self._claimant.device)

    @property
    def problem(self) -> str:
        """Nothing can be wrong within a process."""
        return ""

    def claim(
        self, claim: RideClaim, expires_at_s: int, at_s: int, *, one_per_ticket: bool = False
    ) -> ClaimAnswer:
        """See SharedRides."""
        self.step()
        ride = KeptRide(claim, expires_at_s, at_s)
        return self._shared.claim(self._which(), self._claimant, ride, one_per_ticket=one_per_ticket)

    def found(self, claim: RideClaim) -> tuple[RideFound, ...]:
        """See SharedRides."""
        self.step()
        return self._shared.found(self._which(), self._claimant, claim)

    def kept(self, ride: KeptRide) -> None:
        """See SharedRides: the claim itself was heard."""

    def step(self) -> bool:
        """See SharedRides."""
        vehicle = self._which().name
        if not self._shared.knows_door(vehicle, self._claimant.device):
            self._shared.tell(vehicle, self._claimant, self._rides())
        return True

    def close(self) -> None:
        """See SharedRides: nothing is held."""
