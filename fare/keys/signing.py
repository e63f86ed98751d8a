"""Ed25519 keys that sign for the ledger, and those of them that are in files. It never prints one."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from fare.core.signed import Signer
from fare.keys import private_files


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


def draw() -> bytes:
    """A fresh key, as a key file holds it."""
    return Ed25519PrivateKey.generate().private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def parse(content: bytes) -> Ed25519PrivateKey:
    """The key in a key file. Raises ValueError or TypeError."""
    key = load_pem_private_key(content, password=None)
    if not isinstance(key, Ed25519PrivateKey):
        raise TypeError("not an Ed25519 key")
    return key


def read_or_make(file: Path) -> Ed25519PrivateKey:
    """The key of a file, which is made first when there is none. Raises OperatorError."""
    return private_files.read_or_make(file, draw, parse)
