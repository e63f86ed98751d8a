"""Reading a whole card at a desk, without changing it. Never judges what it reads, never commits.

    FF CA · 5A · [64 k1] · 71 · AF · 60 · 64 k0 k1 k2 · AD 01 · AD 0F · AB 03 all · 6C 02

All that is reported was said inside the session, under its MAC: who relays can answer for a card outside.
What is read belongs to a transaction that is never committed: selecting the application again forgets it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fare.core.desfire import commands, layout
from fare.core.desfire.chip import Version
from fare.core.desfire.errors import CardAnswered, MalformedAnswer, NotACardOfThisSystem
from fare.core.desfire.frames import Conversation, exchange, read_uid
from fare.core.desfire.generations import open_session
from fare.core.desfire.keys import CardKeyStore, KeyPurpose
from fare.core.desfire.opcodes import Opcode
from fare.core.proof.card import CommitProof


@dataclass(frozen=True, slots=True)
class Inspection:
    """Everything a Mancard card says of itself.

    `version` is what the chip is. `key_versions` are those of k0, k1, k2. `entitlement` (128 bytes) is as
    stored, its signature not yet checked; `records` (32 bytes each) come newest first; `proof` is of the last
    commit; `spent` is rial, ever.
    """

    uid: bytes
    version: Version
    key_versions: tuple[int, int, int]
    entitlement: bytes
    records: tuple[bytes, ...]
    proof: CommitProof
    spent: int


def ask_chip() -> Conversation[Version]:
    """Select the PICC level and ask what the card is made of.

    NotACardOfThisSystem, naming what it is, unless it is a DESFire EV2 or EV3.
    """
    try:
        yield from exchange(Opcode.SELECT_APPLICATION, layout.PICC_AID)
        version = yield from commands.get_version()
    except (CardAnswered, MalformedAnswer) as fault:
        raise NotACardOfThisSystem(
            "it does not answer GetVersion, so it is a MIFARE Classic or another card than DESFire"
        ) from fault
    if not version.issuable:
        raise NotACardOfThisSystem(f"it is {version.kind}, not a DESFire EV2 or EV3")
    return version


def inspect_card(keys: CardKeyStore, rnd_a: Callable[[], bytes]) -> Conversation[Inspection]:
    """Read everything under k1; `rnd_a` gives 16 fresh random bytes.

    Raises NotACardOfThisSystem, naming the chip, for a fresh or foreign card, KeysOfAnotherGeneration for one
    whose keys are not held here; AuthenticationFailed or CardNotGenuine for a card whose key is not its own.
    """
    uid = yield from read_uid()
    try:
        yield from commands.select_application(layout.AID)
    except (NotACardOfThisSystem, CardAnswered, MalformedAnswer) as fault:
        chip = yield from ask_chip()
        raise NotACardOfThisSystem(f"a {chip.kind} without the Mancard application") from fault
    session, _ = yield from open_session(keys, KeyPurpose.VALIDATOR, layout.VALIDATOR_KEY, uid, rnd_a)
    version = yield from commands.get_version(session)
    key_versions = (
        (yield from commands.get_key_version(session, layout.ISSUER_KEY)),
        (yield from commands.get_key_version(session, layout.VALIDATOR_KEY)),
        (yield from commands.get_key_version(session, layout.LOAD_KEY)),
    )
    entitlement = yield from commands.read_data(session, layout.ENTITLEMENT_FILE, 0, layout.ENTITLEMENT_SIZE)
    proof = yield from commands.read_data(session, layout.PROOF_FILE, 0, layout.PROOF_SIZE)
    records = yield from commands.read_all_records(session, layout.RECORD_FILE, layout.RECORD_SIZE)
    value = yield from commands.get_value(session, layout.VALUE_FILE)
    return Inspection(
        uid=uid,
        version=version,
        key_versions=key_versions,
        entitlement=entitlement,
        records=records,
        proof=CommitProof.decode(proof),
        spent=layout.spent_from_value(value),
    )
