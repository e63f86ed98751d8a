"""AES primitives of EV2 secure messaging. Never holds state, draws random bytes or speaks to a card.

Everything is AES-128 and works on `bytes`. Sources: NXP AN12196 and AN12343 (messaging), AN10922
(diversification), RFC 4493 (CMAC); the vectors stand in `tests/vectors/card.json`.
"""

from __future__ import annotations

import zlib

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

BLOCK_SIZE = 16
MAC_SIZE = 8
ZERO_IV = bytes(BLOCK_SIZE)

_COMMAND_LABEL = b"\xa5\x5a"
_RESPONSE_LABEL = b"\x5a\xa5"


class MacKey:
    """A CMAC key made ready once; `cmac` and `mact` may be called any number of times."""

    __slots__ = ("_context",)

    def __init__(self, key: bytes) -> None:
        self._context = CMAC(algorithms.AES(key))

    def cmac(self, message: bytes) -> bytes:
        """The 16-byte AES-CMAC of RFC 4493."""
        context = self._context.copy()  # four times cheaper than expanding the key for each message
        context.update(message)
        return context.finalize()

    def mact(self, message: bytes) -> bytes:
        """The 8-byte truncation DESFire sends: bytes 1, 3, …, 15 of the CMAC."""
        return truncate(self.cmac(message))


def cmac(key: bytes, message: bytes) -> bytes:
    """The 16-byte AES-CMAC of RFC 4493."""
    return MacKey(key).cmac(message)


def truncate(full_mac: bytes) -> bytes:
    """MACt: the odd-numbered bytes (0-based 1, 3, …, 15) of a 16-byte CMAC."""
    return full_mac[1::2]


def cbc_encrypt(key: bytes, data: bytes, iv: bytes = ZERO_IV) -> bytes:
    """AES-CBC without padding; `data` is a multiple of 16 bytes."""
    encryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def cbc_decrypt(key: bytes, data: bytes, iv: bytes = ZERO_IV) -> bytes:
    """AES-CBC without padding; `data` is a multiple of 16 bytes."""
    decryptor = Cipher(algorithms.AES(key), modes.CBC(iv)).decryptor()
    return decryptor.update(data) + decryptor.finalize()


def pad(data: bytes) -> bytes:
    """ISO/IEC 9797-1 method 2: `80 00 …`, always added, up to a multiple of 16 bytes."""
    return data + b"\x80" + bytes(-(len(data) + 1) % BLOCK_SIZE)


def unpad(data: bytes) -> bytes:
    """Undo `pad`; raises ValueError unless `data` ends in 80 and at most fifteen zero bytes."""
    body = data.rstrip(b"\x00")
    if not body.endswith(b"\x80") or len(data) - len(body) >= BLOCK_SIZE or len(data) % BLOCK_SIZE:
        raise ValueError("the padding after the data is not 80 00 …")
    return body[:-1]


def rotate_left(data: bytes) -> bytes:
    """Rotate by one byte to the left, as the challenge of an authentication is."""
    return data[1:] + data[:1]


def session_keys(key: bytes, rnd_a: bytes, rnd_b: bytes) -> tuple[bytes, bytes]:
    """EV2 session keys (ENC, MAC), 16 bytes each, from the two 16-byte challenges (AN12343)."""
    mixed = bytes(a ^ b for a, b in zip(rnd_a[2:8], rnd_b[0:6], strict=True))
    tail = b"\x00\x01\x00\x80" + rnd_a[0:2] + mixed + rnd_b[6:16] + rnd_a[8:16]
    prf = MacKey(key)
    return prf.cmac(_COMMAND_LABEL + tail), prf.cmac(_RESPONSE_LABEL + tail)


def command_iv(ses_enc: bytes, ti: bytes, cmd_ctr: int) -> bytes:
    """IV for a command's ciphertext; `cmd_ctr` is the counter the command is sent with."""
    return _iv(_COMMAND_LABEL, ses_enc, ti, cmd_ctr)


def response_iv(ses_enc: bytes, ti: bytes, cmd_ctr: int) -> bytes:
    """IV for a response's ciphertext; `cmd_ctr` is already advanced past the command."""
    return _iv(_RESPONSE_LABEL, ses_enc, ti, cmd_ctr)


def _iv(label: bytes, ses_enc: bytes, ti: bytes, cmd_ctr: int) -> bytes:
    # One block under a zero IV is exactly AES-ECB of it.
    return cbc_encrypt(ses_enc, label + ti + cmd_ctr.to_bytes(2, "little") + bytes(8))


def jamcrc(data: bytes) -> bytes:
    """CRC-32 without the final inversion, LSB first: 4 bytes, as ChangeKey wants it over the new key."""
    return (zlib.crc32(data) ^ 0xFFFFFFFF).to_bytes(4, "little")


def diversify(master: bytes, diversification_input: bytes) -> bytes:
    """AN10922 AES-128: the 16-byte card key for an input of 1 to 31 bytes.

    AN10922 pads `01 ‖ M` to 32 bytes even when 16 would do, so a CMAC is wrong for inputs below 16 bytes.
    """
    if not 1 <= len(diversification_input) <= 31:
        raise ValueError(f"AN10922 takes 1 to 31 bytes of input, not {len(diversification_input)}")
    message = b"\x01" + diversification_input
    if len(message) > BLOCK_SIZE:
        return cmac(master, message)
    k2 = _double(_double(cbc_encrypt(master, ZERO_IV)))
    padded = (message + b"\x80").ljust(2 * BLOCK_SIZE, b"\x00")
    masked = bytes(m ^ k for m, k in zip(padded[BLOCK_SIZE:], k2, strict=True))
    return cbc_encrypt(master, padded[:BLOCK_SIZE] + masked)[BLOCK_SIZE:]


def _double(block: bytes) -> bytes:
    """Doubling in GF(2^128), the subkey step of RFC 4493."""
    shifted = int.from_bytes(block, "big") << 1
    if shifted >> 128:
        shifted = (shifted & ((1 << 128) - 1)) ^ 0x87
    return shifted.to_bytes(BLOCK_SIZE, "big")
