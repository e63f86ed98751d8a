"""The cards, keys and taps that are measured. It times nothing.

Every challenge is drawn from a label, so a recorded conversation can be played again byte by byte.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core import card_record, entitlement
from fare.core.boarding import Boarding
from fare.core.bundle import Bundle
from fare.core.decision import CardView, Charge, decide_card
from fare.core.desfire.application import OpenCard, commit, open_card, personalise, run, stage
from fare.core.desfire.keys import CardKeys, CardKeyStore, CardMasters, ValidatorKeys
from fare.core.desfire.layout import AID
from fare.core.desfire.transaction_mac import OUR_READING, Reading
from fare.core.proof.card import CommitProof
from fare.core.tap import BundleVersion
from fare.core.tariff.model import FareProduct, flat_tariff
from hardware.emulator.card import VirtualCard
from hardware.emulator.state import CardState

Transmit = Callable[[bytes], bytes]

NOW_S: Final = 1_795_305_600
FARE_RIAL: Final = 35_000
PASS_PRODUCT: Final = 7
SYSTEM_ID: Final = b"benchmark"
MASTERS: Final = CardMasters(*(bytes([n]) * 16 for n in range(1, 6)), system_id=SYSTEM_ID)
VALIDATOR: Final = ValidatorKeys({1: MASTERS.k1}, SYSTEM_ID)
ROLLING_VALIDATOR: Final = ValidatorKeys({1: MASTERS.k1, 2: bytes(16)}, SYSTEM_ID)
ISSUER: Final = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEYRING: Final = {1: ISSUER.public_key()}
FIRST_RECORD: Final = card_record.first_record(NOW_S)
BOARDING: Final = Boarding(7, 1, NOW_S, 1, 0)
BUNDLE: Final = Bundle(
    BundleVersion(bytes(8), 1), NOW_S, "urmia", "Asia/Tehran", 14400, 1,
    ((0, flat_tariff(1, "flat", {0: FareProduct("adult", "adult", FARE_RIAL)})),), {}, {}, {},
)  # fmt: skip


class Draws:
    """Challenges that are the same for the same label."""

    def __init__(self, label: str) -> None:
        self._label = label.encode()
        self._count = 0

    def __call__(self, size: int = 16) -> bytes:
        self._count += 1
        return hashlib.shake_128(self._label + self._count.to_bytes(4, "big")).digest(size)


def uid(number: int) -> bytes:
    """The UID of the n-th card."""
    return b"\x04" + number.to_bytes(6, "big")


def signed(number: int = 0, version: int = 1, passes: tuple[entitlement.Pass, ...] = ()) -> bytes:
    """The entitlement of the n-th card, 128 bytes."""
    fields = entitlement.CardEntitlement(
        1, 1, AID, 1, uid(number), version, 10_000_000, 0, 0, 0, 0, 9000, passes, NOW_S
    )
    return entitlement.sign(fields, ISSUER)


def blank(number: int) -> VirtualCard:
    """The n-th card as the factory made it; it draws the same challenges each time."""
    return VirtualCard(CardState(uid(number)), random_bytes=Draws(f"card {number}"))


def issue(number: int, transmit: Transmit, passes: tuple[entitlement.Pass, ...] = ()) -> CommitProof:
    """Personalise the n-th card."""
    keys = CardKeys.for_card(MASTERS, uid(number))
    own = signed(number, passes=passes)
    return run(personalise(keys, uid(number), own, FIRST_RECORD, Draws(f"issuer {number}")), transmit)


def issued(passes: tuple[entitlement.Pass, ...] = ()) -> CardState:
    """The memory of a card that was personalised and has not ridden yet."""
    card = blank(0)
    issue(0, card.transmit, passes)
    return card.state


def ready(state: CardState) -> VirtualCard:
    """A card with that memory, freshly in the field."""
    return VirtualCard(state, random_bytes=Draws("card in the field"))


@dataclass(frozen=True, slots=True)
class Ride:
    """What a tap read, decided and brought home."""

    card: OpenCard
    charge: Charge
    proof: CommitProof


def tap(
    transmit: Transmit,
    keys: CardKeyStore = VALIDATOR,
    bundle: Bundle = BUNDLE,
    reading: Reading = OUR_READING,
    rnd_a: Callable[[], bytes] = lambda: bytes(range(16)),
) -> Ride:
    """The validator's part of a tap, without reader and journal: open, decide, stage, commit."""
    card = run(open_card(keys, rnd_a, reading), transmit)
    view = CardView(card.uid, AID, card.entitlement, card.newest_record, card.spent)
    charge = decide_card(view, BOARDING, bundle, KEYRING)
    if not isinstance(charge, Charge):
        raise TypeError(f"the benchmark's card was refused: {charge}")
    run(stage(card, charge.price.amount, charge.record, charge.delivered), transmit)
    return Ride(card, charge, run(commit(card), transmit))


class Recorder:
    """Passes APDUs on and keeps both sides."""

    def __init__(self, transmit: Transmit) -> None:
        self._transmit = transmit
        self.commands: list[bytes] = []
        self.answers: list[bytes] = []

    def transmit(self, apdu: bytes) -> bytes:
        """One APDU."""
        self.commands.append(apdu)
        self.answers.append(self._transmit(apdu))
        return self.answers[-1]


def play(commands: list[bytes], answers: list[bytes], transmit: Transmit) -> None:
    """Send recorded commands again; the very same answers must come."""
    for command, answer in zip(commands, answers, strict=True):
        if transmit(command) != answer:
            raise RuntimeError(f"the card answers {command.hex()} differently than it was recorded")
