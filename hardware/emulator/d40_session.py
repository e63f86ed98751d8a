"""D40 secure messaging, opened by Authenticate (0A) with a DES key: what a card is delivered with.

This card holds no DES key but its own master key, so a D40 session lives at card level, where commands and
answers are plain and only three things are enciphered: new key, new key settings, configuration.

D40 terminals have no encryption: they decipher what they send, each message with a zero IV, and the card
enciphers to read it. Source: libfreefare, ``mifare_desfire_crypto.c`` (``AS_LEGACY``, ``MCO_DECYPHER``).
"""

from __future__ import annotations

import hmac

from hardware.emulator.legacy_crypto import DES_BLOCK_BYTES, BlockCipher, crc_a, exclusive_or, padded_size
from hardware.emulator.session import CommMode, configuration_bytes
from hardware.emulator.status import CardRefusal, Status, require

CRC_BYTES = 2
INS_SET_CONFIGURATION = 0x5C
# How much data of these is enciphered: ChangeKey, ChangeKeySettings. SetConfiguration has its own sizes.
FIXED_SIZES = {0xC4: 17, 0x54: 1}
ENCIPHERED = {*FIXED_SIZES, INS_SET_CONFIGURATION}


def read_deciphered(cipher: BlockCipher, sent: bytes) -> bytes:
    """What a terminal meant by ``sent``: it ran its blocks through the decryption, chained as CBC sends."""
    zero = bytes(DES_BLOCK_BYTES)
    plain = b""
    previous = zero
    for at in range(0, len(sent), DES_BLOCK_BYTES):
        block = sent[at : at + DES_BLOCK_BYTES]
        plain += exclusive_or(cipher.encrypt(block, zero), previous)
        previous = block
    return plain


class D40Session:
    """``cipher`` holds the DES session key."""

    def __init__(self, key_no: int, cipher: BlockCipher) -> None:
        self.key_no = key_no
        self._cipher = cipher

    def unwrap(self, mode: CommMode, ins: int, data: bytes, header_bytes: int) -> bytes:
        """``E(data ‖ CRC_A(data) ‖ zeros)`` for the three enciphered commands, everything else as it is."""
        if mode is not CommMode.FULL or ins not in ENCIPHERED:
            return data
        head, sent = data[:header_bytes], data[header_bytes:]
        size = FIXED_SIZES.get(ins) or configuration_bytes(head)
        end = size + CRC_BYTES
        if len(head) != header_bytes or len(sent) != padded_size(end, DES_BLOCK_BYTES):
            raise CardRefusal(Status.LENGTH_ERROR)
        clear = read_deciphered(self._cipher, sent)
        require(hmac.compare_digest(crc_a(clear[:size]), clear[size:end]), Status.INTEGRITY_ERROR)
        require(not any(clear[end:]), Status.INTEGRITY_ERROR)
        return head + clear[:size]

    def wrap(self, mode: CommMode, payload: bytes) -> bytes:
        """Plain, but for GetCardUID: ``E(payload ‖ CRC_A(payload) ‖ zeros)``."""
        if mode is not CommMode.FULL or not payload:
            return payload
        clear = payload + crc_a(payload)
        size = padded_size(len(clear), DES_BLOCK_BYTES)
        return self._cipher.encrypt(clear.ljust(size, b"\x00"), self._cipher.zero_iv)

    def wire_bytes(self, mode: CommMode, plain_bytes: int) -> int:
        """There is no file at card level: nothing is ever added."""
        return plain_bytes
