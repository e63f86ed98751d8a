"""Puts the fleet's CSV file into the database: all of it, or nothing.

What is there stays as it is, except that an open assignment ends where the next one starts. An import never
rewrites the past: a row that would, is a fault. A vehicle keeps its owner until a row names another one.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import time
from itertools import pairwise
from pathlib import Path
from zoneinfo import ZoneInfo

from sqlmodel import Session, col, select

from fare.core.calendar import DAY_STARTS_AT
from fare.core.errors import RowFault
from fare.fleet.assignment_file import FleetFileFaults, FleetRow, read_file
from fare.fleet.models import Contract, DeviceAssignment, Owner, Vehicle, VehicleAssignment
from fare.network import lines


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did: rows in the file, and what was new among them."""

    rows: int
    new_assignments: int
    new_vehicles: int
    new_owners: int
    new_contracts: int


def import_assignments(
    session: Session, csv_path: Path, zone: ZoneInfo, day_starts_at: time = DAY_STARTS_AT
) -> ImportReport:
    """Import one file; importing it again changes nothing. Raises `OperatorError`, then nothing was changed.

    A date alone in the file is the start of that service day in `zone`.
    """
    rows = read_file(csv_path, zone, day_starts_at)
    faults: list[RowFault] = []
    numbers = {view.route_id: view.line for view in lines(session)}
    faults += [
        RowFault(
            row.line_no, "route_id", f"{row.route_id!r} is not in the network: import its GTFS feed first."
        )
        for row in rows
        if row.route_id not in numbers
    ]
    new_owners = _owners(session, rows, faults)
    new_contracts = _contracts(session, rows, faults)
    new_vehicles = _vehicles(session, rows, faults)
    if faults:
        raise FleetFileFaults(faults)
    new_places = _device_timelines(session, rows, numbers, faults)
    new_earners = _vehicle_timelines(session, rows, faults)
    if faults:
        raise FleetFileFaults(faults)
    session.add_all([*new_owners, *new_contracts, *new_vehicles, *new_places, *new_earners])
    session.flush()
    return ImportReport(len(rows), len(new_places), len(new_vehicles), len(new_owners), len(new_contracts))


# --- catalogues -------------------------------------------------------------------------------------------


def _owners(session: Session, rows: Sequence[FleetRow], faults: list[RowFault]) -> list[Owner]:
    known = {owner.owner_id: owner for owner in session.exec(select(Owner))}
    new: list[Owner] = []
    for row in rows:
        owner = known.get(row.owner_id)
        if owner is None:
            owner = Owner(owner_id=row.owner_id, name=row.owner_name, kind=row.owner_kind, iban=row.iban)
            known[row.owner_id] = owner
            new.append(owner)
        elif owner.iban != row.iban:
            problem = "is not the one this owner has: an IBAN changes only with a second person's approval."
            faults.append(RowFault(row.line_no, "iban", problem))
        elif (owner.name, owner.kind) != (row.owner_name, row.owner_kind):
            problem = (
                f"owner {row.owner_id} is known as {owner.name!r} ({owner.kind}): write that, or a new id."
            )
            faults.append(RowFault(row.line_no, "owner_name", problem))
    return new


def _contracts(session: Session, rows: Sequence[FleetRow], faults: list[RowFault]) -> list[Contract]:
    known = {contract.contract_id: contract for contract in session.exec(select(Contract))}
    new: list[Contract] = []
    for row in rows:
        contract = known.get(row.contract_id)
        if contract is None:
            contract = Contract(
                contract_id=row.contract_id, name=row.contract_name, owner_share_bps=row.owner_share_bps
            )
            known[row.contract_id] = contract
            new.append(contract)
        elif contract.owner_share_bps != row.owner_share_bps:
            problem = (
                f"contract {row.contract_id} has another share already: give the new terms a new contract id."
            )
            faults.append(RowFault(row.line_no, "owner_share_percent", problem))
    return new


def _vehicles(session: Session, rows: Sequence[FleetRow], faults: list[RowFault]) -> list[Vehicle]:
    known = {vehicle.vehicle_id: vehicle for vehicle in session.exec(select(Vehicle))}
    new: list[Vehicle] = []
    for row in rows:
        vehicle = known.get(row.vehicle_id)
        if vehicle is None:
            vehicle = Vehicle(vehicle_id=row.vehicle_id, plate=row.plate)
            known[row.vehicle_id] = vehicle
            new.append(vehicle)
        elif vehicle.plate != row.plate:
            problem = (
                f"vehicle {row.vehicle_id} has the plate {vehicle.plate!r}: write the same, or a new vehicle."
            )
            faults.append(RowFault(row.line_no, "plate", problem))
    return new


# --- timelines --------------------------------------------------------------------------------------------


def _device_timelines(
    session: Session, rows: Sequence[FleetRow], numbers: dict[str, int], faults: list[RowFault]
) -> list[DeviceAssignment]:
    device_ids = sorted({row.device_id for row in rows})
    stored = session.exec(
        select(DeviceAssignment).where(col(DeviceAssignment.device_id).in_(device_ids))
    ).all()
    timelines: dict[int, list[DeviceAssignment]] = defaultdict(list)
    for assignment in stored:
        timelines[assignment.device_id].append(assignment)
    line_of: dict[int, int] = {}
    new: list[DeviceAssignment] = []
    for row in sorted(rows, key=lambda row: row.starts_at):
        timeline = timelines[row.device_id]
        wanted = DeviceAssignment(
            device_id=row.device_id,
            starts_at=row.starts_at,
            ends_at=row.ends_at,
            vehicle_id=row.vehicle_id,
            line=numbers[row.route_id],
        )
        same_start = next((other for other in timeline if other.starts_at == wanted.starts_at), None)
        if same_start is None:
            line_of[id(wanted)] = row.line_no
            timeline.append(wanted)
            new.append(wanted)
        elif not _agrees(same_start, wanted):
            problem = (
                f"device {row.device_id} has another assignment from the same time on: keep one of the two."
            )
            faults.append(RowFault(row.line_no, "starts_at", problem))
    for timeline in timelines.values():
        faults += _chain(timeline, line_of)
    return new


def _agrees(known: DeviceAssignment, wanted: DeviceAssignment) -> bool:
    """Whether a row repeats what is known, or only adds the end of an assignment that was open."""
    if (known.vehicle_id, known.line) != (wanted.vehicle_id, wanted.line):
        return False
    if known.ends_at is None:
        known.ends_at = wanted.ends_at
    return wanted.ends_at is None or wanted.ends_at == known.ends_at


def _chain(timeline: list[DeviceAssignment], line_of: dict[int, int]) -> list[RowFault]:
    """Let each open assignment end where the next one starts; two at one time are a fault."""
    timeline.sort(key=lambda assignment: assignment.starts_at)
    faults: list[RowFault] = []
    for earlier, later in pairwise(timeline):
        if earlier.ends_at is None:
            earlier.ends_at = later.starts_at
        elif earlier.ends_at > later.starts_at:
            line_no = line_of.get(id(later)) or line_of.get(id(earlier), 0)
            problem = f"device {later.device_id} is assigned already then: an import never changes the past."
            faults.append(RowFault(line_no, "starts_at", problem))
    return faults


def _vehicle_timelines(
    session: Session, rows: Sequence[FleetRow], faults: list[RowFault]
) -> list[VehicleAssignment]:
    vehicle_ids = sorted({row.vehicle_id for row in rows})
    stored = session.exec(
        select(VehicleAssignment).where(col(VehicleAssignment.vehicle_id).in_(vehicle_ids))
    ).all()
    timelines: dict[str, list[VehicleAssignment]] = defaultdict(list)
    for assignment in stored:
        timelines[assignment.vehicle_id].append(assignment)
    new: list[VehicleAssignment] = []
    for row in sorted(rows, key=lambda row: row.starts_at):
        timeline = timelines[row.vehicle_id]
        earlier = [assignment for assignment in timeline if assignment.starts_at <= row.starts_at]
        before = max(earlier, key=lambda assignment: assignment.starts_at, default=None)
        after = min((other.starts_at for other in timeline if other.starts_at > row.starts_at), default=None)
        if before is not None and (before.owner_id, before.contract_id) == (row.owner_id, row.contract_id):
            continue
        if before is not None and (before.starts_at == row.starts_at or before.ends_at is not None):
            problem = f"vehicle {row.vehicle_id} has another owner then: an import never changes the past."
            faults.append(RowFault(row.line_no, "owner", problem))
            continue
        if before is not None:
            before.ends_at = row.starts_at
        earner = VehicleAssignment(
            vehicle_id=row.vehicle_id,
            starts_at=row.starts_at,
            ends_at=after,
            owner_id=row.owner_id,
            contract_id=row.contract_id,
        )
        timeline.append(earner)
        new.append(earner)
    return new
