"""The keys of a card, diversified from masters. Never prints a key byte, never reads one from anywhere.

    card key = AN10922(master, UID(7) ‖ AID(3) ‖ system id)     17 to 31 bytes of input

so the system id has 7 to 21 bytes. Each purpose has its own master; a dump of one card opens no other. The
masters of one year are a generation, named by the key version that stands beside each key on the card: cards
move from one generation to the next while both are in use. The Transaction MAC key alone stays with its card
for life, since making that file again would start its counter anew.

Whoever uses a card key asks a `CardKeyStore` for it. Files, a PKCS#11 token and a secure access module all
have that one shape; a validator's holds the purpose k1 alone.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Final, Protocol

from fare.core.desfire import crypto
from fare.core.desfire.authentication import KEY_SIZE, CardKey, SecretKey
from fare.core.desfire.frames import UID_SIZE
from fare.core.desfire.layout import AID

__all__ = [
    "KEY_SIZE",
    "CardKey",
    "CardKeyStore",
    "CardKeys",
    "CardMasters",
    "KeyNotHeld",
    "KeyPurpose",
    "KeyRing",
    "KeySealed",
    "SecretKey",
    "ValidatorKeys",
    "diversification_input",
]

MAX_KEY_VERSION: Final = 0xFF
_AID_SIZE = 3
_SYSTEM_ID_SIZES = range(7, 22)


class KeyPurpose(StrEnum):
    """What a key of a card is for; the names of CARD.md's key table."""

    PICC = "picc"
    ISSUER = "k0"
    VALIDATOR = "k1"
    LOAD = "k2"
    TRANSACTION_MAC = "tm"


class KeyNotHeld(Exception):
    """This store has no such key: another purpose than it is for, or a generation it was never given."""

    def __init__(self, purpose: KeyPurpose, version: int) -> None:
        self.purpose = purpose
        self.version = version
        super().__init__(f"No key {purpose} of version {version} is held here: bring the newer card keys.")


class KeySealed(Exception):
    """The key never leaves the module that keeps it; it can only be used there."""

    def __init__(self, purpose: KeyPurpose) -> None:
        self.purpose = purpose
        super().__init__(f"The key {purpose} is sealed in its module: use a store that may reveal it.")


class CardKeyStore(Protocol):
    """The masters of the cards' keys, wherever they are kept. No master ever leaves it."""

    @property
    def versions(self) -> Sequence[int]:
        """The generations held, oldest first: cards of any of them can be opened."""
        ...

    @property
    def current(self) -> int:
        """The generation that new cards get; newer ones may be held already, so that validators have them."""
        ...

    def key(self, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
        """The key of the card with this 7-byte UID. Raises KeyNotHeld."""
        ...


@dataclass(frozen=True, slots=True)
class CardMasters:
    """One generation of every master key, at hand in memory. A CardKeyStore of one version."""

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
        _check_version(self.version)

    @property
    def versions(self) -> Sequence[int]:
        """See CardKeyStore."""
        return (self.version,)

    @property
    def current(self) -> int:
        """See CardKeyStore."""
        return self.version

    def key(self, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
        """See CardKeyStore."""
        if version != self.version:
            raise KeyNotHeld(purpose, version)
        master: bytes = getattr(self, purpose.value)
        return SecretKey(crypto.diversify(master, diversification_input(uid, AID, self.system_id)))


@dataclass(frozen=True, slots=True)
class KeyRing:
    """Several generations of masters, at hand in memory. A CardKeyStore; ValueError without any.

    `current_version` is the generation that new cards get, the newest unless one is named: newer ones are
    staged.
    """

    generations: tuple[CardMasters, ...]
    current_version: int | None = None

    def __post_init__(self) -> None:
        versions = [masters.version for masters in self.generations]
        if not versions or sorted(set(versions)) != versions:
            raise ValueError("a key ring holds at least one generation, oldest first, each once")
        if self.current_version not in (None, *versions):
            raise ValueError("new cards get a generation that the key ring holds")

    @property
    def versions(self) -> Sequence[int]:
        """See CardKeyStore."""
        return tuple(masters.version for masters in self.generations)

    @property
    def current(self) -> int:
        """See CardKeyStore."""
        return self.versions[-1] if self.current_version is None else self.current_version

    def key(self, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
        """See CardKeyStore."""
        for masters in self.generations:
            if masters.version == version:
                return masters.key(purpose, version, uid)
        raise KeyNotHeld(purpose, version)


@dataclass(frozen=True, slots=True)
class ValidatorKeys:
    """What a validator holds: the masters of k1 by version. A CardKeyStore.

    It can debit, and can neither issue, load nor forge a proof. ValueError without a master.
    """

    k1_masters: Mapping[int, bytes] = field(repr=False)
    system_id: bytes

    def __post_init__(self) -> None:
        if not self.k1_masters:
            raise ValueError("a validator needs at least one master of k1")
        for version, key in self.k1_masters.items():
            _check_key(key)
            _check_version(version)
        _check_system_id(self.system_id)

    @property
    def versions(self) -> Sequence[int]:
        """See CardKeyStore."""
        return tuple(sorted(self.k1_masters))

    @property
    def current(self) -> int:
        """See CardKeyStore; a validator makes no card, so this is only its newest."""
        return self.versions[-1]

    def key(self, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
        """See CardKeyStore."""
        master = self.k1_masters.get(version)
        if purpose is not KeyPurpose.VALIDATOR or master is None:
            raise KeyNotHeld(purpose, version)
        return SecretKey(crypto.diversify(master, diversification_input(uid, AID, self.system_id)))


@dataclass(frozen=True, slots=True)
class CardKeys:
    """The key bytes of one card, to be written onto it: PICC master, k0, k1, k2, Transaction MAC."""

    picc: bytes = field(repr=False)
    k0: bytes = field(repr=False)
    k1: bytes = field(repr=False)
    k2: bytes = field(repr=False)
    tm: bytes = field(repr=False)
    version: int = 1

    @classmethod
    def for_card(cls, store: CardKeyStore, uid: bytes, version: int | None = None) -> CardKeys:
        """All keys of the card with this 7-byte UID, of the current generation unless another is named.

        Raises KeyNotHeld, or KeySealed for a store that shows none.
        """
        wanted = store.current if version is None else version
        reveal: Callable[[KeyPurpose], bytes] = lambda purpose: store.key(purpose, wanted, uid).reveal()  # noqa: E731
        return cls(
            picc=reveal(KeyPurpose.PICC),
            k0=reveal(KeyPurpose.ISSUER),
            k1=reveal(KeyPurpose.VALIDATOR),
            k2=reveal(KeyPurpose.LOAD),
            tm=reveal(KeyPurpose.TRANSACTION_MAC),
            version=wanted,
        )


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


def _check_version(version: int) -> None:
    if not 0 <= version <= MAX_KEY_VERSION:
        raise ValueError(f"a key version is 0 to {MAX_KEY_VERSION}, not {version}")


def _check_system_id(system_id: bytes) -> None:
    if len(system_id) not in _SYSTEM_ID_SIZES:
        raise ValueError(f"a system id has 7 to 21 bytes, not {len(system_id)}")
