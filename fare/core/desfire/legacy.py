"""The key a chip is delivered with: from two-key triple DES to AES. Never used for anything else.

    1A 00 → E(RndB)    AF E(RndA ‖ rotl(RndB)) → E(rotl(RndA))      ISO: CBC goes on through all messages
    0A 00 → E(RndB)    AF D(RndA ‖ rotl(RndB)) → E(rotl(RndA))      D40: each message by itself, and the
                                                                    reader only ever runs DES backwards
    C4 80 ‖ E(New(16) ‖ Ver ‖ CRC32(C4 80 New Ver) ‖ 0…)            inside the first
    C4 80 ‖ D(New(16) ‖ Ver ‖ CRC_A(New Ver) ‖ 0…)                  inside the second

Challenges are 8 bytes. The session key is RndA[0:4] ‖ RndB[0:4] ‖ RndA[4:8] ‖ RndB[4:8]; a key whose halves
are equal, as the factory's, is single DES, and so is its session: the first 8 bytes of that alone. The bytes
follow the public descriptions in libfreefare (mifare_desfire.c, mifare_desfire_crypto.c) and Proxmark3
(desfirecore.c). DES protects nothing here: the factory's key is public.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field

from cryptography.hazmat.decrepit.ciphers.algorithms import TripleDES
from cryptography.hazmat.primitives.ciphers import Cipher, modes

from fare.core.desfire.crypto import jamcrc, rotate_left
from fare.core.desfire.errors import CardAnswered, CardNotGenuine, MalformedAnswer, card_answered
from fare.core.desfire.frames import MORE, OK, Conversation, exchange, send_frame
from fare.core.desfire.opcodes import Opcode

FACTORY_DES_KEY = bytes(16)

_BLOCK = 8
_PICC_MASTER_TO_AES = 0x80
_PARITY_FREE = 0xFE


@dataclass(frozen=True, slots=True)
class LegacySession:
    """What a legacy authentication leaves: a session key (8 or 16 bytes) and which messaging it is."""

    key: bytes = field(repr=False)
    iso: bool


def convert_master_to_aes(new_key: bytes, version: int, rnd_a: bytes) -> Conversation[None]:
    """Change the factory's DES master key of the selected PICC level to an AES key; the session is over.

    `rnd_a` gives at least 16 fresh random bytes. CardAnswered when the card's master key is another,
    CardNotGenuine when the card does not know it.
    """
    try:
        session = yield from authenticate_iso(0, FACTORY_DES_KEY, rnd_a[:_BLOCK])
    except CardAnswered:
        session = yield from authenticate_d40(0, FACTORY_DES_KEY, rnd_a[_BLOCK : 2 * _BLOCK])
    yield from change_master_to_aes(session, new_key, version)


def authenticate_iso(key_no: int, key: bytes, rnd_a: bytes) -> Conversation[LegacySession]:
    """1A with a 16-byte two-key triple DES key; `rnd_a` is 8 fresh random bytes."""
    challenge = yield from _challenge(Opcode.AUTHENTICATE_ISO, key_no)
    rnd_b = _cbc_decrypt(key, challenge, bytes(_BLOCK))
    token = _cbc_encrypt(key, rnd_a + rotate_left(rnd_b), challenge)
    proof = yield from _answer(Opcode.AUTHENTICATE_ISO, token)
    _check_echo(_cbc_decrypt(key, proof, token[-_BLOCK:]), rnd_a)
    return LegacySession(session_key(key, rnd_a, rnd_b), iso=True)


def authenticate_d40(key_no: int, key: bytes, rnd_a: bytes) -> Conversation[LegacySession]:
    """0A with a 16-byte two-key triple DES key; `rnd_a` is 8 fresh random bytes."""
    challenge = yield from _challenge(Opcode.AUTHENTICATE_D40, key_no)
    rnd_b = _cbc_decrypt(key, challenge, bytes(_BLOCK))
    proof = yield from _answer(Opcode.AUTHENTICATE_D40, d40_encipher(key, rnd_a + rotate_left(rnd_b)))
    _check_echo(_cbc_decrypt(key, proof, bytes(_BLOCK)), rnd_a)
    return LegacySession(session_key(key, rnd_a, rnd_b), iso=False)


def change_master_to_aes(session: LegacySession, new_key: bytes, version: int) -> Conversation[None]:
    """C4 on key `80`: the session's own key, from DES to AES; answered without a MAC."""
    data = new_key + bytes([version])
    if session.iso:
        data += jamcrc(bytes([Opcode.CHANGE_KEY, _PICC_MASTER_TO_AES]) + data)
        enciphered = _cbc_encrypt(session.key, _zero_padded(data), bytes(_BLOCK))
    else:
        data += crc_a(data)
        enciphered = d40_encipher(session.key, _zero_padded(data))
    if (yield from exchange(Opcode.CHANGE_KEY, bytes([_PICC_MASTER_TO_AES]) + enciphered)):
        raise MalformedAnswer(Opcode.CHANGE_KEY, "data where none belongs")


def session_key(key: bytes, rnd_a: bytes, rnd_b: bytes) -> bytes:
    """The session key both sides derive: 8 bytes when the key's halves are equal but for parity, else 16."""
    first = rnd_a[:4] + rnd_b[:4]
    halves = [bytes(byte & _PARITY_FREE for byte in half) for half in (key[:_BLOCK], key[_BLOCK:])]
    return first if halves[0] == halves[1] else first + rnd_a[4:] + rnd_b[4:]


def d40_encipher(key: bytes, data: bytes) -> bytes:
    """What a D40 reader sends: CBC with the DES run backwards, zero IV."""
    previous, sent = bytes(_BLOCK), b""
    for start in range(0, len(data), _BLOCK):
        block = bytes(a ^ b for a, b in zip(data[start : start + _BLOCK], previous, strict=True))
        previous = _cbc_decrypt(key, block, bytes(_BLOCK))
        sent += previous
    return sent


def crc_a(data: bytes) -> bytes:
    """CRC_A of ISO/IEC 14443-3, two bytes, LSB first."""
    crc = 0x6363
    for byte in data:
        mixed = byte ^ (crc & 0xFF)
        mixed = (mixed ^ mixed << 4) & 0xFF
        crc = crc >> 8 ^ mixed << 8 ^ mixed << 3 ^ mixed >> 4
    return crc.to_bytes(2, "little")


def _challenge(ins: int, key_no: int) -> Conversation[bytes]:
    status, challenge = yield from send_frame(ins, bytes([key_no]))
    if status != MORE:
        raise MalformedAnswer(ins, "no challenge") if status == OK else card_answered(status, ins)
    if len(challenge) != _BLOCK:
        raise MalformedAnswer(ins, f"a challenge of {len(challenge)} bytes")
    return challenge


def _answer(ins: int, token: bytes) -> Conversation[bytes]:
    status, proof = yield from send_frame(Opcode.MORE_FRAMES, token)
    if status != OK:
        raise card_answered(status, ins)
    if len(proof) != _BLOCK:
        raise MalformedAnswer(ins, f"{len(proof)} bytes instead of {_BLOCK}")
    return proof


def _check_echo(echo: bytes, rnd_a: bytes) -> None:
    if not hmac.compare_digest(echo, rotate_left(rnd_a)):
        raise CardNotGenuine


def _zero_padded(data: bytes) -> bytes:
    return data + bytes(-len(data) % _BLOCK)


def _triple(key: bytes) -> TripleDES:
    return TripleDES(key * 3 if len(key) == _BLOCK else key + key[:_BLOCK])


def _cbc_encrypt(key: bytes, data: bytes, iv: bytes) -> bytes:
    encryptor = Cipher(_triple(key), modes.CBC(iv)).encryptor()
    return encryptor.update(data) + encryptor.finalize()


def _cbc_decrypt(key: bytes, data: bytes, iv: bytes) -> bytes:
    decryptor = Cipher(_triple(key), modes.CBC(iv)).decryptor()
    return decryptor.update(data) + decryptor.finalize()
