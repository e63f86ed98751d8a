"""The journal: nothing lost, nothing renumbered, and a damaged file is a sentence."""

from __future__ import annotations

import dataclasses
import secrets
import sqlite3
from collections.abc import Iterator
from pathlib import Path

import pytest

from fare.core.batch import Acknowledgement, chain_hash, decode_batch, genesis_hash
from fare.core.errors import OperatorError
from fare.core.replay import CLAIM_GRACE_S, claims
from fare.core.tap import BundleVersion, ClockQuality, Outcome, Tap
from readers.journal import KEEP_ACKNOWLEDGED_MS, Journal, JournalFault
from readers.vehicle_memory.port import KeptRide
from tests.readers.bus import DEVICE, EPOCH, NOW_S


def open_journal(folder: Path) -> Journal:
    return Journal(folder, DEVICE, secrets.token_bytes)


def a_tap(journal: Journal, **changes: object) -> Tap:
    tap = Tap(
        device=DEVICE,
        journal_id=journal.journal_id,
        boot_id=journal.boot_id,
        seq=journal.next_seq,
        mono_ns=1,
        wall_ms=NOW_S * 1000,
        clock_quality=ClockQuality.SYNCHRONISED,
        bundle_version=BundleVersion(EPOCH, 1),
        outcome=Outcome.REFUSED,
        reason="not_our_card",
        fare_rial=0,
        line=12,
        area=3,
        tariff_version=1,
    )
    return dataclasses.replace(tap, **changes)  # type: ignore[arg-type]


def acknowledge(journal: Journal, seq: int, *, epoch: bytes = EPOCH, at_ms: int = NOW_S * 1000) -> None:
    acked_hash = journal.hash_at(seq)
    assert acked_hash is not None
    journal.acknowledge(
        Acknowledgement(epoch, DEVICE, journal.journal_id, seq, acked_hash, (), bytes(32), at_ms), b"receipt"
    )


@pytest.fixture
def journal(tmp_path: Path) -> Iterator[Journal]:
    opened = open_journal(tmp_path / "state")
    yield opened
    opened.close()


def test_taps_are_chained_and_survive_reopening(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    head = genesis_hash(DEVICE, journal.journal_id)
    for _ in range(5):
        tap = a_tap(journal)
        journal.write_tap(tap)
        head = chain_hash(head, tap.encode())
    identity, boot = journal.journal_id, journal.boot_id
    journal.close()
    again = open_journal(tmp_path)
    assert (again.journal_id, again.next_seq, again.hash_at(5)) == (identity, 6, head)
    assert again.boot_id != boot
    again.close()


def test_an_open_intent_becomes_an_unconfirmed_tap_with_its_own_bytes(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    intent = a_tap(journal, outcome=Outcome.UNCONFIRMED, reason="card_torn", fare_rial=5)
    journal.write_intent(intent)
    journal.close()
    again = open_journal(tmp_path)
    assert again.found_open == intent
    assert again.tap(1) == intent
    assert again.open_intent_seq is None
    assert again.next_seq == 2
    again.close()


def test_no_tap_is_written_past_an_open_intent(journal: Journal) -> None:
    intent = a_tap(journal, outcome=Outcome.UNCONFIRMED)
    journal.write_intent(intent)
    with pytest.raises(JournalFault, match="under way"):
        journal.write_tap(a_tap(journal))
    journal.write_outcome(dataclasses.replace(intent, outcome=Outcome.ACCEPTED))
    journal.write_tap(a_tap(journal))
    assert [tap.seq for tap in journal.recent_taps(9)] == [1, 2]


def test_a_hole_or_another_journals_tap_is_refused(journal: Journal) -> None:
    with pytest.raises(JournalFault):
        journal.write_tap(a_tap(journal, seq=2))
    with pytest.raises(JournalFault):
        journal.write_tap(a_tap(journal, journal_id=bytes(16)))
    with pytest.raises(JournalFault):
        journal.write_outcome(a_tap(journal))


def test_batches_are_cut_at_the_watermark_and_at_500(journal: Journal) -> None:
    for _ in range(510):
        journal.write_tap(a_tap(journal))
    first = journal.next_batch(500, 7, 8)
    assert first is not None
    assert (first.first_seq, first.last_seq, first.newest_seq) == (1, 500, 510)
    assert decode_batch(first.encode()) == first
    acknowledge(journal, 500)
    rest = journal.next_batch(500, 7, 8)
    assert rest is not None
    assert (rest.first_seq, rest.last_seq, rest.previous_hash) == (501, 510, first.head_hash)
    acknowledge(journal, 510)
    assert journal.next_batch(500, 7, 8) is None
    probe = journal.next_batch(1, 7, 8, probe=True)
    assert probe is not None
    assert probe.first_seq == probe.last_seq == 510


def test_a_restored_ledger_rewinds_the_watermark(journal: Journal) -> None:
    for _ in range(6):
        journal.write_tap(a_tap(journal))
    acknowledge(journal, 6)
    acknowledge(journal, 2, epoch=bytes(8))
    batch = journal.next_batch(500, 7, 8)
    assert batch is not None
    assert batch.first_seq == 3
    assert journal.watermark().ledger_epoch == bytes(8)


def test_acknowledged_taps_stay_35_days_of_the_ledgers_time_and_unsent_ones_for_ever(
    journal: Journal,
) -> None:
    for _ in range(6):
        journal.write_tap(a_tap(journal))
    acknowledge(journal, 4)
    acknowledge(journal, 5, at_ms=NOW_S * 1000 + KEEP_ACKNOWLEDGED_MS)
    assert journal.tap(1) is not None
    acknowledge(journal, 5, at_ms=NOW_S * 1000 + KEEP_ACKNOWLEDGED_MS + 1)
    assert journal.tap(4) is None
    assert journal.tap(5) is not None
    assert journal.unsent_count() == 1
    batch = journal.next_batch(500, 7, 8)
    assert batch is not None
    assert batch.first_seq == 6
    assert journal.hash_at(4) == journal.next_batch(1, 7, 8, probe=True).previous_hash  # type: ignore[union-attr]


def test_a_pruned_journal_opens_again(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    for _ in range(4):
        journal.write_tap(a_tap(journal))
    acknowledge(journal, 3)
    acknowledge(journal, 4, at_ms=NOW_S * 1000 + KEEP_ACKNOWLEDGED_MS + 1)
    journal.close()
    again = open_journal(tmp_path)
    assert [tap.seq for tap in again.recent_taps(9)] == [4]
    again.close()


def test_what_a_ticket_claimed_is_kept_with_its_tap(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    ride = KeptRide(claims(b"12345678", 3, 2), NOW_S + 60, NOW_S)
    journal.write_tap(a_tap(journal), ride)
    journal.close()
    again = open_journal(tmp_path)
    assert again.kept_rides(NOW_S) == [ride]
    last_s = ride.expires_at_s + CLAIM_GRACE_S
    assert again.kept_rides(last_s) == [ride]
    assert again.kept_rides(last_s + 1) == []  # it can be shown no more, within what clocks may differ
    assert again.claimed_by(1) == ride.claim
    again.close()


def test_the_file_is_durable_and_private(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    assert (tmp_path / "journal.db").stat().st_mode & 0o777 == 0o600
    assert journal._db.execute("PRAGMA journal_mode").fetchone() == ("wal",)
    assert journal._db.execute("PRAGMA synchronous").fetchone() == (2,)
    journal.close()


# --- files that cannot be used: one sentence, nothing lost ---


def damaged(folder: Path) -> str:
    before = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    with pytest.raises(OperatorError) as told:
        open_journal(folder)
    after = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
    assert before["journal.db"] == after["journal.db"]
    assert "\n" not in str(told.value)
    return str(told.value)


def filled(folder: Path) -> Path:
    journal = open_journal(folder)
    for _ in range(20):
        journal.write_tap(a_tap(journal))
    journal.close()
    return folder / "journal.db"


@pytest.mark.parametrize("content", [b"", b"not a database at all" * 50])
def test_another_file_in_its_place(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "journal.db").write_bytes(content)
    assert "move the whole folder" in damaged(tmp_path)


def test_a_truncated_file(tmp_path: Path) -> None:
    path = filled(tmp_path)
    path.write_bytes(path.read_bytes()[:9000])
    assert "move the whole folder" in damaged(tmp_path)


def test_an_edited_tap_breaks_the_chain(tmp_path: Path) -> None:
    path = filled(tmp_path)
    with sqlite3.connect(path) as database:
        database.execute("UPDATE tap SET raw = x'00' WHERE seq = 7")
    database.close()
    assert "breaks at number 7" in damaged(tmp_path)


def test_another_devices_journal(tmp_path: Path) -> None:
    filled(tmp_path)
    with pytest.raises(OperatorError, match="belongs to device 7, not 8"):
        Journal(tmp_path, 8, secrets.token_bytes)


def test_a_journal_is_held_by_one_process(tmp_path: Path) -> None:
    journal = open_journal(tmp_path)
    with pytest.raises(OperatorError, match="Another validator"):
        open_journal(tmp_path)
    journal.close()


def test_a_lost_main_file_beside_its_log_is_not_a_new_journal(tmp_path: Path) -> None:
    (tmp_path / "journal.db-wal").write_bytes(b"x")
    with pytest.raises(OperatorError, match="write-ahead log"):
        open_journal(tmp_path)


def test_a_failed_write_leaves_the_numbers_as_they_were(journal: Journal) -> None:
    journal.write_tap(a_tap(journal))
    journal._db.execute("PRAGMA query_only=ON")
    with pytest.raises(JournalFault):
        journal.write_tap(a_tap(journal))
    journal._db.execute("PRAGMA query_only=OFF")
    assert journal.next_seq == 2
    journal.write_tap(a_tap(journal))
    assert journal.next_seq == 3
