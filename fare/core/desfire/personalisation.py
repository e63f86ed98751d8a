"""Turning a fresh card into a Mancard card. Runs on the issuing server; the desk only relays its APDUs.

A fresh card's PICC master key is the factory's: two-key triple DES of zeros as NXP delivers it, AES of zeros
once prepared, or the AES transport key agreed with the chips' supplier. In this order, so that a card torn
away can simply be put back:

0. PICC, DES key: the master key becomes the factory's AES key (`legacy`).
1. PICC, factory key: delete a half-made Mancard application if one is there, create it.
2. Application, first k0: files 01, 02, 03, 0F; then keys k2, k1, and k0 last, which the card proves.
3. PICC, factory key: key settings, format disabled, then the PICC master key last, which the card proves.
From here on the card is ours.
4. Application, k1: the entitlement, the first record, Commit: TMC 1.

A session's own key is changed without a signed answer, so whoever relays might keep that command from the
card and say "done". The card therefore authenticates with both such keys before it counts as issued, and its
PICC master changes only after k0 was proven: a card that kept either factory key is still a fresh one.

Run again on a card torn in 0 to 3 it starts anew; torn in 4 it continues, and when only the answer to the
Commit was lost it returns the proof the card kept. Any other card of ours is AlreadyPersonalised.
"""

from __future__ import annotations

from collections.abc import Callable

from fare.core.desfire import commands, layout
from fare.core.desfire.authentication import authenticate_ev2_first
from fare.core.desfire.errors import (
    AlreadyPersonalised,
    AuthenticationFailed,
    CardAnswered,
    KeyNotTaken,
    NotACardOfThisSystem,
)
from fare.core.desfire.frames import Conversation, read_uid
from fare.core.desfire.inspection import ask_chip
from fare.core.desfire.keys import KEY_SIZE, CardKeys, SecretKey
from fare.core.desfire.legacy import convert_master_to_aes
from fare.core.desfire.messaging import Ev2Session
from fare.core.proof.card import CommitProof

FACTORY_KEY = bytes(KEY_SIZE)

_PICC_MASTER_KEY = 0
_CONFIGURE_PICC = 0x00


def personalise(
    keys: CardKeys,
    uid: bytes,
    entitlement: bytes,
    first_record: bytes,
    rnd_a: Callable[[], bytes],
    factory_key: bytes = FACTORY_KEY,
) -> Conversation[CommitProof]:
    """Personalise the card `keys` were diversified for; returns its first proof (TMC 1).

    `entitlement` has 128 bytes, `first_record` 32; `rnd_a` gives 16 fresh random bytes at each call. Raises
    NotACardOfThisSystem, saying which, for another UID, another chip or foreign keys, AlreadyPersonalised for
    a card in use, KeyNotTaken for one that cannot prove a key it was given.

    `factory_key` is the AES master key the chips are delivered with. The factory's own is public: whoever
    relays or overhears this conversation then can derive its session keys and decipher every key written. A
    transport key agreed with the supplier closes that: the application is made with a secret first key, so no
    session here runs under a public one, and a card that still has the public key is refused.
    """
    if len(entitlement) != layout.ENTITLEMENT_SIZE or len(first_record) != layout.RECORD_SIZE:
        raise ValueError(
            f"a card takes {layout.ENTITLEMENT_SIZE} bytes of entitlement and {layout.RECORD_SIZE} of record"
        )
    factory = SecretKey(factory_key)
    if (yield from read_uid()) != uid:
        raise NotACardOfThisSystem("another card lies on the reader")
    yield from ask_chip()
    if (yield from _is_ours(keys, factory, rnd_a)):
        yield from _check_issuer_key(keys, rnd_a)
    else:
        secret = factory_key != FACTORY_KEY
        first_key = keys.k0 if secret else FACTORY_KEY
        yield from _create_application(keys, factory, secret, rnd_a)
        yield from _fill_application(keys, first_key, rnd_a)
        yield from _close_picc(keys, factory, rnd_a)
    return (yield from _finish(keys, entitlement, first_record, rnd_a))


def _is_ours(keys: CardKeys, factory: SecretKey, rnd_a: Callable[[], bytes]) -> Conversation[bool]:
    """False for the factory's PICC master key, True for ours; NotACardOfThisSystem for any other."""
    foreign = NotACardOfThisSystem("its master key is neither the factory's nor ours")
    if (yield from _master_key_is_des()):
        if factory.value != FACTORY_KEY:
            raise NotACardOfThisSystem("its master key is the chip maker's, not the agreed transport key")
        try:
            yield from convert_master_to_aes(FACTORY_KEY, 0, rnd_a())
        except AuthenticationFailed as fault:
            raise foreign from fault
        return False
    try:
        yield from authenticate_ev2_first(_PICC_MASTER_KEY, factory, rnd_a())
    except AuthenticationFailed:
        pass
    else:
        return False
    try:
        yield from authenticate_ev2_first(_PICC_MASTER_KEY, SecretKey(keys.picc), rnd_a())
    except AuthenticationFailed as fault:
        raise foreign from fault
    return True


def _master_key_is_des() -> Conversation[bool]:
    """A fresh card says so freely; one that keeps its settings to itself has been personalised by someone."""
    try:
        return not (yield from commands.get_key_settings(None)).aes
    except CardAnswered:
        return False


def _open_picc(factory: SecretKey, rnd_a: Callable[[], bytes]) -> Conversation[Ev2Session]:
    yield from commands.select_application(layout.PICC_AID)
    return (yield from authenticate_ev2_first(_PICC_MASTER_KEY, factory, rnd_a()))


def _create_application(
    keys: CardKeys, factory: SecretKey, secret: bool, rnd_a: Callable[[], bytes]
) -> Conversation[None]:
    try:
        yield from commands.select_application(layout.AID)
        half_made = True
    except NotACardOfThisSystem:
        half_made = False
    session = yield from _open_picc(factory, rnd_a)
    if half_made:
        yield from commands.delete_application(session, layout.AID)
    if secret:
        yield from commands.set_default_key(session, keys.k0, keys.version)
    yield from commands.create_application(
        session, layout.AID, layout.APPLICATION_KEY_SETTINGS, layout.NUMBER_OF_KEYS, layout.ROLL_KEY
    )
    if secret:
        yield from commands.set_default_key(session, FACTORY_KEY, 0)


def _fill_application(keys: CardKeys, first_key: bytes, rnd_a: Callable[[], bytes]) -> Conversation[None]:
    yield from commands.select_application(layout.AID)
    session = yield from authenticate_ev2_first(layout.ISSUER_KEY, SecretKey(first_key), rnd_a())
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
    yield from commands.change_other_key(session, layout.LOAD_KEY, keys.k2, keys.version, first_key)
    yield from commands.change_other_key(session, layout.VALIDATOR_KEY, keys.k1, keys.version, first_key)
    if first_key != keys.k0:
        yield from commands.change_own_key(session, layout.ISSUER_KEY, keys.k0, keys.version)
        yield from _prove(layout.ISSUER_KEY, keys.k0, rnd_a)


def _close_picc(keys: CardKeys, factory: SecretKey, rnd_a: Callable[[], bytes]) -> Conversation[None]:
    session = yield from _open_picc(factory, rnd_a)
    yield from commands.change_key_settings(session, layout.PICC_KEY_SETTINGS)
    yield from commands.set_configuration(session, _CONFIGURE_PICC, layout.PICC_CONFIGURATION)
    yield from commands.change_own_key(session, commands.PICC_AES_KEY_NO, keys.picc, keys.version)
    yield from _prove(_PICC_MASTER_KEY, keys.picc, rnd_a)


def _prove(key_no: int, key: bytes, rnd_a: Callable[[], bytes]) -> Conversation[None]:
    """Let the card show that it took the session's own key; what was selected still is."""
    try:
        yield from authenticate_ev2_first(key_no, SecretKey(key), rnd_a())
    except AuthenticationFailed as fault:
        raise KeyNotTaken from fault


def _check_issuer_key(keys: CardKeys, rnd_a: Callable[[], bytes]) -> Conversation[None]:
    """A card under our PICC master proved its k0 before; one that cannot was not made in this way."""
    yield from commands.select_application(layout.AID)
    try:
        yield from authenticate_ev2_first(layout.ISSUER_KEY, SecretKey(keys.k0), rnd_a())
    except AuthenticationFailed as fault:
        raise NotACardOfThisSystem("its issuer key is not its own") from fault


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
