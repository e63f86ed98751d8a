"""Tables of devices, vehicles, owners and contracts, with dated assignments."""

from __future__ import annotations

from datetime import datetime

from sqlmodel import Field, SQLModel

from fare.database.columns import instant, number


class Device(SQLModel, table=True):
    """A validator: `claim_digest` is SHA-256 of its claim code, `public_key` its Ed25519 key once claimed.

    `card_keys_version`: the newest generation of card keys that was handed out for it. `at_exit`: riders tap
    it when they leave, never when they board.
    """

    __tablename__ = "travel_device"  # pyright: ignore[reportAssignmentType]
    device_id: int = number(primary_key=True)
    public_key: bytes | None = None
    claim_digest: bytes | None = None
    claim_expires_at: datetime | None = instant(default=None)
    enrolled_at: datetime | None = instant(default=None)
    revoked_at: datetime | None = instant(default=None)
    card_keys_version: int | None = None
    at_exit: bool = False


class Vehicle(SQLModel, table=True):
    """A bus. `plate` is what people read on it."""

    __tablename__ = "travel_vehicle"  # pyright: ignore[reportAssignmentType]
    vehicle_id: str = Field(primary_key=True)
    plate: str


class DeviceAssignment(SQLModel, table=True):
    """Device -> vehicle and line, from `starts_at` (inclusive) to `ends_at` (exclusive, open when null)."""

    __tablename__ = "travel_device_assignment"  # pyright: ignore[reportAssignmentType]
    device_id: int = Field(primary_key=True)
    starts_at: datetime = instant(primary_key=True)
    ends_at: datetime | None = instant(default=None)
    vehicle_id: str
    line: int


class VehicleAssignment(SQLModel, table=True):
    """Vehicle -> owner and contract, from `starts_at` (inclusive) to `ends_at` (exclusive, null = open)."""

    __tablename__ = "travel_vehicle_assignment"  # pyright: ignore[reportAssignmentType]
    vehicle_id: str = Field(primary_key=True)
    starts_at: datetime = instant(primary_key=True)
    ends_at: datetime | None = instant(default=None)
    owner_id: str
    contract_id: str


class Owner(SQLModel, table=True):
    """Who owns buses and is paid for their rides. `kind`: private or municipal."""

    __tablename__ = "ledger_owner"  # pyright: ignore[reportAssignmentType]
    owner_id: str = Field(primary_key=True)
    name: str
    kind: str
    iban: str


class Contract(SQLModel, table=True):
    """How a fare is shared: the owner's part in basis points (10,000 = all of it)."""

    __tablename__ = "ledger_contract"  # pyright: ignore[reportAssignmentType]
    contract_id: str = Field(primary_key=True)
    name: str
    owner_share_bps: int
