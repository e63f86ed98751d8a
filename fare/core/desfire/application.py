"""The Mancard application on a card, as the validator and the issuing server use it. Never decides a fare.

A tap is three conversations over one session:

    open_card   FF CA · 5A · 71 · AF · AD 01 · AD 0F · AB 03 · 6C 02      8 APDUs
    stage       [DC 02] · [8D 01] · 8B 03                                 0 to 3
    commit      C7                                                        1

11 APDUs at most, 12 with a new entitlement, and one more each during a key roll (GetKeyVersion before 71)
and under the reading `abort_after_reads` (Abort before 6C). Nothing is changed on the card before Commit: a
card torn away earlier is as it was. Whatever fault `commit` raises, the debit is unconfirmed: present the
card again and compare its newest record with the intended one (`open_card` reads both it and its proof).

The issuing server's conversations are `personalise`, `inspect_card`, `write_entitlement` and `roll_keys`. A
card is blocked or unblocked like a tap without a fare: `open_card`, `stage(card, 0, record, None)`, `commit`,
with a record that carries the flag; its evidence has a debit of 0.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from fare.core.desfire import commands, layout
from fare.core.desfire import transaction_mac as tm
from fare.core.desfire.desk_load import write_entitlement
from fare.core.desfire.frames import Conversation, read_uid, run
from fare.core.desfire.generations import open_session
from fare.core.desfire.inspection import Inspection, inspect_card
from fare.core.desfire.key_roll import roll_keys
from fare.core.desfire.keys import CardKeyStore, KeyPurpose
from fare.core.desfire.messaging import Ev2Session
from fare.core.desfire.personalisation import personalise
from fare.core.proof.card import CommitProof

__all__ = [
    "Conversation",
    "Inspection",
    "OpenCard",
    "commit",
    "inspect_card",
    "open_card",
    "personalise",
    "read_uid",
    "roll_keys",
    "run",
    "stage",
    "write_entitlement",
]


@dataclass(frozen=True, slots=True)
class OpenCard:
    """A card authenticated with k1 and read, its session still open.

    `entitlement` (128 bytes) is as stored, its signature not yet checked. `previous` and `newest_record` (32
    bytes) are of the commit before this tap. `spent` is rial, ever. `key_version` is the generation of its
    keys.
    """

    uid: bytes
    session: Ev2Session
    entitlement: bytes
    previous: CommitProof
    newest_record: bytes
    spent: int
    key_version: int


def open_card(
    keys: CardKeyStore, rnd_a: Callable[[], bytes], reading: tm.Reading = tm.OUR_READING
) -> Conversation[OpenCard]:
    """Select, authenticate with k1 and read everything a tap needs; `rnd_a` gives 16 fresh random bytes.

    While `keys` hold more than one generation, the card is asked first which of them it has (one APDU more).
    Raises NotACardOfThisSystem, AuthenticationFailed or CardNotGenuine for cards to refuse,
    KeysOfAnotherGeneration for one whose keys are not held here, CardTorn for a lost card.
    """
    uid = yield from read_uid()
    yield from commands.select_application(layout.AID)
    session, version = yield from open_session(keys, KeyPurpose.VALIDATOR, layout.VALIDATOR_KEY, uid, rnd_a)
    entitlement = yield from commands.read_data(session, layout.ENTITLEMENT_FILE, 0, layout.ENTITLEMENT_SIZE)
    proof = yield from commands.read_data(session, layout.PROOF_FILE, 0, layout.PROOF_SIZE)
    record = yield from commands.read_records(session, layout.RECORD_FILE, 0, 1, layout.RECORD_SIZE)
    if reading.abort_after_reads:
        yield from commands.abort_transaction(session)
    value = yield from commands.get_value(session, layout.VALUE_FILE)
    return OpenCard(
        uid=uid,
        session=session,
        entitlement=entitlement,
        previous=CommitProof.decode(proof),
        newest_record=record,
        spent=layout.spent_from_value(value),
        key_version=version,
    )


def stage(card: OpenCard, debit_rial: int, record: bytes, entitlement: bytes | None) -> Conversation[None]:
    """Make a tap pending on the card: Debit above zero, a delivered entitlement if given, the record.

    ValueError, before anything is sent, for an amount or a size the card cannot hold.
    """
    if not 0 <= debit_rial <= layout.MAX_DEBIT_RIAL:
        raise ValueError(f"a card cannot be debited {debit_rial} rial")
    if len(record) != layout.RECORD_SIZE:
        raise ValueError(f"a record on a card has {layout.RECORD_SIZE} bytes, not {len(record)}")
    if entitlement is not None and len(entitlement) != layout.ENTITLEMENT_SIZE:
        raise ValueError(
            f"an entitlement on a card has {layout.ENTITLEMENT_SIZE} bytes, not {len(entitlement)}"
        )
    if debit_rial:
        yield from commands.debit(card.session, layout.VALUE_FILE, debit_rial)
    if entitlement is not None:
        yield from commands.write_data(card.session, layout.ENTITLEMENT_FILE, 0, entitlement)
    yield from commands.write_record(card.session, layout.RECORD_FILE, 0, record)


def commit(card: OpenCard) -> Conversation[CommitProof]:
    """Make the tap real and take the card's proof of it. Every CardFault raised here means *unconfirmed*."""
    return CommitProof.decode((yield from commands.commit_transaction(card.session)))
