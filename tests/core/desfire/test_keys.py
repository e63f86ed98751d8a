from __future__ import annotations

from dataclasses import replace

import pytest

from fare.core.desfire.keys import CardKeys, CardMasters, ValidatorKeys, transaction_mac_key
from fare.core.desfire.layout import AID
from tests.core.desfire.card_vectors import VECTORS

SYSTEM = b"mancard-test"
UID = bytes.fromhex("04A1B2C3D4E5F6")
SECRETS = [bytes([n]) * 16 for n in range(1, 6)]
MASTERS = CardMasters(*SECRETS, system_id=SYSTEM)


def test_keys_are_diversified_as_the_application_note_shows() -> None:
    vector = VECTORS["an10922-aes128"]
    raw = bytes.fromhex(vector["input"]["div_input"])
    master = bytes.fromhex(vector["input"]["master"])
    keys = ValidatorKeys(master, raw[10:])
    assert keys.k1_for(raw[:7], raw[7:10]).hex().upper() == vector["expected"]["diversified"]


def test_a_validator_and_the_ledger_derive_what_the_issuer_wrote() -> None:
    card = CardKeys.for_card(MASTERS, UID)
    assert ValidatorKeys(MASTERS.k1, SYSTEM).k1_for(UID) == card.k1
    assert transaction_mac_key(MASTERS.tm, SYSTEM, UID) == card.tm
    assert len({card.picc, card.k0, card.k1, card.k2, card.tm}) == 5


def test_another_card_application_or_system_has_other_keys() -> None:
    here = ValidatorKeys(MASTERS.k1, SYSTEM).k1_for(UID)
    assert ValidatorKeys(MASTERS.k1, SYSTEM).k1_for(UID[:-1] + b"\xf7") != here
    assert ValidatorKeys(MASTERS.k1, SYSTEM).k1_for(UID, b"\xf5MD") != here
    assert ValidatorKeys(MASTERS.k1, b"mancard-tesu").k1_for(UID) != here


def test_no_key_is_ever_printed() -> None:
    card = CardKeys.for_card(MASTERS, UID)
    shown = f"{MASTERS!r} {card!r} {ValidatorKeys(MASTERS.k1, SYSTEM)!r}"
    for secret in [*SECRETS, card.picc, card.k0, card.k1, card.k2, card.tm]:
        assert repr(secret)[2:-1] not in shown
        assert secret.hex() not in shown


@pytest.mark.parametrize("size", [0, 6, 22])
def test_a_system_id_that_would_break_diversification_is_refused(size: int) -> None:
    with pytest.raises(ValueError, match="7 to 21"):
        ValidatorKeys(bytes(16), bytes(size))
    with pytest.raises(ValueError, match="7 to 21"):
        CardMasters(*SECRETS, system_id=bytes(size))


def test_keys_uids_aids_and_versions_of_a_wrong_size_are_refused() -> None:
    with pytest.raises(ValueError, match="16 bytes, not 15"):
        ValidatorKeys(bytes(15), SYSTEM)
    with pytest.raises(ValueError, match="16 bytes, not 24"):
        replace(MASTERS, tm=bytes(24))
    with pytest.raises(ValueError, match="0 to 255"):
        CardMasters(*SECRETS, system_id=SYSTEM, version=256)
    with pytest.raises(ValueError, match="7 bytes, not 4"):
        CardKeys.for_card(MASTERS, UID[:4])
    with pytest.raises(ValueError, match="3 bytes, not 2"):
        CardKeys.for_card(MASTERS, UID, AID[:2])
