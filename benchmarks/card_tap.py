"""A card tap on the validator's side, without reader and disk, against its own bare cryptography.

The APDUs of one real tap on the virtual card are recorded and replayed. The floor makes exactly the AES,
CMAC and Ed25519 calls that this tap made, on the same bytes, with nothing around them.
"""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from benchmarks import cards
from benchmarks.measuring import Effort, Measured, compare_cpu
from fare.core.desfire import crypto


def measure(effort: Effort) -> list[Measured]:
    """Compare one replayed tap with its bare cryptography."""
    state = cards.issued()
    recorder = cards.Recorder(cards.ready(state).transmit)
    stored = cards.tap(recorder.transmit).card.entitlement

    def replay() -> None:
        replies = iter(recorder.answers)
        cards.tap(lambda _apdu: next(replies))

    calls = _bare_calls(replay)
    calls.append(lambda: cards.KEYRING[1].verify(stored[64:], stored[:64]))

    def floor() -> None:
        for call in calls:
            call()

    what = f"card tap, {len(recorder.answers)} APDUs: CPU of the validator"
    return [
        compare_cpu("card-tap", what, replay, floor, "its AES, CMAC and Ed25519 calls alone", 1.5, effort)
    ]


def _bare_calls(replay: Callable[[], None]) -> list[Callable[[], object]]:
    """The AES and CMAC calls of one replayed tap, each with its key and bytes."""
    calls: list[Callable[[], object]] = []
    real_cmac, real_encrypt, real_decrypt = crypto.MacKey.cmac, crypto.cbc_encrypt, crypto.cbc_decrypt
    real_init = crypto.MacKey.__init__
    key_of: dict[int, bytes] = {}

    def init(self: crypto.MacKey, key: bytes) -> None:
        key_of[id(self)] = key
        real_init(self, key)

    def cmac(self: crypto.MacKey, message: bytes) -> bytes:
        key = key_of[id(self)]
        calls.append(lambda: bare_cmac(key, message))
        return real_cmac(self, message)

    def encrypt(key: bytes, data: bytes, iv: bytes = bytes(16)) -> bytes:
        calls.append(lambda: _bare_encrypt(key, data, iv))
        return real_encrypt(key, data, iv)

    def decrypt(key: bytes, data: bytes, iv: bytes = bytes(16)) -> bytes:
        calls.append(lambda: _bare_decrypt(key, data, iv))
        return real_decrypt(key, data, iv)

    with (
        patch.object(crypto.MacKey, "__init__", init),
        patch.object(crypto.MacKey, "cmac", cmac),
        patch.object(crypto, "cbc_encrypt", encrypt),
        patch.object(crypto, "cbc_decrypt", decrypt),
    ):
        replay()
    return calls


def bare_cmac(key: bytes, message: bytes) -> bytes:
    """An AES-CMAC by the library, its key expanded for this message alone."""
    mac = CMAC(algorithms.AES128(key))
    mac.update(message)
    return mac.finalize()


def _bare_encrypt(key: bytes, data: bytes, iv: bytes) -> bytes:
    context = Cipher(algorithms.AES128(key), modes.CBC(iv)).encryptor()
    return context.update(data) + context.finalize()


def _bare_decrypt(key: bytes, data: bytes, iv: bytes) -> bytes:
    context = Cipher(algorithms.AES128(key), modes.CBC(iv)).decryptor()
    return context.update(data) + context.finalize()
