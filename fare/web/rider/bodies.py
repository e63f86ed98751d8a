"""What the rider's page sends, as it must look. Strict: a number is no text that looks like one."""

from __future__ import annotations

import base64
import binascii
from typing import ClassVar

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePublicNumbers
from pydantic import BaseModel, ConfigDict, Field

from fare.core.proof.p256 import COORDINATE_BYTES, SIGNATURE_BYTES
from fare.core.proof.possession import PhoneKey
from fare.web.rider.refusals import RiderError, RiderRefused


class _Body(BaseModel):
    model_config: ClassVar[ConfigDict] = ConfigDict(strict=True)


class WantsCode(_Body):
    """A number that wants a one-time code; digits of any script."""

    mobile: str = Field(max_length=40)


class PublicKey(_Body):
    """A phone's fresh P-256 key: two coordinates of 32 bytes, base64url without padding."""

    x: str = Field(max_length=64)
    y: str = Field(max_length=64)


class Enrols(_Body):
    """A phone that enrols. `proof`: r||s of its key over the possession bytes, base64url without padding."""

    mobile: str = Field(max_length=40)
    code: str = Field(max_length=40)
    key: PublicKey
    proof: str = Field(max_length=200)
    keeps_key: bool


class LostPhone(_Body):
    """A phone was lost, says who holds its number."""

    mobile: str = Field(max_length=40)
    code: str = Field(max_length=40)


class WantsTicket(_Body):
    """A fresh key for the next ticket, with its proof of possession."""

    key: PublicKey
    proof: str = Field(max_length=200)
    keeps_key: bool


class TopUpAmount(_Body):
    """How much to top up, in rial."""

    amount_rial: int


class PhoneAnswer(_Body):
    """What the earlier phone says of the newer one."""

    mine: bool


class Nothing(_Body):
    """An empty object."""


def phone_key(key: PublicKey, *, keeps_keys: bool) -> PhoneKey:
    """The key as issuing takes it. Raises RiderRefused: bad_key, also for a point that is not on P-256."""
    x, y = (_decoded(part, COORDINATE_BYTES, RiderError.BAD_KEY) for part in (key.x, key.y))
    try:
        EllipticCurvePublicNumbers(int.from_bytes(x), int.from_bytes(y), SECP256R1()).public_key()
    except ValueError:
        raise RiderRefused(RiderError.BAD_KEY) from None
    return PhoneKey(x, y, keeps_keys)


def proof_bytes(text: str) -> bytes:
    """r||s, 64 bytes. Raises bad_proof."""
    return _decoded(text, SIGNATURE_BYTES, RiderError.BAD_PROOF)


def base64url(raw: bytes) -> str:
    """Without padding."""
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _decoded(text: str, size: int, otherwise: RiderError) -> bytes:
    try:
        raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        raise RiderRefused(otherwise) from None
    # One value has one spelling: spare bits and padding of one's own are refused.
    if len(raw) != size or base64url(raw) != text:
        raise RiderRefused(otherwise)
    return raw
