"""The keys of a card, diversified from masters. Never prints a key byte, never reads one from anywhere.

    card key = AN10922(master, UID(7) ‖ AID(3) ‖ system id)     17 to 31 bytes of input

so the system id has 7 to 21 bytes. Each purpose has its own master; a dump of one card opens no other, and a
validator holds the master of k1 alone.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from fare.core.desfire import crypto
from fare.core.desfire.frames import UID_SIZE
from fare.core.desfire.layout import AID

KEY_SIZE = 16
_AID_SIZE = 3
_SYSTEM_ID_SIZES = range(7, 22)


@dataclass(frozen=True, slots=True)
class CardMasters:
    """Every master key of a system, for the issuing server and the ledger.

    `version` is written beside each card key.
    """

    picc: bytes = field(repr=False)
    k0: bytes = field(repr=False)
    k1: bytes = field(repr=False)
    k2: bytes = field(repr=False)
    tm: bytes = field(repr=False)
    system_id: bytes
    version: int = 1

    def __post_init__(self) -> None:
        for key in (self.picc, self.k0, self.k1, self.k2, self.tm):
            _check_key(key)
        _check_system_id(self.system_id)
        if not 0 <= self.version <= 0xFF:
            raise ValueError(f"a key version is 0 to 255, not {self.version}")


@dataclass(frozen=True, slots=True)
class CardKeys:
    """The keys of one card: PICC master, issuer k0, validator k1, load k2, Transaction MAC."""

    picc: bytes = field(repr=False)
    k0: bytes = field(repr=False)
    k1: bytes = field(repr=False)
    k2: bytes = field(repr=False)
    tm: bytes = field(repr=False)
    version: int = 1

    @classmethod
    def for_card(cls, masters: CardMasters, uid: bytes, aid: bytes = AID) -> CardKeys:
        """All keys of the card with this 7-byte UID."""
        m = diversification_input(uid, aid, masters.system_id)
        return cls(
            picc=crypto.diversify(masters.picc, m),
            k0=crypto.diversify(masters.k0, m),
            k1=crypto.diversify(masters.k1, m),
            k2=crypto.diversify(masters.k2, m),
            tm=crypto.diversify(masters.tm, m),
            version=masters.version,
        )


@dataclass(frozen=True, slots=True)
class ValidatorKeys:
    """What a validator holds: the master of k1.

    It can debit, and can neither issue, load nor forge a proof.
    """

    k1_master: bytes = field(repr=False)
    system_id: bytes

    def __post_init__(self) -> None:
        _check_key(self.k1_master)
        _check_system_id(self.system_id)

    def k1_for(self, uid: bytes, aid: bytes = AID) -> bytes:
        """k1 of the card with this 7-byte UID."""
        return crypto.diversify(self.k1_master, diversification_input(uid, aid, self.system_id))


def transaction_mac_key(tm_master: bytes, system_id: bytes, uid: bytes, aid: bytes = AID) -> bytes:
    """The Transaction MAC key of one card, for the ledger, which needs no other key of it."""
    _check_key(tm_master)
    _check_system_id(system_id)
    return crypto.diversify(tm_master, diversification_input(uid, aid, system_id))


def diversification_input(uid: bytes, aid: bytes, system_id: bytes) -> bytes:
    """UID(7) ‖ AID(3) ‖ system id; ValueError for a UID or AID of another size."""
    if len(uid) != UID_SIZE:
        raise ValueError(f"a card's UID has {UID_SIZE} bytes, not {len(uid)}")
    if len(aid) != _AID_SIZE:
        raise ValueError(f"an AID has {_AID_SIZE} bytes, not {len(aid)}")
    return uid + aid + system_id


def _check_key(key: bytes) -> None:
    if len(key) != KEY_SIZE:
        raise ValueError(f"an AES-128 key has {KEY_SIZE} bytes, not {len(key)}")


def _check_system_id(system_id: bytes) -> None:
    if len(system_id) not in _SYSTEM_ID_SIZES:
        raise ValueError(f"a system id has 7 to 21 bytes, not {len(system_id)}")
