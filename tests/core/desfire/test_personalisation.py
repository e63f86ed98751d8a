"""Personalising the virtual card: every way a chip is delivered, torn anywhere, and what is refused."""

from __future__ import annotations

import contextlib
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
from fare.core.desfire.messaging import Ev2Session
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
    under,
)


def aes_master() -> VirtualCard:
    return VirtualCard.factory(UID)


def des_master() -> VirtualCard:
    return VirtualCard.factory(UID, des_master=True)


DELIVERED: list[tuple[Callable[[], VirtualCard], int]] = [(aes_master, 40), (des_master, 41)]


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


MEANT = [(key, KEYS.version) for key in (KEYS.picc, KEYS.k0, KEYS.k1, KEYS.k2)]


@pytest.mark.parametrize(("delivered", "apdus"), DELIVERED)
def test_a_command_kept_from_the_card_is_noticed_and_finished_by_another_run(
    delivered: Callable[[], VirtualCard], apdus: int
) -> None:
    """Who relays may answer "done" itself: ChangeKey of the session's own key is answered without a MAC."""
    kept: set[int] = set()
    for number in range(2, apdus):
        virtual = delivered()
        air = Withholding(virtual, number)
        # A selection that was kept from the card may have been none: what counts is which keys it ends with.
        with contextlib.suppress(errors.CardFault):
            run(personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a), air.transmit)
            assert _keys_on(virtual) == MEANT, f"APDU {number}"
        virtual.power(True)
        _personalised(virtual)
        assert _keys_on(virtual) == MEANT
        kept.add(air.sent[number][1])
    assert {0xC4, 0xC7, 0xCA, 0xCE} <= kept


@pytest.mark.parametrize("key_no", [0x00, 0x80])
def test_a_key_that_the_card_did_not_take_is_named(key_no: int) -> None:
    virtual = aes_master()

    def lying(apdu: bytes) -> bytes:
        return b"\x91\x00" if apdu[1] == 0xC4 and apdu[5] == key_no else virtual.transmit(apdu)

    with pytest.raises(errors.KeyNotTaken, match="again"):
        run(personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a), lying)
    assert virtual.state.picc_key.value == bytes(16)  # still a blank card: the next run begins anew


def test_a_card_whose_issuer_key_is_not_its_own_is_not_called_issued() -> None:
    virtual, _ = issued()
    run(under(0, KEYS.k0, lambda s: commands.change_own_key(s, 0, bytes(16), 0)), virtual.transmit)
    put_back(virtual)
    with pytest.raises(errors.NotACardOfThisSystem, match="issuer key"):
        run(personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a), virtual.transmit)


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

    def change() -> Conversation[None]:
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


def _chip_with_default_keys(virtual: VirtualCard, monkeypatch: pytest.MonkeyPatch) -> list[tuple[bytes, int]]:
    """Let new applications on the virtual card begin with the default key it was given, as a chip's do.

    The virtual card has no SetConfiguration 01; here its new keys are set by other commands, out of hearing.
    """
    given: list[tuple[bytes, int]] = []
    create = commands.create_application

    def set_default_key(session: Ev2Session, key: bytes, version: int) -> Conversation[None]:
        given.append((key, version))
        yield from ()

    def create_application(
        session: Ev2Session, aid: bytes, key_settings: int, number_of_keys: int, roll_key: int
    ) -> Conversation[None]:
        yield from create(session, aid, key_settings, number_of_keys, roll_key)
        key, version = given[-1]

        def fill(own: Ev2Session) -> Conversation[None]:
            yield from commands.change_other_key(own, 2, key, version, bytes(16))
            yield from commands.change_other_key(own, 1, key, version, bytes(16))
            yield from commands.change_own_key(own, 0, key, version)

        run(under(0, bytes(16), fill), virtual.transmit)

    monkeypatch.setattr(commands, "set_default_key", set_default_key)
    monkeypatch.setattr(commands, "create_application", create_application)
    return given


def test_who_relays_a_personalisation_reads_nothing_once_there_is_a_transport_key(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    public = Overheard(aes_master())
    run(personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a), public.transmit)
    assert public.sessions_readable_with(bytes(16)) == 4
    virtual = _with_master_key(TRANSPORT)
    given = _chip_with_default_keys(virtual, monkeypatch)
    secret = Overheard(virtual)
    run(personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a, TRANSPORT), secret.transmit)
    assert secret.sessions_readable_with(bytes(16)) == 0
    assert given == [(KEYS.k0, KEYS.version), (bytes(16), 0)]
    _personalised(virtual)
    put_back(virtual)
    assert run(inspect_card(MASTERS, rnd_a), virtual.transmit).key_versions == (1, 1, 1)


def test_a_card_torn_under_a_transport_key_can_be_put_back(monkeypatch: pytest.MonkeyPatch) -> None:
    for cut_at, after in [(n, side) for n in range(0, 35, 3) for side in (False, True)]:
        virtual = _with_master_key(TRANSPORT)
        with monkeypatch.context() as patched:
            _chip_with_default_keys(virtual, patched)
            air = Field(virtual, cut_at, after)
            with pytest.raises(errors.CardTorn):
                run(personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a, TRANSPORT), air.transmit)
            virtual.power(True)
            run(personalise(KEYS, UID, ENTITLEMENT, FIRST, rnd_a, TRANSPORT), virtual.transmit)
        _personalised(virtual)


def test_a_card_of_another_system_is_not_personalised() -> None:
    virtual, _ = issued()
    foreign = CardKeys.for_card(replace(MASTERS, system_id=b"another-city"), UID)
    with pytest.raises(errors.NotACardOfThisSystem, match="neither"):
        run(personalise(foreign, UID, ENTITLEMENT, FIRST, rnd_a), virtual.transmit)
    assert opened(virtual).spent == 0
