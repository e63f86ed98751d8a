"""A load at a desk: a newer entitlement onto the card under the load key k2. Never debits, never reads.

    FF CA · 5A · [64 k2] · 71 · AF · 8D 01 · C7

The desk first runs `open_card` under k1 and keeps what it read, since this Commit replaces the last tap's
proof in file 0F. Selecting the application again forgets those reads, so the card's proof of a load is of the
written entitlement alone: `fare.core.proof.card.load_tmi`.
"""

from __future__ import annotations

from collections.abc import Callable

from fare.core.desfire import commands, layout
from fare.core.desfire.errors import NotACardOfThisSystem
from fare.core.desfire.frames import Conversation, read_uid
from fare.core.desfire.generations import open_session
from fare.core.desfire.keys import CardKeyStore, KeyPurpose
from fare.core.proof.card import CommitProof


def write_entitlement(
    keys: CardKeyStore, uid: bytes, entitlement: bytes, rnd_a: Callable[[], bytes]
) -> Conversation[CommitProof]:
    """Write the 128-byte `entitlement` onto the card `uid` and take the card's proof of it.

    NotACardOfThisSystem when another card lies on the reader, KeysOfAnotherGeneration when its key is not
    held here; ValueError, before a word is said, for another size. A CardFault means *unconfirmed* once
    Commit was sent: inspect the card and compare file 01.
    """
    if len(entitlement) != layout.ENTITLEMENT_SIZE:
        raise ValueError(
            f"an entitlement on a card has {layout.ENTITLEMENT_SIZE} bytes, not {len(entitlement)}"
        )
    if (yield from read_uid()) != uid:
        raise NotACardOfThisSystem("another card lies on the reader")
    yield from commands.select_application(layout.AID)
    session, _ = yield from open_session(keys, KeyPurpose.LOAD, layout.LOAD_KEY, uid, rnd_a)
    yield from commands.write_data(session, layout.ENTITLEMENT_FILE, 0, entitlement)
    return CommitProof.decode((yield from commands.commit_transaction(session)))
