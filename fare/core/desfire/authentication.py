"""AuthenticateEV2First and NonFirst: both sides prove that they know a key. Never keeps the key.

    first      71 KeyNo 00 → E(K, RndB)    AF E(K, RndA ‖ rotl(RndB)) → E(K, TI ‖ rotl(RndA) ‖ caps(12))
    non-first  77 KeyNo    → E(K, RndB)    AF E(K, RndA ‖ rotl(RndB)) → E(K, rotl(RndA))

CBC under a zero IV, no padding. NonFirst keeps TI and CmdCtr and only replaces the session keys. Capabilities
are neither asked for nor judged. The arithmetic of the reader's side is a `Handshake`: with the key at hand
it is `SecretKey`'s, and a secure access module does the same without giving its key away.
"""

from __future__ import annotations

import hmac
from dataclasses import dataclass, field
from typing import Protocol

from fare.core.desfire import crypto
from fare.core.desfire.errors import CardNotGenuine, MalformedAnswer, SessionOver, card_answered
from fare.core.desfire.frames import MORE, OK, Conversation, send_frame
from fare.core.desfire.messaging import Ev2Session
from fare.core.desfire.opcodes import Opcode

KEY_SIZE = 16

_NO_CAPABILITIES = b"\x00"
_TI_SIZE = 4
_FIRST_ANSWER_SIZE = 32


@dataclass(frozen=True, slots=True)
class Agreement:
    """What an authentication leaves with the reader: TI (4 bytes, empty after NonFirst) and two keys."""

    ti: bytes
    ses_enc: bytes = field(repr=False)
    ses_mac: bytes = field(repr=False)


class Handshake(Protocol):
    """The reader's side of one authentication, wherever its key is kept. Used once."""

    def answer(self, challenge: bytes) -> bytes:
        """E(K, RndA ‖ rotl(RndB)), 32 bytes, for the card's E(K, RndB) of 16."""
        ...

    def conclude(self, proof: bytes) -> Agreement:
        """Check the card's proof (32 bytes of EV2First, 16 of NonFirst). Raises CardNotGenuine."""
        ...


class CardKey(Protocol):
    """One key of one card. A secure access module uses it without ever showing it."""

    def handshake(self, rnd_a: bytes) -> Handshake:
        """A fresh authentication with 16 fresh random bytes; a module with its own generator ignores them."""
        ...

    def reveal(self) -> bytes:
        """Its 16 bytes, to write it onto the card or to check a proof. A module that seals its keys raises
        `fare.core.desfire.keys.KeySealed`.
        """
        ...


@dataclass(frozen=True, slots=True)
class SecretKey:
    """A card key whose 16 bytes are at hand."""

    value: bytes = field(repr=False)

    def __post_init__(self) -> None:
        if len(self.value) != KEY_SIZE:
            raise ValueError(f"an AES-128 key has {KEY_SIZE} bytes, not {len(self.value)}")

    def handshake(self, rnd_a: bytes) -> Handshake:
        """See CardKey. ValueError unless `rnd_a` has 16 bytes."""
        if len(rnd_a) != crypto.BLOCK_SIZE:
            raise ValueError(f"an authentication needs 16 random bytes, not {len(rnd_a)}")
        return _SecretHandshake(self.value, rnd_a)

    def reveal(self) -> bytes:
        """See CardKey."""
        return self.value


class _SecretHandshake:
    __slots__ = ("_key", "_rnd_a", "_rnd_b")

    def __init__(self, key: bytes, rnd_a: bytes) -> None:
        self._key = key
        self._rnd_a = rnd_a
        self._rnd_b = b""

    def answer(self, challenge: bytes) -> bytes:
        self._rnd_b = crypto.cbc_decrypt(self._key, challenge)
        return crypto.cbc_encrypt(self._key, self._rnd_a + crypto.rotate_left(self._rnd_b))

    def conclude(self, proof: bytes) -> Agreement:
        plain = crypto.cbc_decrypt(self._key, proof)
        ti, echo = (plain[:_TI_SIZE], plain[_TI_SIZE:]) if len(proof) == _FIRST_ANSWER_SIZE else (b"", plain)
        if not hmac.compare_digest(echo[: crypto.BLOCK_SIZE], crypto.rotate_left(self._rnd_a)):
            raise CardNotGenuine
        ses_enc, ses_mac = crypto.session_keys(self._key, self._rnd_a, self._rnd_b)
        return Agreement(ti, ses_enc, ses_mac)


def authenticate_ev2_first(key_no: int, key: CardKey, rnd_a: bytes) -> Conversation[Ev2Session]:
    """Two APDUs; `rnd_a` is 16 fresh random bytes.

    AuthenticationFailed: not the card's key. CardNotGenuine: a fake.
    """
    opening = bytes([key_no]) + _NO_CAPABILITIES
    agreed = yield from _prove(
        Opcode.AUTHENTICATE_EV2_FIRST, opening, key.handshake(rnd_a), _FIRST_ANSWER_SIZE
    )
    return Ev2Session(ti=agreed.ti, cmd_ctr=0, ses_enc=agreed.ses_enc, ses_mac=agreed.ses_mac)


def authenticate_ev2_non_first(
    session: Ev2Session, key_no: int, key: CardKey, rnd_a: bytes
) -> Conversation[Ev2Session]:
    """Change a running session's key: the one given is over, the one returned keeps its TI and CmdCtr."""
    if not session.alive:
        raise SessionOver
    session.end()
    opening = bytes([key_no])
    handshake = key.handshake(rnd_a)
    agreed = yield from _prove(Opcode.AUTHENTICATE_EV2_NON_FIRST, opening, handshake, crypto.BLOCK_SIZE)
    return Ev2Session(session.ti, session.cmd_ctr, agreed.ses_enc, agreed.ses_mac, session.frame_size)


def _prove(ins: int, opening: bytes, handshake: Handshake, answer_size: int) -> Conversation[Agreement]:
    """Both frames of an authentication."""
    status, challenge = yield from send_frame(ins, opening)
    if status != MORE:
        raise MalformedAnswer(ins, "no challenge") if status == OK else card_answered(status, ins)
    if len(challenge) != crypto.BLOCK_SIZE:
        raise MalformedAnswer(ins, f"a challenge of {len(challenge)} bytes")
    status, answer = yield from send_frame(Opcode.MORE_FRAMES, handshake.answer(challenge))
    if status != OK:
        raise card_answered(status, ins)
    if len(answer) != answer_size:
        raise MalformedAnswer(ins, f"{len(answer)} bytes instead of {answer_size}")
    return handshake.conclude(answer)
