"""A2: a card is cloned, or put back to an earlier state. Offline it cannot be told from the genuine one, so
the ledger must tell it at the second upload, and the loss until then is bounded.
"""

from __future__ import annotations

import secrets
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from fare.core.bundle import Bundle, DeviceConfiguration, open_bundle
from fare.core.desfire.layout import AID
from fare.core.entitlement import decode
from fare.core.signed import BUNDLE, seal
from fare.database.engine import write
from fare.distribution import current_bundle
from fare.settings import LedgerSettings
from hardware.emulator.card import VirtualCard
from hardware.emulator.files import DataFile
from readers.bundles import Bundles
from readers.journal import Journal
from readers.process import ValidatorOptions
from readers.shown import Lamp
from readers.validation import Validator
from tests.collection.bus import EVENING, FARE_RIAL, NOON, OWNER_RIAL, City, RidersCard, forged
from tests.readers.bus import Bus, Disk, Issuer, ManualClock
from tests.readers.chips import Presented, chip_with, present
from tests.readers.conftest import bus, cards, issuer

__all__ = ["bus", "cards", "issuer"]

LOADED_RIAL = 4 * FARE_RIAL
COPIES = 5
DOOR = 77
DENIED_WITHIN = timedelta(minutes=15)


def copy_of(card: RidersCard) -> RidersCard:
    """The same memory in another chip, keys and counters included: worse than anybody can do today."""
    return RidersCard(card.serial, VirtualCard(card.chip.state))


def loaded(city: City) -> RidersCard:
    """A card that rode once and uploaded, so that the load is on it."""
    card = city.card()
    deliver = card.load(city, LOADED_RIAL)
    bus = city.bus(1, "o-1")
    bus.ride(card, NOON - timedelta(hours=2), deliver=deliver)
    bus.send(NOON - timedelta(hours=1))
    return card


@pytest.fixture
def settings(database_url: str, tmp_path: Path) -> LedgerSettings:
    return LedgerSettings(state_dir=tmp_path / "ledger", database_url=database_url)


def newest_bundle(city: City, settings: LedgerSettings) -> Bundle:
    """What every bus gets at its next poll after the upload of the evening."""
    with write(city.engine) as session:
        _, envelope = current_bundle(session, city.keys, settings, EVENING)
    return open_bundle(envelope, {city.keys.bundle.kid: city.keys.bundle.public})


@contextmanager
def validator(city: City, bundle: Bundle, folder: Path) -> Generator[tuple[Validator, Journal]]:
    """A validator of the product, on a bus of this city, which has just got `bundle`."""
    here = {DOOR: DeviceConfiguration(7, "7", 0, "v-77")}
    key = Issuer().bundle_key
    journal = Journal(folder, DOOR, secrets.token_bytes)
    bundles = Bundles(journal, DOOR, {1: key.public_key()})
    bundles.offer(seal(BUNDLE, replace(bundle, devices=here).encode(), 1, key))
    door = Validator(
        keys=city.keys.validator_keys,
        journal=journal,
        bundles=bundles,
        clock=ManualClock(int(EVENING.timestamp())),
        random_bytes=secrets.token_bytes,
        storage=Disk(),
    )
    yield door, journal
    journal.close()


def refused_everywhere(city: City, settings: LedgerSettings, media: list[RidersCard], folder: Path) -> None:
    """The bundle that follows the upload names the card, and a validator that has it refuses every copy."""
    serial = media[0].serial
    bundle = newest_bundle(city, settings)
    assert serial in bundle.denied_cards
    device = city.bus(DOOR, "o-1")
    with validator(city, bundle, folder) as (door, journal):
        for card in media:
            card.chip.power(False)
            card.chip.power(True)
            shown = door.present_card(Presented(card.chip.transmit))
            assert (shown.lamp, shown.reason) == (Lamp.RED, "card_denied")
        batch = journal.next_batch(500, 0, int(EVENING.timestamp() * 1000))
    assert batch is not None
    # What that validator wrote on them is no ride, and the ledger notes it once.
    rides = city.rides()
    assert city.take(device.sign(batch.encode())).acked_seq == len(media)
    assert city.rides() == rides
    noted = city.rows(
        "SELECT kind FROM travel_card_commit WHERE medium_ref = :s AND device_id = :d", s=str(serial), d=DOOR
    )
    assert noted == [("blocked",)]


def test_a_cloned_card_is_denied_by_the_bundle_after_the_second_upload(
    city: City, settings: LedgerSettings, tmp_path: Path
) -> None:
    card = loaded(city)
    clone = copy_of(card)
    first, second = city.bus(2, "o-1"), city.bus(3, "o-2")
    first.ride(card)
    second.ride(clone)
    first.send()
    assert card.serial not in newest_bundle(city, settings).denied_cards
    second.send()
    assert city.rows("SELECT status FROM ledger_card WHERE serial = :s", s=card.serial) == [("denied",)]
    refused_everywhere(city, settings, [card, clone], tmp_path / "door")
    # The first proof stays paid, the other is kept and not posted.
    assert [(device, fare) for _, _, device, _, fare, *_ in city.rides()] == [(1, FARE_RIAL), (2, FARE_RIAL)]
    assert [state for device, _, state, _ in city.taps() if device == 3] == ["conflict"]
    # A validator asks for the bundle far more often than the bound allows.
    assert timedelta(seconds=ValidatorOptions(tmp_path).poll_s) * 10 < DENIED_WITHIN


def test_a_card_put_back_to_an_earlier_state_is_denied_like_a_clone(
    city: City, settings: LedgerSettings, tmp_path: Path
) -> None:
    card = loaded(city)
    earlier = card.chip.state
    bus = city.bus(2, "o-1")
    bus.ride(card)
    bus.send()
    restored = RidersCard(card.serial, VirtualCard(earlier))
    bus.ride(restored, NOON + timedelta(hours=1))
    bus.send()
    refused_everywhere(city, settings, [restored], tmp_path / "door")


def test_the_loss_by_copies_is_what_was_loaded_and_no_owner_is_credited_more(
    city: City, settings: LedgerSettings, tmp_path: Path
) -> None:
    """Each copy rides its own bus, all offline, until its purse is empty: `COPIES` times the balance at most.

    What is credited stays within what the ledger received for the card; the rest nobody is paid.
    """
    card = loaded(city)
    copies = [card, *(copy_of(card) for _ in range(COPIES - 1))]
    buses = [city.bus(2 + n, "o-2") for n in range(COPIES)]
    left = LOADED_RIAL // FARE_RIAL - 1
    for copy, on in zip(copies, buses, strict=True):
        for n in range(left):
            on.ride(copy, NOON + timedelta(minutes=10 * n + on.device))
    for on in buses:
        on.send()
    credited = -city.balance("owner_payable:o-1") - city.balance("owner_payable:o-2")
    assert credited == OWNER_RIAL * (LOADED_RIAL // FARE_RIAL)
    taps = city.taps()
    assert len(taps) == 1 + COPIES * left
    assert sum(state == "conflict" for _, _, state, _ in taps) == (COPIES - 1) * left
    refused_everywhere(city, settings, copies, tmp_path / "door")


def test_a_proof_that_does_not_hold_denies_nobodys_card(city: City, settings: LedgerSettings) -> None:
    """Or a stolen device could have any card denied."""
    card = loaded(city)
    thief = city.bus(2, "o-2")
    tap = thief.ride(card)
    evidence = tap.card
    assert evidence is not None
    assert evidence.proof is not None
    thief.write(
        outcome=tap.outcome,
        reason="ok",
        fare_rial=FARE_RIAL,
        card=replace(evidence, proof=forged(evidence.proof)),
    )
    thief.send()
    assert not newest_bundle(city, settings).denied_cards


def test_an_entitlement_copied_to_another_card_buys_nothing(bus: Bus, issuer: Issuer) -> None:
    rich = chip_with(issuer, 1001)
    content = rich.state.applications[AID].files[1]
    assert isinstance(content, DataFile)
    assert decode(content.data).serial == 1001
    shown = present(bus, chip_with(issuer, 1002, content.data).transmit)
    assert (shown.lamp, shown.reason) == (Lamp.RED, "bad_entitlement")
    (tap,) = bus.journalled()
    assert tap.card is None, "and nothing is said of the card it was copied from"
