"""Proof that a phone holds a key before the ledger signs an entitlement for it. It keeps nothing.

    signed    = "mancard phone key 1" 00 || challenge (16) || x (32) || y (32)
    signature = ECDSA P-256 with SHA-256, r || s, 64 bytes

The challenge is the ledger's and counts once, so a recorded proof enrols nobody's key again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from fare.core.proof.p256 import COORDINATE_BYTES, signature_of_point_holds

POSSESSION_CONTEXT: Final = b"mancard phone key 1\x00"
CHALLENGE_BYTES: Final = 16


@dataclass(frozen=True, slots=True)
class PhoneKey:
    """A phone's public P-256 key, 32 bytes big-endian each; `keeps_keys`: it survived a reload."""

    public_x: bytes
    public_y: bytes
    keeps_keys: bool

    @property
    def y_odd(self) -> bool:
        """What an entitlement says of y."""
        return bool(self.public_y[-1] & 1)


def proof_of_possession_to_sign(challenge: bytes, public_x: bytes, public_y: bytes) -> bytes:
    """The bytes the phone's new key signs. ValueError for a part of another length."""
    if len(challenge) != CHALLENGE_BYTES:
        raise ValueError(f"a challenge has {CHALLENGE_BYTES} bytes")
    if len(public_x) != COORDINATE_BYTES or len(public_y) != COORDINATE_BYTES:
        raise ValueError(f"a coordinate has {COORDINATE_BYTES} bytes")
    return POSSESSION_CONTEXT + challenge + public_x + public_y


def check_possession(challenge: bytes, key: PhoneKey, signature: bytes) -> bool:
    """Whether the holder of this key signed this challenge; False for what is no key or signature."""
    try:
        signed = proof_of_possession_to_sign(challenge, key.public_x, key.public_y)
    except ValueError:
        return False
    return signature_of_point_holds(key.public_x, key.public_y, signature, signed)
