"""Everything a card keeps without power, as one immutable value: keys, settings, applications and files.

Holds no session and no transaction: those live in :mod:`hardware.emulator.chip` and die with the field.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

from hardware.emulator.files import File
from hardware.emulator.kinds import ChipKind
from hardware.emulator.status import Status, require

AID_BYTES = 3
KEY_BYTES = 16
PICC_AID = bytes(AID_BYTES)
FACTORY_PICC_SETTINGS = 0x0F
MEMORY_BYTES = 7936
MASTER_KEY = 0

# KeySett1 bits (application and card alike)
MASTER_KEY_CHANGEABLE = 0x01
FREE_LISTING = 0x02
FREE_CREATE_DELETE = 0x04
SETTINGS_CHANGEABLE = 0x08


@dataclass(frozen=True, slots=True)
class CardKey:
    """One AES-128 key with its version byte; its repr shows no key byte.

    ``des`` marks the two-key triple DES master key of a card as delivered; no other key is ever one.
    """

    value: bytes = field(default=bytes(KEY_BYTES), repr=False)
    version: int = 0
    des: bool = False


DELIVERED_KEY = CardKey(des=True)


@dataclass(frozen=True, slots=True)
class KeySet:
    """One set of application keys. ``finalized`` means it may be rolled to."""

    keys: tuple[CardKey, ...]
    version: int = 0
    initialized: bool = True
    finalized: bool = True


@dataclass(frozen=True, slots=True)
class Application:
    """One application; ``key_sets[0]`` is the active one, ``roll_key`` None without key sets."""

    aid: bytes
    key_settings: int
    key_sets: tuple[KeySet, ...]
    roll_key: int | None = None
    files: Mapping[int, File] = field(default_factory=dict[int, File])

    @property
    def keys(self) -> tuple[CardKey, ...]:
        return self.key_sets[0].keys

    def with_key(self, set_no: int, key_no: int, key: CardKey) -> Application:
        key_set = self.key_sets[set_no]
        keys = (*key_set.keys[:key_no], key, *key_set.keys[key_no + 1 :])
        return self.with_key_set(set_no, replace(key_set, keys=keys))

    def with_key_set(self, set_no: int, key_set: KeySet) -> Application:
        sets = (*self.key_sets[:set_no], key_set, *self.key_sets[set_no + 1 :])
        return replace(self, key_sets=sets)

    def with_files(self, changed: Mapping[int, File]) -> Application:
        return replace(self, files={**self.files, **changed})

    def without_file(self, number: int) -> Application:
        return replace(self, files={key: file for key, file in self.files.items() if key != number})


@dataclass(frozen=True, slots=True)
class CardState:
    """The whole non-volatile memory of one card; ``uid`` is 7 bytes (4 on a Classic).

    Every key of an application begins as ``default_key``. Chips that are no DESFire have a UID and a kind,
    and nothing else of this.
    """

    uid: bytes
    picc_key: CardKey = CardKey()
    picc_settings: int = FACTORY_PICC_SETTINGS
    format_disabled: bool = False
    applications: Mapping[bytes, Application] = field(default_factory=dict[bytes, Application])
    kind: ChipKind = ChipKind.EV3
    default_key: CardKey = CardKey()

    def with_application(self, application: Application) -> CardState:
        state = replace(self, applications={**self.applications, application.aid: application})
        require(state.used_bytes <= MEMORY_BYTES, Status.OUT_OF_MEMORY)
        return state

    def without_application(self, aid: bytes) -> CardState:
        kept = {key: value for key, value in self.applications.items() if key != aid}
        return replace(self, applications=kept)

    @property
    def used_bytes(self) -> int:
        """What creation commands are charged, in the chip's 32-byte blocks."""
        blocks = 0
        for application in self.applications.values():
            blocks += 4
            blocks += sum(-(-file.memory_bytes // 32) + 1 for file in application.files.values())
        return blocks * 32
