"""Proof that a phone holds a key before the ledger signs an entitlement for it. It keeps nothing.

    signed    = "mancard phone key 1" 00 || challenge (16) || x (32) || y (32)
    signature = ECDSA P-256 with SHA-256, r || s, 64 bytes

The challenge is the ledger's and counts once, so a recorded proof enrols nobody's key again.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicNumbers
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

POSSESSION_CONTEXT: Final = b"mancard phone key 1\x00"
CHALLENGE_BYTES: Final = 16
_COORDINATE_BYTES: Final = 32
_HALF_BYTES: Final = 32
_ES256: Final = ECDSA(SHA256())
_P256: Final = SECP256R1()


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
    if len(public_x) != _COORDINATE_BYTES or len(public_y) != _COORDINATE_BYTES:
        raise ValueError(f"a coordinate has {_COORDINATE_BYTES} bytes")
    return POSSESSION_CONTEXT + challenge + public_x + public_y


def check_possession(challenge: bytes, key: PhoneKey, signature: bytes) -> bool:
    """Whether the holder of this key signed this challenge; False for what is no key or signature."""
    if len(signature) != 2 * _HALF_BYTES:
        return False
    r, s = int.from_bytes(signature[:_HALF_BYTES]), int.from_bytes(signature[_HALF_BYTES:])
    x, y = int.from_bytes(key.public_x), int.from_bytes(key.public_y)
    try:
        signed = proof_of_possession_to_sign(challenge, key.public_x, key.public_y)
        public = EllipticCurvePublicNumbers(x, y, _P256).public_key()
        public.verify(encode_dss_signature(r, s), signed, _ES256)
    except (InvalidSignature, ValueError):
        # ValueError: the point is not on the curve, or a part has another length.
        return False
    return True
