"""Puts one door's memory together: its journal, the bundle in force, and what the vehicle shares, if any.

It opens nothing itself and decides nothing.
"""

from __future__ import annotations

from collections.abc import Callable

from fare.core.tap import ClockQuality
from readers.bundles import Bundles
from readers.journal import Journal
from readers.ports import Clock
from readers.vehicle_memory.door import VehicleMemory
from readers.vehicle_memory.port import Claimant, JournalledRides, KeptRide, SharedRides
from readers.vehicle_memory.vehicle import Whereabouts, WhichVehicle

ShareWith = Callable[[Claimant, JournalledRides, WhichVehicle], SharedRides]
"""Opens one door's way to what its vehicle shares, for example `SharedInProcess().door`."""


class DoorRides:
    """The JournalledRides of one door: what its journal keeps and the time does not exclude."""

    def __init__(self, journal: Journal, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock

    def __call__(self) -> list[KeptRide]:
        """Read now. A clock that is not synchronised excludes nothing."""
        synchronised = self._clock.quality() is ClockQuality.SYNCHRONISED
        return self._journal.kept_rides(self._clock.wall_ms() // 1000 if synchronised else 0)


def own_memory(journal: Journal, bundles: Bundles, clock: Clock) -> VehicleMemory:
    """The memory of a door that shares nothing."""
    return door_memory(None, journal, bundles, clock)[0]


def door_memory(
    share: ShareWith | None, journal: Journal, bundles: Bundles, clock: Clock, vehicle: str | None = None
) -> tuple[VehicleMemory, SharedRides | None]:
    """One door's memory, and its way to what it shares, if it does, which somebody keeps in step.

    `vehicle`: where an inspector's handheld is, instead of what the bundle says of this device.
    """
    rides = DoorRides(journal, clock)
    which = Whereabouts(
        lambda: None if bundles.current is None else bundles.current.bundle, journal.device, vehicle
    )
    claimant = Claimant(journal.device, journal.journal_id)
    shared = None if share is None else share(claimant, rides, which)
    return VehicleMemory(journal.device, rides, which, shared), shared
