"""The phone's signature against keys and numbers at the edges, as attacks on ECDSA have used them."""

from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from hypothesis import given
from hypothesis import strategies as st

from fare.core.proof.p256 import signature_holds

P = 0xFFFFFFFF00000001000000000000000000000000FFFFFFFFFFFFFFFFFFFFFFFF
N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
B = 0x5AC635D8AA3A93E7B3EBBD55769886BC651D06B0CC53B0F63BCE3C3E27D2604B
MESSAGE = b"one boarding"


def signed(secret: int, message: bytes = MESSAGE) -> tuple[bytes, bool, int, int]:
    key = ec.derive_private_key(secret, ec.SECP256R1())
    point = key.public_key().public_numbers()
    r, s = decode_dss_signature(key.sign(message, ec.ECDSA(SHA256(), deterministic_signing=True)))
    return point.x.to_bytes(32), bool(point.y & 1), r, s


def holds(x: bytes, odd: bool, r: int, s: int, message: bytes = MESSAGE) -> bool:
    return signature_holds(x, odd, r.to_bytes(32) + s.to_bytes(32), message)


@given(st.integers(1, N - 1), st.binary(max_size=400))
def test_what_a_key_signed_holds_for_that_key_and_message_alone(secret: int, message: bytes) -> None:
    x, odd, r, s = signed(secret, message)
    assert holds(x, odd, r, s, message)
    assert holds(x, odd, r, N - s, message)
    assert not holds(x, not odd, r, s, message)
    assert not holds(x, odd, r, s, message + b"\x00")
    assert not holds(x, odd, N - r, s, message)
    assert not holds(x, odd, s, r, message)


def test_keys_with_short_coordinates_and_both_signs() -> None:
    seen: set[tuple[int, bool]] = set()
    for secret in [*range(1, 700), N - 1, N - 2]:
        x, odd, r, s = signed(secret)
        leading = (x[0] == 0) + (r < 2**248) * 2 + (s < 2**248) * 4
        if (leading, odd) not in seen:
            seen.add((leading, odd))
            assert holds(x, odd, r, s)
    assert {odd for _, odd in seen} == {True, False}
    assert len({leading for leading, _ in seen}) >= 3, "no number with a leading zero byte was met"


def test_numbers_outside_their_range_never_hold() -> None:
    x, odd, r, s = signed(7)
    edges = (0, 1, 2, N - 1, N, N + 1, P - 1, P, 2**255, 2**256 - 1)
    for first in (*edges, r):
        for second in (*edges, s):
            assert holds(x, odd, first, second) is ((first, second) == (r, s))


def test_a_signature_is_exactly_64_bytes() -> None:
    x, odd, r, s = signed(7)
    raw = r.to_bytes(32) + s.to_bytes(32)
    assert signature_holds(x, odd, raw, MESSAGE)
    for wrong in (
        b"",
        raw[:-1],
        raw + b"\x00",
        b"\x00" + raw,
        raw[:32],
        b"\x00" + raw[:32] + b"\x00" + raw[32:],
    ):
        assert not signature_holds(x, odd, wrong, MESSAGE)


@pytest.mark.parametrize("x", [0, 1, P - 1, P, P + 1, P + 5, 2**256 - 1])
def test_an_x_without_a_point_or_beyond_the_field_has_no_signature(x: int) -> None:
    on_curve = x < P and pow((x**3 - 3 * x + B) % P, (P - 1) // 2, P) == 1
    key = x.to_bytes(32)
    for odd in (False, True):
        assert not signature_holds(key, odd, bytes(64), MESSAGE)
        assert not signature_holds(key, odd, b"\x00" * 31 + b"\x01" + b"\x00" * 31 + b"\x01", MESSAGE)
        point = (b"\x03" if odd else b"\x02") + key
        if on_curve:
            ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        else:
            with pytest.raises(ValueError, match=r".*"):
                ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)


def test_a_key_is_exactly_32_bytes() -> None:
    x, odd, r, s = signed(7)
    for wrong in (b"", x[:-1], x + b"\x00", b"\x00" + x, b"\x04" + x + x):
        assert not signature_holds(wrong, odd, r.to_bytes(32) + s.to_bytes(32), MESSAGE)


def test_a_forged_pair_that_holds_for_a_chosen_hash_holds_for_no_message() -> None:
    # r = (aG + bQ).x and s = r / b sign the number a * s, but nobody can find a message with that hash.
    key = ec.derive_private_key(7, ec.SECP256R1()).public_key().public_numbers()
    other = ec.derive_private_key(8, ec.SECP256R1()).public_key().public_numbers()  # G + Q, a = b = 1
    r = other.x % N
    assert not holds(key.x.to_bytes(32), bool(key.y & 1), r, r)
