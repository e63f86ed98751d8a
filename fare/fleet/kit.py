"""Writes the provisioning kit that a technician carries to a new validator: two files, for one account only.

    kit.json        {"format": 1, "device": 7, "ledger_url": "http://127.0.0.1:8000",
                     "bundle_keys": {"1": hex of an Ed25519 public key}, "claim_code": hex}
    card-keys.json  {"format": 1, "k1_master": hex, "system_id": hex, "aid": hex, "key_version": 1}

`k1_master` opens cards for a debit; it neither creates value nor forges a proof. In the field it lives in a
SAM: the file is the development form of that key store.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from fare.core.desfire.keys import CardMasters
from fare.core.desfire.layout import AID
from fare.core.errors import OperatorError

FORMAT: Final = 1
KIT_FILE: Final = "kit.json"
CARD_KEYS_FILE: Final = "card-keys.json"


def write_kit(
    folder: Path,
    *,
    device_id: int,
    ledger_url: str,
    bundle_keys: Mapping[int, bytes],
    claim_code: str,
    card_masters: CardMasters,
) -> None:
    """Write both files, mode 0600, over an older kit. `bundle_keys`: kid -> Ed25519 public key, 32 bytes."""
    kit = {
        "format": FORMAT,
        "device": device_id,
        "ledger_url": ledger_url,
        "bundle_keys": {str(kid): key.hex() for kid, key in bundle_keys.items()},
        "claim_code": claim_code,
    }
    card_keys = {
        "format": FORMAT,
        "k1_master": card_masters.k1.hex(),
        "system_id": card_masters.system_id.hex(),
        "aid": AID.hex(),
        "key_version": card_masters.version,
    }
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        _write_private(folder / KIT_FILE, kit)
        _write_private(folder / CARD_KEYS_FILE, card_keys)
    except OSError as fault:
        raise OperatorError(
            f"The kit cannot be written to {folder} ({fault.strerror}): choose another folder with --out."
        ) from fault


def _write_private(path: Path, document: Mapping[str, object]) -> None:
    """Replace the file in one step; no moment at which another account can read it."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        opened.write(json.dumps(document, indent=2) + "\n")
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(path)
