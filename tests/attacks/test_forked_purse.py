"""Somebody knows all keys of one card, his own: he made it himself at a desk, or opened its chip.

Every proof of it is valid and no counter is used twice, and yet its purse never empties: it is a copied card
all the same, since what a genuine one has spent never goes back.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import timedelta

import pytest

from fare.core import card_record, entitlement
from fare.core.card_record import CardRecord
from fare.core.desfire.keys import KeyPurpose
from fare.core.desfire.transaction_mac import tmv
from fare.core.proof.card import CardEvidence, CommitProof, tap_tmi
from fare.core.tap import Outcome
from tests.collection.bus import EVENING, FARE_RIAL, NOON, OWNER_RIAL, Bus, City, denied_cards

LOADED_RIAL = 3 * FARE_RIAL


class SelfMadeCard:
    """The keys of one card, in software that signs whatever pays."""

    def __init__(self, city: City) -> None:
        card = city.card()
        self.raw = card.load(city, LOADED_RIAL)
        self.signed = entitlement.decode(self.raw)
        self._key = city.keys.cards.key(KeyPurpose.TRANSACTION_MAC, 1, self.signed.uid).reveal()

    def ride(self, bus: Bus, counter: int, spent_rial: int) -> None:
        """Board under any counter with a purse that tells `spent_rial`."""
        at = NOON + timedelta(minutes=counter)
        record = CardRecord(
            validator=bus.device,
            seq=bus.next_seq,
            at_s=int(at.timestamp()),
            line=7,
            area=0,
            fare_rial=FARE_RIAL,
            spent_after_rial=spent_rial + FARE_RIAL,
            entitlement_version=2,
        )
        told = CardEvidence(
            serial=self.signed.serial,
            entitlement_version=2,
            delivered_version=None,
            record_read=card_record.first_record(self.signed.issued_at_s),
            spent_before=spent_rial,
            debit_rial=FARE_RIAL,
            record_written=record.encode(),
            previous=CommitProof(counter - 1, b"whatever"),
            proof=None,
        )
        proof = CommitProof(counter, tmv(self._key, self.signed.uid, counter, tap_tmi(told, self.raw, None)))
        accepted = {"outcome": Outcome.ACCEPTED, "reason": "ok", "fare_rial": FARE_RIAL}
        bus.write(at, card=replace(told, proof=proof), **accepted)


def paid(city: City) -> int:
    return -city.balance("owner_payable:o-1")


def one_by_one(bus: Bus) -> None:
    for seq in range(1, bus.next_seq):
        bus.city.take(bus.batch(seq, seq), EVENING)


def all_at_once(bus: Bus) -> None:
    bus.send()


FORKS: Sequence[Sequence[tuple[int, int]]] = (
    [(counter, 0) for counter in range(2, 14)],
    [(counter, 0) for counter in range(2, 36, 3)],
    [(counter, 0) for counter in range(35, 1, -3)],
    # A purse that rises, and others that fill the gaps between its counters.
    [(2, 0), (6, FARE_RIAL), (10, 2 * FARE_RIAL), (4, 2 * FARE_RIAL), (8, 2 * FARE_RIAL)],
)


@pytest.mark.parametrize("upload", [one_by_one, all_at_once])
def test_a_purse_that_goes_back_is_a_copy_and_pays_no_more_than_was_loaded(
    city: City, upload: Callable[[Bus], None]
) -> None:
    for number, fork in enumerate(FORKS, 1):
        card, bus, before = SelfMadeCard(city), city.bus(number, "o-1"), paid(city)
        for counter, spent_rial in fork:
            card.ride(bus, counter, spent_rial)
        upload(bus)
        assert city.session(denied_cards) >= {card.signed.serial}, number
        # Never more than the ledger has received for this card.
        assert paid(city) - before <= LOADED_RIAL // FARE_RIAL * OWNER_RIAL, number


def test_what_an_honest_card_has_spent_may_arrive_in_any_order(city: City) -> None:
    card, bus = SelfMadeCard(city), city.bus(1, "o-1")
    for counter, spent_rial in ((5, 2 * FARE_RIAL), (2, 0), (4, FARE_RIAL)):
        card.ride(bus, counter, spent_rial)
    one_by_one(bus)
    assert city.session(denied_cards) == set()
    assert paid(city) == 3 * OWNER_RIAL
