"""Moving a card to the newest generation of keys. Never touches its files, its money or its TM key.

    FF CA · 5A · 64                                  which generation is in use?
    71 · AF (old k0) · 56 · C6 × 3 · 57 · 55         build key set 1 beside the one in use, then roll to it
    5A · 71 · AF (new k0) · 64                       the card proves it
    5A PICC · 64 · 71 · AF (old) · C4 · 71 · AF      the PICC master key likewise, by itself

Until 55 the card works with its old keys, from then on with its new ones: a card torn away at any point is
usable, and running this again finishes it, since it begins by asking the card which keys are in use. The
Transaction MAC key is never rolled: its file would have to be made anew, and its counter would restart.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from fare.core.desfire import commands, layout
from fare.core.desfire.authentication import authenticate_ev2_first
from fare.core.desfire.errors import CardNotGenuine, IntegrityError, NotACardOfThisSystem
from fare.core.desfire.frames import Conversation, read_uid
from fare.core.desfire.generations import key_of_generation
from fare.core.desfire.keys import KEY_SIZE, CardKeyStore, KeyPurpose
from fare.core.desfire.messaging import Ev2Session

SPARE_KEY_SET: Final = 1
PICC_MASTER_KEY: Final = 0
_PURPOSES: Final = (KeyPurpose.ISSUER, KeyPurpose.VALIDATOR, KeyPurpose.LOAD)  # by key number


def roll_keys(keys: CardKeyStore, uid: bytes, rnd_a: Callable[[], bytes]) -> Conversation[int]:
    """Bring the card `uid` to the newest generation held; returns that version, proven by the card.

    A card already there is only asked to prove it. `keys` must reveal the new keys (KeySealed otherwise) and
    hold k0 and the PICC master of the card's generation. NotACardOfThisSystem for another card on the reader,
    or one newer than the current generation; KeysOfAnotherGeneration for one not held here.
    """
    if (yield from read_uid()) != uid:
        raise NotACardOfThisSystem("another card lies on the reader")
    newest = keys.current
    yield from commands.select_application(layout.AID)
    in_use = yield from commands.get_key_version(None, layout.ISSUER_KEY)
    if in_use != newest:
        yield from _roll_application(keys, uid, in_use, rnd_a)
    yield from _prove_application(keys, uid, rnd_a)
    yield from _roll_picc(keys, uid, rnd_a)
    return newest


def _roll_application(
    keys: CardKeyStore, uid: bytes, in_use: int, rnd_a: Callable[[], bytes]
) -> Conversation[None]:
    k0 = key_of_generation(keys, KeyPurpose.ISSUER, in_use, uid)
    if in_use > keys.current:
        raise NotACardOfThisSystem("its keys are newer than those that new cards get")
    session = yield from authenticate_ev2_first(layout.ISSUER_KEY, k0, rnd_a())
    blank = (bytes(KEY_SIZE),) * len(_PURPOSES)
    try:
        yield from _fill_spare_set(session, keys, uid, blank)
    except IntegrityError:
        # Whether a set begins with zero keys or with copies of those in use is not published: try the other.
        copies = tuple(keys.key(purpose, in_use, uid).reveal() for purpose in _PURPOSES)
        session = yield from authenticate_ev2_first(layout.ROLL_KEY, k0, rnd_a())
        yield from _fill_spare_set(session, keys, uid, copies)
    yield from commands.finalize_key_set(session, SPARE_KEY_SET, keys.current)
    yield from commands.roll_key_set(session, SPARE_KEY_SET)
    yield from commands.select_application(layout.AID)


def _fill_spare_set(
    session: Ev2Session, keys: CardKeyStore, uid: bytes, old: tuple[bytes, ...]
) -> Conversation[None]:
    newest = keys.current
    yield from commands.initialize_key_set(session, SPARE_KEY_SET)
    for number, purpose in enumerate(_PURPOSES):
        new = keys.key(purpose, newest, uid).reveal()
        yield from commands.change_key_in_set(session, SPARE_KEY_SET, number, new, newest, old[number])


def _prove_application(keys: CardKeyStore, uid: bytes, rnd_a: Callable[[], bytes]) -> Conversation[None]:
    """The application is selected; GetKeyVersion alone could have been answered by anyone."""
    newest = keys.current
    session = yield from authenticate_ev2_first(
        layout.ISSUER_KEY, keys.key(KeyPurpose.ISSUER, newest, uid), rnd_a()
    )
    for number in range(len(_PURPOSES)):
        if (yield from commands.get_key_version(session, number)) != newest:
            session.end()
            raise CardNotGenuine


def _roll_picc(keys: CardKeyStore, uid: bytes, rnd_a: Callable[[], bytes]) -> Conversation[None]:
    newest = keys.current
    new = keys.key(KeyPurpose.PICC, newest, uid)
    yield from commands.select_application(layout.PICC_AID)
    in_use = yield from commands.get_key_version(None, PICC_MASTER_KEY)
    if in_use != newest:
        old = key_of_generation(keys, KeyPurpose.PICC, in_use, uid)
        session = yield from authenticate_ev2_first(PICC_MASTER_KEY, old, rnd_a())
        yield from commands.change_own_key(session, commands.PICC_AES_KEY_NO, new.reveal(), newest)
    yield from authenticate_ev2_first(PICC_MASTER_KEY, new, rnd_a())
