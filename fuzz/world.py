"""The cards, keys and signatures that hostile bytes are thrown at. No key here is anybody's secret."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from typing import Any
from unittest.mock import patch

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core import card_record, entitlement
from fare.core.desfire import authentication, layout
from fare.core.desfire.application import personalise, run
from fare.core.desfire.keys import CardKeys, CardMasters, KeyRing, ValidatorKeys
from fare.core.desfire.messaging import Ev2Session
from fuzz.choices import Draws
from hardware.emulator.card import VirtualCard
from hardware.emulator.files import ValueFile
from hardware.emulator.state import CardState

NOW_S = 1_795_305_600
UID = bytes.fromhex("04a1b2c3d4e5f6")
OTHER_UID = bytes.fromhex("04000102030405")
SYSTEM_ID = b"fuzzing"
FARE_RIAL = 35_000

MASTERS = CardMasters(*(bytes([n]) * 16 for n in range(1, 6)), system_id=SYSTEM_ID)
NEXT_MASTERS = CardMasters(*(bytes([n]) * 16 for n in range(17, 22)), system_id=SYSTEM_ID, version=2)
RING = KeyRing((MASTERS, NEXT_MASTERS))
KEYS = CardKeys.for_card(MASTERS, UID)
VALIDATOR = ValidatorKeys({1: MASTERS.k1}, SYSTEM_ID)
ROLLING_VALIDATOR = ValidatorKeys({1: MASTERS.k1, 2: NEXT_MASTERS.k1}, SYSTEM_ID)

ISSUER = Ed25519PrivateKey.from_private_bytes(bytes(32))
KEYRING = {1: ISSUER.public_key()}


def signed(version: int, uid: bytes = UID, loaded_rial: int = 10_000_000) -> bytes:
    """An entitlement of the card `uid`, 128 bytes."""
    fields = entitlement.CardEntitlement(
        issuer=1,
        kid=1,
        aid=layout.AID,
        serial=1,
        uid=uid,
        version=version,
        loaded_total_rial=loaded_rial,
        withdrawn_total_rial=0,
        rider_category=0,
        category_expires_day=0,
        overdraft_rial=0,
        expires_day=9000,
        passes=(),
        issued_at_s=NOW_S,
    )
    return entitlement.sign(fields, ISSUER)


ENTITLEMENT = signed(1)
NEWER = signed(2)
FIRST_RECORD = card_record.first_record(NOW_S)
RECORD = card_record.CardRecord(7, 1, NOW_S, 1, 0, FARE_RIAL, FARE_RIAL, 1).encode()


@cache
def issued(uid: bytes = UID) -> CardState:
    """A card of this system that has not ridden yet."""
    card = VirtualCard.factory(uid, random_bytes=Draws("issue"))
    keys = CardKeys.for_card(MASTERS, uid)
    run(personalise(keys, uid, signed(1, uid), FIRST_RECORD, Draws("issuer")), card.transmit)
    return card.state


def value_file(state: CardState) -> ValueFile:
    """File 02 of a card of this system."""
    file = state.applications[layout.AID].files[layout.VALUE_FILE]
    if not isinstance(file, ValueFile):
        raise TypeError("file 02 is not a value file any more")
    return file


def spent_rial(state: CardState) -> int:
    """What a card of this system says it has spent."""
    return layout.spent_from_value(value_file(state).value)


@contextmanager
def watched_sessions() -> Generator[list[Ev2Session], None, None]:
    """Every session that an authentication of the driver opens meanwhile, oldest first."""
    opened: list[Ev2Session] = []

    class Watched(Ev2Session):
        __slots__ = ()

        def __init__(self, *arguments: Any, **named: Any) -> None:
            super().__init__(*arguments, **named)
            opened.append(self)

    with patch.object(authentication, "Ev2Session", Watched):
        yield opened
