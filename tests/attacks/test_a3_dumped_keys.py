"""A3: the keys of one card are dumped. They open no other: 0 of 10,000."""

from __future__ import annotations

import random

import pytest

from fare.core.desfire.application import open_card, run
from fare.core.desfire.errors import AuthenticationFailed
from fare.core.desfire.keys import CardKey, CardKeys, KeyPurpose, ValidatorKeys
from tests.readers.bus import SYSTEM_ID, Issuer
from tests.readers.chips import chip_with
from tests.readers.conftest import issuer

__all__ = ["issuer"]

OTHERS = 10_000
DUMPED = b"\x04" + (1001).to_bytes(6, "big")


def test_the_keys_of_one_card_open_none_of_ten_thousand_others(issuer: Issuer) -> None:
    dumped = CardKeys.for_card(issuer.masters, DUMPED)
    names = ("picc", "k0", "k1", "k2", "tm")
    held = {getattr(dumped, name) for name in names}
    assert len(held) == len(names)
    for serial in range(2_000, 2_000 + OTHERS):
        other = CardKeys.for_card(issuer.masters, b"\x04" + serial.to_bytes(6, "big"))
        assert held.isdisjoint(getattr(other, name) for name in names)


def test_no_key_of_a_card_is_a_master(issuer: Issuer) -> None:
    """Or the first dump would open them all."""
    masters = issuer.masters
    held = CardKeys.for_card(masters, DUMPED)
    k1 = ValidatorKeys({1: masters.k1}, SYSTEM_ID).key(KeyPurpose.VALIDATOR, 1, DUMPED).reveal()
    on_card = {held.picc, held.k0, held.k1, held.k2, held.tm, k1}
    assert on_card.isdisjoint({masters.picc, masters.k0, masters.k1, masters.k2, masters.tm})
    assert k1 == held.k1


def test_a_validator_that_thinks_all_cards_are_one_opens_none(issuer: Issuer) -> None:
    """A thief with one card's k1 who answers every UID with it."""

    class OneKey(ValidatorKeys):
        def key(self, purpose: KeyPurpose, version: int, uid: bytes) -> CardKey:
            return issuer.masters.key(purpose, version, DUMPED)

    keys = OneKey({1: bytes(16)}, SYSTEM_ID)
    draw = random.Random(3)
    run(open_card(keys, lambda: draw.randbytes(16)), chip_with(issuer, 1001).transmit)
    for serial in range(3_000, 3_020):
        with pytest.raises(AuthenticationFailed):
            run(open_card(keys, lambda: draw.randbytes(16)), chip_with(issuer, serial).transmit)
