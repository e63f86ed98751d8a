"""EV2 authentication: AuthenticateEV2First (71) and NonFirst (77), with AES keys."""

from __future__ import annotations

import hmac
from functools import partial

from hardware.emulator.chip import Chip
from hardware.emulator.crypto import decrypt_cbc, encrypt_cbc, rotate_left, session_keys
from hardware.emulator.ev2_session import Ev2Session
from hardware.emulator.status import CardRefusal, Status, require

CAPABILITY_BYTES = 6
CHALLENGE_BYTES = 16


def authenticate_first(chip: Chip, ins: int, data: bytes) -> bytes:
    """71 KeyNo LenCap [PCDcap2]: ends what was open and answers E(K, RndB)."""
    require(len(data) >= 2, Status.LENGTH_ERROR)
    require(data[1] <= CAPABILITY_BYTES and len(data) == 2 + data[1], Status.LENGTH_ERROR)
    chip.end_session()
    key, rnd_b = _drawn(chip, data[0])
    capabilities = data[2:].ljust(CAPABILITY_BYTES, b"\x00")
    chip.challenge = partial(_finish_first, key_no=data[0], key=key, rnd_b=rnd_b, capabilities=capabilities)
    return encrypt_cbc(key, rnd_b)


def authenticate_non_first(chip: Chip, ins: int, data: bytes) -> bytes:
    """77 KeyNo: inside an EV2 session only; TI, counter and transaction stay."""
    require(len(data) == 1, Status.LENGTH_ERROR)
    require(isinstance(chip.session, Ev2Session), Status.PERMISSION_DENIED)
    key, rnd_b = _drawn(chip, data[0])
    chip.challenge = partial(_finish_non_first, key_no=data[0], key=key, rnd_b=rnd_b)
    return encrypt_cbc(key, rnd_b)


def _drawn(chip: Chip, key_no: int) -> tuple[bytes, bytes]:
    key = chip.key(key_no)
    require(not key.des, Status.AUTHENTICATION_ERROR)
    return key.value, chip.random_bytes(CHALLENGE_BYTES)


def _opened(data: bytes, key: bytes, rnd_b: bytes) -> bytes:
    """RndA out of E(K, RndA‖RndB'), once the terminal has shown that it knows K."""
    require(len(data) == 2 * CHALLENGE_BYTES, Status.LENGTH_ERROR)
    plain = decrypt_cbc(key, data)
    rnd_a, answer = plain[:CHALLENGE_BYTES], plain[CHALLENGE_BYTES:]
    require(hmac.compare_digest(answer, rotate_left(rnd_b)), Status.AUTHENTICATION_ERROR)
    return rnd_a


def _finish_first(
    chip: Chip, data: bytes, *, key_no: int, key: bytes, rnd_b: bytes, capabilities: bytes
) -> bytes:
    rnd_a = _opened(data, key, rnd_b)
    enc, mac = session_keys(key, rnd_a, rnd_b)
    session = Ev2Session(key_no, chip.random_bytes(4), enc, mac)
    chip.session = session
    return encrypt_cbc(key, session.ti + rotate_left(rnd_a) + bytes(CAPABILITY_BYTES) + capabilities)


def _finish_non_first(chip: Chip, data: bytes, *, key_no: int, key: bytes, rnd_b: bytes) -> bytes:
    rnd_a = _opened(data, key, rnd_b)
    enc, mac = session_keys(key, rnd_a, rnd_b)
    running = chip.session
    if not isinstance(running, Ev2Session):
        raise CardRefusal(Status.PERMISSION_DENIED)
    chip.session = Ev2Session(key_no, running.ti, enc, mac, running.cmd_ctr)
    return encrypt_cbc(key, rotate_left(rnd_a))
