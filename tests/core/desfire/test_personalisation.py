"""Personalising the virtual card: every way a chip is delivered, torn anywhere, and what is refused."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from fare.core.desfire import commands, errors, layout
from fare.core.desfire.application import personalise, run
from fare.core.desfire.authentication import SecretKey, authenticate_ev2_first
from fare.core.desfire.keys import CardKeys
from fare.core.desfire.legacy import FACTORY_DES_KEY, authenticate_iso, change_master_to_aes
from fare.core.proof.card import personalisation_tmi, verify_commit
from hardware.emulator.card import VirtualCard
from tests.core.desfire.card_field import (
    ENTITLEMENT,
    FIRST,
    KEYS,
    MASTERS,
    UID,
    Field,
    issued,
    opened,
    put_back,
    ride,
    rnd_a,
)


def aes_master() -> VirtualCard:
    return VirtualCard.factory(UID)


def des_master() -> VirtualCard:
    return VirtualCard.factory(UID, des_master=True)


DELIVERED: list[tuple[Callable[[], VirtualCard], int]] = [(aes_master, 36), (des_master, 37)]


def _personalised(virtual: VirtualCard) -> None:
    """The card is issued, its first proof verifies, and it can be ridden with."""
    _, first = issued(virtual)
    assert first.tmc == 1
    assert verify_commit(KEYS.tm, UID, personalisation_tmi(ENTITLEMENT, FIRST), first)
    _, proof = run(ride(), virtual.transmit)
    assert proof.tmc == 2


@pytest.mark.parametrize(("delivered", "apdus"), DELIVERED)
def test_a_card_torn_anywhere_in_its_personalisation_can_be_put_back(
    delivered: Callable[[], VirtualCard], apdus: int
) -> None:
    whole = Field(delivered())
    run(personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a), whole.transmit)
    assert len(whole.sent) == apdus
    for cut_at, after in [(n, side) for n in range(apdus) for side in (False, True)]:
        virtual = delivered()
        with pytest.raises(errors.CardTorn):
            run(personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a), Field(virtual, cut_at, after).transmit)
        virtual.power(True)
        _personalised(virtual)


def test_a_chip_that_refuses_the_iso_authentication_is_opened_by_d40() -> None:
    virtual = des_master()

    def without_iso(apdu: bytes) -> bytes:
        return b"\x91\x1c" if apdu[1] == 0x1A else virtual.transmit(apdu)

    assert run(personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a), without_iso).tmc == 1
    assert opened(virtual).entitlement == ENTITLEMENT


def test_the_issued_cards_master_key_is_its_own() -> None:
    virtual, _ = issued(des_master())
    put_back(virtual)
    run(commands.select_application(layout.PICC_AID), virtual.transmit)
    with pytest.raises(errors.AuthenticationFailed):
        run(authenticate_ev2_first(0, SecretKey(bytes(16)), rnd_a()), virtual.transmit)
    with pytest.raises(errors.CardAnswered):
        run(authenticate_iso(0, FACTORY_DES_KEY, rnd_a()[:8]), virtual.transmit)
    run(authenticate_ev2_first(0, SecretKey(KEYS.picc), rnd_a()), virtual.transmit)


def test_a_des_card_of_another_master_key_is_refused() -> None:
    virtual = des_master()

    def foreign(apdu: bytes) -> bytes:
        return b"\x91\xae" if apdu[1] in (0x1A, 0x0A) else virtual.transmit(apdu)

    with pytest.raises(errors.NotACardOfThisSystem, match="neither"):
        run(personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a), foreign)


def _with_master_key(key: bytes) -> VirtualCard:
    virtual = des_master()

    def change() -> commands.Conversation[None]:
        yield from commands.select_application(layout.PICC_AID)
        session = yield from authenticate_iso(0, FACTORY_DES_KEY, rnd_a()[:8])
        yield from change_master_to_aes(session, key, 1)

    run(change(), virtual.transmit)
    put_back(virtual)
    return virtual


TRANSPORT = bytes.fromhex("74726E73706F72742D6B65792D303031")


def test_a_card_without_the_agreed_transport_key_is_refused_and_left_alone() -> None:
    for virtual, why in ((des_master(), "transport"), (aes_master(), "neither")):
        with pytest.raises(errors.NotACardOfThisSystem, match=why):
            run(personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a, TRANSPORT), virtual.transmit)
        put_back(virtual)
        _personalised(virtual)
    virtual = _with_master_key(TRANSPORT)
    with pytest.raises(errors.NotACardOfThisSystem, match="neither"):
        run(personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a), virtual.transmit)


def test_a_card_of_another_system_is_not_personalised() -> None:
    virtual, _ = issued()
    foreign = CardKeys.for_card(replace(MASTERS, system_id=b"another-city"), UID)
    with pytest.raises(errors.NotACardOfThisSystem, match="neither"):
        run(personalise(foreign, UID, ENTITLEMENT, FIRST, rnd_a), virtual.transmit)
    assert opened(virtual).spent == 0
