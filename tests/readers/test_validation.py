"""One tap of a card, from the field to the lamp: every rule of order, every tear, every refusal."""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from pathlib import Path

import pytest

from fare.core import card_record
from fare.core.entitlement import Pass, day_number
from fare.core.tap import Outcome, Tap
from hardware.emulator.faults import Fault, FaultKind
from readers.journal import RESERVE_BYTES, JournalFault
from readers.shown import Lamp
from tests.readers.bus import FARE_RIAL, LOADED_RIAL, Bus, Issuer, open_bus
from tests.readers.chips import chip_with, present, put_back


def test_a_card_rides_and_the_ledger_can_prove_it(bus: Bus) -> None:
    shown = bus.tap("one")
    assert (shown.lamp, shown.fare_rial, shown.balance_rial) == (
        Lamp.GREEN,
        FARE_RIAL,
        LOADED_RIAL - FARE_RIAL,
    )
    (tap,) = bus.journalled()
    assert tap.outcome is Outcome.ACCEPTED
    assert bus.issuer.proof_verifies(tap)
    assert bus.spent("one") == FARE_RIAL


# --- torn taps: whose evidence, how long ---


def only_read(tap: Tap) -> bool:
    """Whether the tap tells what the card showed, and that nothing was written on it."""
    evidence = tap.card
    return evidence is not None and (
        evidence.record_written,
        evidence.proof,
        evidence.debit_rial,
        evidence.delivered_version,
    ) == (None, None, 0, None)


def torn_after_commit(bus: Bus) -> None:
    bus.reader.faults.arm(Fault(FaultKind.CUT_AFTER, ins=0xC7))
    assert bus.tap("one").lamp is Lamp.AMBER


def test_a_recovered_tap_carries_the_torn_ones_evidence_and_the_cards_proof(bus: Bus) -> None:
    torn_after_commit(bus)
    bus.tap("one")
    torn, recovered = bus.journalled()
    assert recovered.recovers == torn.seq
    assert torn.card is not None
    assert recovered.card is not None
    assert torn.card.proof is None
    assert recovered.card.record_written == torn.card.record_written
    assert recovered.fare_rial == torn.fare_rial == FARE_RIAL
    assert bus.issuer.proof_verifies(recovered)


def test_after_30_s_it_is_a_new_ride_whose_evidence_proves_the_torn_one(bus: Bus) -> None:
    torn_after_commit(bus)
    bus.clock.pass_s(31)
    assert bus.tap("one").lamp is Lamp.GREEN
    new = bus.journalled()[-1]
    assert new.recovers is None
    assert new.card is not None
    assert new.card.previous.tmc == 2


def test_a_torn_tap_is_recovered_once(bus: Bus) -> None:
    torn_after_commit(bus)
    assert bus.tap("one").recovered
    again = bus.tap("one")
    assert not again.recovered
    assert bus.spent("one") == 2 * FARE_RIAL


def test_another_card_does_not_recover_it(bus: Bus) -> None:
    bus.issuer.make_card(bus.folder, "two", 1002)
    torn_after_commit(bus)
    assert not bus.tap("two").recovered
    assert bus.tap("one").recovered
    assert bus.spent("one") == bus.spent("two") == FARE_RIAL


def test_on_another_bus_it_is_a_new_ride_that_proves_the_old_one(
    bus: Bus, tmp_path: Path, issuer: Issuer
) -> None:
    torn_after_commit(bus)
    other = open_bus(issuer, bus.folder, tmp_path / "other", clock=bus.clock)
    assert not other.tap("one").recovered
    (torn,) = bus.journalled()
    (ride,) = other.journalled()
    assert torn.card is not None
    assert ride.card is not None
    assert ride.card.record_read == torn.card.record_written
    assert ride.card.previous.tmc == torn.card.previous.tmc + 1
    other.process.stop()


def test_a_lost_answer_to_commit_with_the_card_still_there_is_unconfirmed(bus: Bus) -> None:
    bus.reader.faults.arm(Fault(FaultKind.DROP_REPLY, ins=0xC7))
    assert bus.tap("one").reason == "card_torn"
    assert bus.tap("one").recovered
    assert bus.spent("one") == FARE_RIAL


@pytest.mark.parametrize("ins", [0xDC, 0x8B])
def test_an_altered_answer_while_staging_is_refused_with_debit_0(bus: Bus, ins: int) -> None:
    bus.reader.faults.arm(Fault(FaultKind.CORRUPT_REPLY, ins=ins, byte=0))
    shown = bus.tap("one")
    assert (shown.lamp, shown.fare_rial) == (Lamp.RED, 0)
    (tap,) = bus.journalled()
    assert (tap.outcome, tap.fare_rial) == (Outcome.REFUSED, 0)
    assert only_read(tap)
    assert bus.spent("one") == 0


def test_an_altered_answer_to_commit_is_never_green(bus: Bus) -> None:
    bus.reader.faults.arm(Fault(FaultKind.CORRUPT_REPLY, ins=0xC7, byte=0))
    assert bus.tap("one").lamp is Lamp.AMBER
    assert bus.tap("one").recovered
    assert bus.spent("one") == FARE_RIAL


def test_a_full_disk_at_the_outcome_is_amber_and_the_retap_is_not_charged_again(bus: Bus) -> None:
    write_outcome = bus.process.journal.write_outcome
    failing = [True]

    def fail_once(tap: Tap) -> None:
        if failing.pop() if failing else False:
            raise JournalFault("database or disk is full")
        write_outcome(tap)

    bus.process.journal.write_outcome = fail_once  # type: ignore[method-assign]
    assert bus.tap("one").lamp is Lamp.AMBER
    assert bus.journalled() == []
    assert bus.tap("one").recovered
    assert [tap.outcome for tap in bus.journalled()] == [Outcome.UNCONFIRMED, Outcome.ACCEPTED]
    assert bus.spent("one") == FARE_RIAL


def test_a_full_disk_at_the_intent_touches_no_card(bus: Bus) -> None:
    bus.process.journal._db.execute("PRAGMA query_only=ON")
    assert bus.tap("one").reason == "out_of_service"
    assert bus.spent("one") == 0
    bus.process.journal._db.execute("PRAGMA query_only=OFF")
    assert bus.tap("one").lamp is Lamp.GREEN


# --- refusals ---


class PlainCard:
    """A card that answers every command alike: a Classic, an Ultralight, a bank card."""

    atr = b"\x3b"

    def __init__(self, uid_answer: bytes, answer: bytes) -> None:
        self.uid_answer, self.answer = uid_answer, answer

    def transmit(self, apdu: bytes) -> bytes:
        return self.uid_answer if apdu[:2] == b"\xff\xca" else self.answer

    def close(self) -> None:
        """Nothing."""


@pytest.mark.parametrize(
    ("uid_answer", "answer"),
    [
        (bytes(4) + b"\x90\x00", b"\x6a\x81"),  # MIFARE Classic: a UID of four bytes
        (bytes(7) + b"\x90\x00", b"\x6e\x00"),  # a UID alone
        (bytes(7) + b"\x90\x00", b"\x91\xa0"),  # a DESFire without our application
        (b"\x6a\x81", b"\x6a\x81"),
    ],
)
def test_a_card_of_another_kind_is_refused(bus: Bus, uid_answer: bytes, answer: bytes) -> None:
    shown = bus.process._validator.present_card(PlainCard(uid_answer, answer))
    assert (shown.lamp, shown.reason) == (Lamp.RED, "not_our_card")
    (tap,) = bus.journalled()
    assert (tap.outcome, tap.reason, tap.card) == (Outcome.REFUSED, "not_our_card", None)


def test_a_card_of_another_system_is_not_genuine(bus: Bus) -> None:
    Issuer().make_card(bus.folder, "foreign", 1001)
    assert bus.tap("foreign").reason == "card_not_genuine"


def test_an_empty_card_is_refused_with_its_balance(bus: Bus) -> None:
    bus.issuer.make_card(bus.folder, "poor", 1003, loaded=FARE_RIAL - 1)
    shown = bus.tap("poor")
    assert (shown.reason, shown.balance_rial) == ("insufficient_balance", FARE_RIAL - 1)
    assert bus.spent("poor") == 0


def test_every_refusal_of_our_card_brings_the_proof_of_the_tap_before(bus: Bus) -> None:
    """Torn on this bus, withheld by it or lost with it: any bus the card meets can prove it."""
    issuer = bus.issuer
    serials = {"denied": 1, "poor": 2, "expired": 3, "forged": 4}
    for name, serial in serials.items():
        more = {"poor": {"loaded": FARE_RIAL}, "expired": {"expires_day": 2600}}.get(name, {})
        issuer.make_card(bus.folder, name, serial, **more)
        bus.reader.faults.arm(Fault(FaultKind.DROP_REPLY, ins=0xC7))
        assert bus.tap(name).reason == "card_torn"
    torn = {tap.card.serial: tap.card for tap in bus.journalled() if tap.card is not None}
    bus.clock.pass_s(120 * 86_400)  # the third card has expired now
    strange = {1: Issuer().card_key.public_key().public_bytes_raw()}
    bus.process.bundles.offer(issuer.bundle(2, denied_cards=frozenset({1}), card_keys=strange))
    assert bus.tap("forged").reason == "bad_entitlement"
    bus.process.bundles.offer(issuer.bundle(3, denied_cards=frozenset({1})))
    expected = {"denied": "card_denied", "poor": "insufficient_balance", "expired": "card_expired"}
    for name, reason in expected.items():
        assert bus.tap(name).reason == reason
    for tap in bus.journalled()[len(serials) :]:
        evidence = tap.card
        assert evidence is not None
        before = torn[evidence.serial]
        assert tap.outcome is Outcome.REFUSED
        assert (evidence.record_read, evidence.spent_before) == (before.record_written, FARE_RIAL)
        assert evidence.previous.tmc == before.previous.tmc + 1
        if tap.reason == "card_denied":
            assert evidence.record_written is not None
            assert issuer.proof_verifies(tap)
        else:
            assert only_read(tap)
        proven = replace(tap, card=replace(before, proof=evidence.previous))
        assert issuer.proof_verifies(proven)
        assert len(tap.encode()) < 400


def test_a_card_that_names_another_serial_speaks_for_neither(bus: Bus) -> None:
    issuer = bus.issuer
    issuer.make_card(bus.folder, "two", 1002)
    issuer.uids[1001], uid = issuer.uids[1002], issuer.uids[1001]
    others = issuer.entitlement(1001)
    issuer.uids[1001] = uid
    chip = chip_with(issuer, 1001, others)
    assert present(bus, chip.transmit).reason == "bad_entitlement"
    (tap,) = bus.journalled()
    assert (tap.outcome, tap.card) == (Outcome.REFUSED, None)


def test_a_denied_card_is_blocked_and_refused_by_a_bus_that_has_not_heard(
    bus: Bus, issuer: Issuer, tmp_path: Path
) -> None:
    bus.process.bundles.offer(issuer.bundle(2, denied_cards=frozenset({1001})))
    seen: list[int] = []
    chip = chip_with(issuer, 1001)

    def counted(apdu: bytes) -> bytes:
        seen.append(apdu[1])
        return chip.transmit(apdu)

    assert (present(bus, counted).lamp, len(seen)) == (Lamp.RED, 10)
    assert 0xDC not in seen
    (blocked,) = bus.journalled()
    assert (blocked.outcome, blocked.reason, blocked.fare_rial) == (Outcome.REFUSED, "card_denied", 0)
    assert issuer.proof_verifies(blocked)
    seen.clear()
    put_back(chip)
    assert (present(bus, counted).reason, len(seen)) == ("card_denied", 8), "it is written once"
    assert only_read(bus.journalled()[-1])
    offline = open_bus(issuer, bus.folder, tmp_path / "offline", clock=bus.clock)
    put_back(chip)
    shown = present(offline, chip.transmit)
    assert (shown.lamp, shown.reason, shown.balance_rial) == (Lamp.RED, "card_blocked", LOADED_RIAL)
    (refused,) = offline.journalled()
    assert refused.card is not None
    assert blocked.card is not None
    assert refused.card.previous == blocked.card.proof
    offline.process.stop()


def test_a_disk_that_fails_at_a_block_shows_red_and_forgets_nothing(bus: Bus) -> None:
    bus.process.bundles.offer(bus.issuer.bundle(2, denied_cards=frozenset({1001})))

    def fail(tap: Tap) -> None:
        raise JournalFault("database or disk is full")

    write_outcome = bus.process.journal.write_outcome
    bus.process.journal.write_outcome = fail  # type: ignore[method-assign]
    assert bus.tap("one").reason == "card_denied"
    bus.process.journal.write_outcome = write_outcome  # type: ignore[method-assign]
    shown = bus.tap("one")
    assert (shown.lamp, shown.reason) == (Lamp.RED, "card_denied")
    torn, told = bus.journalled()
    assert torn.card is not None
    assert told.card is not None
    assert (torn.outcome, torn.card.proof) == (Outcome.REFUSED, None)
    assert told.card.record_read == torn.card.record_written
    assert bus.issuer.proof_verifies(replace(torn, card=replace(torn.card, proof=told.card.previous)))


def test_a_pass_rides_without_a_debit(bus: Bus) -> None:
    issuer = bus.issuer
    today = day_number(date(2026, 11, 18))
    issuer.make_card(bus.folder, "pass", 1004, loaded=0, passes=(Pass(4, today, today),))
    shown = bus.tap("pass")
    assert (shown.lamp, shown.fare_rial, shown.balance_rial, shown.on_pass) == (Lamp.GREEN, 0, 0, True)
    (tap,) = bus.journalled()
    assert tap.card is not None
    assert tap.card.record_written is not None
    assert card_record.decode(tap.card.record_written).on_pass
    assert issuer.proof_verifies(tap)
    bus.clock.pass_s(86_400)
    assert bus.tap("pass").reason == "insufficient_balance"


def test_a_waiting_entitlement_is_delivered_with_the_ride(bus: Bus) -> None:
    newer = bus.issuer.entitlement(1001, version=2, loaded=LOADED_RIAL + 100_000)
    bus.process.bundles.offer(bus.issuer.bundle(2, entitlements={1001: newer}))
    assert bus.tap("one").balance_rial == LOADED_RIAL + 100_000 - FARE_RIAL
    assert bus.tap("one").balance_rial == LOADED_RIAL + 100_000 - 2 * FARE_RIAL
    first, second = bus.journalled()
    assert first.card is not None
    assert second.card is not None
    assert (first.card.delivered_version, second.card.delivered_version) == (2, None)
    assert bus.issuer.proof_verifies(first)
    assert bus.issuer.proof_verifies(second)


def test_below_the_reserve_for_5000_taps_it_is_out_of_service(bus: Bus) -> None:
    bus.disk.free = RESERVE_BYTES - 1
    assert bus.tap("one").reason == "out_of_service"
    assert bus.process.scan("MC1:X").reason == "out_of_service"
    assert bus.journalled() == []
    assert bus.spent("one") == 0
    bus.disk.free = RESERVE_BYTES
    assert bus.tap("one").lamp is Lamp.GREEN


def test_without_a_bundle_it_is_out_of_service(issuer: Issuer, cards: Path, tmp_path: Path) -> None:
    bus = open_bus(issuer, cards, tmp_path / "s", bundle=issuer.bundle(devices={}))
    assert bus.tap("one").reason == "out_of_service"
    bus.process.stop()
