"""AES as the chip computes it: CBC, CMAC, session keys, IVs and the key checksum.

Never holds state about a card: every function is bytes in, bytes out. Cipher and CMAC contexts are kept per
key, because a tap uses the same few keys again and again and building a context costs more than using it.
"""

from __future__ import annotations

import zlib
from functools import lru_cache

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.cmac import CMAC

BLOCK_BYTES = 16
MAC_BYTES = 8
ZERO_IV = bytes(BLOCK_BYTES)


def encrypt_cbc(key: bytes, plain: bytes, iv: bytes = ZERO_IV) -> bytes:
    """AES-128-CBC without padding; ``plain`` is a multiple of 16 bytes."""
    encryptor = Cipher(AES(key), CBC(iv)).encryptor()
    return encryptor.update(plain) + encryptor.finalize()


def decrypt_cbc(key: bytes, cipher: bytes, iv: bytes = ZERO_IV) -> bytes:
    """The inverse of :func:`encrypt_cbc`; ``cipher`` is a multiple of 16 bytes."""
    decryptor = Cipher(AES(key), CBC(iv)).decryptor()
    return decryptor.update(cipher) + decryptor.finalize()


def encrypt_block(key: bytes, block: bytes) -> bytes:
    """AES-128-ECB of exactly one block."""
    # One independent block an IV: ECB is what the card's IV derivation is defined with.
    encryptor = Cipher(AES(key), ECB()).encryptor()  # noqa: S305
    return encryptor.update(block)


@lru_cache(maxsize=256)
def _cmac_start(key: bytes) -> CMAC:
    return CMAC(AES(key))


def cmac(key: bytes, message: bytes) -> bytes:
    """AES-CMAC, 16 bytes (RFC 4493)."""
    context = _cmac_start(key).copy()
    context.update(message)
    return context.finalize()


def short_mac(key: bytes, message: bytes) -> bytes:
    """The 8 bytes the card sends: positions 1, 3, … 15 of the CMAC (AN12343)."""
    return cmac(key, message)[1::2]


def rotate_left(block: bytes) -> bytes:
    """Rotate by one byte to the left."""
    return block[1:] + block[:1]


def pad_80(plain: bytes) -> bytes:
    """Append 80 00 … up to a block boundary; always at least one byte."""
    return plain + b"\x80" + bytes(-(len(plain) + 1) % BLOCK_BYTES)


def strip_80(padded: bytes) -> bytes | None:
    """Remove the padding of :func:`pad_80`, or None when it is not there."""
    stripped = padded.rstrip(b"\x00")
    if not stripped.endswith(b"\x80") or len(padded) - len(stripped) >= BLOCK_BYTES:
        return None
    return stripped[:-1]


def session_keys(key: bytes, rnd_a: bytes, rnd_b: bytes) -> tuple[bytes, bytes]:
    """(ENC, MAC) session keys of AuthenticateEV2First and NonFirst, 16 bytes each (AN12343)."""
    mixed = bytes(a ^ b for a, b in zip(rnd_a[2:8], rnd_b[0:6], strict=True))
    context = rnd_a[0:2] + mixed + rnd_b[6:16] + rnd_a[8:16]
    enc = cmac(key, b"\xa5\x5a\x00\x01\x00\x80" + context)
    mac = cmac(key, b"\x5a\xa5\x00\x01\x00\x80" + context)
    return enc, mac


def message_iv(ses_enc: bytes, label: bytes, ti: bytes, cmd_ctr: int) -> bytes:
    """IV of one enciphered message; ``label`` is A55A for a command and 5AA5 for a response."""
    return encrypt_block(ses_enc, label + ti + cmd_ctr.to_bytes(2, "little") + bytes(8))


def key_checksum(key: bytes) -> bytes:
    """CRC-32 without the final XOR (JAMCRC), least significant byte first, 4 bytes."""
    return (zlib.crc32(key) ^ 0xFFFFFFFF).to_bytes(4, "little")


def transaction_keys(tm_key: bytes, tmc: int, uid: bytes) -> tuple[bytes, bytes]:
    """(SesTMMAC, SesTMENC) for the transaction that Commit will report as ``tmc``."""
    context = b"\x00\x01\x00\x80" + tmc.to_bytes(4, "little") + uid
    return cmac(tm_key, b"\x5a" + context), cmac(tm_key, b"\xa5" + context)
