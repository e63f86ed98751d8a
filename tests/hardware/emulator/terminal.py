"""A small card terminal for these tests: it speaks to a virtual card the way a reader would, byte by byte.

It is written with plain AES calls and shares no code with the emulator, so that a test failing here points
at the card.
"""

from __future__ import annotations

import zlib
from collections.abc import Callable
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.algorithms import AES
from cryptography.hazmat.primitives.ciphers.modes import CBC, ECB
from cryptography.hazmat.primitives.cmac import CMAC

ZERO_KEY = bytes(16)
AID = bytes.fromhex("F54D43")
K0, K1, K2, TM = (bytes([n]) * 16 for n in (0x10, 0x11, 0x12, 0x1F))
UPPER = 2**31 - 1
LOWER = -(2**31)

Transmit = Callable[[bytes], bytes]


def cmac(key: bytes, message: bytes) -> bytes:
    context = CMAC(AES(key))
    context.update(message)
    return context.finalize()


def cbc(key: bytes, data: bytes, iv: bytes = bytes(16), *, decrypt: bool = False) -> bytes:
    cipher = Cipher(AES(key), CBC(iv))
    direction = cipher.decryptor() if decrypt else cipher.encryptor()
    return direction.update(data) + direction.finalize()


def u(value: int, size: int) -> bytes:
    return value.to_bytes(size, "little", signed=value < 0)


def head(file_no: int, offset: int, length: int) -> bytes:
    return bytes([file_no]) + u(offset, 3) + u(length, 3)


class Refused(Exception):
    """The card answered another status than 00."""

    def __init__(self, status: int) -> None:
        super().__init__(f"91 {status:02X}")
        self.status = status


class Torn(Exception):
    """The card left the field."""


@dataclass
class Terminal:
    """One conversation; ``sent`` holds every APDU."""

    transmit: Transmit
    ti: bytes = b""
    enc: bytes = b""
    mac: bytes = b""
    ctr: int = 0
    sent: list[bytes] = field(default_factory=list[bytes])

    def raw(self, apdu: bytes) -> bytes:
        self.sent.append(apdu)
        reply = self.transmit(apdu)
        if len(reply) < 2:
            raise Torn
        return reply

    def exchange(self, ins: int, data: bytes = b"") -> tuple[bytes, int]:
        lc = bytes([len(data)]) + data if data else b""
        reply = self.raw(bytes([0x90, ins, 0, 0]) + lc + b"\x00")
        assert reply[-2] == 0x91, reply.hex()
        return reply[:-2], reply[-1]

    def status(self, command: Callable[[], object]) -> int:
        """The status byte the card answers to a whole command: 0 when it accepts."""
        try:
            command()
        except Refused as refusal:
            return refusal.status
        return 0

    def plain(self, ins: int, data: bytes = b"") -> bytes:
        """A command without secure messaging; frames are collected."""
        answer, status = self.exchange(ins, data)
        while status == 0xAF:
            more, status = self.exchange(0xAF)
            answer += more
        if status:
            raise Refused(status)
        return answer

    def select(self, aid: bytes = AID) -> None:
        self.plain(0x5A, aid)

    def authenticate(
        self, key_no: int, key: bytes, rnd_a: bytes = bytes(range(16)), *, first: bool = True
    ) -> None:
        challenge, status = self.exchange(*((0x71, bytes([key_no, 0])) if first else (0x77, bytes([key_no]))))
        if status != 0xAF:
            raise Refused(status)
        rnd_b = cbc(key, challenge, decrypt=True)
        answer, status = self.exchange(0xAF, cbc(key, rnd_a + rnd_b[1:] + rnd_b[:1]))
        if status:
            raise Refused(status)
        plain = cbc(key, answer, decrypt=True)
        if first:
            self.ti, plain, self.ctr = plain[:4], plain[4:20], 0
        assert plain == rnd_a[1:] + rnd_a[:1]
        mixed = (
            rnd_a[:2]
            + bytes(a ^ b for a, b in zip(rnd_a[2:8], rnd_b[:6], strict=True))
            + rnd_b[6:]
            + rnd_a[8:]
        )
        self.enc = cmac(key, bytes.fromhex("A55A00010080") + mixed)
        self.mac = cmac(key, bytes.fromhex("5AA500010080") + mixed)

    def _iv(self, label: str) -> bytes:
        encryptor = Cipher(AES(self.enc), ECB()).encryptor()
        return encryptor.update(bytes.fromhex(label) + self.ti + u(self.ctr, 2) + bytes(8))

    def _mac(self, first: int, body: bytes) -> bytes:
        return cmac(self.mac, bytes([first]) + u(self.ctr, 2) + self.ti + body)[1::2]

    def maced(self, ins: int, data: bytes = b"", *, frame_bytes: int = 255) -> bytes:
        body = data + self._mac(ins, data)
        return self._finish(self._send(ins, body, frame_bytes), enciphered=False)

    def full(self, ins: int, header: bytes = b"", data: bytes = b"") -> bytes:
        body = header
        if data:
            padded = data + b"\x80" + bytes(-(len(data) + 1) % 16)
            body += cbc(self.enc, padded, self._iv("A55A"))
        return self._finish(self._send(ins, body + self._mac(ins, body), 255), enciphered=True)

    def _send(self, ins: int, body: bytes, frame_bytes: int) -> bytes:
        frames = [body[at : at + frame_bytes] for at in range(0, len(body), frame_bytes)]
        answer, status = self.exchange(ins, frames[0])
        for frame in frames[1:]:
            assert status == 0xAF
            answer, status = self.exchange(0xAF, frame)
        while status == 0xAF:
            more, status = self.exchange(0xAF)
            answer += more
        if status:
            raise Refused(status)
        return answer

    def _finish(self, answer: bytes, *, enciphered: bool) -> bytes:
        self.ctr += 1
        body, mac = answer[:-8], answer[-8:]
        assert self._mac(0, body) == mac
        if not enciphered or not body:
            return body
        plain = cbc(self.enc, body, self._iv("5AA5"), decrypt=True).rstrip(b"\x00")
        assert plain.endswith(b"\x80")
        return plain[:-1]

    def change_key(self, key_no: int, new: bytes, old: bytes, version: int = 0) -> None:
        mixed = bytes(a ^ b for a, b in zip(new, old, strict=True))
        crc = u(zlib.crc32(new) ^ 0xFFFFFFFF, 4)
        self.full(0xC4, bytes([key_no]), mixed + bytes([version]) + crc)

    def change_own_key(self, key_no: int, new: bytes, version: int = 0) -> None:
        """The answer carries no MAC and the session is over."""
        body = bytes([key_no]) + cbc(self.enc, new + bytes([version]) + b"\x80" + bytes(14), self._iv("A55A"))
        answer, status = self.exchange(0xC4, body + self._mac(0xC4, body))
        if status:
            raise Refused(status)
        assert answer == b""

    # The fare application, as the card page lays it out

    def personalise(self, *, tmac_access: int = 0x1FFF, max_records: int = 7) -> None:
        self.plain(0xCA, AID + bytes.fromhex("0993 01 00 02 10 00"))
        self.select()
        self.authenticate(0, ZERO_KEY)
        self.maced(0xCB, bytes([1, 1]) + u(0x112F, 2) + u(128, 3))
        self.maced(0xCC, bytes([2, 1]) + u(0x11FF, 2) + u(LOWER, 4) + u(UPPER, 4) + u(UPPER, 4) + b"\x00")
        self.maced(0xC0, bytes([3, 1]) + u(0x11FF, 2) + u(32, 3) + u(max_records, 3))
        self.full(0xCE, bytes([0x0F, 1]) + u(tmac_access, 2) + b"\x02", TM + b"\x00")
        self.change_key(1, K1, ZERO_KEY, 1)
        self.change_key(2, K2, ZERO_KEY, 1)
        self.change_own_key(0, K0, 1)

    def open(self, key_no: int = 1, key: bytes = K1) -> None:
        self.select()
        self.authenticate(key_no, key)

    def read(self, file_no: int, offset: int = 0, length: int = 0, *, ins: int = 0xAD) -> bytes:
        return self.maced(ins, head(file_no, offset, length))

    def records(self, newest: int = 0, count: int = 1, *, ins: int = 0xAB) -> bytes:
        return self.maced(ins, head(3, newest, count))

    def value(self) -> int:
        return int.from_bytes(self.maced(0x6C, b"\x02"), "little", signed=True)

    def debit(self, amount: int) -> None:
        self.maced(0xDC, b"\x02" + u(amount, 4))

    def write(self, data: bytes, offset: int = 0) -> None:
        self.maced(0x8D, head(1, offset, len(data)) + data)

    def record(self, data: bytes, offset: int = 0) -> None:
        self.maced(0x8B, head(3, offset, len(data)) + data)

    def commit(self) -> tuple[int, bytes]:
        proof = self.maced(0xC7, b"\x01")
        return int.from_bytes(proof[:4], "little"), proof[4:]

    def tap(self, amount: int, record: bytes) -> tuple[int, bytes]:
        """The whole tap: 11 APDUs."""
        self.raw(bytes.fromhex("FFCA000000"))
        self.open()
        self.read(1)
        self.read(0x0F)
        self.records()
        self.value()
        self.debit(amount)
        self.record(record)
        return self.commit()

    def prepare(self) -> None:
        """Personalise, then commit the entitlement and a first record: TMC is 1 afterwards."""
        self.personalise()
        self.open()
        self.write(b"E" * 128)
        self.record(b"R" * 32)
        assert self.commit()[0] == 1
