"""A stand-in for a MIFARE SAM AV3: APDUs in, APDUs out. Written from public sources; it was held against no
real module. Nothing but unlocking while locked, no key ever handed out, one authentication at a time.

    80 10   SAM_LockUnlock, unlock alone (P1 00)         three parts under the unlock key
    80 A4   SAM_AuthenticateHost, plain mode alone (00)  three parts under a host key
    80 0A   SAM_AuthenticatePICC                         two parts, EV2First and NonFirst, AES, AN10922
    80 D5   SAM_DumpSessionKey                           ENC ‖ MAC ‖ TI ‖ CmdCtr, in the clear (P1 00)
    80 D6   SAM_DumpSecretKey                            never: 69 82
    80 60   SAM_GetVersion                               31 bytes, the last of them A3
    80 AF   breaks off what is unfinished

Sources: islog/liblogicalaccess (AV2) and what NXP's reader library publishes of AV3. Where they are silent
this module chooses: the order of D5 after EV2 is that of MIFARE Plus, a broken-off or failed part ends the
exchange, an unlock stays until power is lost.
"""

from __future__ import annotations

import hmac
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from hardware.emulator.crypto import cmac, decrypt_cbc, encrypt_block, encrypt_cbc, session_keys, short_mac

OK = bytes.fromhex("9000")
MORE = bytes.fromhex("90AF")
AUTHENTICATION_FAILED = bytes.fromhex("901E")
LOCKED = bytes.fromhex("6985")
NOT_ALLOWED = bytes.fromhex("6982")
WRONG_LENGTH = bytes.fromhex("6700")
WRONG_DATA = bytes.fromhex("6A80")
WRONG_P1_P2 = bytes.fromhex("6A86")
NO_SUCH_KEY = bytes.fromhex("6A88")
UNKNOWN_INSTRUCTION = bytes.fromhex("6D00")
UNKNOWN_CLASS = bytes.fromhex("6E00")

_FIRST, _NON_FIRST, _AV2, _DIVERSIFY = 0x80, 0xC0, 0x10, 0x01
_VERSION = bytes(30) + b"\xa3"


class _Refusal(Exception):
    def __init__(self, status: bytes) -> None:
        self.status = status


@dataclass(frozen=True, slots=True)
class KeyEntry:
    """AES-128 keys by version. `picc`: the entry opens cards. `dump`: its session keys may come out."""

    keys: Mapping[int, bytes] = field(repr=False)
    picc: bool = False
    dump: bool = False


@dataclass(slots=True)
class _Exchange:
    """What is half done: the instruction, and what its next part takes."""

    ins: int
    next_part: Callable[[int, bytes], bytes]


class VirtualSam:
    """A module with key entries by number; `unlock_entry` is the one that unlocks it after power-on."""

    def __init__(
        self,
        entries: Mapping[int, KeyEntry],
        unlock_entry: int,
        random_bytes: Callable[[int], bytes] = os.urandom,
    ) -> None:
        self._entries = dict(entries)
        self._unlock_entry = unlock_entry
        self._random_bytes = random_bytes
        self.commands: list[int] = []
        self.power_on()

    def power_on(self) -> None:
        """As after power was lost: locked, and nothing half done."""
        self._locked = True
        self._exchange: _Exchange | None = None
        self._session = b""

    def transmit(self, apdu: bytes) -> bytes:
        """One APDU there and back."""
        try:
            return self._answer(apdu)
        except _Refusal as refusal:
            self._exchange = None
            return refusal.status

    def _answer(self, apdu: bytes) -> bytes:
        cla, ins, p1, p2, data = _parsed(apdu)
        _require(cla == 0x80, UNKNOWN_CLASS)
        self.commands.append(ins)
        if ins == 0xAF:
            pending, self._exchange = self._exchange, None
            return OK if pending else NOT_ALLOWED
        if self._exchange is not None:
            exchange, self._exchange = self._exchange, None
            _require(exchange.ins == ins, NOT_ALLOWED)
            _require(p1 == p2 == 0, WRONG_P1_P2)
            return exchange.next_part(ins, data)
        _require(p2 == 0, WRONG_P1_P2)
        if ins == 0x60:
            return _VERSION + OK
        if ins == 0x10:
            return self._unlock(p1, data)
        _require(not self._locked, LOCKED)
        if ins == 0xA4:
            return self._authenticate_host(p1, data)
        if ins == 0x0A:
            return self._authenticate_picc(p1, data)
        if ins == 0xD5:
            return self._dump_session(p1, data)
        raise _Refusal(NOT_ALLOWED if ins == 0xD6 else UNKNOWN_INSTRUCTION)

    # --- unlocking and the host: three parts under Kx ---

    def _unlock(self, p1: int, data: bytes) -> bytes:
        _require(p1 == 0, WRONG_P1_P2)
        _require(len(data) == 2, WRONG_LENGTH)
        _require(data[0] == self._unlock_entry, NOT_ALLOWED)

        def unlocked() -> None:
            self._locked = False

        return self._first_part(0x10, self._key(data[0], data[1]), 0, unlocked)

    def _authenticate_host(self, p1: int, data: bytes) -> bytes:
        _require(p1 == 0, WRONG_P1_P2)
        _require(len(data) == 3, WRONG_LENGTH)
        _require(data[2] == 0, WRONG_DATA)
        _require(not self._entry(data[0]).picc, NOT_ALLOWED)
        return self._first_part(0xA4, self._key(data[0], data[1]), data[2], lambda: None)

    def _first_part(self, ins: int, key: bytes, bound: int, done: Callable[[], None]) -> bytes:
        rnd2 = self._random_bytes(12)
        tail = bytes([bound]) + bytes(3)

        def second(_ins: int, data: bytes) -> bytes:
            _require(len(data) == 20, WRONG_LENGTH)
            mac, rnd1 = data[:8], data[8:]
            _require(hmac.compare_digest(mac, short_mac(key, rnd2 + tail)), AUTHENTICATION_FAILED)
            shared = _exchange_key(key, rnd1, rnd2)
            rnd_b = self._random_bytes(16)

            def third(_ins: int, data: bytes) -> bytes:
                _require(len(data) == 32, WRONG_LENGTH)
                plain = decrypt_cbc(shared, data)
                rnd_a, proof = plain[:16], plain[16:]
                _require(hmac.compare_digest(proof, _rotate_two(rnd_b)), AUTHENTICATION_FAILED)
                done()
                return encrypt_cbc(shared, _rotate_two(rnd_a)) + OK

            self._exchange = _Exchange(ins, third)
            return short_mac(key, rnd1 + tail) + encrypt_cbc(shared, rnd_b) + MORE

        self._exchange = _Exchange(ins, second)
        return rnd2 + MORE

    # --- opening a card ---

    def _authenticate_picc(self, p1: int, data: bytes) -> bytes:
        mode = p1 & 0xC0
        _require(mode in (_FIRST, _NON_FIRST) and not p1 & ~(0xC0 | _AV2 | _DIVERSIFY), WRONG_P1_P2)
        diversified = bool(p1 & _DIVERSIFY)
        _require(diversified == bool(p1 & _AV2), WRONG_P1_P2)
        _require(len(data) >= 19, WRONG_LENGTH)
        entry = self._entry(data[0])
        key = self._key(data[0], data[1])
        _require(entry.picc, NOT_ALLOWED)
        _require(data[2] == 0, WRONG_DATA)
        challenge, given = data[3:19], data[19:]
        # An entry for cards is never used undiversified: one card's key would be every card's.
        _require(diversified and 1 <= len(given) <= 31, WRONG_LENGTH)
        card_key = _diversified(key, given)
        rnd_a, rnd_b = self._random_bytes(16), decrypt_cbc(card_key, challenge)
        self._session = b""

        def second(_ins: int, data: bytes) -> bytes:
            _require(len(data) == (32 if mode == _FIRST else 16), AUTHENTICATION_FAILED)
            plain = decrypt_cbc(card_key, data)
            ti, echo, capabilities = (
                (plain[:4], plain[4:20], plain[20:]) if mode == _FIRST else (bytes(4), plain, b"")
            )
            _require(hmac.compare_digest(echo, rnd_a[1:] + rnd_a[:1]), AUTHENTICATION_FAILED)
            enc, mac = session_keys(card_key, rnd_a, rnd_b)
            self._session = enc + mac + ti + bytes(2) if entry.dump else b""
            return capabilities + OK

        self._exchange = _Exchange(0x0A, second)
        return encrypt_cbc(card_key, rnd_a + rnd_b[1:] + rnd_b[:1]) + MORE

    def _dump_session(self, p1: int, data: bytes) -> bytes:
        _require(p1 == 0, WRONG_P1_P2)
        _require(not data, WRONG_LENGTH)
        _require(bool(self._session), NOT_ALLOWED)
        return self._session + OK

    def _entry(self, number: int) -> KeyEntry:
        _require(number in self._entries, NO_SUCH_KEY)
        return self._entries[number]

    def _key(self, number: int, version: int) -> bytes:
        keys = self._entry(number).keys
        _require(version in keys, NO_SUCH_KEY)
        return keys[version]


def _parsed(apdu: bytes) -> tuple[int, int, int, int, bytes]:
    """CLA INS P1 P2 [Lc data] [Le]: a fifth byte alone is Le."""
    _require(len(apdu) >= 4, WRONG_LENGTH)
    cla, ins, p1, p2 = apdu[:4]
    body = apdu[4:]
    if len(body) <= 1:
        return cla, ins, p1, p2, b""
    _require(body[0] > 0 and len(body) - 1 - body[0] in (0, 1), WRONG_LENGTH)
    return cla, ins, p1, p2, body[1 : 1 + body[0]]


def _diversified(key: bytes, given: bytes) -> bytes:
    """AN10922 for AES-128; inputs of 16 bytes and more, where it is a CMAC."""
    _require(len(given) >= 16, WRONG_LENGTH)
    return cmac(key, b"\x01" + given)


def _exchange_key(key: bytes, rnd1: bytes, rnd2: bytes) -> bytes:
    mixed = bytes(one ^ other for one, other in zip(rnd1[:5], rnd2[:5], strict=True))
    return encrypt_block(key, rnd1[7:12] + rnd2[7:12] + mixed + b"\x91")


def _rotate_two(block: bytes) -> bytes:
    return block[2:] + block[:2]


def _require(met: bool, status: bytes) -> None:
    if not met:
        raise _Refusal(status)
