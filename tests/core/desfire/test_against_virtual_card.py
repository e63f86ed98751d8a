"""The driver against the virtual card, which shares no code with it."""

from __future__ import annotations

from dataclasses import replace

import pytest

from fare.core.desfire import commands, errors, layout
from fare.core.desfire.application import OpenCard, commit, open_card, personalise, run, stage
from fare.core.desfire.frames import Conversation
from fare.core.desfire.keys import CardKeys, ValidatorKeys
from fare.core.desfire.messaging import Ev2Session
from fare.core.desfire.transaction_mac import Reading
from fare.core.proof.card import CardEvidence, personalisation_tmi, tap_tmi, verify_commit
from hardware.emulator.card import VirtualCard
from hardware.emulator.transaction import TransactionMacReading
from tests.core.desfire.card_field import (
    ENTITLEMENT,
    FARE_RIAL,
    FIRST,
    KEYS,
    MASTERS,
    NEWER,
    RECORD,
    UID,
    VALIDATOR,
    Field,
    evidence,
    issued,
    opened,
    ride,
    rnd_a,
    under,
)
from tests.core.desfire.card_vectors import flipped


@pytest.mark.parametrize(
    ("debit_rial", "delivered", "apdus"),
    [(FARE_RIAL, None, 11), (0, None, 10), (FARE_RIAL, NEWER, 12), (0, NEWER, 11), (1, None, 11)],
)
def test_a_ride_is_proven_to_the_ledger(debit_rial: int, delivered: bytes | None, apdus: int) -> None:
    virtual, first = issued()
    air = Field(virtual)
    card, proof = run(ride(debit_rial, delivered), air.transmit)
    assert len(air.sent) == apdus
    assert (card.uid, card.entitlement, card.newest_record, card.spent) == (UID, ENTITLEMENT, FIRST, 0)
    assert card.previous == first
    assert proof.tmc == 2
    tap = evidence(card, proof, debit_rial, delivered)
    assert verify_commit(KEYS.tm, UID, tap_tmi(tap, ENTITLEMENT, delivered), proof)
    after = opened(virtual)
    assert after.spent == debit_rial
    assert after.newest_record == RECORD
    assert after.previous == proof
    assert after.entitlement == (delivered or ENTITLEMENT)


def test_the_first_proof_is_of_the_entitlement_and_the_first_record() -> None:
    _, first = issued()
    assert first.tmc == 1
    assert verify_commit(KEYS.tm, UID, personalisation_tmi(ENTITLEMENT, FIRST), first)
    assert not verify_commit(KEYS.tm, UID, personalisation_tmi(flipped(ENTITLEMENT), FIRST), first)
    assert not verify_commit(KEYS.tm, UID, personalisation_tmi(ENTITLEMENT, flipped(FIRST)), first)


def test_one_bit_changed_in_any_evidence_no_longer_verifies() -> None:
    virtual, _ = issued()
    card, proof = run(ride(FARE_RIAL, NEWER), virtual.transmit)
    tap = evidence(card, proof, FARE_RIAL, NEWER)

    def verifies(
        changed: CardEvidence, read: bytes = ENTITLEMENT, written: bytes | None = NEWER, uid: bytes = UID
    ) -> bool:
        assert changed.proof is not None
        return verify_commit(KEYS.tm, uid, tap_tmi(changed, read, written), changed.proof)

    assert tap.record_written is not None
    assert verifies(tap)
    for bit in range(256):
        assert not verifies(replace(tap, record_read=flipped(tap.record_read, bit)))
        assert not verifies(replace(tap, record_written=flipped(tap.record_written, bit)))
    for bit in range(1024):
        assert not verifies(tap, read=flipped(ENTITLEMENT, bit))
        assert not verifies(tap, written=flipped(NEWER, bit))
    for bit in range(31):
        assert not verifies(replace(tap, spent_before=tap.spent_before ^ 1 << bit))
        assert not verifies(replace(tap, debit_rial=tap.debit_rial ^ 1 << bit))
    for bit in range(32):
        assert not verifies(replace(tap, proof=replace(proof, tmc=proof.tmc ^ 1 << bit)))
    for bit in range(64):
        assert not verifies(replace(tap, proof=replace(proof, tmv=flipped(proof.tmv, bit))))
    for bit in range(56):
        assert not verifies(tap, uid=flipped(UID, bit))
    assert not verifies(replace(tap, delivered_version=None), written=None)
    other_key = CardKeys.for_card(MASTERS, flipped(UID)).tm
    assert not verify_commit(other_key, UID, tap_tmi(tap, ENTITLEMENT, NEWER), proof)


@pytest.mark.parametrize("name", ["backup_reads", "backup_writes", "record_reads", "value_reads"])
def test_another_reading_of_the_transaction_mac_does_not_verify(name: str) -> None:
    virtual, _ = issued()
    card, proof = run(ride(FARE_RIAL, NEWER), virtual.transmit)
    other = replace(Reading(), **{name: False})
    tap = evidence(card, proof, FARE_RIAL, NEWER)
    assert not verify_commit(KEYS.tm, UID, tap_tmi(tap, ENTITLEMENT, NEWER, other), proof)


@pytest.mark.parametrize("after", [False, True], ids=["before", "after"])
@pytest.mark.parametrize("cut_at", range(12))
def test_a_card_torn_away_is_debited_once_or_not_at_all(cut_at: int, after: bool) -> None:
    virtual, first = issued()
    with pytest.raises(errors.CardTorn):
        run(ride(FARE_RIAL, NEWER), Field(virtual, cut_at, after).transmit)
    again = opened(virtual)
    if (cut_at, after) != (11, True):
        assert (again.spent, again.newest_record, again.entitlement) == (0, FIRST, ENTITLEMENT)
        assert again.previous == first
        return
    assert (again.spent, again.newest_record, again.entitlement) == (FARE_RIAL, RECORD, NEWER)
    before = OpenCard(UID, again.session, ENTITLEMENT, first, FIRST, 0, 1)
    lost = evidence(before, again.previous, FARE_RIAL, NEWER)
    assert verify_commit(KEYS.tm, UID, tap_tmi(lost, ENTITLEMENT, NEWER), again.previous)


def test_an_issued_card_is_not_personalised_again() -> None:
    virtual, first = issued()
    assert issued(virtual)[1] == first
    with pytest.raises(errors.AlreadyPersonalised):
        issued(virtual, NEWER)
    run(ride(), virtual.transmit)
    with pytest.raises(errors.AlreadyPersonalised):
        issued(virtual)
    assert opened(virtual).spent == FARE_RIAL


def test_a_used_card_whose_content_looks_fresh_is_not_personalised_again() -> None:
    virtual, _ = issued()
    card = opened(virtual)
    run(stage(card, FARE_RIAL, FIRST, None), virtual.transmit)
    run(commit(card), virtual.transmit)
    with pytest.raises(errors.AlreadyPersonalised):
        issued(virtual)


def test_a_card_of_another_system_is_left_alone() -> None:
    virtual, _ = issued()
    foreign = CardKeys.for_card(replace(MASTERS, system_id=b"another-city"), UID)
    with pytest.raises(errors.NotACardOfThisSystem, match="neither"):
        run(personalise(foreign, UID, ENTITLEMENT, FIRST, rnd_a), virtual.transmit)
    with pytest.raises(errors.AuthenticationFailed):
        run(open_card(ValidatorKeys({1: MASTERS.k1}, b"another-city"), rnd_a), virtual.transmit)
    assert opened(virtual).spent == 0


def test_a_fresh_card_is_no_card_of_this_system() -> None:
    with pytest.raises(errors.NotACardOfThisSystem):
        run(open_card(VALIDATOR, rnd_a), VirtualCard.factory(UID).transmit)


def test_the_load_key_replaces_the_entitlement() -> None:
    virtual, _ = issued()

    def load(session: Ev2Session) -> Conversation[object]:
        yield from commands.write_data(session, layout.ENTITLEMENT_FILE, 0, NEWER)
        return (yield from commands.commit_transaction(session))

    run(under(layout.LOAD_KEY, KEYS.k2, load), virtual.transmit)
    assert opened(virtual).entitlement == NEWER


def test_the_keys_of_one_card_open_no_other() -> None:
    virtual, _ = issued()
    dumped = CardKeys.for_card(MASTERS, flipped(UID, 55))
    for key_no, key in enumerate((dumped.k0, dumped.k1, dumped.k2)):
        with pytest.raises(errors.AuthenticationFailed):
            run(under(key_no, key, lambda s: commands.get_value(s, layout.VALUE_FILE)), virtual.transmit)


def test_a_recorded_ride_cannot_be_played_again() -> None:
    virtual, _ = issued()
    air = Field(virtual)
    run(ride(), air.transmit)
    virtual.power(False)
    virtual.power(True)
    for apdu in air.sent:
        virtual.transmit(apdu)
    assert opened(virtual).spent == FARE_RIAL


@pytest.mark.parametrize("number", range(4, 12))
def test_one_bit_changed_on_the_air_is_noticed(number: int) -> None:
    virtual, _ = issued()
    with pytest.raises((errors.WrongResponseMac, errors.MalformedAnswer)):
        run(ride(FARE_RIAL, NEWER), Field(virtual, flip_answer_at=number).transmit)
    virtual, _ = issued()
    with pytest.raises(errors.CardAnswered):
        run(ride(FARE_RIAL, NEWER), Field(virtual, flip_command_at=number).transmit)
    assert opened(virtual).spent == 0


def test_the_card_is_written_as_the_layout_says() -> None:
    virtual, _ = issued()

    def look(session: Ev2Session) -> Conversation[tuple[list[tuple[int, int, bytes]], tuple[int, int]]]:
        found: list[tuple[int, int, bytes]] = []
        for file_no in (1, 2, 3, 15):
            settings = yield from commands.get_file_settings(session, file_no)
            found.append((settings.file_type, settings.comm_mode, settings.access_rights))
        versions = (
            (yield from commands.get_key_version(session, 0)),
            (yield from commands.get_key_version(session, 1)),
        )
        return found, versions

    files, versions = run(under(0, KEYS.k0, look), virtual.transmit)
    assert files == [
        (1, 1, layout.ENTITLEMENT_RIGHTS),
        (2, 1, layout.VALUE_RIGHTS),
        (4, 1, layout.RECORD_RIGHTS),
        (5, 1, layout.PROOF_RIGHTS),
    ]
    assert versions == (MASTERS.version, MASTERS.version)


def test_the_purse_ends_at_its_lower_limit() -> None:
    virtual, _ = issued()
    for _ in range(2):
        run(ride(layout.MAX_DEBIT_RIAL), virtual.transmit)
    run(ride(1), virtual.transmit)
    assert opened(virtual).spent == 2**32 - 1
    with pytest.raises(errors.BoundaryError):
        run(ride(1), virtual.transmit)


def test_proofs_follow_one_another_through_many_rides() -> None:
    virtual, previous = issued()
    spent, newest = 0, FIRST
    for number in range(20):
        card = opened(virtual)
        assert (card.previous, card.spent, card.newest_record) == (previous, spent, newest)
        newest = bytes([number]) * 32
        run(stage(card, 500 + number, newest, None), virtual.transmit)
        previous = run(commit(card), virtual.transmit)
        spent += 500 + number
        tap = replace(evidence(card, previous, 500 + number, None), record_written=newest)
        assert previous.tmc == number + 2
        assert verify_commit(KEYS.tm, UID, tap_tmi(tap, ENTITLEMENT, None), previous)


def test_commands_and_answers_in_small_frames_mean_the_same() -> None:
    for frame_bytes, frame_size in [(59, 54), (60, 59), (128, 60), (253, 100), (None, 20)]:
        virtual, _ = issued(VirtualCard.factory(UID, frame_bytes=frame_bytes))
        air = Field(virtual)
        card = run(open_card(VALIDATOR, rnd_a), air.transmit)
        card.session.frame_size = frame_size
        run(stage(card, FARE_RIAL, RECORD, NEWER), air.transmit)
        proof = run(commit(card), air.transmit)
        assert max(apdu[4] for apdu in air.sent[8:]) <= frame_size
        tap = evidence(card, proof, FARE_RIAL, NEWER)
        assert verify_commit(KEYS.tm, UID, tap_tmi(tap, ENTITLEMENT, NEWER), proof)
        assert opened(virtual).entitlement == NEWER


def test_the_abort_switch_makes_every_proof_stand_alone() -> None:
    """Under this reading Abort empties the input and keeps the session: one APDU more, no file proven."""
    reading = Reading(abort_after_reads=True)
    for debit_rial, delivered, apdus in [(FARE_RIAL, None, 12), (FARE_RIAL, NEWER, 13), (0, None, 11)]:
        virtual, _ = issued()
        air = Field(virtual)
        card = run(open_card(VALIDATOR, rnd_a, reading), air.transmit)
        run(stage(card, debit_rial, RECORD, delivered), air.transmit)
        proof = run(commit(card), air.transmit)
        assert len(air.sent) == apdus
        tap = evidence(card, proof, debit_rial, delivered)
        assert verify_commit(KEYS.tm, UID, tap_tmi(tap, ENTITLEMENT, delivered, reading), proof)
        assert not verify_commit(KEYS.tm, UID, tap_tmi(tap, ENTITLEMENT, delivered), proof)
        unknown = replace(tap, record_read=bytes(32))
        assert verify_commit(KEYS.tm, UID, tap_tmi(unknown, bytes(128), delivered, reading), proof)


def test_a_card_that_reads_abort_otherwise_is_noticed() -> None:
    """A card that keeps its input after Abort gives proofs the switch does not verify; one that ends the
    session there refuses GetValue. Either way the switch must be off for that card.
    """
    keeps_input = VirtualCard.factory(UID, reading=TransactionMacReading(abort_empties_input=False))
    virtual, _ = issued(keeps_input)
    reading = Reading(abort_after_reads=True)
    card = run(open_card(VALIDATOR, rnd_a, reading), virtual.transmit)
    run(stage(card, FARE_RIAL, RECORD, None), virtual.transmit)
    proof = run(commit(card), virtual.transmit)
    tap = evidence(card, proof, FARE_RIAL, None)
    assert not verify_commit(KEYS.tm, UID, tap_tmi(tap, ENTITLEMENT, None, reading), proof)
    ends_session = VirtualCard.factory(UID, reading=TransactionMacReading(abort_keeps_session=False))
    virtual, _ = issued(ends_session)
    with pytest.raises(errors.CardFault):
        run(open_card(VALIDATOR, rnd_a, reading), virtual.transmit)
    assert opened(virtual).spent == 0


def test_each_reading_of_the_driver_fits_the_card_that_reads_alike() -> None:
    pairs = [
        (Reading(backup_reads=False), TransactionMacReading(backup_reads_enter=False)),
        (Reading(backup_writes=False), TransactionMacReading(backup_writes_enter=False)),
        (Reading(record_reads=False), TransactionMacReading(record_reads_enter=False)),
        (Reading(value_reads=False), TransactionMacReading(get_value_enters=False)),
    ]
    for reading, of_card in pairs:
        virtual, _ = issued(VirtualCard.factory(UID, reading=of_card))
        card, proof = run(ride(FARE_RIAL, NEWER), virtual.transmit)
        tap = evidence(card, proof, FARE_RIAL, NEWER)
        assert verify_commit(KEYS.tm, UID, tap_tmi(tap, ENTITLEMENT, NEWER, reading), proof)
        assert not verify_commit(KEYS.tm, UID, tap_tmi(tap, ENTITLEMENT, NEWER), proof)
