"""What a validator is provisioned with: the kit from the ledger, and the key it makes for itself.

    kit.json        {"format": 1, "device": 7, "ledger_url": "http://…", "bundle_keys": {"1": hex},
                     "claim_code": "…"}
    card-keys.json  {"format": 1, "k1_master": hex, "system_id": hex, "aid": hex, "key_version": 1}

Both files hold secrets and are refused unless only their owner can read them (mode 0600). The key in files is
for development; a bus keeps it in a SAM. No secret has a default and none is ever printed.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from fare.core.desfire.keys import ValidatorKeys
from fare.core.desfire.layout import AID
from fare.core.errors import OperatorError
from fare.core.identifiers import MAX_DEVICE_ID

FORMAT: Final = 1
KIT_FILE: Final = "kit.json"
CARD_KEYS_FILE: Final = "card-keys.json"
DEVICE_KEY_FILE: Final = "device.key"


@dataclass(frozen=True, slots=True)
class Kit:
    """A device's number, its ledger, the bundle keys it trusts, its claim code and its card key."""

    device: int
    ledger_url: str
    bundle_keys: Mapping[int, Ed25519PublicKey]
    claim_code: str = field(repr=False)
    card_keys: ValidatorKeys


def read_kit(folder: Path) -> Kit:
    """Read both files of a kit. Raises OperatorError that says which file and what to do."""
    path = folder / KIT_FILE
    document = _read(path)
    try:
        device = int(document["device"])
        ledger_url = str(document["ledger_url"])
        claim_code = str(document["claim_code"])
        keys = {
            int(kid): Ed25519PublicKey.from_public_bytes(bytes.fromhex(key))
            for kid, key in document["bundle_keys"].items()
        }
    except (KeyError, TypeError, ValueError, AttributeError) as fault:
        raise _damaged(path, fault) from fault
    if not 1 <= device <= MAX_DEVICE_ID or not keys or not ledger_url.startswith(("http://", "https://")):
        raise _damaged(path, "device, ledger_url or bundle_keys is out of range")
    return Kit(device, ledger_url, keys, claim_code, _read_card_keys(folder / CARD_KEYS_FILE))


def _read_card_keys(path: Path) -> ValidatorKeys:
    document = _read(path)
    try:
        if bytes.fromhex(document["aid"]) != AID:
            raise OperatorError(
                f"{path} is for another card application: enrol this device again with this version."
            )
        return ValidatorKeys(bytes.fromhex(document["k1_master"]), bytes.fromhex(document["system_id"]))
    except (KeyError, TypeError, ValueError) as fault:
        raise _damaged(path, fault) from fault


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


def _read(path: Path) -> dict[str, Any]:
    try:
        _require_private(path)
        document: object = json.loads(path.read_bytes())
    except FileNotFoundError as fault:
        raise OperatorError(
            f"There is no {path.name} in {path.parent}: make the kit with 'mancard fleet enrol' and give its "
            "folder with --kit."
        ) from fault
    except OSError as fault:
        raise OperatorError(
            f"{path} cannot be read ({fault.strerror}): let this user own it, mode 0600."
        ) from fault
    except ValueError as fault:
        raise _damaged(path, "it is not JSON") from fault
    if not isinstance(document, dict):
        raise _damaged(path, "it is not an object")
    fields = cast("dict[str, Any]", document)
    if fields.get("format") != FORMAT:
        raise _damaged(path, f"its format is not {FORMAT}")
    return fields


def _require_private(path: Path) -> None:
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & 0o077:
        raise OperatorError(f"{path} can be read by others (mode {mode:04o}): run 'chmod 600 {path}'.")


def _damaged(path: Path, why: object) -> OperatorError:
    detail = f"{why!r}" if isinstance(why, KeyError) else str(why)
    return OperatorError(
        f"{path} cannot be used ({detail}): "
        "make the kit again with 'mancard fleet enrol DEVICE --out FOLDER'."
    )
