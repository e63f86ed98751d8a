"""Signed envelopes: one CBOR array `[payload, kid, signature]` for every document that travels.

    envelope = [ payload: bstr, kid: uint, signature: bstr .size 64 ]
    signature = Ed25519( context(4) || kid(1) || payload )

The context names the kind of document, so that a signature of one kind never passes as another:

    MCB1 batch (device key)      MCA1 acknowledgement (ledger key)
    MCD1 bundle (ledger key)     MCR1 request of a device (device key)
    MCC1 answer to a device's claim (ledger key)

Opening verifies before anything inside the payload is decoded.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import cbor2
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.errors import MalformedDocument
from fare.core.strict_cbor import NotStrictCbor, StrictReader

BATCH = b"MCB1"
ACKNOWLEDGEMENT = b"MCA1"
BUNDLE = b"MCD1"
REQUEST = b"MCR1"
CLAIM_ANSWER = b"MCC1"

_ENVELOPE_ITEMS: Final = 3
DEVICE_KID = 0
"""The kid of whatever a device signs: it has one key, and the ledger finds it by the device's number."""


class Signer(Protocol):
    """Whatever signs with an Ed25519 key: the key itself, or the device that keeps it and never shows it."""

    def sign(self, data: bytes, /) -> bytes:
        """64 bytes over `data`."""
        ...


class BadSignature(ValueError):
    """The envelope is well formed, but no known key made its signature."""


def canonical(value: object) -> bytes:
    """Deterministic CBOR (RFC 8949 section 4.2 ordering): one value, one encoding."""
    return cbor2.dumps(value, canonical=True)


def decode_canonical(raw: bytes) -> Any:
    """Decode CBOR and refuse every encoding but the canonical one.

    Raises MalformedDocument for truncated, trailing, indefinite, non-minimal or duplicate-key input.
    """
    try:
        value = cbor2.loads(raw)
        again = canonical(value)
    except Exception as fault:  # cbor2 raises many kinds for hostile input, all mean the same here
        raise MalformedDocument("not CBOR") from fault
    if again != raw:
        raise MalformedDocument("not canonical CBOR")
    return value


def seal(context: bytes, payload: bytes, kid: int, key: Signer) -> bytes:
    """Sign `payload` for `context` and return the envelope's bytes."""
    signature = key.sign(context + bytes([kid]) + payload)
    return canonical([payload, kid, signature])


def split(envelope: bytes) -> tuple[bytes, int, bytes]:
    """Take an envelope apart, unverified: (payload, kid, signature). Raises MalformedDocument.

    Read strictly and without a general decoder: whoever sent it is not known yet.
    """
    reader = StrictReader(envelope)
    try:
        if reader.array() != _ENVELOPE_ITEMS:
            raise MalformedDocument("an envelope is an array of three")
        payload, kid, signature = reader.byte_string(), reader.uint(0, 255), reader.byte_string(64)
        reader.end()
    except NotStrictCbor as fault:
        raise MalformedDocument(f"an envelope is [payload, kid, signature of 64 bytes]: {fault}") from fault
    return payload, kid, signature


def open_envelope(context: bytes, envelope: bytes, keys: Mapping[int, Ed25519PublicKey]) -> bytes:
    """Return the verified payload. Raises MalformedDocument or BadSignature."""
    payload, kid, signature = split(envelope)
    key = keys.get(kid)
    if key is None:
        raise BadSignature(f"no key {kid} for {context.decode()}")
    try:
        key.verify(signature, context + bytes([kid]) + payload)
    except InvalidSignature as fault:
        raise BadSignature(f"the signature of {context.decode()} does not verify") from fault
    return payload
