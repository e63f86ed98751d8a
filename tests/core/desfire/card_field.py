"""A virtual card personalised by the driver, and the field it lies in: what the driver's tests stand on."""

from __future__ import annotations

import hashlib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TypeVar

from fare.core.desfire import commands, layout
from fare.core.desfire.application import OpenCard, commit, open_card, personalise, run, stage
from fare.core.desfire.authentication import authenticate_ev2_first
from fare.core.desfire.frames import Conversation
from fare.core.desfire.keys import CardKeys, CardMasters, KeyRing, SecretKey, ValidatorKeys
from fare.core.desfire.messaging import Ev2Session
from fare.core.proof.card import CardEvidence, CommitProof
from hardware.emulator.card import VirtualCard
from tests.core.desfire.card_vectors import flipped

UID = bytes.fromhex("04A1B2C3D4E5F6")
MASTERS = CardMasters(*[bytes([n]) * 16 for n in range(1, 6)], system_id=b"mancard-test")
NEWER_MASTERS = replace(
    MASTERS, **{name: bytes([n]) * 16 for n, name in enumerate(("picc", "k0", "k1", "k2"), 0x51)}, version=2
)
RING = KeyRing((MASTERS, NEWER_MASTERS))
KEYS = CardKeys.for_card(MASTERS, UID)
VALIDATOR = ValidatorKeys({1: MASTERS.k1}, MASTERS.system_id)
ENTITLEMENT = b"MCC1" + bytes(range(124))
NEWER = b"MCC1" + bytes(range(124, 0, -1))
FIRST = bytes(range(32))
RECORD = bytes(range(32, 64))
FARE_RIAL = 12_000

T = TypeVar("T")
_draws = itertools.count()


def rnd_a() -> bytes:
    """Sixteen bytes that never repeat in one run and are the same in the next."""
    return hashlib.sha256(b"challenge %d" % next(_draws)).digest()[:16]


@dataclass
class Field:
    """A card in a reader's field: counts and keeps the APDUs, and can be cut off or tampered with."""

    card: VirtualCard
    cut_at: int | None = None
    after: bool = False
    flip_answer_at: int | None = None
    flip_command_at: int | None = None
    sent: list[bytes] = field(default_factory=list)

    def transmit(self, apdu: bytes) -> bytes:
        number = len(self.sent)
        self.sent.append(apdu)
        if number == self.cut_at:
            if self.after:
                self.card.transmit(apdu)
            self.card.power(False)
            return b""
        if number == self.flip_command_at:
            apdu = apdu[:5] + flipped(apdu[5:])
        answer = self.card.transmit(apdu)
        return flipped(answer) if number == self.flip_answer_at else answer


def issued(
    card: VirtualCard | None = None, entitlement: bytes = ENTITLEMENT
) -> tuple[VirtualCard, CommitProof]:
    """A card personalised with KEYS, and its first proof."""
    card = card or VirtualCard.factory(UID)
    return card, run(personalise(KEYS, UID, entitlement, FIRST, rnd_a), card.transmit)


def put_back(card: VirtualCard) -> None:
    """Take the card off the reader and lay it there again."""
    card.power(False)
    card.power(True)


def opened(card: VirtualCard) -> OpenCard:
    """The card put back and opened by a validator."""
    put_back(card)
    return run(open_card(VALIDATOR, rnd_a), card.transmit)


def ride(
    debit_rial: int = FARE_RIAL, delivered: bytes | None = None
) -> Conversation[tuple[OpenCard, CommitProof]]:
    """A whole tap."""
    card = yield from open_card(VALIDATOR, rnd_a)
    yield from stage(card, debit_rial, RECORD, delivered)
    return card, (yield from commit(card))


def under(key_no: int, key: bytes, speak: Callable[[Ev2Session], Conversation[T]]) -> Conversation[T]:
    """Say something in a session of one of the application's keys."""
    yield from commands.select_application(layout.AID)
    session = yield from authenticate_ev2_first(key_no, SecretKey(key), rnd_a())
    return (yield from speak(session))


def evidence(card: OpenCard, proof: CommitProof, debit_rial: int, delivered: bytes | None) -> CardEvidence:
    """What the validator would carry to the ledger for `ride`."""
    return CardEvidence(
        serial=7,
        entitlement_version=1,
        delivered_version=2 if delivered else None,
        record_read=card.newest_record,
        spent_before=card.spent,
        debit_rial=debit_rial,
        record_written=RECORD,
        previous=card.previous,
        proof=proof,
    )
