"""Writes the provisioning kit that a technician carries to a new validator: two files, for one account only.

What stands in them is `fare.core.kit`'s.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.errors import OperatorError
from fare.core.kit import CARD_KEYS_FILE, Kit, KitKeys, encode_card_keys


def write_kit(
    folder: Path,
    *,
    device_id: int,
    ledger_url: str,
    bundle_keys: Mapping[int, bytes],
    claim_code: str,
    card_keys: KitKeys,
) -> None:
    """Write both files, mode 0600, over an older kit. `bundle_keys`: kid -> Ed25519 public key, 32 bytes."""
    kit = Kit(
        device=device_id,
        ledger_url=ledger_url,
        bundle_keys={kid: Ed25519PublicKey.from_public_bytes(key) for kid, key in bundle_keys.items()},
        claim_code=claim_code,
        card_keys=card_keys,
    )
    _write(folder, kit.encode())


def write_card_keys(folder: Path, card_keys: KitKeys) -> None:
    """Write card-keys.json alone, over the older one of a kit that is in use."""
    _write(folder, {CARD_KEYS_FILE: encode_card_keys(card_keys)})


def _write(folder: Path, documents: Mapping[str, str]) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for file, text in documents.items():
            _write_private(folder / file, text)
    except OSError as fault:
        raise OperatorError(
            f"The kit cannot be written to {folder} ({fault.strerror}): choose another folder with --out."
        ) from fault


def _write_private(path: Path, text: str) -> None:
    """Replace the file in one step; no moment at which another account can read it."""
    fresh = path.with_name(f".{path.name}.new")
    fresh.unlink(missing_ok=True)
    handle = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as opened:
        opened.write(text)
        opened.flush()
        os.fsync(opened.fileno())
    fresh.replace(path)
