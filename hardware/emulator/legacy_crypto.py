"""The ciphers of the older secure messaging: AES or two-key triple DES in CBC, a CMAC whose IV goes on from
message to message, and the two checksums.

Never holds state about a card. Sources: libfreefare's ``mifare_desfire_crypto.c`` and
``mifare_desfire_key.c``, NIST SP 800-38B (CMAC), ISO/IEC 14443-3 (CRC_A).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC

AES_BLOCK_BYTES = 16
DES_BLOCK_BYTES = 8
# Reduction polynomial of the CMAC subkeys, by block size (SP 800-38B, section 5.3).
_REDUCTION = {AES_BLOCK_BYTES: 0x87, DES_BLOCK_BYTES: 0x1B}


@dataclass(frozen=True)
class BlockCipher:
    """One 16-byte key and its cipher. With ``des`` the key is K1‖K2, used as K1, K2, K1."""

    key: bytes = field(repr=False)
    des: bool = False

    @property
    def block_bytes(self) -> int:
        return DES_BLOCK_BYTES if self.des else AES_BLOCK_BYTES

    def _cipher(self, iv: bytes) -> Cipher[CBC]:
        algorithm = TripleDES(self.key + self.key[:DES_BLOCK_BYTES]) if self.des else AES(self.key)
        return Cipher(algorithm, CBC(iv))

    @property
    def zero_iv(self) -> bytes:
        return bytes(self.block_bytes)

    def encrypt(self, plain: bytes, iv: bytes) -> bytes:
        """CBC without padding; ``plain`` is a multiple of the block."""
        encryptor = self._cipher(iv).encryptor()
        return encryptor.update(plain) + encryptor.finalize()

    def decrypt(self, cipher: bytes, iv: bytes) -> bytes:
        """The inverse of :meth:`encrypt`."""
        decryptor = self._cipher(iv).decryptor()
        return decryptor.update(cipher) + decryptor.finalize()

    @cached_property
    def _subkeys(self) -> tuple[int, int]:
        """CMAC subkeys for a whole and for a padded last block, as numbers."""
        bits = 8 * self.block_bytes
        reduction = _REDUCTION[self.block_bytes]

        def doubled(value: int) -> int:
            shifted = value << 1
            return (shifted & (1 << bits) - 1) ^ (reduction if shifted >> bits else 0)

        whole = doubled(int.from_bytes(self.encrypt(self.zero_iv, self.zero_iv), "big"))
        return whole, doubled(whole)

    def cmac(self, message: bytes, iv: bytes) -> bytes:
        """One whole block: the CMAC of ``message`` begun with ``iv``, which is zero for the usual CMAC."""
        size = self.block_bytes
        whole, padded = self._subkeys
        subkey = whole
        if not message or len(message) % size:
            message += b"\x80" + bytes(-(len(message) + 1) % size)
            subkey = padded
        last = int.from_bytes(message[-size:], "big") ^ subkey
        return self.encrypt(message[:-size] + last.to_bytes(size, "big"), iv)[-size:]


def exclusive_or(left: bytes, right: bytes) -> bytes:
    """Byte by byte; both of one length."""
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def crc_a(data: bytes) -> bytes:
    """CRC_A of ISO/IEC 14443-3: 2 bytes, least significant first."""
    crc = 0x6363
    for byte in data:
        crc ^= byte
        for _ in range(8):
            crc = crc >> 1 ^ (0x8408 if crc & 1 else 0)
    return crc.to_bytes(2, "little")


def padded_size(size: int, block_bytes: int) -> int:
    """``size`` rounded up to whole blocks."""
    return -(-size // block_bytes) * block_bytes
