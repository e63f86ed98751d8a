"""A phone's ES256 signature as MC1 and enrolment carry it: r || s without ASN.1. It signs nothing.

A key comes as x with the sign of y (in a ticket) or as both coordinates (when it is enrolled), 32 bytes each.
"""

from __future__ import annotations

from typing import Final

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

COORDINATE_BYTES: Final = 32
SIGNATURE_BYTES: Final = 64
_HALF: Final = SIGNATURE_BYTES // 2
_ES256: Final = ECDSA(SHA256())
_P256: Final = SECP256R1()


def signature_holds(public_x: bytes, public_y_odd: bool, signature: bytes, message: bytes) -> bool:
    """Whether the key with this x (32 bytes) and sign of y signed `message`; False also for what is no key.

    Both (r, s) and (r, n - s) hold: P-256 cannot tell them apart, so no caller may count signatures.
    """
    head = b"\x03" if public_y_odd else b"\x02"
    return len(public_x) == COORDINATE_BYTES and _holds(head + public_x, signature, message)


def signature_of_point_holds(public_x: bytes, public_y: bytes, signature: bytes, message: bytes) -> bool:
    """The same for a key with both of its coordinates; False also for a point that is not on the curve."""
    right = len(public_x) == len(public_y) == COORDINATE_BYTES
    return right and _holds(b"\x04" + public_x + public_y, signature, message)


def _holds(point: bytes, signature: bytes, message: bytes) -> bool:
    if len(signature) != SIGNATURE_BYTES:
        return False
    r, s = int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:])
    try:
        key = EllipticCurvePublicKey.from_encoded_point(_P256, point)
        key.verify(encode_dss_signature(r, s), message, _ES256)
    except (InvalidSignature, ValueError):
        return False  # ValueError: no such point is on the curve, so nobody can sign for it.
    return True
