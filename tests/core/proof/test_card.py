from __future__ import annotations

from dataclasses import replace

import pytest

from fare.core.desfire import transaction_mac as tm
from fare.core.proof.card import (
    CardEvidence,
    CommitProof,
    load_tmi,
    personalisation_tmi,
    tap_tmi,
    verify_commit,
)

UID = bytes.fromhex("04A1B2C3D4E5F6")
TM_KEY = bytes(range(16, 32))
READ = b"\x11" * 128
DELIVERED = b"\x22" * 128
EVIDENCE = CardEvidence(
    serial=1,
    entitlement_version=4,
    delivered_version=None,
    record_read=b"\x33" * 32,
    spent_before=50_000,
    debit_rial=12_000,
    record_written=b"\x44" * 32,
    previous=CommitProof(6, bytes(8)),
    proof=CommitProof(7, bytes(8)),
)
PAD = "00" * 8
READS = (
    "ad01000000800000" + PAD + "11" * 128
    + "ab03000000010000" + PAD + "33" * 32
    + "6c02af3cff7f" + "00" * 10
)  # fmt: skip
DEBIT = "dc02e02e0000" + "00" * 10
DELIVERY = "8d01000000800000" + PAD + "22" * 128
RECORD = "8b03000000200000" + PAD + "44" * 32


def test_the_input_of_a_tap_is_the_reads_the_debit_and_the_record() -> None:
    assert tap_tmi(EVIDENCE, READ, None).hex() == READS + DEBIT + RECORD


def test_the_input_of_a_free_ride_has_no_debit() -> None:
    assert tap_tmi(replace(EVIDENCE, debit_rial=0), READ, None).hex() == READS + RECORD


def test_a_delivered_entitlement_stands_between_debit_and_record() -> None:
    carried = replace(EVIDENCE, delivered_version=5)
    assert tap_tmi(carried, READ, DELIVERED).hex() == READS + DEBIT + DELIVERY + RECORD


def test_another_reading_gives_another_input() -> None:
    proof_alone = tm.Reading(backup_reads=False, record_reads=False, value_reads=False)
    assert tap_tmi(EVIDENCE, READ, None, proof_alone).hex() == DEBIT + RECORD


def test_the_first_commit_writes_the_entitlement_and_a_record() -> None:
    assert personalisation_tmi(DELIVERED, b"\x44" * 32).hex() == DELIVERY + RECORD


def test_the_input_of_a_load_is_the_written_entitlement_alone() -> None:
    assert load_tmi(DELIVERED).hex() == DELIVERY
    assert load_tmi(DELIVERED, tm.Reading(backup_writes=False)) == b""
    with pytest.raises(ValueError, match="128 bytes, not 127"):
        load_tmi(DELIVERED[1:])


def test_a_tap_that_only_read_its_card_has_no_commit_to_prove() -> None:
    only_read = replace(EVIDENCE, record_written=None, debit_rial=0, proof=None)
    with pytest.raises(ValueError, match="no commit"):
        tap_tmi(only_read, READ, None)


def test_a_proof_verifies_for_its_own_key_card_counter_and_input_alone() -> None:
    tmi = tap_tmi(EVIDENCE, READ, None)
    proof = CommitProof(7, tm.tmv(TM_KEY, UID, 7, tmi))
    assert verify_commit(TM_KEY, UID, tmi, proof)
    assert not verify_commit(TM_KEY[:-1] + b"\x00", UID, tmi, proof)
    assert not verify_commit(TM_KEY, UID[:-1] + b"\x00", tmi, proof)
    assert not verify_commit(TM_KEY, UID, tmi, replace(proof, tmc=8))
    assert not verify_commit(TM_KEY, UID, tmi + bytes(16), proof)
    for bit in range(64):
        wrong = bytearray(proof.tmv)
        wrong[bit // 8] ^= 1 << bit % 8
        assert not verify_commit(TM_KEY, UID, tmi, CommitProof(7, bytes(wrong)))


@pytest.mark.parametrize(
    ("evidence", "read", "delivered"),
    [
        (replace(EVIDENCE, delivered_version=5), READ, None),
        (EVIDENCE, READ, DELIVERED),
        (EVIDENCE, READ[:-1], None),
        (replace(EVIDENCE, delivered_version=5), READ, DELIVERED[:-1]),
        (replace(EVIDENCE, record_read=bytes(31)), READ, None),
        (replace(EVIDENCE, record_written=bytes(33)), READ, None),
        (replace(EVIDENCE, debit_rial=-1), READ, None),
        (replace(EVIDENCE, debit_rial=2**31), READ, None),
        (replace(EVIDENCE, spent_before=-1), READ, None),
        (replace(EVIDENCE, spent_before=2**32), READ, None),
    ],
)
def test_evidence_no_card_can_give_is_refused(
    evidence: CardEvidence, read: bytes, delivered: bytes | None
) -> None:
    with pytest.raises(ValueError, match=r"card|go together"):
        tap_tmi(evidence, read, delivered)


def test_a_proof_is_twelve_bytes_counter_first() -> None:
    proof = CommitProof(0x01020304, bytes(range(8)))
    assert proof.encode().hex() == "04030201" + "0001020304050607"
    assert CommitProof.decode(proof.encode()) == proof


def test_proofs_of_another_shape_are_refused() -> None:
    with pytest.raises(ValueError, match="12 bytes, not 11"):
        CommitProof.decode(bytes(11))
    with pytest.raises(ValueError, match="counter"):
        CommitProof(2**32, bytes(8))
    with pytest.raises(ValueError, match="8 bytes, not 7"):
        CommitProof(1, bytes(7))
