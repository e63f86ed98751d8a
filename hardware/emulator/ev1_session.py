"""EV1 secure messaging, opened by AuthenticateAES (AA) or AuthenticateISO (1A).

One IV runs through the whole session: every command and every response passes through a CMAC or a cipher that
begins where the last one ended. So each response is MACed, even of plain commands, while a command carries a
MAC only where it writes to a file in MAC mode. Enciphered data end with a CRC-32 instead of a MAC.

Source: libfreefare, ``mifare_desfire_crypto.c`` (``AS_NEW``) and the calls of it in ``mifare_desfire.c``.
"""

from __future__ import annotations

import hmac

from hardware.emulator.crypto import key_checksum
from hardware.emulator.legacy_crypto import BlockCipher, padded_size
from hardware.emulator.session import CommMode, configuration_bytes
from hardware.emulator.status import CardRefusal, Status, require

MAC_BYTES = 8
CRC_BYTES = 4
INS_CHANGE_KEY = 0xC4
INS_SET_CONFIGURATION = 0x5C
NEW_KEY_BYTES = 17
DATA_WRITES = frozenset((0x8D, 0x3D, 0x8B, 0x3B))
VALUE_WRITES = frozenset((0xDC, 0x0C, 0x1C))
# How much data of these is enciphered; the others have their size in the header or the data.
FIXED_SIZES = dict.fromkeys(VALUE_WRITES, 4) | {0x54: 1, 0x5F: 3, INS_CHANGE_KEY: NEW_KEY_BYTES}
CARRY_THE_MODE = DATA_WRITES | VALUE_WRITES
ENCIPHERED = CARRY_THE_MODE | {0x54, 0x5F, INS_CHANGE_KEY, INS_SET_CONFIGURATION}


class Ev1Session:
    """``cipher`` holds the session key; an AES session has blocks of 16 bytes, a triple-DES one of 8."""

    def __init__(self, key_no: int, cipher: BlockCipher) -> None:
        self.key_no = key_no
        self._cipher = cipher
        self._iv = cipher.zero_iv

    def _mac(self, message: bytes) -> bytes:
        self._iv = self._cipher.cmac(message, self._iv)
        return self._iv[:MAC_BYTES]

    def unwrap(self, mode: CommMode, ins: int, data: bytes, header_bytes: int) -> bytes:
        """Only writes and changes are protected on their way to the card; the rest is CMACed unsent."""
        if mode is CommMode.FULL and ins in ENCIPHERED:
            return self._deciphered(ins, data[:header_bytes], data[header_bytes:])
        if mode is CommMode.MAC and ins in CARRY_THE_MODE:
            require(len(data) >= MAC_BYTES, Status.LENGTH_ERROR)
            body, mac = data[:-MAC_BYTES], data[-MAC_BYTES:]
            require(hmac.compare_digest(self._mac(bytes((ins,)) + body), mac), Status.INTEGRITY_ERROR)
            return body
        self._mac(bytes((ins,)) + data)
        return data

    def _deciphered(self, ins: int, head: bytes, cipher: bytes) -> bytes:
        """``E(data ‖ CRC-32(INS ‖ header ‖ data) ‖ zeros)``.

        ChangeKey of another key than the session's own adds CRC-32(new key) behind the first; it is returned
        with the data, as EV2 has it there too.
        """
        block = self._cipher.block_bytes
        require(bool(cipher) and len(cipher) % block == 0, Status.LENGTH_ERROR)
        clear = self._cipher.decrypt(cipher, self._iv)
        self._iv = cipher[-block:]
        size = _enciphered_size(ins, head)
        other_key = ins == INS_CHANGE_KEY and head[-1] & 0x3F != self.key_no
        end = size + CRC_BYTES * (2 if other_key else 1)
        require(len(clear) == padded_size(end, block), Status.LENGTH_ERROR)
        data, crc, key_crc = clear[:size], clear[size : size + CRC_BYTES], clear[size + CRC_BYTES : end]
        expected = key_checksum(bytes((ins,)) + head + data)
        require(hmac.compare_digest(expected, crc), Status.INTEGRITY_ERROR)
        require(not any(clear[end:]), Status.INTEGRITY_ERROR)
        return head + data + key_crc

    def wrap(self, mode: CommMode, payload: bytes) -> bytes:
        """``E(payload ‖ CRC-32(payload ‖ 00) ‖ zeros)`` in full mode, else the payload and its CMAC."""
        if mode is CommMode.FULL and payload:
            clear = payload + key_checksum(payload + b"\x00")
            block = self._cipher.block_bytes
            cipher = self._cipher.encrypt(clear.ljust(padded_size(len(clear), block), b"\x00"), self._iv)
            self._iv = cipher[-block:]
            return cipher
        return payload + self._mac(payload + b"\x00")

    def wire_bytes(self, mode: CommMode, plain_bytes: int) -> int:
        """MAC mode adds 8 bytes, full mode a CRC of 4 and zeros up to a whole block."""
        if mode is CommMode.FULL:
            return padded_size(plain_bytes + CRC_BYTES, self._cipher.block_bytes)
        return plain_bytes + (MAC_BYTES if mode is CommMode.MAC else 0)


def _enciphered_size(ins: int, head: bytes) -> int:
    if ins in DATA_WRITES:
        return int.from_bytes(head[4:7], "little")
    if ins == INS_SET_CONFIGURATION:
        return configuration_bytes(head)
    size = FIXED_SIZES.get(ins)
    if size is None or (not head and ins != 0x54):
        raise CardRefusal(Status.LENGTH_ERROR)
    return size
