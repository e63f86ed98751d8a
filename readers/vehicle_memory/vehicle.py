"""On which vehicle a door is, and which other doors it has, as the bundle in force says. No guesses."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from fare.core.bundle import Bundle


@dataclass(frozen=True, slots=True)
class Vehicle:
    """A vehicle by its name, and the devices of all its doors."""

    name: str
    doors: frozenset[int]


NO_VEHICLE: Final = Vehicle("", frozenset())
WhichVehicle = Callable[[], Vehicle]
"""Asked each time: a bundle may move a device to another vehicle."""


def vehicle_of(bundle: Bundle | None, device: int, name: str | None = None) -> Vehicle:
    """Where `device` is now, or is by `name`. A device whose place has no name stands alone."""
    if bundle is None:
        return NO_VEHICLE
    if name is None:
        here = bundle.devices.get(device)
        if here is None:
            return NO_VEHICLE
        if not here.vehicle:
            return Vehicle("", frozenset({device}))
        name = here.vehicle
    return Vehicle(name, frozenset(n for n, there in bundle.devices.items() if there.vehicle == name))


class Whereabouts:
    """A WhichVehicle over the bundle in force; it looks through a bundle once."""

    def __init__(self, bundle: Callable[[], Bundle | None], device: int, name: str | None = None) -> None:
        """`name`: the vehicle that an inspector's handheld is taken to, whatever the bundle says of it."""
        self._bundle = bundle
        self._device = device
        self._name = name
        self._known: tuple[Bundle | None, Vehicle] = (None, NO_VEHICLE)

    def __call__(self) -> Vehicle:
        """Where the device is now."""
        bundle = self._bundle()
        known, vehicle = self._known
        if bundle is not known:
            vehicle = vehicle_of(bundle, self._device, self._name)
            self._known = (bundle, vehicle)
        return vehicle
