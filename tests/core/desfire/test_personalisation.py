"""Personalising the virtual card: every way a chip is delivered, torn anywhere, and what is refused."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import pytest

from fare.core.desfire import commands, crypto, errors, layout
from fare.core.desfire.application import inspect_card, personalise, run
from fare.core.desfire.authentication import SecretKey, authenticate_ev2_first
from fare.core.desfire.frames import Conversation
from fare.core.desfire.keys import CardKeys
from fare.core.desfire.legacy import FACTORY_DES_KEY, authenticate_iso, change_master_to_aes
from fare.core.desfire.personalisation import FACTORY_KEY
from fare.core.proof.card import CommitProof, personalisation_tmi, verify_commit
from hardware.emulator.card import VirtualCard
from hardware.emulator.state import CardKey
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
    under,
)


def aes_master() -> VirtualCard:
    return VirtualCard.factory(UID)


def des_master() -> VirtualCard:
    return VirtualCard.factory(UID, des_master=True)


TRANSPORT = bytes.fromhex("74726E73706F72742D6B65792D303031")


def with_transport_key() -> VirtualCard:
    virtual = des_master()

    def change() -> Conversation[None]:
        yield from commands.select_application(layout.PICC_AID)
        session = yield from authenticate_iso(0, FACTORY_DES_KEY, rnd_a()[:8])
        yield from change_master_to_aes(session, TRANSPORT, 1)

    run(change(), virtual.transmit)
    put_back(virtual)
    return virtual


DELIVERED: list[tuple[Callable[[], VirtualCard], bytes, int]] = [
    (aes_master, FACTORY_KEY, 40),
    (des_master, FACTORY_KEY, 41),
    (with_transport_key, TRANSPORT, 39),
]


def _issue(factory_key: bytes = FACTORY_KEY) -> Conversation[CommitProof]:
    return personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a, factory_key)


def _personalised(virtual: VirtualCard, factory_key: bytes = FACTORY_KEY) -> None:
    """The card is issued, its first proof verifies, and it can be ridden with."""
    first = run(_issue(factory_key), virtual.transmit)
    assert first.tmc == 1
    assert verify_commit(KEYS.tm, UID, personalisation_tmi(ENTITLEMENT, FIRST), first)
    _, proof = run(ride(), virtual.transmit)
    assert proof.tmc == 2


@pytest.mark.parametrize(("delivered", "factory_key", "apdus"), DELIVERED, ids=["AES", "DES", "transport"])
def test_a_card_torn_anywhere_in_its_personalisation_can_be_put_back(
    delivered: Callable[[], VirtualCard], factory_key: bytes, apdus: int
) -> None:
    whole = Field(delivered())
    run(_issue(factory_key), whole.transmit)
    assert len(whole.sent) == apdus
    for cut_at, after in [(n, side) for n in range(apdus) for side in (False, True)]:
        virtual = delivered()
        with pytest.raises(errors.CardTorn):
            run(_issue(factory_key), Field(virtual, cut_at, after).transmit)
        virtual.power(True)
        _personalised(virtual, factory_key)


def _keys_on(virtual: VirtualCard) -> list[tuple[bytes, int]]:
    held = (virtual.state.picc_key, *virtual.state.applications[layout.AID].keys)
    return [(key.value, key.version) for key in held]


@dataclass
class Withholding:
    """A relay that keeps one APDU from the card and says "done" instead."""

    card: VirtualCard
    number: int
    sent: list[bytes] = field(default_factory=list)

    def transmit(self, apdu: bytes) -> bytes:
        self.sent.append(apdu)
        return b"\x91\x00" if len(self.sent) == self.number + 1 else self.card.transmit(apdu)


CHANGES = {0xC4, 0xC7, 0xCA, 0xCB, 0xCE, 0x54, 0x5C, 0x8B, 0x8D}
MEANT = [(key, KEYS.version) for key in (KEYS.picc, KEYS.k0, KEYS.k1, KEYS.k2)]


@pytest.mark.parametrize(("delivered", "factory_key", "apdus"), DELIVERED, ids=["AES", "DES", "transport"])
def test_a_command_kept_from_the_card_is_noticed_and_finished_by_another_run(
    delivered: Callable[[], VirtualCard], factory_key: bytes, apdus: int
) -> None:
    """Who relays may answer "done" itself: ChangeKey of the session's own key is answered without a MAC."""
    honest = Field(delivered())
    run(_issue(factory_key), honest.transmit)
    assert len(honest.sent) == apdus
    for number in [n for n, apdu in enumerate(honest.sent) if apdu[1] in CHANGES]:
        virtual = delivered()
        with pytest.raises(errors.CardFault):
            run(_issue(factory_key), Withholding(virtual, number).transmit)
        virtual.power(True)
        _personalised(virtual, factory_key)
        assert (_keys_on(virtual), virtual.state.default_key) == (MEANT, CardKey())


@pytest.mark.parametrize("key_no", [0x00, 0x80])
def test_a_key_that_the_card_did_not_take_is_named(key_no: int) -> None:
    virtual = aes_master()

    def lying(apdu: bytes) -> bytes:
        return b"\x91\x00" if apdu[1] == 0xC4 and apdu[5] == key_no else virtual.transmit(apdu)

    with pytest.raises(errors.KeyNotTaken, match="again"):
        run(_issue(), lying)
    assert virtual.state.picc_key.value == bytes(16)  # still a blank card: the next run begins anew


def test_a_card_whose_issuer_key_is_not_its_own_is_not_called_issued() -> None:
    virtual, _ = issued()
    run(under(0, KEYS.k0, lambda s: commands.change_own_key(s, 0, bytes(16), 0)), virtual.transmit)
    put_back(virtual)
    with pytest.raises(errors.NotACardOfThisSystem, match="issuer key"):
        run(_issue(), virtual.transmit)


def test_a_chip_that_refuses_the_iso_authentication_is_opened_by_d40() -> None:
    virtual = des_master()

    def without_iso(apdu: bytes) -> bytes:
        return b"\x91\x1c" if apdu[1] == 0x1A else virtual.transmit(apdu)

    assert run(_issue(), without_iso).tmc == 1
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
        run(_issue(), foreign)


def test_a_card_without_the_agreed_transport_key_is_refused_and_left_alone() -> None:
    for virtual, why in ((des_master(), "transport"), (aes_master(), "neither")):
        with pytest.raises(errors.NotACardOfThisSystem, match=why):
            run(_issue(TRANSPORT), virtual.transmit)
        put_back(virtual)
        _personalised(virtual)
    virtual = with_transport_key()
    with pytest.raises(errors.NotACardOfThisSystem, match="neither"):
        run(_issue(), virtual.transmit)


@dataclass
class Overheard:
    """Everything a relaying desk sees of a conversation."""

    card: VirtualCard
    said: list[tuple[bytes, bytes]] = field(default_factory=list)

    def transmit(self, apdu: bytes) -> bytes:
        answer = self.card.transmit(apdu)
        self.said.append((apdu, answer))
        return answer

    def sessions_readable_with(self, key: bytes) -> int:
        """How many authentications ran under `key`, so that their sessions can be read."""
        readable = 0
        for (apdu, challenge), (following, _) in itertools.pairwise(self.said):
            if apdu[1] == 0x71 and len(challenge) == 18 and following[1] == 0xAF:
                rnd_b = crypto.cbc_decrypt(key, challenge[:16])
                token = crypto.cbc_decrypt(key, following[5:37])
                readable += token[16:] == crypto.rotate_left(rnd_b)
        return readable


def test_who_relays_a_personalisation_reads_nothing_once_there_is_a_transport_key() -> None:
    public = Overheard(aes_master())
    run(_issue(), public.transmit)
    assert public.sessions_readable_with(bytes(16)) == 4
    secret = Overheard(with_transport_key())
    run(_issue(TRANSPORT), secret.transmit)
    assert secret.sessions_readable_with(bytes(16)) == 0
    assert _keys_on(secret.card) == MEANT
    assert secret.card.state.default_key == CardKey()
    put_back(secret.card)
    seen = run(inspect_card(MASTERS, rnd_a), secret.card.transmit)
    assert (seen.key_versions, seen.entitlement) == ((1, 1, 1), ENTITLEMENT)
    _, proof = run(ride(), secret.card.transmit)
    assert proof.tmc == 2


def test_a_card_of_another_system_is_not_personalised() -> None:
    virtual, _ = issued()
    foreign = CardKeys.for_card(replace(MASTERS, system_id=b"another-city"), UID)
    with pytest.raises(errors.NotACardOfThisSystem, match="neither"):
        run(personalise(foreign, UID, ENTITLEMENT, FIRST, rnd_a), virtual.transmit)
    assert opened(virtual).spent == 0
