"""The ledger's keys: made at first start, kept in files that no other account may read. Never printed.

    keys/card-issuer.pem      Ed25519, signs card entitlements     (kid 1)
    keys/channel.pem          Ed25519, signs phone entitlements    (kid 2)
    keys/acknowledgement.pem  Ed25519, signs acknowledgements      (kid 3)
    keys/bundle.pem           Ed25519, signs bundles               (kid 4)
    keys/card-masters.json    AES-128 masters of the cards' keys, and the system id
    keys/ledger-epoch         8 random bytes, in hex: a restored ledger gets a new one

Each key id has one purpose. Whatever holds the keys instead (a PKCS#11 module) has the shape of `KeyStore`.
"""

from __future__ import annotations

import json
import os
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Protocol, TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from fare.core.desfire.keys import KEY_SIZE, CardKeyStore, CardMasters, KeyRing, ValidatorKeys
from fare.core.errors import OperatorError
from fare.core.signed import Signer

SYSTEM_ID: Final = b"MANCARD"
EPOCH_SIZE: Final = 8
_MAX_FILE_BYTES: Final = 4096
_OTHERS: Final = 0o077
_MASTERS_FORMAT: Final = 1
_MASTER_NAMES: Final = ("picc", "k0", "k1", "k2", "tm")

T = TypeVar("T")


class PrivateKey(Signer, Protocol):
    """An Ed25519 key that signs and names its public half; its own bytes need not be at hand."""

    def public_key(self) -> Ed25519PublicKey: ...


@dataclass(frozen=True, slots=True)
class SigningKey:
    """An Ed25519 key and the id (0..255) under which its signatures name it."""

    kid: int
    private: PrivateKey = field(repr=False)

    @property
    def public(self) -> Ed25519PublicKey:
        """The key that verifies."""
        return self.private.public_key()

    @property
    def public_bytes(self) -> bytes:
        """The key that verifies, 32 bytes, as bundles and kits carry it."""
        return self.public.public_bytes_raw()


class KeyStore(Protocol):
    """What services need of the keys, wherever these are kept."""

    @property
    def card_issuer(self) -> SigningKey: ...
    @property
    def channel(self) -> SigningKey: ...
    @property
    def acknowledgement(self) -> SigningKey: ...
    @property
    def bundle(self) -> SigningKey: ...
    @property
    def cards(self) -> CardKeyStore: ...
    @property
    def ledger_epoch(self) -> bytes: ...


@dataclass(frozen=True, slots=True)
class LedgerKeys:
    """The keys read from their folder. A `KeyStore`."""

    card_issuer: SigningKey
    channel: SigningKey
    acknowledgement: SigningKey
    bundle: SigningKey
    cards: KeyRing
    ledger_epoch: bytes

    @classmethod
    def open(cls, folder: Path) -> LedgerKeys:
        """Read the keys, making those that are missing. Raises OperatorError for files that others may read,
        that cannot be read, or whose content is not a key.
        """
        _prepare(folder)
        return cls(
            card_issuer=SigningKey(1, _ed25519(folder / "card-issuer.pem")),
            channel=SigningKey(2, _ed25519(folder / "channel.pem")),
            acknowledgement=SigningKey(3, _ed25519(folder / "acknowledgement.pem")),
            bundle=SigningKey(4, _ed25519(folder / "bundle.pem")),
            cards=_read(folder / "card-masters.json", _new_masters, _masters),
            ledger_epoch=_read(folder / "ledger-epoch", _new_epoch, _epoch),
        )

    @property
    def validator_keys(self) -> ValidatorKeys:
        """What a validator's kit carries of them: the masters of k1, every generation."""
        masters = {generation.version: generation.k1 for generation in self.cards.generations}
        return ValidatorKeys(masters, self.cards.generations[-1].system_id)


def _prepare(folder: Path) -> None:
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        mode = folder.stat().st_mode
    except OSError as fault:
        raise OperatorError(
            f"The key folder {folder} cannot be used ({fault.strerror}): check the path and its rights."
        ) from None
    if mode & _OTHERS:
        raise OperatorError(f"The key folder {folder} is open to other accounts: run 'chmod 700 {folder}'.")


def _read(file: Path, make: Callable[[], bytes], parse: Callable[[bytes], T]) -> T:
    """The parsed content of a key file, made first when there is none."""
    if not file.exists():
        _write_new(file, make())
    try:
        # O_NOFOLLOW: a link could point at a file whose rights we would then be checking instead.
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW)
        with os.fdopen(handle, "rb") as opened:
            mode = os.fstat(handle).st_mode
            content = opened.read(_MAX_FILE_BYTES)
    except OSError as fault:
        raise OperatorError(
            f"The key file {file} cannot be read ({fault.strerror}): check its rights or restore a backup."
        ) from None
    if mode & _OTHERS:
        raise OperatorError(f"The key file {file} is open to other accounts: run 'chmod 600 {file}'.")
    try:
        return parse(content)
    except (ValueError, KeyError, TypeError):
        # What was parsed may be half a key: it goes into no message and no chain.
        raise OperatorError(
            f"The key file {file} does not hold its key: restore it from a backup, or move it aside"
            " if it was never used."
        ) from None


def _write_new(file: Path, content: bytes) -> None:
    """Whole or not at all, and never over a file that another process made meanwhile."""
    draft = file.with_name(f".{file.name}.{secrets.token_hex(8)}")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as opened:
            opened.write(content)
            opened.flush()
            os.fsync(handle)
        try:
            os.link(draft, file)
        except FileExistsError:
            pass
        finally:
            draft.unlink()
        folder = os.open(file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)  # a card signed with a key that a power cut takes back would be lost
        finally:
            os.close(folder)
    except OSError as fault:
        raise OperatorError(
            f"The key file {file} cannot be made ({fault.strerror}): check the folder's rights and the disk."
        ) from None


def _ed25519(file: Path) -> Ed25519PrivateKey:
    def make() -> bytes:
        return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def parse(content: bytes) -> Ed25519PrivateKey:
        key = load_pem_private_key(content, password=None)
        if not isinstance(key, Ed25519PrivateKey):
            raise TypeError("not an Ed25519 key")
        return key

    return _read(file, make, parse)


def _new_masters() -> bytes:
    document: dict[str, object] = {"format": _MASTERS_FORMAT, "version": 1, "system_id": SYSTEM_ID.hex()}
    document |= {name: secrets.token_bytes(KEY_SIZE).hex() for name in _MASTER_NAMES}
    return json.dumps(document, indent=1).encode()


def _masters(content: bytes) -> KeyRing:
    document: dict[str, Any] = json.loads(content)
    if document["format"] != _MASTERS_FORMAT:
        raise ValueError("another format")
    masters = {name: bytes.fromhex(document[name]) for name in _MASTER_NAMES}
    generation = CardMasters(
        **masters, system_id=bytes.fromhex(document["system_id"]), version=int(document["version"])
    )
    return KeyRing((generation,))


def _new_epoch() -> bytes:
    return secrets.token_hex(EPOCH_SIZE).encode()


def _epoch(content: bytes) -> bytes:
    epoch = bytes.fromhex(content.decode("ascii").strip())
    if len(epoch) != EPOCH_SIZE:
        raise ValueError("an epoch has 8 bytes")
    return epoch
