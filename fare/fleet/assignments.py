"""Who is paid for a ride: device -> vehicle and line -> owner and contract, each dated.

An assignment holds from `starts_at` (inclusive) to `ends_at` (exclusive). It reads only; `fare.fleet.imports`
writes.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeVar

from sqlmodel import Session, col, select

from fare.core.bundle import DeviceConfiguration
from fare.fleet.models import Contract, Device, DeviceAssignment, Owner, VehicleAssignment
from fare.network import line_names


@dataclass(frozen=True, slots=True)
class Assignment:
    """Where a device was at one instant, and who earns there. `owner_share_bps`: 10,000 = the whole fare."""

    vehicle_id: str
    line: int
    owner_id: str
    contract_id: str
    owner_share_bps: int


@dataclass(frozen=True, slots=True)
class OwnerView:
    """One owner as others may see it. `kind`: private or municipal."""

    owner_id: str
    name: str
    kind: str
    iban: str


class _Dated(Protocol):
    starts_at: datetime
    ends_at: datetime | None


_DatedRow = TypeVar("_DatedRow", bound=_Dated)


@dataclass(frozen=True, slots=True)
class AssignmentTable:
    """The assignments of some devices over all time, for many lookups without a query."""

    by_device: Mapping[int, Sequence[DeviceAssignment]]
    by_vehicle: Mapping[str, Sequence[VehicleAssignment]]
    shares_bps: Mapping[str, int]

    def at(self, device_id: int, when: datetime) -> Assignment | None:
        """The assignment at an instant; None where the device had no bus or the bus no owner."""
        place = _covering(self.by_device.get(device_id, ()), when)
        if place is None:
            return None
        earner = _covering(self.by_vehicle.get(place.vehicle_id, ()), when)
        if earner is None:
            return None
        share_bps = self.shares_bps[earner.contract_id]
        return Assignment(place.vehicle_id, place.line, earner.owner_id, earner.contract_id, share_bps)


def assignments_at(session: Session, device_ids: Iterable[int]) -> AssignmentTable:
    """Load the assignments of these devices: three queries, whatever their number."""
    wanted = sorted(set(device_ids))
    places = session.exec(
        select(DeviceAssignment)
        .where(col(DeviceAssignment.device_id).in_(wanted))
        .order_by(col(DeviceAssignment.device_id), col(DeviceAssignment.starts_at))
    ).all()
    vehicles = sorted({place.vehicle_id for place in places})
    earners = session.exec(
        select(VehicleAssignment)
        .where(col(VehicleAssignment.vehicle_id).in_(vehicles))
        .order_by(col(VehicleAssignment.vehicle_id), col(VehicleAssignment.starts_at))
    ).all()
    by_device: dict[int, list[DeviceAssignment]] = defaultdict(list)
    for place in places:
        by_device[place.device_id].append(place)
    by_vehicle: dict[str, list[VehicleAssignment]] = defaultdict(list)
    for earner in earners:
        by_vehicle[earner.vehicle_id].append(earner)
    shares_bps = {row.contract_id: row.owner_share_bps for row in session.exec(select(Contract))}
    return AssignmentTable(by_device, by_vehicle, shares_bps)


def configurations(session: Session, now: datetime) -> dict[int, DeviceConfiguration]:
    """What the bundle tells each device about itself: line, bus and door. Area 0: its position tells."""
    names = line_names(session)
    running = session.exec(
        select(DeviceAssignment, Device.at_exit)
        .join(Device, col(Device.device_id) == col(DeviceAssignment.device_id), isouter=True)
        .where(col(DeviceAssignment.starts_at) <= now)
        .where(col(DeviceAssignment.ends_at).is_(None) | (col(DeviceAssignment.ends_at) > now))
        .order_by(col(DeviceAssignment.device_id))
    ).all()
    return {
        row.device_id: DeviceConfiguration(
            line=row.line,
            line_name=names.get(row.line, ""),
            area=0,
            vehicle=row.vehicle_id,
            exit=bool(at_exit),
        )
        for row, at_exit in running
    }


def owners(session: Session) -> list[OwnerView]:
    """All owners, by id."""
    found = session.exec(select(Owner).order_by(col(Owner.owner_id))).all()
    return [OwnerView(row.owner_id, row.name, row.kind, row.iban) for row in found]


def _covering(rows: Sequence[_DatedRow], when: datetime) -> _DatedRow | None:
    """The row, of rows sorted by start, whose time holds `when`."""
    place = bisect_right(rows, when, key=lambda row: row.starts_at)
    if place == 0:
        return None
    row = rows[place - 1]
    return row if row.ends_at is None or when < row.ends_at else None
