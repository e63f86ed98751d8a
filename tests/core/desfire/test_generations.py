"""A card whose keys are of another generation than those held here: named as such, not called a fake."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from fare.core.desfire import errors
from fare.core.desfire.application import inspect_card, open_card, roll_keys, run, write_entitlement
from fare.core.desfire.frames import Conversation
from fare.core.desfire.keys import CardKeyStore, KeyRing, ValidatorKeys
from hardware.emulator.card import VirtualCard
from tests.core.desfire.card_field import (
    MASTERS,
    NEWER,
    NEWER_MASTERS,
    RING,
    UID,
    VALIDATOR,
    Field,
    issued,
    put_back,
    rnd_a,
)

THIRD = replace(NEWER_MASTERS, k1=bytes([9]) * 16, version=3)
SPEAKING: dict[str, Callable[[CardKeyStore], Conversation[Any]]] = {
    "open": lambda keys: open_card(keys, rnd_a),
    "load": lambda keys: write_entitlement(keys, UID, NEWER, rnd_a),
    "inspect": lambda keys: inspect_card(keys, rnd_a),
}


def _rolled() -> VirtualCard:
    virtual, _ = issued()
    run(roll_keys(RING, UID, rnd_a), virtual.transmit)
    put_back(virtual)
    return virtual


@pytest.mark.parametrize("name", SPEAKING)
def test_a_card_of_another_generation_is_told_from_a_fake(name: str) -> None:
    older, newer = issued()[0], _rolled()
    cases: list[tuple[VirtualCard, int, CardKeyStore]] = [
        (newer, 2, MASTERS),
        (older, 1, NEWER_MASTERS),
        (older, 1, KeyRing((NEWER_MASTERS, THIRD))),
        (newer, 2, KeyRing((MASTERS, THIRD))),
    ]
    for virtual, found, keys in cases:
        put_back(virtual)
        air = Field(virtual)
        with pytest.raises(errors.KeysOfAnotherGeneration, match=f"generation {found}") as caught:
            run(SPEAKING[name](keys), air.transmit)
        assert (caught.value.found, caught.value.held) == (found, tuple(keys.versions))
        for held in keys.versions:
            assert str(held) in str(caught.value)
        asked = [apdu[1] for apdu in air.sent].count(0x64)
        assert (asked, len(air.sent)) == (1, 5 if len(keys.versions) == 1 else 3)


def test_a_card_of_this_generation_with_another_key_is_refused_as_before() -> None:
    foreign = ValidatorKeys({1: bytes([9]) * 16}, MASTERS.system_id)
    virtual, _ = issued()
    with pytest.raises(errors.AuthenticationFailed):
        run(open_card(foreign, rnd_a), virtual.transmit)


def test_whatever_the_failing_card_says_of_its_keys_it_is_refused() -> None:
    foreign = ValidatorKeys({1: bytes([9]) * 16}, MASTERS.system_id)
    for answer, fault in (
        (b"", errors.CardTorn),
        (b"\x91\xae", errors.AuthenticationFailed),
        (b"\x91\x00", errors.AuthenticationFailed),
        (b"\x01\x02\x91\x00", errors.AuthenticationFailed),
        (b"\x6d\x00", errors.AuthenticationFailed),
    ):
        virtual, _ = issued()

        def hostile(apdu: bytes, card: VirtualCard = virtual, said: bytes = answer) -> bytes:
            return said if apdu[1] == 0x64 else card.transmit(apdu)

        with pytest.raises(fault):
            run(open_card(foreign, rnd_a), hostile)


def test_a_card_that_opens_is_not_asked_for_its_generation() -> None:
    air = Field(issued()[0])
    put_back(air.card)
    assert run(open_card(VALIDATOR, rnd_a), air.transmit).key_version == 1
    assert 0x64 not in [apdu[1] for apdu in air.sent]


def test_a_roll_names_the_generations_too() -> None:
    for virtual, keys in ((_rolled(), MASTERS), (issued()[0], NEWER_MASTERS)):
        put_back(virtual)
        with pytest.raises(errors.KeysOfAnotherGeneration):
            run(roll_keys(keys, UID, rnd_a), virtual.transmit)
