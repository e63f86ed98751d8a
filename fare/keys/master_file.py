"""The masters of the cards' keys in one file, mode 0600: `card-masters.json`. It never prints one.

    {"format": 2, "system_id": hex, "current": 2, "last": 2, "held": [1, 2], "retired": [],
     "masters": {"1": {"picc": hex, "k0": hex, "k1": hex, "k2": hex, "tm": hex}, "2": …}}

A retired generation keeps its "tm" alone. Format 1 held one generation; it is still read, and written anew at
the first change. A process that runs on sees a change made by another one: the file is looked at again
whenever new cards ask which generation is theirs, and for a generation not known yet.
"""

from __future__ import annotations

import json
import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final

from cryptography.hazmat.primitives.asymmetric import padding
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.hashes import SHA1

from fare.core.desfire import crypto
from fare.core.desfire.keys import (
    KEY_SIZE,
    CardKey,
    CardMasters,
    KeyNotHeld,
    KeyPurpose,
    KeyRing,
    SecretKey,
    ValidatorKeys,
    diversification_input,
)
from fare.core.desfire.layout import AID
from fare.keys import private_files
from fare.keys.generations import Generation, Roster

SYSTEM_ID: Final = b"MANCARD"
MASTERS_FILE: Final = "card-masters.json"
_FORMAT: Final = 2
_ONE_GENERATION_FORMAT: Final = 1
_PURPOSES: Final = tuple(purpose.value for purpose in KeyPurpose)
_TM: Final = KeyPurpose.TRANSACTION_MAC.value

Masters = Mapping[str, bytes]
_Now = tuple["MasterDocument", KeyRing]


@dataclass(frozen=True, slots=True)
class MasterDocument:
    """What the file says: the roster, and each generation's masters by purpose. ValueError if they differ."""

    system_id: bytes
    roster: Roster
    masters: Mapping[int, Masters] = field(repr=False)

    def __post_init__(self) -> None:
        wanted = {version: set(_PURPOSES) for version in self.roster.held}
        wanted |= {version: {_TM} for version in self.roster.retired}
        if {version: set(masters) for version, masters in self.masters.items()} != wanted:
            raise ValueError("the masters are not those of the generations")
        if any(len(key) != KEY_SIZE for masters in self.masters.values() for key in masters.values()):
            raise ValueError("a master has 16 bytes")

    def ring(self) -> KeyRing:
        """The generations held, as a CardKeyStore."""
        generations = tuple(
            CardMasters(**self.masters[version], system_id=self.system_id, version=version)
            for version in self.roster.held
        )
        return KeyRing(generations, self.roster.current)

    def encode(self) -> bytes:
        """The file's content."""
        masters = {
            str(version): {purpose: key.hex() for purpose, key in sorted(keys.items())}
            for version, keys in sorted(self.masters.items())
        }
        document = {"format": _FORMAT, "system_id": self.system_id.hex()}
        return json.dumps(document | self.roster.encode() | {"masters": masters}, indent=1).encode()


def decode(content: bytes) -> MasterDocument:
    """Read either format. Raises ValueError, KeyError or TypeError."""
    document: dict[str, Any] = json.loads(content)
    system_id = bytes.fromhex(document["system_id"])
    if document["format"] == _ONE_GENERATION_FORMAT:
        version = int(document["version"])
        roster = Roster(current=version, last=version, held=(version,))
        found = MasterDocument(system_id, roster, {version: _keys(document, _PURPOSES)})
    elif document["format"] == _FORMAT:
        masters = {int(version): _keys(keys, keys) for version, keys in document["masters"].items()}
        found = MasterDocument(system_id, Roster.decode(document), masters)
    else:
        raise ValueError("another format")
    found.ring()  # a system id or a key of the wrong size is found now, not at the first card
    return found


def new_document() -> MasterDocument:
    """A first generation, drawn now."""
    return MasterDocument(SYSTEM_ID, Roster.first(), {1: _draw()})


class MasterFile:
    """The masters of one folder. A CardKeyStore, and how the generations in it are changed."""

    def __init__(self, folder: Path) -> None:
        """Read the file, making it when there is none. Raises OperatorError."""
        self._file = folder / MASTERS_FILE
        if not self._file.exists():
            private_files.write_new(self._file, new_document().encode())
        self._kept = private_files.Followed(self._file, _decode_with_ring)

    @property
    def ring(self) -> KeyRing:
        """The generations held, as the file has them now."""
        return self._kept.now()[1]

    @property
    def document(self) -> MasterDocument:
        """All of it, as the file has it now."""
        return self._kept.now()[0]

    @property
    def generations(self) -> tuple[CardMasters, ...]:
        """The masters held, oldest first."""
        return self.ring.generations

    @property
    def versions(self) -> Sequence[int]:
        """See CardKeyStore."""
        return self.ring.versions

    @property
    def current(self) -> int:
        """See CardKeyStore."""
        return self.ring.current

    def key(self, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
        """See CardKeyStore."""
        try:
            return _key(self._kept.last, purpose, version, uid)
        except KeyNotHeld:
            return _key(self._kept.now(), purpose, version, uid)

    def validator_keys(self) -> ValidatorKeys:
        """What a validator's kit carries: the masters of k1, every generation held, staged ones too."""
        generations = self.generations
        return ValidatorKeys(
            {masters.version: masters.k1 for masters in generations}, generations[-1].system_id
        )

    def wrapped_validator_keys(self, public_key: RSAPublicKey) -> tuple[bytes, Mapping[int, bytes]]:
        """System id, and k1's masters by version, wrapped for the token that this RSA key is of."""
        keys = self.validator_keys()
        # SHA-1 is no weakness inside OAEP, and the one hash that every token knows there.
        oaep = padding.OAEP(padding.MGF1(SHA1()), SHA1(), None)  # noqa: S303
        return keys.system_id, {
            version: public_key.encrypt(master, oaep) for version, master in keys.k1_masters.items()
        }

    # --- generations ---

    @property
    def next_version(self) -> int:
        """The number of the next generation."""
        return self.document.roster.last + 1

    def listed(self) -> tuple[Generation, ...]:
        """The generations and their states, oldest first."""
        return self.document.roster.listed()

    def add_generation(self, version: int) -> None:
        """Draw the next generation, which must be `version`, and stage it. Raises OperatorError."""

        def change(document: MasterDocument) -> MasterDocument:
            roster = document.roster.with_new(version)
            return replace(document, roster=roster, masters={**document.masters, version: _draw()})

        self._change(change)

    def activate(self, version: int) -> None:
        """Let new cards get a staged generation from now on. Raises OperatorError."""
        self._change(lambda document: replace(document, roster=document.roster.with_current(version)))

    def retire(self, version: int, *, keep_proofs: bool) -> None:
        """Destroy a generation, but for the proofs' master if `keep_proofs`. Raises OperatorError."""

        def change(document: MasterDocument) -> MasterDocument:
            roster = document.roster.without(version, keep_proofs=keep_proofs)
            left = {other: keys for other, keys in document.masters.items() if other != version}
            if keep_proofs:
                left[version] = {_TM: document.masters[version][_TM]}
            return replace(document, roster=roster, masters=left)

        self._change(change)

    def _change(self, change: Callable[[MasterDocument], MasterDocument]) -> None:
        with private_files.locked(self._file.parent):
            changed = change(private_files.read(self._file, decode))
            private_files.replace(self._file, changed.encode())
        self._kept.now()


def _decode_with_ring(content: bytes) -> _Now:
    document = decode(content)
    return document, document.ring()


def _key(now: _Now, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
    document, ring = now
    if purpose is KeyPurpose.TRANSACTION_MAC and version in document.roster.retired:
        master = document.masters[version][_TM]
        return SecretKey(crypto.diversify(master, diversification_input(uid, AID, document.system_id)))
    return ring.key(purpose, version, uid)


def _draw() -> Masters:
    return {purpose: secrets.token_bytes(KEY_SIZE) for purpose in _PURPOSES}


def _keys(fields: Mapping[str, Any], names: Sequence[str] | Mapping[str, Any]) -> Masters:
    return {name: bytes.fromhex(fields[name]) for name in names}
