"""A lying desk shows one card to be let through and lays another down once the job is under way."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from fare.core import card_record, entitlement
from fare.core.desfire.application import open_card, run
from fare.desk.jobs import block, load, unblock
from fare.issuing import IssuingRefusal, IssuingRefused
from hardware.emulator.card import VirtualCard
from tests.collection.bus import RidersCard, denied_cards, drawn
from tests.desk.build import PAID, Counter, laid_again
from tests.desk.conftest import counter, sqlite_engine

__all__ = ["counter", "sqlite_engine"]

READ_UID = bytes.fromhex("FFCA000000")


def swapped(shown: RidersCard, laid: RidersCard) -> Callable[[bytes], bytes]:
    """The first question for the chip's number is answered by one card, all that follows by another."""
    chips = iter([laid_again(shown.chip)])
    under_way = laid_again(laid.chip)

    def transmit(apdu: bytes) -> bytes:
        return next(chips, under_way).transmit(apdu)

    return transmit


def on_card(counter: Counter, chip: VirtualCard) -> tuple[int, int, card_record.CardRecord]:
    opened = run(open_card(counter.city.keys.validator_keys, lambda: drawn(16)), laid_again(chip).transmit)
    signed = entitlement.decode(opened.entitlement)
    return signed.serial, signed.version, card_record.decode(opened.newest_record)


def test_a_load_is_not_written_onto_a_card_that_slipped_in(counter: Counter) -> None:
    mine, strangers = counter.issued(1), counter.issued(2)
    strangers.load(counter.city, 70_000)
    told = run(load(counter.desk, mine.serial, PAID, with_card=True), swapped(mine, strangers))
    # What was paid stays paid and waits for its own card; the other one is as it was.
    assert (told.on_card, told.note) == (False, str(IssuingRefused(IssuingRefusal.OTHER_CARD)))
    assert on_card(counter, strangers.chip)[:2] == (strangers.serial, 1)
    assert run(
        load(counter.desk, strangers.serial, PAID, with_card=True), laid_again(strangers.chip).transmit
    )
    assert on_card(counter, strangers.chip)[:2] == (strangers.serial, 3)


def test_a_right_to_unblock_one_card_unblocks_no_other(counter: Counter) -> None:
    mine, stolen = counter.issued(1), counter.issued(2)
    run(block(counter.desk, stolen.serial, with_card=True), laid_again(stolen.chip).transmit)
    for job in (
        unblock(counter.desk, mine.serial, with_card=True),
        unblock(counter.desk, mine.serial, with_card=True),
    ):
        with pytest.raises(IssuingRefused) as caught:
            run(job, swapped(mine, stolen))
        assert caught.value.reason is IssuingRefusal.OTHER_CARD
    assert on_card(counter, stolen.chip)[2].blocked
    assert counter.read(denied_cards) == {stolen.serial}


def test_nobody_blocks_a_bystanders_card_by_naming_his_own(counter: Counter) -> None:
    mine, bystanders = counter.issued(1), counter.issued(2)
    with pytest.raises(IssuingRefused):
        run(block(counter.desk, mine.serial, with_card=True), swapped(mine, bystanders))
    assert not on_card(counter, bystanders.chip)[2].blocked
    assert counter.read(denied_cards) == {mine.serial}
