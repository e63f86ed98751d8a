"""Opening a session with the right generation of a card's keys. Never holds a key, never rolls one.

    [64 key no] · 71 · AF · [64 key no, after AE alone]

While several generations are held the card is asked first which of them it has. With a single one it is not,
and a card of another generation refuses the key like a fake would. So the card is asked then, on that failing
path alone: an honest rider with a newer or an older card is told apart from a forger. The answer is not
authenticated, but the card is refused either way.
"""

from __future__ import annotations

from collections.abc import Callable

from fare.core.desfire import commands
from fare.core.desfire.authentication import CardKey, authenticate_ev2_first
from fare.core.desfire.errors import (
    AuthenticationFailed,
    CardFault,
    CardTorn,
    KeysOfAnotherGeneration,
    NotACardOfThisSystem,
)
from fare.core.desfire.frames import Conversation
from fare.core.desfire.keys import CardKeyStore, KeyNotHeld, KeyPurpose
from fare.core.desfire.messaging import Ev2Session


def key_of_generation(keys: CardKeyStore, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
    """The card's key of the generation the card names.

    KeysOfAnotherGeneration when none of that generation is held here, NotACardOfThisSystem when the store is
    not for this purpose.
    """
    if version not in keys.versions:
        raise KeysOfAnotherGeneration(version, keys.versions)
    try:
        return keys.key(purpose, version, uid)
    except KeyNotHeld as fault:
        raise NotACardOfThisSystem(f"its key {purpose} is not held here") from fault


def open_session(
    keys: CardKeyStore, purpose: KeyPurpose, key_no: int, uid: bytes, rnd_a: Callable[[], bytes]
) -> Conversation[tuple[Ev2Session, int]]:
    """Authenticate with the selected application's key `key_no`: the session, and the keys' generation.

    Raises KeysOfAnotherGeneration, and AuthenticationFailed or CardNotGenuine for a card whose key is not its
    own.
    """
    version = keys.versions[-1]
    if len(keys.versions) > 1:
        version = yield from commands.get_key_version(None, key_no)
    key = key_of_generation(keys, purpose, version, uid)
    try:
        return (yield from authenticate_ev2_first(key_no, key, rnd_a())), version
    except AuthenticationFailed as fault:
        found = yield from _generation_after_all(key_no, fault)
        if found == version:
            raise
        raise KeysOfAnotherGeneration(found, keys.versions) from fault


def _generation_after_all(key_no: int, fault: AuthenticationFailed) -> Conversation[int]:
    """What the refusing card says; the refusal itself where it says nothing to the point."""
    try:
        return (yield from commands.get_key_version(None, key_no))
    except CardTorn:
        raise
    except CardFault:
        raise fault from None
