"""A load at a desk: the evidence of the last tap first, then the entitlement under k2."""

from __future__ import annotations

import pytest

from fare.core.desfire import errors
from fare.core.desfire.application import run, write_entitlement
from fare.core.desfire.keys import CardKeyStore
from fare.core.proof.card import load_tmi, tap_tmi, verify_commit
from tests.core.desfire.card_field import (
    ENTITLEMENT,
    FARE_RIAL,
    KEYS,
    MASTERS,
    NEWER,
    RECORD,
    RING,
    UID,
    VALIDATOR,
    Field,
    evidence,
    issued,
    opened,
    ride,
    rnd_a,
)
from tests.core.desfire.card_vectors import flipped


@pytest.mark.parametrize(("keys", "apdus"), [(MASTERS, 6), (RING, 7)])
def test_a_load_is_proven_by_the_entitlement_alone(keys: CardKeyStore, apdus: int) -> None:
    virtual, _ = issued()
    before = opened(virtual)
    air = Field(virtual)
    proof = run(write_entitlement(keys, UID, NEWER, rnd_a), air.transmit)
    assert len(air.sent) == apdus
    assert proof.tmc == before.previous.tmc + 1
    assert verify_commit(KEYS.tm, UID, load_tmi(NEWER), proof)
    assert not verify_commit(KEYS.tm, UID, load_tmi(ENTITLEMENT), proof)
    after = opened(virtual)
    assert (after.entitlement, after.previous, after.spent) == (NEWER, proof, 0)
    assert after.newest_record == before.newest_record


def test_a_tap_after_a_load_carries_the_loads_proof() -> None:
    virtual, _ = issued()
    run(write_entitlement(MASTERS, UID, NEWER, rnd_a), virtual.transmit)
    loaded = opened(virtual).previous
    card, proof = run(ride(), virtual.transmit)
    assert card.previous == loaded
    tap = evidence(card, proof, FARE_RIAL, None)
    assert verify_commit(KEYS.tm, UID, tap_tmi(tap, NEWER, None), proof)
    assert opened(virtual).newest_record == RECORD


def test_a_load_onto_another_card_or_of_another_size_is_refused() -> None:
    virtual, first = issued()
    with pytest.raises(errors.NotACardOfThisSystem, match="another card"):
        run(write_entitlement(MASTERS, flipped(UID), NEWER, rnd_a), virtual.transmit)
    with pytest.raises(ValueError, match="128"):
        run(write_entitlement(MASTERS, UID, NEWER[1:], rnd_a), lambda _: pytest.fail("nothing may be sent"))
    assert opened(virtual).previous == first


def test_a_torn_load_leaves_the_old_or_the_new_entitlement() -> None:
    for cut_at, after in [(n, side) for n in range(6) for side in (False, True)]:
        virtual, first = issued()
        with pytest.raises(errors.CardTorn):
            run(write_entitlement(MASTERS, UID, NEWER, rnd_a), Field(virtual, cut_at, after).transmit)
        card = opened(virtual)
        if (cut_at, after) == (5, True):
            assert card.entitlement == NEWER
            assert verify_commit(KEYS.tm, UID, load_tmi(NEWER), card.previous)
        else:
            assert (card.entitlement, card.previous) == (ENTITLEMENT, first)


def test_a_validator_cannot_load() -> None:
    virtual, first = issued()
    with pytest.raises(errors.NotACardOfThisSystem, match="not held"):
        run(write_entitlement(VALIDATOR, UID, NEWER, rnd_a), virtual.transmit)
    assert opened(virtual).previous == first
