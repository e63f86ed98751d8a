"""Validators: their enrolment by a single-use claim code, their keys, their revocation.

A claim code is 128 random bits, valid for a day. Only its SHA-256 is stored. A claim whose answer was lost on
the way may be repeated with the same key; another key under a used code is refused.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import Session, col, select

from fare.core.errors import OperatorError
from fare.core.identifiers import MAX_DEVICE_ID
from fare.fleet.models import Device

CLAIM_LIFETIME: Final = timedelta(hours=24)
_NO_DIGEST: Final = bytes(32)
_FIRST_GENERATION: Final = 1


class ClaimRefusal(StrEnum):
    """Why a device was not enrolled. Everything a stranger could probe for is one answer: wrong_code."""

    WRONG_CODE = "wrong_code"
    CODE_EXPIRED = "code_expired"
    ALREADY_CLAIMED = "already_claimed"
    BAD_KEY = "bad_key"


@dataclass(frozen=True, slots=True)
class DeviceKey:
    """A device that has enrolled: its Ed25519 public key (32 bytes), and when it was revoked, if it was."""

    device_id: int
    public_key: bytes
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class DeviceState:
    """One device as staff see it."""

    device_id: int
    enrolled_at: datetime | None
    revoked_at: datetime | None
    at_exit: bool = False


def create_device(session: Session, device_id: int, now: datetime) -> str:
    """Prepare a device for enrolment and return its claim code, 32 hexadecimal digits, shown this once.

    A device that has not enrolled yet gets a new code, and its old one ends. Raises `OperatorError` for one
    that is enrolled or revoked already.
    """
    if not 1 <= device_id <= MAX_DEVICE_ID:
        raise OperatorError(f"A device number is a whole number from 1 to {MAX_DEVICE_ID}.")
    device = session.get(Device, device_id)
    if device is None:
        device = Device(device_id=device_id)
        session.add(device)
    elif device.public_key is not None or device.revoked_at is not None:
        raise OperatorError(
            f"Device {device_id} has enrolled before: revoke it and give the new validator another number."
        )
    code = secrets.token_hex(16)
    device.claim_digest = _digest(code)
    device.claim_expires_at = now + CLAIM_LIFETIME
    session.flush()
    return code


def claim(
    session: Session, device_id: int, code: str, public_key: bytes, now: datetime
) -> ClaimRefusal | None:
    """Enrol a device with its Ed25519 public key (32 bytes). None when it is enrolled now."""
    # One writer at a time on this row: a code is good for one key, whoever asks at the same moment.
    device = session.exec(select(Device).where(col(Device.device_id) == device_id).with_for_update()).first()
    stored = device.claim_digest if device is not None and device.claim_digest is not None else _NO_DIGEST
    matches = hmac.compare_digest(stored, _digest(code))
    if device is None or not matches or device.revoked_at is not None:
        return ClaimRefusal.WRONG_CODE
    if device.public_key is not None:
        same_key = hmac.compare_digest(device.public_key, public_key)
        return None if same_key else ClaimRefusal.ALREADY_CLAIMED
    if device.claim_expires_at is None or now >= device.claim_expires_at:
        return ClaimRefusal.CODE_EXPIRED
    if not _is_ed25519(public_key):
        return ClaimRefusal.BAD_KEY
    device.public_key = public_key
    device.enrolled_at = now
    session.flush()
    return None


def revoke(session: Session, device_id: int, now: datetime) -> None:
    """End a device's enrolment. Its key stays, because what it signed before is still evidence."""
    device = session.get(Device, device_id)
    if device is None:
        raise OperatorError(f"There is no device {device_id}: 'mancard fleet devices' lists them.")
    if device.revoked_at is None:
        device.revoked_at = now
        session.flush()


def place_at_exit(session: Session, device_id: int, *, at_exit: bool) -> None:
    """Say whether riders tap this validator when they leave, not when they board. Raises OperatorError.

    It holds from the validator's next bundle on.
    """
    device = session.get(Device, device_id)
    if device is None:
        raise OperatorError(f"There is no device {device_id}: 'mancard fleet devices' lists them.")
    device.at_exit = at_exit
    session.flush()


def note_card_keys(session: Session, device_id: int, version: int) -> None:
    """Remember that card keys up to this generation were handed out for the device. Raises OperatorError."""
    device = session.get(Device, device_id)
    if device is None or device.revoked_at is not None:
        raise OperatorError(f"There is no device {device_id} in service: 'mancard fleet devices' lists them.")
    device.card_keys_version = version
    session.flush()


def devices_lacking_card_keys(session: Session, version: int) -> list[int]:
    """The devices in service for which no card keys of this generation or a newer one were handed out."""
    if version == _FIRST_GENERATION:
        return []  # every kit carries it from the first day on
    known = col(Device.card_keys_version)
    wanted = select(Device.device_id).where(
        col(Device.revoked_at).is_(None), known.is_(None) | (known < version)
    )
    return list(session.exec(wanted.order_by(col(Device.device_id))))


def device_public_key(session: Session, device_id: int) -> DeviceKey | None:
    """The key of an enrolled device, revoked or not; None for one that never enrolled."""
    device = session.get(Device, device_id)
    if device is None or device.public_key is None:
        return None
    return DeviceKey(device.device_id, device.public_key, device.revoked_at)


def revocations(session: Session, device_ids: Iterable[int]) -> dict[int, datetime]:
    """When each of these devices was revoked; those that were not are left out."""
    wanted = sorted(set(device_ids))
    rows = session.exec(
        select(Device.device_id, Device.revoked_at).where(
            col(Device.device_id).in_(wanted), col(Device.revoked_at).is_not(None)
        )
    )
    return {device_id: revoked_at for device_id, revoked_at in rows if revoked_at is not None}


def devices(session: Session) -> list[DeviceState]:
    """All devices, by number."""
    found = session.exec(select(Device).order_by(col(Device.device_id))).all()
    return [DeviceState(row.device_id, row.enrolled_at, row.revoked_at, row.at_exit) for row in found]


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.strip().lower().encode()).digest()


def _is_ed25519(public_key: bytes) -> bool:
    try:
        Ed25519PublicKey.from_public_bytes(public_key)
    except (ValueError, UnsupportedAlgorithm):
        return False
    return True
