"""A small terminal for the older secure messaging, for these tests: EV1 with AES or DES keys, and D40.

Like ``terminal.py`` it shares no code with the emulator: ciphers are pycryptodome's, block by
block.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass

from Crypto.Cipher import AES, DES, DES3

from tests.hardware.emulator.terminal import Refused, Transmit, head, u


class Cbc:
    """AES, or 2-key triple DES with ``des``, whose equal halves pycryptodome takes as single DES only."""

    def __init__(self, key: bytes, des: bool) -> None:
        self.size = 8 if des else 16
        self._key, self._des = key, des

    def block(self, block: bytes, *, decrypt: bool = False) -> bytes:
        if not self._des:
            cipher = AES.new(self._key, AES.MODE_ECB)
        elif self._key[:8] == self._key[8:]:
            cipher = DES.new(self._key[:8], DES.MODE_ECB)
        else:
            cipher = DES3.new(self._key, DES3.MODE_ECB)
        return cipher.decrypt(block) if decrypt else cipher.encrypt(block)

    def blocks(self, data: bytes) -> list[bytes]:
        assert len(data) % self.size == 0
        return [data[at : at + self.size] for at in range(0, len(data), self.size)]

    def send(self, data: bytes, iv: bytes, *, decrypt: bool = False) -> bytes:
        """CBC as a sender chains it; D40 terminals send with the decryption."""
        out = b""
        for block in self.blocks(data):
            iv = self.block(xor(block, iv), decrypt=decrypt)
            out += iv
        return out

    def receive(self, data: bytes, iv: bytes) -> bytes:
        out = b""
        for block in self.blocks(data):
            out += xor(self.block(block, decrypt=True), iv)
            iv = block
        return out

    def cmac(self, message: bytes, iv: bytes) -> bytes:
        bits, poly = 8 * self.size, 0x1B if self._des else 0x87
        subkey = int.from_bytes(self.block(bytes(self.size)), "big")
        for _ in range(1 if message and len(message) % self.size == 0 else 2):
            subkey = (subkey << 1) % (1 << bits) ^ (poly if subkey >> bits - 1 else 0)
        if not message or len(message) % self.size:
            message += b"\x80"
            message += bytes(-len(message) % self.size)
        last = xor(message[-self.size :], subkey.to_bytes(self.size, "big"))
        return self.send(message[: -self.size] + last, iv)[-self.size :]


def xor(left: bytes, right: bytes) -> bytes:
    return bytes(a ^ b for a, b in zip(left, right, strict=True))


def crc32(data: bytes) -> bytes:
    return u(zlib.crc32(data) ^ 0xFFFFFFFF, 4)


def crc16(data: bytes) -> bytes:
    crc = 0x6363
    for bit in (byte >> n & 1 for byte in data for n in range(8)):
        crc = crc >> 1 ^ (0x8408 if (crc ^ bit) & 1 else 0)
    return u(crc, 2)


@dataclass
class Ev1Terminal:
    """One native conversation. ``iv`` runs on from message to message."""

    transmit: Transmit
    session: Cbc | None = None
    iv: bytes = b""

    def native(self, ins: int, data: bytes = b"") -> tuple[bytes, int]:
        reply = self.transmit(bytes([ins]) + data)
        return reply[1:], reply[0]

    def frames(self, ins: int, data: bytes) -> bytes:
        """A whole command; answers are collected, a long command is cut after 50 bytes."""
        answer, status = self.native(ins, data[:50])
        for at in range(50, len(data), 50):
            assert status == 0xAF
            answer, status = self.native(0xAF, data[at : at + 50])
        while status == 0xAF:
            more, status = self.native(0xAF)
            answer += more
        if status:
            raise Refused(status)
        return answer

    def status(self, command: Callable[[], object]) -> int:
        try:
            command()
        except Refused as refusal:
            return refusal.status
        return 0

    def select(self, aid: bytes) -> None:
        self.session = None
        self.frames(0x5A, aid)

    def authenticate(self, key_no: int, key: bytes, *, des: bool = False) -> None:
        """AA, or 1A with a DES key."""
        cipher = Cbc(key, des)
        rnd_a = bytes(range(1, cipher.size + 1))
        challenge, status = self.native(0x1A if des else 0xAA, bytes([key_no]))
        if status != 0xAF:
            raise Refused(status)
        rnd_b = cipher.receive(challenge, bytes(cipher.size))
        token = cipher.send(rnd_a + rnd_b[1:] + rnd_b[:1], challenge)
        answer, status = self.native(0xAF, token)
        if status:
            raise Refused(status)
        assert cipher.receive(answer, token[-cipher.size :]) == rnd_a[1:] + rnd_a[:1]
        half = rnd_a[:4] + rnd_b[:4]
        other = half if des else rnd_a[12:] + rnd_b[12:]
        self.session, self.iv = Cbc(half + other, des), bytes(cipher.size)

    def mac(self, message: bytes) -> bytes:
        assert self.session is not None
        self.iv = self.session.cmac(message, self.iv)
        return self.iv[:8]

    def encipher(self, clear: bytes) -> bytes:
        assert self.session is not None
        sent = self.session.send(clear + bytes(-len(clear) % self.session.size), self.iv)
        self.iv = sent[-self.session.size :]
        return sent

    def plain(self, ins: int, data: bytes = b"") -> bytes:
        """Command unprotected, answer with its MAC: every command that belongs to no file, and reads."""
        self.mac(bytes([ins]) + data)
        return self.answer(self.frames(ins, data))

    def maced(self, ins: int, data: bytes) -> bytes:
        """A write to a file in MAC mode."""
        return self.answer(self.frames(ins, data + self.mac(bytes([ins]) + data)))

    def full(self, ins: int, header: bytes, data: bytes) -> bytes:
        """A write to a file in full mode, or a change of settings."""
        sent = self.encipher(data + crc32(bytes([ins]) + header + data))
        return self.answer(self.frames(ins, header + sent))

    def full_read(self, ins: int, data: bytes, size: int) -> bytes:
        """A read whose answer of ``size`` bytes is enciphered."""
        self.mac(bytes([ins]) + data)
        answer = self.frames(ins, data)
        assert self.session is not None
        clear, self.iv = self.session.receive(answer, self.iv), answer[-self.session.size :]
        assert clear[size : size + 4] == crc32(clear[:size] + b"\x00")
        assert not any(clear[size + 4 :])
        return clear[:size]

    def answer(self, answer: bytes) -> bytes:
        assert answer[-8:] == self.mac(answer[:-8] + b"\x00")
        return answer[:-8]

    def change_key(self, key_no: int, new: bytes, old: bytes | None, version: int = 0) -> None:
        """Another key with its ``old`` value, the session's own without."""
        body = (new if old is None else xor(new, old)) + bytes([version])
        clear = body + crc32(bytes([0xC4, key_no]) + body) + (b"" if old is None else crc32(new))
        answer = self.frames(0xC4, bytes([key_no]) + self.encipher(clear))
        if old is None:
            self.session = None
            assert answer == b""
        else:
            self.answer(answer)

    def read(self, file_no: int, offset: int, length: int) -> bytes:
        return self.plain(0xBD, head(file_no, offset, length))
