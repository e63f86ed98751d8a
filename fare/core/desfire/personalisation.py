"""Turning a fresh card into a Mancard card. Runs on the issuing server; the desk only relays its APDUs.

A fresh card has an all-zero AES PICC master key. In this order, so that a card torn away can simply be put
back:

1. PICC, factory key: delete a half-made Mancard application if one is there, create it.
2. Application, default k0: files 01, 02, 03, 0F; then keys k2, k1, and k0 last.
3. PICC, factory key: key settings, format disabled, then the PICC master key last. From here on the card is
ours.
4. Application, k1: the entitlement, the first record, Commit: TMC 1.

Run again on a card torn in 1 to 3 it starts anew; torn in 4 it continues, and when only the answer to the
Commit was lost it returns the proof the card kept. Any other card of ours is AlreadyPersonalised.
"""

from __future__ import annotations

from collections.abc import Callable

from fare.core.desfire import commands, layout
from fare.core.desfire.authentication import authenticate_ev2_first
from fare.core.desfire.errors import AlreadyPersonalised, AuthenticationFailed, NotACardOfThisSystem
from fare.core.desfire.frames import Conversation, read_uid
from fare.core.desfire.inspection import ask_chip
from fare.core.desfire.keys import KEY_SIZE, CardKeys, SecretKey
from fare.core.desfire.messaging import Ev2Session
from fare.core.proof.card import CommitProof

FACTORY_KEY = bytes(KEY_SIZE)
_FACTORY = SecretKey(FACTORY_KEY)

_PICC_MASTER_KEY = 0
_CONFIGURE_PICC = 0x00


def personalise(
    keys: CardKeys, uid: bytes, entitlement: bytes, first_record: bytes, rnd_a: Callable[[], bytes]
) -> Conversation[CommitProof]:
    """Personalise the card `keys` were diversified for; returns its first proof (TMC 1).

    `entitlement` has 128 bytes, `first_record` 32; `rnd_a` gives 16 fresh random bytes at each call. Raises
    NotACardOfThisSystem for another UID, another chip or foreign keys, AlreadyPersonalised for a card in use.
    """
    if len(entitlement) != layout.ENTITLEMENT_SIZE or len(first_record) != layout.RECORD_SIZE:
        raise ValueError(
            f"a card takes {layout.ENTITLEMENT_SIZE} bytes of entitlement and {layout.RECORD_SIZE} of record"
        )
    if (yield from read_uid()) != uid:
        raise NotACardOfThisSystem("another card lies on the reader")
    yield from ask_chip()
    if (yield from _is_ours(keys, rnd_a)):
        return (yield from _finish(keys, entitlement, first_record, rnd_a))
    yield from _create_application(rnd_a)
    yield from _fill_application(keys, rnd_a)
    yield from _close_picc(keys, rnd_a)
    return (yield from _finish(keys, entitlement, first_record, rnd_a))


def _is_ours(keys: CardKeys, rnd_a: Callable[[], bytes]) -> Conversation[bool]:
    """False for the factory's PICC master key, True for ours; NotACardOfThisSystem for any other."""
    try:
        yield from authenticate_ev2_first(_PICC_MASTER_KEY, _FACTORY, rnd_a())
    except AuthenticationFailed:
        pass
    else:
        return False
    try:
        yield from authenticate_ev2_first(_PICC_MASTER_KEY, SecretKey(keys.picc), rnd_a())
    except AuthenticationFailed as fault:
        raise NotACardOfThisSystem("its master key is neither the factory's nor ours") from fault
    return True


def _open_picc(rnd_a: Callable[[], bytes]) -> Conversation[Ev2Session]:
    yield from commands.select_application(layout.PICC_AID)
    return (yield from authenticate_ev2_first(_PICC_MASTER_KEY, _FACTORY, rnd_a()))


def _create_application(rnd_a: Callable[[], bytes]) -> Conversation[None]:
    try:
        yield from commands.select_application(layout.AID)
        half_made = True
    except NotACardOfThisSystem:
        half_made = False
    session = yield from _open_picc(rnd_a)
    if half_made:
        yield from commands.delete_application(session, layout.AID)
    yield from commands.create_application(
        session, layout.AID, layout.APPLICATION_KEY_SETTINGS, layout.NUMBER_OF_KEYS, layout.ROLL_KEY
    )


def _fill_application(keys: CardKeys, rnd_a: Callable[[], bytes]) -> Conversation[None]:
    yield from commands.select_application(layout.AID)
    session = yield from authenticate_ev2_first(layout.ISSUER_KEY, _FACTORY, rnd_a())
    yield from commands.create_backup_data_file(
        session, layout.ENTITLEMENT_FILE, layout.ENTITLEMENT_RIGHTS, layout.ENTITLEMENT_SIZE
    )
    yield from commands.create_value_file(
        session,
        layout.VALUE_FILE,
        layout.VALUE_RIGHTS,
        layout.VALUE_LOWER_LIMIT,
        layout.VALUE_UPPER_LIMIT,
        layout.value_from_spent(0),
        layout.VALUE_OPTIONS,
    )
    yield from commands.create_cyclic_record_file(
        session, layout.RECORD_FILE, layout.RECORD_RIGHTS, layout.RECORD_SIZE, layout.MAX_RECORDS
    )
    yield from commands.create_transaction_mac_file(
        session, layout.PROOF_FILE, layout.PROOF_RIGHTS, keys.tm, keys.version
    )
    yield from commands.change_other_key(session, layout.LOAD_KEY, keys.k2, keys.version, FACTORY_KEY)
    yield from commands.change_other_key(session, layout.VALIDATOR_KEY, keys.k1, keys.version, FACTORY_KEY)
    yield from commands.change_own_key(session, layout.ISSUER_KEY, keys.k0, keys.version)


def _close_picc(keys: CardKeys, rnd_a: Callable[[], bytes]) -> Conversation[None]:
    session = yield from _open_picc(rnd_a)
    yield from commands.change_key_settings(session, layout.PICC_KEY_SETTINGS)
    yield from commands.set_configuration(session, _CONFIGURE_PICC, layout.PICC_CONFIGURATION)
    yield from commands.change_own_key(session, commands.PICC_AES_KEY_NO, keys.picc, keys.version)


def _finish(
    keys: CardKeys, entitlement: bytes, first_record: bytes, rnd_a: Callable[[], bytes]
) -> Conversation[CommitProof]:
    yield from commands.select_application(layout.AID)
    session = yield from authenticate_ev2_first(layout.VALIDATOR_KEY, SecretKey(keys.k1), rnd_a())
    kept = CommitProof.decode(
        (yield from commands.read_data(session, layout.PROOF_FILE, 0, layout.PROOF_SIZE))
    )
    if kept.tmc:
        yield from _check_same_content(session, kept, entitlement, first_record)
        return kept
    yield from commands.write_data(session, layout.ENTITLEMENT_FILE, 0, entitlement)
    yield from commands.write_record(session, layout.RECORD_FILE, 0, first_record)
    return CommitProof.decode((yield from commands.commit_transaction(session)))


def _check_same_content(
    session: Ev2Session, kept: CommitProof, entitlement: bytes, first_record: bytes
) -> Conversation[None]:
    """Only the lost answer to this very personalisation may be given again."""
    if kept.tmc != 1:
        raise AlreadyPersonalised
    stored = yield from commands.read_data(session, layout.ENTITLEMENT_FILE, 0, layout.ENTITLEMENT_SIZE)
    record = yield from commands.read_records(session, layout.RECORD_FILE, 0, 1, layout.RECORD_SIZE)
    if stored != entitlement or record != first_record:
        raise AlreadyPersonalised
