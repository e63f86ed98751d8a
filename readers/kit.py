"""What a validator is provisioned with: the kit from the ledger, and the key it makes for itself.

A kit's two files are explained in `fare.core.kit`. They hold secrets and are refused unless only their owner
can read them (mode 0600). Card keys may be in a PKCS#11 token instead, whose PIN stands in the kit's folder
in `token-pin`, written there by the technician. No secret has a default and none is ever printed.
"""

from __future__ import annotations

import ipaddress
import os
import stat
from dataclasses import replace
from pathlib import Path
from typing import Final
from urllib.parse import SplitResult, urlsplit

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core.desfire.keys import CardKeyStore
from fare.core.errors import OperatorError
from fare.core.kit import CARD_KEYS_FILE, KIT_FILE, Kit, MalformedKit, SamKeys, TokenKeys, decode

DEVICE_KEY_FILE: Final = "device.key"
PIN_FILE: Final = "token-pin"


def read_kit(folder: Path) -> Kit:
    """Read both files of a kit. Raises OperatorError that says which file and what to do."""
    try:
        kit = decode(_read(folder / KIT_FILE), _read(folder / CARD_KEYS_FILE))
    except MalformedKit as fault:
        # The enrolment of a validator in use is worth keeping: card keys are renewed without it.
        mend = "card-keys" if fault.file == CARD_KEYS_FILE else "enrol"
        raise OperatorError(
            f"{folder / fault.file} cannot be used ({fault}): "
            f"make it again with 'mancard fleet {mend} DEVICE --out FOLDER'."
        ) from fault
    require_private_line(kit.ledger_url)
    return replace(kit, card_keys=_opened(kit.card_keys, folder))


def require_private_line(ledger_url: str) -> None:
    """Raises OperatorError for an address that would carry claim codes and taps over an open line.

    Plain http is for a ledger on this very machine.
    """
    try:
        parts = urlsplit(ledger_url)
        host = parts.hostname or ""
    except ValueError:
        host, parts = "", urlsplit("")
    if parts.scheme == "https" and host:
        return
    if parts.scheme == "http" and is_loopback(host):
        return
    plain = parts.scheme == "http" and host
    what = "is plain http to another machine" if plain else "is not an https address"
    raise OperatorError(
        f"The ledger's address {_without_user(parts)} {what}: give https://… "
        "(http is for this machine alone, as http://127.0.0.1:8000)."
    )


def is_loopback(host: str) -> bool:
    """Whether the host of an address is this very machine: nothing else is spoken to in plain http."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _without_user(parts: SplitResult) -> str:
    """The address as it may be printed: whatever stands before an @ may be a password."""
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"[:80]


def read_pin(file: Path) -> str:
    """The PIN of a token, from a file that only its owner can read. Raises OperatorError."""
    try:
        _require_private(file)
        pin = file.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError):
        raise OperatorError(
            f"The token's PIN is not in {file}: write it there, let this user own the file, mode 0600."
        ) from None
    if not pin:
        raise OperatorError(f"The file {file} is empty: write the token's PIN into it.")
    return pin


def _opened(keys: CardKeyStore, folder: Path) -> CardKeyStore:
    """The card keys where they are kept. Raises OperatorError for a token or module that cannot be used."""
    if isinstance(keys, TokenKeys):
        # Its library is an extra: a validator whose kit carries the keys runs without it.
        from readers.keystores.token import TokenKeyStore  # noqa: PLC0415

        return TokenKeyStore(keys, read_pin(folder / PIN_FILE))
    if isinstance(keys, SamKeys):
        raise OperatorError(
            "The kit names a secure access module, and none has been tried with this version: use a token"
            " or keys in the kit ('mancard fleet card-keys DEVICE --out FOLDER')."
        )
    return keys


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
