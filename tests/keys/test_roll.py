"""A roll of the card keys while cards are in use: no ride is refused; a bus left behind says why."""

from __future__ import annotations

import secrets
from pathlib import Path

import pytest

from fare.core.card_record import first_record
from fare.core.desfire.application import commit, open_card, personalise, roll_keys, run, stage
from fare.core.desfire.errors import AuthenticationFailed, CardNotGenuine, NotACardOfThisSystem
from fare.core.desfire.keys import CardKeys, CardKeyStore, KeyPurpose, ValidatorKeys
from fare.core.desfire.layout import ENTITLEMENT_SIZE
from fare.core.kit import TokenKeys
from fare.keys import MasterFile
from hardware.emulator.card import VirtualCard

CARDS = 6
FARE_RIAL = 5_000
TAP_APDUS = 11


def rnd_a() -> bytes:
    return secrets.token_bytes(16)


def uid_of(number: int) -> bytes:
    return bytes([4, 0, 0, 0, 0, 0, number])


def a_card(masters: CardKeyStore, number: int) -> VirtualCard:
    """A chip personalised with the current generation."""
    card = VirtualCard.factory(uid_of(number))
    keys = CardKeys.for_card(masters, uid_of(number))
    run(
        personalise(keys, uid_of(number), bytes(ENTITLEMENT_SIZE), first_record(1_800_000_000), rnd_a),
        card.transmit,
    )
    return card


def ride(card: VirtualCard, keys: CardKeyStore) -> tuple[int, int]:
    """One paid tap: how many APDUs it took, and the generation that the card was opened with."""
    sent: list[bytes] = []

    def transmit(apdu: bytes) -> bytes:
        sent.append(apdu)
        return card.transmit(apdu)

    opened = run(open_card(keys, rnd_a), transmit)
    run(stage(opened, FARE_RIAL, bytes(32), None), transmit)
    proof = run(commit(opened), transmit)
    assert proof.tmc == opened.previous.tmc + 1
    return len(sent), opened.key_version


@pytest.fixture
def masters(tmp_path: Path) -> MasterFile:
    (tmp_path / "keys").mkdir(mode=0o700)
    return MasterFile(tmp_path / "keys")


def test_cards_ride_through_a_roll_from_its_first_day_to_its_last(masters: MasterFile) -> None:
    cards = [a_card(masters, number) for number in range(CARDS)]
    old_bus = masters.validator_keys()
    assert {ride(card, old_bus) for card in cards} == {(TAP_APDUS, 1)}

    masters.add_generation(2)
    new_bus = masters.validator_keys()
    # Staged: buses with and without it serve the same cards, and a new card still suits both.
    cards.append(a_card(masters, CARDS))
    assert {ride(card, old_bus) for card in cards} == {(TAP_APDUS, 1)}
    assert {ride(card, new_bus) for card in cards} == {(TAP_APDUS + 1, 1)}

    masters.activate(2)
    for card in cards[::2]:
        assert run(roll_keys(masters, run_uid(card), rnd_a), card.transmit) == 2
    # Half of them rolled: every card rides on every bus that has both, one APDU more.
    assert [ride(card, new_bus) for card in cards] == [
        (TAP_APDUS + 1, 2 if place % 2 == 0 else 1) for place in range(len(cards))
    ]

    for card in cards[1::2]:
        run(roll_keys(masters, run_uid(card), rnd_a), card.transmit)
    masters.retire(1, keep_proofs=True)
    last_bus = masters.validator_keys()
    assert last_bus.versions == (2,)
    assert {ride(card, last_bus) for card in cards} == {(TAP_APDUS, 2)}
    assert {ride(card, new_bus) for card in cards} == {(TAP_APDUS + 1, 2)}, "a bus that still has the old one"
    # Proofs of a rolled card are still checked with the generation it was born with.
    assert masters.key(KeyPurpose.TRANSACTION_MAC, 1, uid_of(0)).reveal()


def test_a_bus_that_was_left_behind_refuses_and_says_why(masters: MasterFile) -> None:
    masters.add_generation(2)
    two_behind = masters.validator_keys()
    masters.add_generation(3)
    masters.activate(2)
    masters.activate(3)
    card = a_card(masters, 1)
    with pytest.raises(NotACardOfThisSystem, match="generation"):
        ride(card, two_behind)
    # One that holds a single generation does not ask for it: it is refused by the card itself.
    with pytest.raises((AuthenticationFailed, NotACardOfThisSystem)):
        ride(card, ValidatorKeys({1: masters.generations[0].k1}, masters.generations[0].system_id))
    assert ride(card, masters.validator_keys()) == (TAP_APDUS + 1, 3)


def test_a_stolen_older_generation_opens_no_rolled_card(masters: MasterFile) -> None:
    card = a_card(masters, 1)
    stolen = masters.generations[0]
    masters.add_generation(2)
    masters.activate(2)
    run(roll_keys(masters, uid_of(1), rnd_a), card.transmit)
    relabelled = ValidatorKeys({2: stolen.k1}, stolen.system_id)
    for keys in (ValidatorKeys({1: stolen.k1}, stolen.system_id), relabelled):
        with pytest.raises((AuthenticationFailed, CardNotGenuine, NotACardOfThisSystem)):
            ride(card, keys)


def test_a_kits_description_of_a_token_asks_for_the_generations_it_names() -> None:
    described = TokenKeys("/module.so", "validator", {2: b"w", 1: b"v"}, b"MANCARD")
    assert (tuple(described.versions), described.current) == ((1, 2), 2)


def run_uid(card: VirtualCard) -> bytes:
    """What the reader says lies on it."""
    return card.transmit(bytes.fromhex("FFCA000000"))[:7]
