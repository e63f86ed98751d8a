"""What a validator asks of the ledger over HTTP: the addresses, and how it signs its requests.

    POST CLAIM_PATH     {"device", "claim_code", "public_key", "nonce"} -> {"device", "sealed"}: bytes in hex,
                        the time sealed for this nonce (`fare.core.claim_answer`)
    GET  BUNDLE_PATH    Mancard-Request, If-None-Match -> 200 an MCD1 envelope, or 304
    POST BATCHES_PATH   CONTENT_TYPE, zstd, an MCB1 envelope (its own signature) -> an MCA1 envelope
    POST redemption_path(cti)   Mancard-Request, no body -> {"granted": bool}

    Mancard-Request: base64url( MCR1 envelope of [device, at_ms, method, path, nonce(16)] )

The envelope's kid is always `DEVICE_KID`; the key is the one the device enrolled. The ledger accepts `at_ms`
within 10 minutes of its own clock. A device that lost its clock learns the time from the signed
acknowledgement of a batch, which is not bound to any time; a poll reads only. What is asked for stands in the
path, which is signed: nobody on the way can put another ticket into a redemption.
"""

from __future__ import annotations

import base64
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.errors import MalformedDocument
from fare.core.fields import array, byte_string, text, uint
from fare.core.identifiers import MAX_DEVICE_ID
from fare.core.signed import (
    DEVICE_KID,
    REQUEST,
    Signer,
    canonical,
    decode_canonical,
    open_envelope,
    seal,
    split,
)

CLAIM_PATH = "/v1/claim"
BUNDLE_PATH = "/v1/bundle"
BATCHES_PATH = "/v1/batches"
REDEMPTIONS_PATH = "/v1/redemptions"
CONTENT_TYPE = "application/cbor"
HEADER = "Mancard-Request"
MAX_SKEW_MS = 600_000
MAX_HEADER_CHARS = 1024


@dataclass(frozen=True, slots=True)
class DeviceRequest:
    """Who asks for what, and when (unix milliseconds)."""

    device: int
    at_ms: int
    method: str
    path: str
    nonce: bytes


def redemption_path(cti: bytes) -> str:
    """Where a paper ticket for any vehicle is redeemed, by its alias: the URL's path, and what is signed."""
    return f"{REDEMPTIONS_PATH}/{cti.hex()}"


def sign_request(request: DeviceRequest, key: Signer) -> str:
    """The header's value."""
    payload = canonical([request.device, request.at_ms, request.method, request.path, request.nonce])
    return base64.urlsafe_b64encode(seal(REQUEST, payload, DEVICE_KID, key)).decode()


def claimed_device(header: str) -> int:
    """The device that the header claims, unverified, to look its key up. Raises MalformedDocument."""
    payload, _, _ = split(_decode_header(header))
    return _read(payload).device


def open_request(header: str, key: Ed25519PublicKey) -> DeviceRequest:
    """Verify and decode. Raises MalformedDocument or BadSignature."""
    return _read(open_envelope(REQUEST, _decode_header(header), {DEVICE_KID: key}))


def _decode_header(header: str) -> bytes:
    if len(header) > MAX_HEADER_CHARS:
        raise MalformedDocument("the request header is too long")
    try:
        return base64.b64decode(header.encode("ascii"), altchars=b"-_", validate=True)
    except ValueError as fault:
        raise MalformedDocument("the request header is not base64url") from fault


def _read(payload: bytes) -> DeviceRequest:
    device, at_ms, method, path, nonce = array(decode_canonical(payload), 5, "a request")
    return DeviceRequest(
        device=uint(device, "a request's device", MAX_DEVICE_ID),
        at_ms=uint(at_ms, "a request's at_ms"),
        method=text(method, "a request's method"),
        path=text(path, "a request's path"),
        nonce=byte_string(nonce, 16, "a request's nonce"),
    )
