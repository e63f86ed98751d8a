from __future__ import annotations

from dataclasses import replace

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core.claim_answer import ClaimAnswer, open_claim_answer, seal_claim_answer
from fare.core.errors import MalformedDocument
from fare.core.signed import BUNDLE, BadSignature, canonical, seal, split

KEY = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
KEYS = {1: KEY.public_key()}
ANSWER = ClaimAnswer(7, bytes(range(32, 64)), bytes(range(16)), 1_795_337_000_000)
SEALED = seal_claim_answer(ANSWER, 1, KEY)


def opened(envelope: bytes, answer: ClaimAnswer = ANSWER) -> int:
    return open_claim_answer(envelope, KEYS, answer.device, answer.public_key, answer.nonce)


def test_the_bytes_and_their_meaning() -> None:
    payload = (
        "84075820202122232425262728292a2b2c2d2e2f303132333435363738393a3b3c3d3e3f50000102030405060708090a0b0c"
        "0d0e0f1b000001a2026c9440"
    )
    assert split(SEALED)[0].hex() == payload
    assert opened(SEALED) == 1_795_337_000_000


def test_only_the_ledgers_answer_to_this_very_claim_tells_the_time() -> None:
    for other in (
        replace(ANSWER, device=8),
        replace(ANSWER, public_key=bytes(32)),
        replace(ANSWER, nonce=bytes(16)),
    ):
        with pytest.raises(BadSignature, match="another claim"):
            opened(SEALED, other)
    payload = split(SEALED)[0]
    forged = seal_claim_answer(ANSWER, 1, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    as_bundle, other_kid = seal(BUNDLE, payload, 1, KEY), seal_claim_answer(ANSWER, 2, KEY)
    for refused in (forged, as_bundle, other_kid):
        with pytest.raises(BadSignature):
            opened(refused)
    for bit in range(len(SEALED) * 8):
        flipped = bytearray(SEALED)
        flipped[bit // 8] ^= 1 << bit % 8
        with pytest.raises((BadSignature, MalformedDocument)):
            opened(bytes(flipped))


def test_what_is_no_answer_is_refused_by_name() -> None:
    short = canonical([7, bytes(32), bytes(16)])
    for payload in (short, canonical([7, bytes(32), bytes(16), -1]), canonical({}), b"\xff"):
        with pytest.raises(MalformedDocument):
            opened(seal(b"MCC1", payload, 1, KEY))
    for envelope in (b"", SEALED + b"\0", bytes(1000)):
        with pytest.raises(MalformedDocument):
            opened(envelope)
    with pytest.raises(ValueError, match="nonce"):
        seal_claim_answer(replace(ANSWER, nonce=b"short"), 1, KEY)
