"""Only the holder of a key proves it, for this challenge alone; what is no key neither passes nor raises."""

from __future__ import annotations

from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from fare.core.proof.possession import PhoneKey, check_possession, proof_of_possession_to_sign

CHALLENGE = bytes(range(16))
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def key_and_signature(scalar: int, challenge: bytes = CHALLENGE) -> tuple[PhoneKey, bytes]:
    private = ec.derive_private_key(scalar, ec.SECP256R1())
    point = private.public_key().public_numbers()
    x, y = point.x.to_bytes(32), point.y.to_bytes(32)
    signed = private.sign(b"mancard phone key 1\x00" + challenge + x + y, ec.ECDSA(SHA256()))
    r, s = decode_dss_signature(signed)
    return PhoneKey(x, y, True), r.to_bytes(32) + s.to_bytes(32)


def test_the_holder_of_the_key_proves_it() -> None:
    key, signature = key_and_signature(7)
    assert check_possession(CHALLENGE, key, signature)
    assert key.y_odd == bool(key.public_y[31] & 1)
    told = proof_of_possession_to_sign(CHALLENGE, key.public_x, key.public_y)
    assert len(told) == 20 + 16 + 64
    assert sha256(told[:20]).hexdigest() == sha256(b"mancard phone key 1\x00").hexdigest()


def test_everything_else_is_refused() -> None:
    key, signature = key_and_signature(7)
    other, others = key_and_signature(8)
    for challenge, shown, proof in (
        (bytes(16), key, signature),
        (CHALLENGE, key, others),
        (CHALLENGE, other, signature),
        (CHALLENGE, PhoneKey(key.public_x, other.public_y, True), signature),
        (CHALLENGE, PhoneKey(bytes(32), bytes(32), True), signature),
        (CHALLENGE, PhoneKey(b"", b"", True), signature),
        (CHALLENGE, PhoneKey(key.public_x + b"\0", key.public_y, True), signature),
        (CHALLENGE[:15], key, signature),
        (b"", key, signature),
        (CHALLENGE, key, b""),
        (CHALLENGE, key, bytes(64)),
        (CHALLENGE, key, b"\xff" * 64),
        (CHALLENGE, key, signature + b"\0"),
        (CHALLENGE, key, signature[:32] + (N).to_bytes(32)),
    ):
        assert not check_possession(challenge, shown, proof)
    for bit in range(0, 512, 7):
        flipped = bytearray(signature)
        flipped[bit // 8] ^= 1 << bit % 8
        assert not check_possession(CHALLENGE, key, bytes(flipped))
