"""What a desk may be made to believe: by a thief with the validators' key, by the owner of a copied card."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any, cast

import pytest

from fare.core import entitlement
from fare.core.desfire.application import run
from fare.core.desfire.keys import CardMasters, KeyPurpose, KeyRing
from fare.database.engine import read
from fare.desk import Terms
from fare.desk.jobs import inspect, issue, unblock
from fare.desk.lost_cards import report, succeed
from fare.issuing import IssuingRefusal, IssuingRefused, card_view, entitlements_waiting
from hardware.emulator.card import VirtualCard
from hardware.emulator.files import DataFile
from hardware.emulator.state import CardKey
from tests.attacks.test_forked_purse import SelfMadeCard
from tests.collection.bus import FARE_RIAL, NOON, RidersCard, denied_cards
from tests.desk.build import Counter, a_chip, laid_again
from tests.desk.conftest import counter, sqlite_engine

__all__ = ["counter", "sqlite_engine"]


def test_a_copied_card_is_not_unblocked_by_a_friendly_clerk(counter: Counter) -> None:
    card, bus = counter.issued(1), counter.city.bus(1)
    bus.ride(card, deliver=card.load(counter.city, 5 * FARE_RIAL))
    copy = RidersCard(card.serial, VirtualCard(card.chip.state))
    for chip in (card, copy):
        bus.ride(chip, NOON + timedelta(minutes=20))
    bus.send()
    assert counter.read(denied_cards) == {card.serial}
    for chip in (card.chip, copy.chip):
        with pytest.raises(IssuingRefused) as caught:
            run(unblock(counter.desk, card.serial, with_card=True), laid_again(chip).transmit)
        assert caught.value.reason is IssuingRefusal.COPIED
    assert counter.read(denied_cards) == {card.serial}


def test_the_balance_of_a_copied_card_is_what_nobody_was_paid_for(counter: Counter) -> None:
    card, bus = SelfMadeCard(counter.city), counter.city.bus(1)
    for number in range(6):
        card.ride(bus, 2 + number, 0)
    bus.send()
    report(counter.desk, card.signed.serial)
    counter.clock.now += timedelta(hours=72)
    assert succeed(counter.desk, card.signed.serial, counter.issued(9).serial).moved_rial == 0


def test_a_thief_with_the_validators_key_hides_nobodys_load(counter: Counter) -> None:
    """He shows a card that he plays by himself, with the victim's number and the newest entitlement."""
    victims = counter.issued(1)
    waiting = victims.load(counter.city, 100_000)
    (application,) = victims.chip.state.applications.values()
    file = application.files[1]
    assert isinstance(file, DataFile)
    played = application.with_files({1: file.written(0, waiting)})
    run(inspect(counter.desk), VirtualCard(victims.chip.state.with_application(played)).transmit)
    assert counter.read(entitlements_waiting) == {victims.serial: waiting}
    bus = counter.city.bus(1)
    bus.ride(victims, deliver=waiting)
    bus.send()
    assert entitlement.decode(waiting).version == 2
    assert counter.read(entitlements_waiting) == {}


def _masters(version: int) -> CardMasters:
    picc, k0, k1, k2, tm = (bytes([16 * version + n]) * 16 for n in range(5))
    return CardMasters(picc, k0, k1, k2, tm, b"MANCARD", version)


def test_a_card_is_of_the_generation_that_its_issuer_key_proves(counter: Counter) -> None:
    """Else a thief with a stolen bus's keys, of both generations, has an old one retired under its cards."""
    rings = [KeyRing((_masters(1), _masters(2)), current) for current in (1, 2)]
    old, new = (
        counter.with_keys(dataclasses.replace(counter.city.keys, cards=cast("Any", ring))) for ring in rings
    )
    chip = a_chip(1)
    serial = run(issue(old, Terms()), chip.transmit).serial
    (application,) = chip.state.applications.values()
    k1 = new.keys.cards.key(KeyPurpose.VALIDATOR, 2, chip.state.uid).reveal()
    for number, key in enumerate((bytes(16), k1, bytes(16))):
        application = application.with_key(0, number, CardKey(key, 2))
    run(inspect(new), VirtualCard(chip.state.with_application(application)).transmit)
    with read(counter.city.engine) as session:
        assert card_view(session, serial).key_version == 1
