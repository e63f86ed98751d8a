"""Rolling a card's keys: in use meanwhile, torn anywhere and finished by running it again."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fare.core.desfire import commands, errors, layout
from fare.core.desfire.application import commit, inspect_card, open_card, roll_keys, run, stage
from fare.core.desfire.authentication import authenticate_ev2_first
from fare.core.desfire.keys import KeyPurpose, KeyRing, ValidatorKeys
from fare.core.proof.card import tap_tmi, verify_commit
from hardware.emulator.card import VirtualCard
from tests.core.desfire.card_field import (
    ENTITLEMENT,
    FARE_RIAL,
    KEYS,
    MASTERS,
    NEWER_MASTERS,
    RECORD,
    RING,
    UID,
    Field,
    evidence,
    issued,
    put_back,
    rnd_a,
    under,
)
from tests.core.desfire.card_vectors import flipped

BOTH = ValidatorKeys({1: MASTERS.k1, 2: NEWER_MASTERS.k1}, MASTERS.system_id)
ONLY_NEW = ValidatorKeys({2: NEWER_MASTERS.k1}, MASTERS.system_id)
ROLL_APDUS = 24


def _tap_is_proven(virtual: VirtualCard) -> int:
    """Ride on the card with a validator that holds both generations; the APDUs it took."""
    put_back(virtual)
    air = Field(virtual)
    card = run(open_card(BOTH, rnd_a), air.transmit)
    run(stage(card, FARE_RIAL, RECORD, None), air.transmit)
    proof = run(commit(card), air.transmit)
    assert verify_commit(
        KEYS.tm, UID, tap_tmi(evidence(card, proof, FARE_RIAL, None), ENTITLEMENT, None), proof
    )
    return len(air.sent)


def test_a_roll_moves_every_key_but_the_transaction_mac_key() -> None:
    virtual, first = issued()
    assert _tap_is_proven(virtual) == 12
    put_back(virtual)
    air = Field(virtual)
    assert run(roll_keys(RING, UID, rnd_a), air.transmit) == 2
    assert len(air.sent) == ROLL_APDUS
    assert _tap_is_proven(virtual) == 12
    put_back(virtual)
    seen = run(inspect_card(RING, rnd_a), virtual.transmit)
    assert (seen.key_versions, seen.spent, seen.proof.tmc) == ((2, 2, 2), 2 * FARE_RIAL, first.tmc + 2)
    put_back(virtual)
    run(open_card(ONLY_NEW, rnd_a), virtual.transmit)
    for number, purpose in enumerate((KeyPurpose.ISSUER, KeyPurpose.VALIDATOR, KeyPurpose.LOAD)):
        old = MASTERS.key(purpose, 1, UID).reveal()
        with pytest.raises(errors.AuthenticationFailed):
            run(under(number, old, lambda s: commands.get_key_version(s, 0)), virtual.transmit)
    run(commands.select_application(layout.PICC_AID), virtual.transmit)
    with pytest.raises(errors.AuthenticationFailed):
        run(authenticate_ev2_first(0, MASTERS.key(KeyPurpose.PICC, 1, UID), rnd_a()), virtual.transmit)


def test_a_card_already_rolled_is_only_asked_to_prove_it() -> None:
    virtual, _ = issued()
    run(roll_keys(RING, UID, rnd_a), virtual.transmit)
    air = Field(virtual)
    assert run(roll_keys(RING, UID, rnd_a), air.transmit) == 2
    assert len(air.sent) == 12
    said = {apdu[1] for apdu in air.sent}
    assert not said & {0x55, 0x56, 0x57, 0xC4, 0xC6}


def test_a_roll_torn_anywhere_leaves_a_usable_card_and_is_finished_by_another() -> None:
    for cut_at, after in [(n, side) for n in range(ROLL_APDUS) for side in (False, True)]:
        virtual, _ = issued()
        with pytest.raises(errors.CardTorn):
            run(roll_keys(RING, UID, rnd_a), Field(virtual, cut_at, after).transmit)
        assert _tap_is_proven(virtual) == 12
        put_back(virtual)
        assert run(roll_keys(RING, UID, rnd_a), virtual.transmit) == 2
        put_back(virtual)
        assert run(inspect_card(RING, rnd_a), virtual.transmit).key_versions == (2, 2, 2)
        run(commands.select_application(layout.PICC_AID), virtual.transmit)
        run(authenticate_ev2_first(0, NEWER_MASTERS.key(KeyPurpose.PICC, 2, UID), rnd_a()), virtual.transmit)


def test_keys_roll_again_and_past_a_generation() -> None:
    virtual, _ = issued()
    run(roll_keys(RING, UID, rnd_a), virtual.transmit)
    third = replace(NEWER_MASTERS, k0=bytes([9]) * 16, k1=bytes([10]) * 16, version=3)
    fifth = replace(NEWER_MASTERS, k2=bytes([11]) * 16, picc=bytes([12]) * 16, version=5)
    ring = KeyRing((MASTERS, NEWER_MASTERS, third, fifth), current_version=3)
    assert run(roll_keys(ring, UID, rnd_a), virtual.transmit) == 3
    assert run(roll_keys(replace(ring, current_version=5), UID, rnd_a), virtual.transmit) == 5
    put_back(virtual)
    assert run(inspect_card(ring, rnd_a), virtual.transmit).key_versions == (5, 5, 5)
    with pytest.raises(errors.NotACardOfThisSystem, match="newer"):
        run(roll_keys(ring, UID, rnd_a), virtual.transmit)


def test_a_staged_generation_is_not_rolled_to() -> None:
    virtual, _ = issued()
    assert run(roll_keys(replace(RING, current_version=1), UID, rnd_a), virtual.transmit) == 1


def test_a_roll_of_another_card_or_of_unknown_keys_is_refused() -> None:
    virtual, _ = issued()
    with pytest.raises(errors.NotACardOfThisSystem, match="another card"):
        run(roll_keys(RING, flipped(UID), rnd_a), virtual.transmit)
    with pytest.raises(errors.NotACardOfThisSystem, match="generation"):
        run(roll_keys(NEWER_MASTERS, UID, rnd_a), virtual.transmit)
    assert _tap_is_proven(virtual) == 12


def test_only_the_roll_key_rolls() -> None:
    for number, key in ((1, KEYS.k1), (2, KEYS.k2)):
        virtual, _ = issued()
        for speak in (
            lambda s: commands.initialize_key_set(s, 1),
            lambda s: commands.change_key_in_set(s, 1, 1, bytes(16), 9, bytes(16)),
            lambda s: commands.finalize_key_set(s, 1, 9),
            lambda s: commands.roll_key_set(s, 1),
        ):
            with pytest.raises((errors.PermissionDenied, errors.AuthenticationFailed)):
                run(under(number, key, speak), virtual.transmit)
        assert _tap_is_proven(virtual) == 12


def test_a_chip_that_copies_its_keys_into_a_new_set_is_tried_as_well() -> None:
    """The virtual card's new sets are blank; which a chip does is not published, so both are tried."""
    virtual, _ = issued()
    sent: list[int] = []

    def refusing(apdu: bytes) -> bytes:
        sent.append(apdu[1])
        return b"\x91\x1e" if sent.count(0xC6) == 1 and apdu[1] == 0xC6 else virtual.transmit(apdu)

    with pytest.raises(errors.IntegrityError):
        run(roll_keys(RING, UID, rnd_a), refusing)
    assert sent[-4:] == [0x71, 0xAF, 0x56, 0xC6]
    assert _tap_is_proven(virtual) == 12
