from __future__ import annotations

from dataclasses import replace

import pytest

from fare.core.desfire import crypto
from fare.core.desfire.keys import (
    CardKeys,
    CardMasters,
    KeyNotHeld,
    KeyPurpose,
    KeyRing,
    ValidatorKeys,
    diversification_input,
)
from fare.core.desfire.layout import AID
from tests.core.desfire.card_vectors import VECTORS

SYSTEM = b"mancard-test"
UID = bytes.fromhex("04A1B2C3D4E5F6")
SECRETS = [bytes([n]) * 16 for n in range(1, 6)]
MASTERS = CardMasters(*SECRETS, system_id=SYSTEM)


def _k1(uid: bytes, system: bytes = SYSTEM) -> bytes:
    return ValidatorKeys({1: MASTERS.k1}, system).key(KeyPurpose.VALIDATOR, 1, uid).reveal()


def test_keys_are_diversified_as_the_application_note_shows() -> None:
    vector = VECTORS["an10922-aes128"]
    raw = bytes.fromhex(vector["input"]["div_input"])
    master = bytes.fromhex(vector["input"]["master"])
    m = diversification_input(raw[:7], raw[7:10], raw[10:])
    assert crypto.diversify(master, m).hex().upper() == vector["expected"]["diversified"]


def test_a_validator_and_the_ledger_derive_what_the_issuer_wrote() -> None:
    card = CardKeys.for_card(MASTERS, UID)
    assert _k1(UID) == card.k1
    assert MASTERS.key(KeyPurpose.TRANSACTION_MAC, 1, UID).reveal() == card.tm
    assert len({card.picc, card.k0, card.k1, card.k2, card.tm}) == 5


def test_another_card_application_or_system_has_other_keys() -> None:
    here = _k1(UID)
    assert _k1(UID[:-1] + b"\xf7") != here
    assert _k1(UID, b"mancard-tesu") != here
    other_application = diversification_input(UID, b"\xf5MD", SYSTEM)
    assert crypto.diversify(MASTERS.k1, other_application) != here


def test_a_store_gives_what_it_holds_and_nothing_else() -> None:
    following = CardMasters(*[bytes([n]) * 16 for n in range(6, 11)], system_id=SYSTEM, version=2)
    ring = KeyRing((MASTERS, following))
    assert list(ring.versions) == [1, 2]
    assert CardKeys.for_card(ring, UID) == CardKeys.for_card(following, UID)
    assert CardKeys.for_card(ring, UID, 1) == CardKeys.for_card(MASTERS, UID)
    validator = ValidatorKeys({2: following.k1, 1: MASTERS.k1}, SYSTEM)
    assert list(validator.versions) == [1, 2]
    for version in (1, 2):
        held = validator.key(KeyPurpose.VALIDATOR, version, UID).reveal()
        assert held == ring.key(KeyPurpose.VALIDATOR, version, UID).reveal()
    for purpose in set(KeyPurpose) - {KeyPurpose.VALIDATOR}:
        with pytest.raises(KeyNotHeld, match=f"No key {purpose}"):
            validator.key(purpose, 1, UID)
    for store in (ring, validator, MASTERS):
        with pytest.raises(KeyNotHeld, match="version 3"):
            store.key(KeyPurpose.VALIDATOR, 3, UID)
    for wrong in ((), (following, MASTERS), (MASTERS, MASTERS)):
        with pytest.raises(ValueError, match="oldest first"):
            KeyRing(wrong)
    with pytest.raises(ValueError, match="at least one"):
        ValidatorKeys({}, SYSTEM)


def test_no_key_is_ever_printed() -> None:
    card = CardKeys.for_card(MASTERS, UID)
    validator, load = ValidatorKeys({1: MASTERS.k1}, SYSTEM), MASTERS.key(KeyPurpose.LOAD, 1, UID)
    shown = f"{MASTERS!r} {card!r} {validator!r} {load!r}"
    for secret in [*SECRETS, card.picc, card.k0, card.k1, card.k2, card.tm]:
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown


@pytest.mark.parametrize("size", [0, 6, 22])
def test_a_system_id_that_would_break_diversification_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="7 to 21"):
        ValidatorKeys({1: bytes(16)}, bytes(size))
    with pytest.raises(ValueError, match="7 to 21"):
        CardMasters(*SECRETS, system_id=bytes(size))


def test_keys_uids_aids_and_versions_of_a_wrong_size_are_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes, not 15"):
        ValidatorKeys({1: bytes(15)}, SYSTEM)
    with pytest.raises(ValueError, match="16 bytes, not 24"):
        replace(MASTERS, tm=bytes(24))
    with pytest.raises(ValueError, match="0 to 255"):
        CardMasters(*SECRETS, system_id=SYSTEM, version=256)
    with pytest.raises(ValueError, match="7 bytes, not 4"):
        CardKeys.for_card(MASTERS, UID[:4])
    with pytest.raises(ValueError, match="3 bytes, not 2"):
        diversification_input(UID, AID[:2], SYSTEM)
