"""The ledger's answer to a validator's claim: the time, sealed with the bundle key that the kit brought.

    POST CLAIM_PATH {"device", "claim_code", "public_key", "nonce"} -> {"device", "sealed"}, bytes in hex

    answer = [ device: uint, public_key: bstr .size 32, nonce: bstr .size 16, server_time_ms: uint ]

The payload of an envelope with context MCC1 (`fare.core.signed`). A validator without a clock takes its first
time from it, so nobody on the line may choose that time: it is signed, and the validator's own fresh nonce in
it shows that it was signed for this very claim and not recorded from an earlier one. It reads no clock.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.errors import MalformedDocument
from fare.core.fields import array, byte_string, uint
from fare.core.identifiers import MAX_DEVICE_ID
from fare.core.signed import (
    CLAIM_ANSWER,
    BadSignature,
    Signer,
    canonical,
    decode_canonical,
    open_envelope,
    seal,
)

NONCE_BYTES: Final = 16
_KEY_BYTES: Final = 32
MAX_SEALED_BYTES: Final = 256


@dataclass(frozen=True, slots=True)
class ClaimAnswer:
    """Who claimed with which key (32 bytes) and nonce (16 bytes), and when: unix milliseconds."""

    device: int
    public_key: bytes
    nonce: bytes
    server_time_ms: int


def seal_claim_answer(answer: ClaimAnswer, kid: int, key: Signer) -> bytes:
    """The envelope. ValueError for a nonce or key of another size."""
    if (len(answer.nonce), len(answer.public_key)) != (NONCE_BYTES, _KEY_BYTES):
        raise ValueError(f"a claim has a nonce of {NONCE_BYTES} bytes and a key of {_KEY_BYTES}")
    payload = canonical([answer.device, answer.public_key, answer.nonce, answer.server_time_ms])
    return seal(CLAIM_ANSWER, payload, kid, key)


def open_claim_answer(
    envelope: bytes,
    bundle_keys: Mapping[int, Ed25519PublicKey],
    device: int,
    public_key: bytes,
    nonce: bytes,
) -> int:
    """The server's time in unix milliseconds, when the answer is the ledger's and for this claim.

    Raises MalformedDocument, or BadSignature: also for a genuine answer to another claim.
    """
    if len(envelope) > MAX_SEALED_BYTES:
        raise MalformedDocument("an answer to a claim is shorter")
    fields = array(
        decode_canonical(open_envelope(CLAIM_ANSWER, envelope, bundle_keys)), 4, "a claim's answer"
    )
    answer = ClaimAnswer(
        device=uint(fields[0], "a claim's device", MAX_DEVICE_ID),
        public_key=byte_string(fields[1], _KEY_BYTES, "a claim's key"),
        nonce=byte_string(fields[2], NONCE_BYTES, "a claim's nonce"),
        server_time_ms=uint(fields[3], "a claim's time"),
    )
    if (answer.device, answer.public_key, answer.nonce) != (device, public_key, nonce):
        raise BadSignature("the ledger answered another claim")
    return answer.server_time_ms
