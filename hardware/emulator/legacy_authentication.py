"""The older authentications: AuthenticateAES (AA), AuthenticateISO (1A) and Authenticate (0A).

AA opens an EV1 session with any AES key. 1A (EV1 session) and 0A (D40 session) take a DES key, and the only
one here is the master key of a card as delivered: they exist so that it can be changed to AES. All end what
was open, as AuthenticateEV2First does.

Source: libfreefare, ``authenticate`` in ``mifare_desfire.c`` and ``mifare_desfire_session_key_new`` in
``mifare_desfire_key.c``.
"""

from __future__ import annotations

import hmac
from functools import partial

from hardware.emulator.chip import Chip
from hardware.emulator.crypto import rotate_left
from hardware.emulator.d40_session import D40Session, read_deciphered
from hardware.emulator.ev1_session import Ev1Session
from hardware.emulator.legacy_crypto import BlockCipher
from hardware.emulator.status import Status, require


def authenticate_aes(chip: Chip, ins: int, data: bytes) -> bytes:
    """AA KeyNo: answers E(K, RndB), 16 bytes."""
    return _challenge(chip, data, des=False)


def authenticate_iso(chip: Chip, ins: int, data: bytes) -> bytes:
    """1A KeyNo: answers E(K, RndB), 8 bytes."""
    return _challenge(chip, data, des=True)


def authenticate_d40(chip: Chip, ins: int, data: bytes) -> bytes:
    """0A KeyNo: answers E(K, RndB), 8 bytes."""
    require(len(data) == 1, Status.LENGTH_ERROR)
    chip.end_session()
    cipher = _cipher(chip, data[0], des=True)
    rnd_b = chip.random_bytes(cipher.block_bytes)
    chip.challenge = partial(_finish_d40, key_no=data[0], cipher=cipher, rnd_b=rnd_b)
    return cipher.encrypt(rnd_b, cipher.zero_iv)


def _cipher(chip: Chip, key_no: int, *, des: bool) -> BlockCipher:
    key = chip.key(key_no)
    require(key.des is des, Status.AUTHENTICATION_ERROR)
    return BlockCipher(key.value, des)


def _challenge(chip: Chip, data: bytes, *, des: bool) -> bytes:
    require(len(data) == 1, Status.LENGTH_ERROR)
    chip.end_session()
    cipher = _cipher(chip, data[0], des=des)
    rnd_b = chip.random_bytes(cipher.block_bytes)
    sent = cipher.encrypt(rnd_b, cipher.zero_iv)
    chip.challenge = partial(_finish_ev1, key_no=data[0], cipher=cipher, rnd_b=rnd_b, iv=sent)
    return sent


def _finish_ev1(
    chip: Chip, data: bytes, *, key_no: int, cipher: BlockCipher, rnd_b: bytes, iv: bytes
) -> bytes:
    """AF E(K, RndA‖RndB'): the IV runs through all three messages and is zero again in the session."""
    size = cipher.block_bytes
    require(len(data) == 2 * size, Status.LENGTH_ERROR)
    plain = cipher.decrypt(data, iv)
    rnd_a = _checked(plain, rnd_b)
    chip.session = Ev1Session(key_no, BlockCipher(_session_key(cipher, rnd_a, rnd_b), cipher.des))
    return cipher.encrypt(rotate_left(rnd_a), data[-size:])


def _finish_d40(chip: Chip, data: bytes, *, key_no: int, cipher: BlockCipher, rnd_b: bytes) -> bytes:
    """AF D(K, RndA‖RndB'): the terminal deciphers to send; each message begins with a zero IV."""
    require(len(data) == 2 * cipher.block_bytes, Status.LENGTH_ERROR)
    rnd_a = _checked(read_deciphered(cipher, data), rnd_b)
    chip.session = D40Session(key_no, BlockCipher(_session_key(cipher, rnd_a, rnd_b), des=True))
    return cipher.encrypt(rotate_left(rnd_a), cipher.zero_iv)


def _checked(plain: bytes, rnd_b: bytes) -> bytes:
    rnd_a, answer = plain[: len(rnd_b)], plain[len(rnd_b) :]
    require(hmac.compare_digest(answer, rotate_left(rnd_b)), Status.AUTHENTICATION_ERROR)
    return rnd_a


def _session_key(cipher: BlockCipher, rnd_a: bytes, rnd_b: bytes) -> bytes:
    """A key with two equal halves counts as single DES, and so does its session key."""
    if not cipher.des:
        return rnd_a[:4] + rnd_b[:4] + rnd_a[12:] + rnd_b[12:]
    first = rnd_a[:4] + rnd_b[:4]
    second = rnd_a[4:] + rnd_b[4:]
    return first + (first if cipher.key[:8] == cipher.key[8:] else second)
