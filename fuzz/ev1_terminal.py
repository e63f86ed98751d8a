"""The terminal's side of an EV1 session with an AES key, for the emulator's target. It judges nothing.

It walks the same running IV as the card; the arithmetic is the emulator's own, since here only the card's
behaviour is looked at, not whether both sides read the public description alike.
"""

from __future__ import annotations

from collections.abc import Callable

from fare.core.desfire.opcodes import CommMode
from hardware.emulator.crypto import decrypt_cbc, encrypt_cbc, rotate_left
from hardware.emulator.ev1_session import CARRY_THE_MODE, Ev1Session
from hardware.emulator.legacy_crypto import BlockCipher

AUTHENTICATE_AES, MORE = 0xAA, 0xAF
CHALLENGE_BYTES = 16
MAC_BYTES = 8


class Ev1Terminal:
    """A mirror of the card's session."""

    def __init__(self, session: Ev1Session) -> None:
        self._mirror = session

    @classmethod
    def authenticated(
        cls, key_no: int, key: bytes, rnd_a: bytes, wrapped: Callable[[int, bytes], bytes]
    ) -> Ev1Terminal | None:
        """Authenticate; None when the card refuses."""
        answer = wrapped(AUTHENTICATE_AES, bytes([key_no]))
        if answer[-2:] != b"\x91\xaf" or len(answer) != CHALLENGE_BYTES + 2:
            return None
        challenge = answer[:-2]
        rnd_b = decrypt_cbc(key, challenge)
        if wrapped(MORE, encrypt_cbc(key, rnd_a + rotate_left(rnd_b), challenge))[-2:] != b"\x91\x00":
            return None
        session_key = rnd_a[:4] + rnd_b[:4] + rnd_a[12:] + rnd_b[12:]
        return cls(Ev1Session(key_no, BlockCipher(session_key, des=False)))

    def wrap(self, ins: int, header: bytes, data: bytes, mode: CommMode) -> bytes:
        """The command's bytes, MACed where EV1 sends a MAC; enciphered commands are sent in the clear."""
        body = header + data
        mac = self._mirror._mac(bytes([ins]) + body)
        return body + mac if mode is CommMode.MAC and ins in CARRY_THE_MODE else body

    def heard(self, payload: bytes) -> None:
        """The card's answer of one frame: its MAC moves the IV on."""
        self._mirror._mac(payload[:-MAC_BYTES] + b"\x00")
