"""A phone's ES256 signature as MC1 carries it: a compressed point, r || s without ASN.1. It signs nothing."""

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
    if len(public_x) != COORDINATE_BYTES or len(signature) != SIGNATURE_BYTES:
        return False
    r, s = int.from_bytes(signature[:_HALF]), int.from_bytes(signature[_HALF:])
    try:
        key = EllipticCurvePublicKey.from_encoded_point(
            _P256, (b"\x03" if public_y_odd else b"\x02") + public_x
        )
        key.verify(encode_dss_signature(r, s), message, _ES256)
    except (InvalidSignature, ValueError):
        return False  # ValueError: x belongs to no point of the curve, so nobody can sign for it.
    return True
