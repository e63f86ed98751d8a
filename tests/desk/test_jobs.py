"""Each job of a desk, whole and torn at every APDU: nothing of a card is lost, and money is counted once."""

from __future__ import annotations

import dataclasses
from datetime import timedelta
from typing import Any, cast

import pytest

from fare.core import card_record, entitlement
from fare.core.desfire.application import open_card, run
from fare.core.desfire.errors import NotACardOfThisSystem
from fare.core.desfire.keys import CardMasters, KeyRing
from fare.database.engine import write
from fare.desk import Desk, Issued, Terms, facts
from fare.desk.jobs import block, inspect, issue, load, roll, unblock
from fare.issuing import IssuingRefusal, IssuingRefused, card_view, cards, entitlements_waiting
from hardware.emulator.card import VirtualCard
from hardware.emulator.files import DataFile
from hardware.emulator.kinds import ChipKind
from hardware.emulator.other_chips import OtherChip
from hardware.emulator.state import CardState
from tests.collection.bus import FARE_RIAL, OWNER_RIAL, denied_cards, drawn
from tests.desk.build import PAID, Counter, a_chip, every_cut, laid_again, length_of, run_torn, uid_of


def on_card(counter: Counter, chip: VirtualCard) -> tuple[int, card_record.CardRecord]:
    """The entitlement's version and the newest record, as a validator reads them."""
    keys = counter.city.keys.validator_keys
    opened = run(open_card(keys, lambda: drawn(16)), laid_again(chip).transmit)
    laid_again(chip)
    return entitlement.decode(opened.entitlement).version, card_record.decode(opened.newest_record)


# --- issue ------------------------------------------------------------------------------------------------


def test_an_issued_card_has_its_first_proof_in_the_ledger(counter_on_both: Counter) -> None:
    counter = counter_on_both
    done = run(issue(counter.desk, Terms(rider_category=1)), a_chip(1).transmit)
    assert (done.serial, done.uid, done.tmc, done.key_version, done.note) == (1, uid_of(1), 1, 1, None)
    assert done.chip == "MIFARE DESFire EV3"
    assert counter.commits(1) == [(1, "personalised")]
    view = counter.read(lambda session: card_view(session, 1))
    assert (view.is_written, view.rider_category, view.status) == (True, 1, "active")
    assert facts(done)["uid"] == uid_of(1).hex().upper()


def test_a_card_torn_anywhere_is_laid_down_again(counter: Counter) -> None:
    steps = length_of(issue(counter.desk, Terms()), a_chip(0))
    for number, (which, arrives) in enumerate(every_cut(steps), 1):
        chip = a_chip(number)
        assert run_torn(issue(counter.desk, Terms()), chip, which, arrives=arrives) is None
        again = run(issue(counter.desk, Terms()), chip.transmit)
        assert (again.uid, again.tmc, again.note) == (uid_of(number), 1, None)
        assert counter.commits(again.serial) == [(1, "personalised")]
    issued = counter.read(cards)
    assert len(issued) == 1 + 2 * steps
    assert all(card.is_written for card in issued)


def test_a_chip_is_issued_once(counter: Counter) -> None:
    card = counter.issued(1)
    with pytest.raises(IssuingRefused) as caught:
        run(issue(counter.desk, Terms()), laid_again(card.chip).transmit)
    assert caught.value.reason is IssuingRefusal.ALREADY_ISSUED


def test_a_chip_as_its_maker_delivers_it_is_issued(counter: Counter) -> None:
    chip = VirtualCard.factory(uid_of(1), des_master=True)
    assert run(issue(counter.desk, Terms()), chip.transmit).tmc == 1


def test_other_chips_are_refused_by_name_and_leave_no_trace(counter: Counter) -> None:
    for kind, named in {
        ChipKind.CLASSIC: "MIFARE Classic",
        ChipKind.EV1: "MIFARE DESFire EV1",
        ChipKind.PLUS: "another card than DESFire|MIFARE Plus",
        ChipKind.NTAG: "another card than DESFire|NTAG",
        ChipKind.ULTRALIGHT: "does not answer GetVersion",
    }.items():
        state = CardState(b"\x04" * kind.uid_bytes, kind=kind)
        chip = VirtualCard(state) if kind.is_desfire else OtherChip(state)
        with pytest.raises(NotACardOfThisSystem, match=named):
            run(issue(counter.desk, Terms()), chip.transmit)
        with pytest.raises(NotACardOfThisSystem):
            run(inspect(counter.desk), chip.transmit)
    assert counter.read(cards) == []


def test_with_a_transport_key_a_chip_that_has_the_public_one_is_refused(counter: Counter) -> None:
    desk = dataclasses.replace(counter.desk, factory_key=bytes(range(16)))
    with pytest.raises(NotACardOfThisSystem, match="master key"):
        run(issue(desk, Terms()), a_chip(1).transmit)


# --- inspect ----------------------------------------------------------------------------------------------


def test_a_card_tells_everything_that_is_readable(counter: Counter) -> None:
    card = counter.issued(1)
    bus = counter.city.bus(1)
    waiting = card.load(counter.city, 100_000)
    bus.ride(card, deliver=waiting)
    for minute in range(1, 8):
        bus.ride(card, counter.clock.now + timedelta(minutes=minute), fare_rial=1_000)
    card.load(counter.city, 50_000)
    told = run(inspect(counter.desk), laid_again(card.chip).transmit)
    assert (told.serial, told.status, told.version) == (card.serial, "active", 2)
    assert (told.spent_rial, told.balance_rial) == (27_000, 73_000)
    assert (told.waiting_version, told.waiting_rial) == (3, 50_000)
    assert (told.tmc, told.key_versions, told.blocked_on_card) == (9, (1, 1, 1), False)
    assert [(tap.fare_rial, tap.validator, tap.line) for tap in told.taps] == [(1_000, 1, 7)] * 6
    said = "\n".join(told.sentences(counter.desk.zone))
    assert "73,000 rial (7,300 toman)" in said
    assert "1405/09/01 12:07" in said
    assert "Waiting: entitlement 3, 50,000 rial" in said


def test_a_desk_proves_and_pays_the_ride_that_its_bus_lost(counter: Counter) -> None:
    card = counter.issued(1)
    waiting = card.load(counter.city, 100_000)
    bus = counter.city.bus(1)
    bus.ride(card, deliver=waiting)  # and the bus burnt down before it sent anything
    told = run(inspect(counter.desk), laid_again(card.chip).transmit)
    assert told.unreported_rial == 0
    ((ref, counter_no, device, owner, fare, owners_part, _, _),) = counter.city.rides()
    assert (ref, counter_no, device, owner) == (str(card.serial), 2, 1, "o-1")
    assert (fare, owners_part) == (FARE_RIAL, OWNER_RIAL)
    run(inspect(counter.desk), laid_again(card.chip).transmit)
    assert len(counter.city.rides()) == 1


def test_inspecting_changes_nothing_wherever_it_is_torn(counter: Counter) -> None:
    card = counter.issued(1)
    steps = length_of(inspect(counter.desk), laid_again(card.chip))
    before = card.chip.state
    for which, arrives in every_cut(steps):
        assert run_torn(inspect(counter.desk), laid_again(card.chip), which, arrives=arrives) is None
    assert run(inspect(counter.desk), card.chip.transmit).tmc == 1
    assert card.chip.state.uid == before.uid
    assert counter.commits(card.serial) == [(1, "personalised")]


def test_a_restored_image_is_named(counter: Counter) -> None:
    card = counter.issued(1)
    older = VirtualCard(card.chip.state)
    run(load(counter.desk, card.serial, PAID, with_card=True), laid_again(card.chip).transmit)
    told = run(inspect(counter.desk), older.transmit)
    assert told.is_restored
    assert "not the only image" in "\n".join(told.sentences(counter.desk.zone))


# --- load -------------------------------------------------------------------------------------------------


def test_a_load_is_on_the_card_at_once(counter_on_both: Counter) -> None:
    counter = counter_on_both
    card = counter.issued(1)
    done = run(load(counter.desk, card.serial, PAID, with_card=True), laid_again(card.chip).transmit)
    assert (done.on_card, done.amount_rial, done.note) == (True, 100_000, None)
    assert on_card(counter, card.chip)[0] == 2
    assert counter.commits(card.serial) == [(1, "personalised"), (2, "loaded")]
    assert counter.read(entitlements_waiting) == {}
    assert counter.city.balance(f"stored_value:card:{card.serial}") == -100_000
    assert counter.city.balance("psp_receivable:t-1") == 100_000


def test_a_torn_load_is_paid_once_and_delivered_later(counter: Counter) -> None:
    first = counter.issued(1)
    steps = length_of(load(counter.desk, first.serial, PAID, with_card=True), laid_again(first.chip))
    bus = counter.city.bus(1)
    for number, (which, arrives) in enumerate(every_cut(steps), 10):
        card = counter.issued(number)
        paid = dataclasses.replace(PAID, reference=f"psp-{number}")
        told = run_torn(
            load(counter.desk, card.serial, paid, with_card=True),
            laid_again(card.chip),
            which,
            arrives=arrives,
        )
        loaded_rial = -counter.city.balance(f"stored_value:card:{card.serial}")
        assert loaded_rial == (0 if which == 0 else 100_000), (which, arrives)
        if told is not None:
            assert not told.on_card
            assert "next bus" in " ".join(told.sentences(counter.desk.zone))
        # Laid down again, the same payment is not ordered twice, and now it is on the card.
        again = run(load(counter.desk, card.serial, paid, with_card=True), laid_again(card.chip).transmit)
        assert again.on_card
        assert -counter.city.balance(f"stored_value:card:{card.serial}") == 100_000
        assert on_card(counter, card.chip)[0] == 2
        assert [kind for _, kind in counter.commits(card.serial)] == ["personalised", "loaded"], (
            which,
            arrives,
        )
        bus.ride(card)
    bus.send()
    assert len(counter.city.rides()) == 2 * steps
    assert {state for _, _, state, _ in counter.city.taps()} == {"valid"}


def test_another_card_on_the_reader_is_refused_before_anything_is_ordered(counter: Counter) -> None:
    one, other = counter.issued(1), counter.issued(2)
    with pytest.raises(IssuingRefused) as caught:
        run(load(counter.desk, one.serial, PAID, with_card=True), laid_again(other.chip).transmit)
    assert caught.value.reason is IssuingRefusal.OTHER_CARD
    assert counter.city.balance(f"stored_value:card:{one.serial}") == 0


def test_a_payment_pays_one_load(counter: Counter) -> None:
    one, other = counter.issued(1), counter.issued(2)
    paid = dataclasses.replace(PAID, reference="psp-7")
    first = run(load(counter.desk, one.serial, paid, with_card=False), one.chip.transmit)
    assert run(load(counter.desk, one.serial, paid, with_card=False), one.chip.transmit) == first
    for serial, payment in ((other.serial, paid), (one.serial, dataclasses.replace(paid, amount_rial=1))):
        with pytest.raises(IssuingRefused) as caught:
            run(load(counter.desk, serial, payment, with_card=False), one.chip.transmit)
        assert caught.value.reason is IssuingRefusal.PAYMENT_ALREADY_USED
    assert counter.city.balance("psp_receivable:t-1") == 100_000


def test_the_ride_after_a_desk_load_is_proven_and_paid(counter: Counter) -> None:
    card, bus = counter.issued(1), counter.city.bus(1)
    bus.ride(card, deliver=card.load(counter.city, 40_000))
    run(load(counter.desk, card.serial, PAID, with_card=True), laid_again(card.chip).transmit)
    bus.ride(card, counter.clock.now + timedelta(minutes=20))
    bus.send()
    assert [(row[1], row[5]) for row in counter.city.rides()] == [(2, OWNER_RIAL), (4, OWNER_RIAL)]
    assert counter.commits(card.serial) == [(1, "personalised"), (3, "loaded")]


# --- block and unblock ------------------------------------------------------------------------------------


def test_a_block_is_on_the_denylist_and_on_the_card(counter: Counter) -> None:
    card = counter.issued(1)
    done = run(block(counter.desk, card.serial, with_card=True), laid_again(card.chip).transmit)
    assert (done.on_card, done.blocked) == (True, True)
    assert counter.read(denied_cards) == {card.serial}
    assert on_card(counter, card.chip)[1].blocked
    done = run(unblock(counter.desk, card.serial, with_card=True), laid_again(card.chip).transmit)
    assert (done.on_card, done.blocked) == (True, False)
    assert counter.read(denied_cards) == set()
    assert not on_card(counter, card.chip)[1].blocked
    assert counter.commits(card.serial) == [(1, "personalised"), (2, "blocked"), (3, "unblocked")]


def test_a_torn_block_denies_all_the_same_and_is_finished_later(counter: Counter) -> None:
    first = counter.issued(1)
    steps = length_of(block(counter.desk, first.serial, with_card=True), laid_again(first.chip))
    for number, (which, arrives) in enumerate(every_cut(steps), 10):
        card = counter.issued(number)
        told = run_torn(
            block(counter.desk, card.serial, with_card=True), laid_again(card.chip), which, arrives=arrives
        )
        assert told is None or not told.on_card
        assert card.serial in counter.read(denied_cards)
        assert run(block(counter.desk, card.serial, with_card=True), laid_again(card.chip).transmit).on_card
        assert on_card(counter, card.chip)[1].blocked
        kinds = [kind for _, kind in counter.commits(card.serial)]
        assert kinds == ["personalised", "blocked"], (which, arrives)


def test_junk_in_the_place_of_the_entitlement_is_cured(counter: Counter) -> None:
    card = counter.issued(1)
    run(load(counter.desk, card.serial, PAID, with_card=True), laid_again(card.chip).transmit)
    (application,) = card.chip.state.applications.values()
    file = application.files[1]
    assert isinstance(file, DataFile)
    spoilt = application.with_files({1: file.written(0, bytes(128))})
    card.chip = VirtualCard(card.chip.state.with_application(spoilt))
    told = run(inspect(counter.desk), laid_again(card.chip).transmit)
    assert (told.version, told.entitlement_fault, told.balance_rial) == (None, "malformed", None)
    assert run(block(counter.desk, card.serial, with_card=True), laid_again(card.chip).transmit).on_card
    assert on_card(counter, card.chip)[0] == 2


def test_a_card_that_nobody_knows_is_refused(counter: Counter) -> None:
    for job in (
        load(counter.desk, 77, PAID, with_card=False),
        block(counter.desk, 77, with_card=False),
        unblock(counter.desk, 77, with_card=False),
        roll(counter.desk),
    ):
        with pytest.raises(IssuingRefused) as caught:
            run(job, a_chip(1).transmit)
        assert caught.value.reason is IssuingRefusal.UNKNOWN_CARD


# --- roll -------------------------------------------------------------------------------------------------


def with_ring(counter: Counter, current: int) -> Desk:
    """The desk of a ledger that holds two generations of card keys, always the same two."""
    ring = KeyRing((_masters(1), _masters(2)), current)
    return counter.with_keys(dataclasses.replace(counter.city.keys, cards=cast("Any", ring)))


def _masters(version: int) -> CardMasters:
    picc, k0, k1, k2, tm = (bytes([16 * version + n]) * 16 for n in range(5))
    return CardMasters(picc, k0, k1, k2, tm, b"MANCARD", version)


def test_a_card_is_rolled_and_the_ledger_knows_wherever_it_is_torn(counter: Counter) -> None:
    old, new = with_ring(counter, 1), with_ring(counter, 2)
    chip = a_chip(1)
    done: Issued = run(issue(old, Terms()), chip.transmit)
    assert done.key_version == 1
    serial, image = done.serial, chip.state
    steps = length_of(roll(new, done.serial), laid_again(chip))
    assert counter.read(lambda session: card_view(session, done.serial)).key_version == 2
    for which, arrives in every_cut(steps):
        chip = VirtualCard(image)
        assert run_torn(roll(new), chip, which, arrives=arrives) is None
        # Usable in between, by whichever generation it now has.
        assert run(inspect(new), laid_again(chip).transmit).key_versions[1] in (1, 2)
        rolled = run(roll(new), laid_again(chip).transmit)
        assert (rolled.serial, rolled.key_version) == (serial, 2)
        assert counter.read(lambda session: card_view(session, serial)).key_version == 2
    # The Transaction MAC key stayed: what it proves now is still believed.
    assert run(load(new, serial, PAID, with_card=True), laid_again(chip).transmit).note is None


def test_another_card_is_not_rolled(counter: Counter) -> None:
    one, other = counter.issued(1), counter.issued(2)
    with pytest.raises(IssuingRefused) as caught:
        run(roll(counter.desk, one.serial), laid_again(other.chip).transmit)
    assert caught.value.reason is IssuingRefusal.OTHER_CARD


def test_a_job_holds_no_transaction_while_it_waits_for_the_card(counter: Counter) -> None:
    """A writer of SQLite would lock all others out for as long as a card lies on a far reader."""
    card = counter.issued(1)
    jobs = (
        issue(counter.desk, Terms()),
        inspect(counter.desk),
        load(counter.desk, card.serial, PAID, with_card=True),
        block(counter.desk, card.serial, with_card=True),
        roll(counter.desk),
    )
    for job, chip in zip(jobs, (a_chip(2), card.chip, card.chip, card.chip, card.chip), strict=True):
        laid_again(chip)

        def transmit(apdu: bytes, chip: VirtualCard = chip) -> bytes:
            with write(counter.city.engine) as session:
                session.connection()
            return chip.transmit(apdu)

        run(job, transmit)
