"""The DES that a chip is delivered with: known answers, both authentications, and cards that lie."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fare.core.desfire import commands, errors, layout, legacy
from fare.core.desfire.authentication import SecretKey, authenticate_ev2_first
from fare.core.desfire.frames import Conversation, run
from hardware.emulator.card import VirtualCard
from tests.core.desfire.card_field import UID, Field, rnd_a
from tests.core.desfire.card_vectors import flipped

NEW_KEY = bytes(range(16))
Authentication = Callable[[int, bytes, bytes], Conversation[legacy.LegacySession]]
AUTHENTICATIONS: tuple[Authentication, ...] = (legacy.authenticate_iso, legacy.authenticate_d40)


def test_crc_a_is_the_published_one() -> None:
    # ISO/IEC 14443-3, annex B: CRC_A of 00 00 is A0 1E, of 12 34 is 26 CF.
    assert legacy.crc_a(bytes.fromhex("0000")).hex() == "a01e"
    assert legacy.crc_a(bytes.fromhex("1234")).hex() == "26cf"


def test_a_session_key_is_single_des_when_the_halves_of_the_key_are_equal_but_for_parity() -> None:
    rnd_a_, rnd_b = bytes(range(8)), bytes.fromhex("D1A56D006DB7DF5E")
    single = "00010203d1a56d00"
    assert legacy.session_key(bytes(16), rnd_a_, rnd_b).hex() == single
    assert legacy.session_key(bytes(8) + b"\x01" * 8, rnd_a_, rnd_b).hex() == single
    assert legacy.session_key(bytes(8) + b"\x02" * 8, rnd_a_, rnd_b).hex() == single + "040506076db7df5e"


def _convert(authenticate: Authentication) -> Conversation[None]:
    yield from commands.select_application(layout.PICC_AID)
    assert not (yield from commands.get_key_settings(None)).aes
    session = yield from authenticate(0, legacy.FACTORY_DES_KEY, rnd_a()[:8])
    yield from legacy.change_master_to_aes(session, NEW_KEY, 7)
    assert (yield from commands.get_key_settings(None)).aes
    assert (yield from commands.get_key_version(None, 0)) == 7
    yield from authenticate_ev2_first(0, SecretKey(NEW_KEY), rnd_a())


def test_the_master_key_becomes_aes_by_either_authentication() -> None:
    for authenticate in AUTHENTICATIONS:
        run(_convert(authenticate), VirtualCard.factory(UID, des_master=True).transmit)


def test_another_des_key_is_refused() -> None:
    for authenticate in AUTHENTICATIONS:
        virtual = VirtualCard.factory(UID, des_master=True)
        with pytest.raises(errors.AuthenticationFailed):
            run(authenticate(0, b"\x02" * 16, rnd_a()[:8]), virtual.transmit)


def test_a_card_that_does_not_prove_the_des_key_is_not_genuine() -> None:
    for authenticate in AUTHENTICATIONS:
        virtual = VirtualCard.factory(UID, des_master=True)
        with pytest.raises(errors.CardNotGenuine):
            run(
                authenticate(0, legacy.FACTORY_DES_KEY, rnd_a()[:8]),
                Field(virtual, flip_answer_at=1).transmit,
            )


@pytest.mark.parametrize("authenticate", AUTHENTICATIONS)
@pytest.mark.parametrize("answers", [("9100",), (f"{0:016x}91ae",), ("0091af",), (f"{0:016x}91af", "9100")])
def test_answers_of_another_shape_are_named_faults(
    authenticate: Authentication, answers: tuple[str, ...]
) -> None:
    waiting = iter(answers)
    with pytest.raises((errors.MalformedAnswer, errors.CardAnswered)):
        run(authenticate(0, bytes(16), bytes(8)), lambda _: bytes.fromhex(next(waiting)))


@pytest.mark.parametrize("authenticate", AUTHENTICATIONS)
def test_a_changed_cryptogram_leaves_the_master_key_as_it_was(authenticate: Authentication) -> None:
    virtual = VirtualCard.factory(UID, des_master=True)
    session = run(authenticate(0, bytes(16), rnd_a()[:8]), virtual.transmit)
    with pytest.raises(errors.IntegrityError):
        run(
            legacy.change_master_to_aes(session, NEW_KEY, 0),
            lambda apdu: virtual.transmit(apdu[:7] + flipped(apdu[7:])),
        )
    again = run(authenticate(0, bytes(16), rnd_a()[:8]), virtual.transmit)
    assert again.key.hex() not in repr(again)
    assert str(again.key) not in repr(again)
