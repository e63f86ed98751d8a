"""A card tap on the validator's side, without reader and disk, against its own bare cryptography.

The APDUs of one real tap on the virtual card are recorded and replayed. The floor makes exactly the AES,
CMAC and Ed25519 calls that this tap made, on the same bytes, with nothing around them.
"""

from __future__ import annotations

from collections.abc import Callable
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.cmac import CMAC

from benchmarks.measuring import Measured, compare
from fare.core import card_record, entitlement
from fare.core.bundle import Bundle
from fare.core.decision import Boarding, CardView, Charge, decide_card
from fare.core.desfire import crypto
from fare.core.desfire.application import commit, open_card, personalise, run, stage
from fare.core.desfire.keys import CardKeys, CardMasters, ValidatorKeys
from fare.core.desfire.layout import AID
from fare.core.tap import BundleVersion
from fare.core.tariff.model import FareProduct, Tariff
from hardware.emulator.card import VirtualCard

_NOW_S = 1_795_305_600
_UID = bytes.fromhex("04a1b2c3d4e5f6")
_RND_A = bytes(range(16))
_ISSUER = Ed25519PrivateKey.from_private_bytes(bytes(32))
_KEYRING = {1: _ISSUER.public_key()}
_BUNDLE = Bundle(
    BundleVersion(bytes(8), 1), _NOW_S, "urmia", "Asia/Tehran", 14400, 1,
    Tariff(1, "flat", {0: FareProduct("adult", "adult", 35_000)}), {}, {}, {},
)  # fmt: skip


class _Recorder:
    """Plays a recorded card: the same commands get the same answers."""

    def __init__(self, card: VirtualCard) -> None:
        self._card = card
        self.answers: list[bytes] = []

    def transmit(self, apdu: bytes) -> bytes:
        self.answers.append(self._card.transmit(apdu))
        return self.answers[-1]


def _tap(keys: ValidatorKeys, transmit: Callable[[bytes], bytes]) -> None:
    card = run(open_card(keys, lambda: _RND_A), transmit)
    view = CardView(card.uid, AID, card.entitlement, card.newest_record, card.spent)
    charge = decide_card(view, Boarding(7, 1, _NOW_S, 1, 0), _BUNDLE, _KEYRING)
    if not isinstance(charge, Charge):
        raise TypeError(f"the benchmark's card was refused: {charge}")
    run(stage(card, charge.price.amount_rial, charge.record, charge.delivered), transmit)
    run(commit(card), transmit)


def _recorded() -> tuple[ValidatorKeys, list[bytes], bytes]:
    masters = CardMasters(*(bytes([n]) * 16 for n in range(1, 6)), system_id=b"benchmark")
    signed = entitlement.sign(
        entitlement.CardEntitlement(1, 1, AID, 1, _UID, 1, 10_000_000, 0, 0, 0, 0, 9000, (), _NOW_S), _ISSUER
    )
    card = VirtualCard.factory(_UID)
    card.power(True)
    first = card_record.first_record(_NOW_S)
    run(personalise(CardKeys.for_card(masters, _UID), _UID, signed, first, lambda: _RND_A), card.transmit)
    card.power(False)
    card.power(True)
    keys = ValidatorKeys({1: masters.k1}, masters.system_id)
    recorder = _Recorder(card)
    _tap(keys, recorder.transmit)
    return keys, recorder.answers, signed


def measure() -> Measured:
    """Compare one replayed tap with its bare cryptography."""
    keys, answers, signed = _recorded()

    def replay() -> None:
        replies = iter(answers)
        _tap(keys, lambda _apdu: next(replies))

    calls = _bare_calls(replay)
    calls.append(lambda: _KEYRING[1].verify(signed[64:], signed[:64]))

    def floor() -> None:
        for call in calls:
            call()

    return compare(f"card tap, {len(answers)} APDUs", replay, floor, "≤ 1.5")


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
        calls.append(lambda: _bare_cmac(key, message))
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


def _bare_cmac(key: bytes, message: bytes) -> bytes:
    mac = CMAC(algorithms.AES128(key))
    mac.update(message)
    return mac.finalize()


def _bare_encrypt(key: bytes, data: bytes, iv: bytes) -> bytes:
    context = Cipher(algorithms.AES128(key), modes.CBC(iv)).encryptor()
    return context.update(data) + context.finalize()


def _bare_decrypt(key: bytes, data: bytes, iv: bytes) -> bytes:
    context = Cipher(algorithms.AES128(key), modes.CBC(iv)).decryptor()
    return context.update(data) + context.finalize()
