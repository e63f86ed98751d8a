"""What a validator is provisioned with: the kit from the ledger, and the key it makes for itself.

A kit's two files are explained in `fare.core.kit`. They hold secrets and are refused unless only their owner
can read them (mode 0600). No secret has a default and none is ever printed.
"""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core.errors import OperatorError
from fare.core.kit import CARD_KEYS_FILE, KIT_FILE, Kit, MalformedKit, decode

DEVICE_KEY_FILE: Final = "device.key"


def read_kit(folder: Path) -> Kit:
    """Read both files of a kit. Raises OperatorError that says which file and what to do."""
    try:
        return decode(_read(folder / KIT_FILE), _read(folder / CARD_KEYS_FILE))
    except MalformedKit as fault:
        raise OperatorError(
            f"{folder / fault.file} cannot be used ({fault}): "
            "make the kit again with 'mancard fleet enrol DEVICE --out FOLDER'."
        ) from fault


def device_key(state_folder: Path) -> Ed25519PrivateKey:
    """The device's Ed25519 key, made at the first start with mode 0600. Raises OperatorError."""
    path = state_folder / DEVICE_KEY_FILE
    try:
        state_folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        if not path.exists():
            _write_private(path, Ed25519PrivateKey.generate().private_bytes_raw().hex())
        _require_private(path)
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().strip()))
    except OSError as fault:
        raise OperatorError(
            f"The device key {path} cannot be used ({fault.strerror}): give a folder this user may write."
        ) from fault
    except ValueError as fault:
        raise OperatorError(
            f"The device key {path} is damaged: "
            "restore it, or enrol the device again with an empty state folder."
        ) from fault


def _write_private(path: Path, text: str) -> None:
    making = path.with_name(path.name + ".new")
    making.unlink(missing_ok=True)
    handle = os.open(making, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="ascii") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    making.rename(path)


def _read(path: Path) -> bytes:
    try:
        _require_private(path)
        return path.read_bytes()
    except FileNotFoundError as fault:
        raise OperatorError(
            f"There is no {path.name} in {path.parent}: make the kit with 'mancard fleet enrol' and give its "
            "folder with --kit."
        ) from fault
    except OSError as fault:
        raise OperatorError(
            f"{path} cannot be read ({fault.strerror}): let this user own it, mode 0600."
        ) from fault


def _require_private(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise OperatorError(f"{path} can be read by others (mode {mode:04o}): run 'chmod 600 {path}'.")
