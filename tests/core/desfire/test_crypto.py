from __future__ import annotations

import pytest
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from hypothesis import given
from hypothesis import strategies as st

from fare.core.desfire import crypto


@given(st.binary(max_size=100))
def test_padding_is_always_added_and_taken_off_again(data: bytes) -> None:
    padded = crypto.pad(data)
    assert len(padded) % 16 == 0
    assert len(padded) > len(data)
    assert crypto.unpad(padded) == data


@pytest.mark.parametrize(
    "wrong",
    [
        b"",
        bytes(16),
        b"\x01" * 16,
        b"\x80" + bytes(16),
        b"\x80" + bytes(31),
        b"\x80" + bytes(14),
        b"\x80" * 15,
    ],
)
def test_padding_of_another_shape_is_refused(wrong: bytes) -> None:
    with pytest.raises(ValueError, match="padding"):
        crypto.unpad(wrong)


def by_the_note(master: bytes, m: bytes) -> bytes:
    """AN10922 step by step: pad to 32 bytes, mask the last block with K1 or K2, CBC."""

    def doubled(block: bytes) -> bytes:
        number = int.from_bytes(block, "big") * 2
        return (number % 2**128 ^ (0x87 if number >= 2**128 else 0)).to_bytes(16, "big")

    aes = Cipher(algorithms.AES(master), modes.ECB())
    k1 = doubled(aes.encryptor().update(bytes(16)))
    message = b"\x01" + m
    mask = k1 if len(message) == 32 else doubled(k1)
    message = message if len(message) == 32 else (message + b"\x80").ljust(32, b"\x00")
    first = aes.encryptor().update(message[:16])
    return aes.encryptor().update(bytes(a ^ b ^ c for a, b, c in zip(first, message[16:], mask, strict=True)))


@given(st.binary(min_size=16, max_size=16), st.binary(min_size=1, max_size=31))
def test_diversification_follows_the_application_note(master: bytes, m: bytes) -> None:
    assert crypto.diversify(master, m) == by_the_note(master, m)


def test_diversification_of_short_inputs_is_not_a_plain_cmac() -> None:
    assert crypto.diversify(bytes(16), b"short") != crypto.cmac(bytes(16), b"\x01short")


@pytest.mark.parametrize("size", [0, 32])
def test_diversification_refuses_inputs_it_has_no_block_for(size: int) -> None:
    with pytest.raises(ValueError, match="1 to 31"):
        crypto.diversify(bytes(16), bytes(size))


def test_jamcrc_is_the_inverted_crc_lsb_first() -> None:
    # The check value of CRC-32/JAMCRC over "123456789" is 340BC6D9.
    assert crypto.jamcrc(b"123456789").hex() == "d9c60b34"


def test_a_mac_key_may_be_used_again_and_again() -> None:
    key = crypto.MacKey(bytes(range(16)))
    first = key.cmac(b"one")
    key.cmac(b"two")
    assert key.cmac(b"one") == first == crypto.cmac(bytes(range(16)), b"one")
