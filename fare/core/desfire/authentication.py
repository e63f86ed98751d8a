"""AuthenticateEV2First and NonFirst: both sides prove that they know a key. Never keeps the key.

    first      71 KeyNo 00 → E(K, RndB)    AF E(K, RndA ‖ rotl(RndB)) → E(K, TI ‖ rotl(RndA) ‖ caps(12))
    non-first  77 KeyNo    → E(K, RndB)    AF E(K, RndA ‖ rotl(RndB)) → E(K, rotl(RndA))

CBC under a zero IV, no padding. NonFirst keeps TI and CmdCtr and only replaces the session keys. Capabilities
are neither asked for nor judged.
"""

from __future__ import annotations

import hmac

from fare.core.desfire import crypto
from fare.core.desfire.errors import CardNotGenuine, MalformedAnswer, SessionOver, card_answered
from fare.core.desfire.frames import MORE, OK, Conversation, send_frame
from fare.core.desfire.messaging import Ev2Session
from fare.core.desfire.opcodes import Opcode

_NO_CAPABILITIES = b"\x00"
_TI_SIZE = 4
_FIRST_ANSWER_SIZE = 32


def authenticate_ev2_first(key_no: int, key: bytes, rnd_a: bytes) -> Conversation[Ev2Session]:
    """Two APDUs; `rnd_a` is 16 fresh random bytes.

    AuthenticationFailed: not the card's key. CardNotGenuine: a fake.
    """
    ins = Opcode.AUTHENTICATE_EV2_FIRST
    rnd_b, answer = yield from _prove(ins, bytes([key_no]) + _NO_CAPABILITIES, key, rnd_a)
    if len(answer) != _FIRST_ANSWER_SIZE:
        raise MalformedAnswer(ins, f"{len(answer)} bytes instead of {_FIRST_ANSWER_SIZE}")
    plain = crypto.cbc_decrypt(key, answer)
    _check_proof(plain[_TI_SIZE : _TI_SIZE + crypto.BLOCK_SIZE], rnd_a)
    ses_enc, ses_mac = crypto.session_keys(key, rnd_a, rnd_b)
    return Ev2Session(ti=plain[:_TI_SIZE], cmd_ctr=0, ses_enc=ses_enc, ses_mac=ses_mac)


def authenticate_ev2_non_first(
    session: Ev2Session, key_no: int, key: bytes, rnd_a: bytes
) -> Conversation[Ev2Session]:
    """Change a running session's key: the one given is over, the one returned keeps its TI and CmdCtr."""
    if not session.alive:
        raise SessionOver
    session.end()
    ins = Opcode.AUTHENTICATE_EV2_NON_FIRST
    rnd_b, answer = yield from _prove(ins, bytes([key_no]), key, rnd_a)
    if len(answer) != crypto.BLOCK_SIZE:
        raise MalformedAnswer(ins, f"{len(answer)} bytes instead of {crypto.BLOCK_SIZE}")
    _check_proof(crypto.cbc_decrypt(key, answer), rnd_a)
    ses_enc, ses_mac = crypto.session_keys(key, rnd_a, rnd_b)
    return Ev2Session(ti=session.ti, cmd_ctr=session.cmd_ctr, ses_enc=ses_enc, ses_mac=ses_mac)


def _prove(ins: int, opening: bytes, key: bytes, rnd_a: bytes) -> Conversation[tuple[bytes, bytes]]:
    """Both frames; returns (RndB, the card's still enciphered proof)."""
    if len(rnd_a) != crypto.BLOCK_SIZE:
        raise ValueError(f"an authentication needs 16 random bytes, not {len(rnd_a)}")
    status, challenge = yield from send_frame(ins, opening)
    if status != MORE:
        raise MalformedAnswer(ins, "no challenge") if status == OK else card_answered(status, ins)
    if len(challenge) != crypto.BLOCK_SIZE:
        raise MalformedAnswer(ins, f"a challenge of {len(challenge)} bytes")
    rnd_b = crypto.cbc_decrypt(key, challenge)
    reply = crypto.cbc_encrypt(key, rnd_a + crypto.rotate_left(rnd_b))
    status, answer = yield from send_frame(Opcode.MORE_FRAMES, reply)
    if status != OK:
        raise card_answered(status, ins)
    return rnd_b, answer


def _check_proof(proof: bytes, rnd_a: bytes) -> None:
    if not hmac.compare_digest(proof, crypto.rotate_left(rnd_a)):
        raise CardNotGenuine
