"""The fleet: validators, buses, owners, contracts, and who is paid for which time. It posts no money."""

from __future__ import annotations

from fare.fleet.assignment_file import FleetFileFaults
from fare.fleet.assignments import (
    Assignment,
    AssignmentTable,
    OwnerView,
    assignments_at,
    configurations,
    owners,
)
from fare.fleet.devices import (
    ClaimRefusal,
    DeviceKey,
    DeviceState,
    claim,
    create_device,
    device_public_key,
    devices,
    devices_lacking_card_keys,
    note_card_keys,
    place_at_exit,
    revocations,
    revoke,
)
from fare.fleet.ibans import change_iban, iban_change
from fare.fleet.imports import ImportReport, import_assignments
from fare.fleet.kit import write_card_keys, write_kit

__all__ = [
    "Assignment",
    "AssignmentTable",
    "ClaimRefusal",
    "DeviceKey",
    "DeviceState",
    "FleetFileFaults",
    "ImportReport",
    "OwnerView",
    "assignments_at",
    "change_iban",
    "claim",
    "configurations",
    "create_device",
    "device_public_key",
    "devices",
    "devices_lacking_card_keys",
    "iban_change",
    "import_assignments",
    "note_card_keys",
    "owners",
    "place_at_exit",
    "revocations",
    "revoke",
    "write_card_keys",
    "write_kit",
]
