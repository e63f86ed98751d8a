"""The validator's journal: every tap on disk before its lamp, in one numbered, hashed chain. It forgets
nothing that the ledger has not acknowledged, and never decides anything.

A card tap is two rows in time: INTENT before the card is written, holding the whole unconfirmed tap, then the
outcome. A crash between leaves the intent, and the next start turns its exact bytes into an unconfirmed tap.
While an intent is open its seq is taken, so no other tap may be written: there is never a hole.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from fare.core.batch import Acknowledgement, Batch, chain_hash, genesis_hash
from fare.core.replay import CLAIM_GRACE_S, RideClaim, claims
from fare.core.tap import Outcome, Tap, decode_tap
from readers.journal_store import FILE_NAME, open_store
from readers.ports import RandomBytes
from readers.vehicle_memory.port import KeptRide

KEEP_ACKNOWLEDGED_MS: Final = 35 * 24 * 3600 * 1000
RESERVE_TAPS: Final = 5_000
BYTES_PER_TAP: Final = 2_048
"""What a card tap takes on disk with its intent, index pages and write-ahead log, rounded up generously."""
RESERVE_BYTES: Final = RESERVE_TAPS * BYTES_PER_TAP
MAX_BATCH_PAYLOAD_BYTES: Final = 900_000


class JournalFault(Exception):
    """The disk refused a row. Nothing may be shown green; the message is the database's."""


@dataclass(frozen=True, slots=True)
class Watermark:
    """How far the ledger has acknowledged this journal, and in which epoch of the ledger."""

    acked_seq: int
    ledger_epoch: bytes | None


class Journal:
    """One journal file, for one process. Thread-safe; each method is one durable transaction."""

    def __init__(self, folder: Path, device: int, random_bytes: RandomBytes) -> None:
        """Open or create. Raises OperatorError, see `journal_store.open_store`."""
        self._lock = threading.RLock()
        self._held: int | None
        self._db, self._held = open_store(folder, device, random_bytes(16))
        self.device = device
        self.path = folder / FILE_NAME
        self.boot_id = random_bytes(8)
        (journal_id,) = self._db.execute("SELECT journal_id FROM journal").fetchone()
        self.journal_id = bytes(journal_id)
        self._open_intent_seq: int | None = None
        self._head_seq, self._head_hash = self._read_head()
        self.found_open = self._settle_found_intent()
        """The unconfirmed tap that the last run left behind, if it was cut between card and outcome."""

    def close(self) -> None:
        """Close the file and let another process have it; a second call does nothing."""
        with self._lock:
            self._db.close()
            if self._held is not None:
                os.close(self._held)
                self._held = None

    # --- writing taps ---

    @property
    def next_seq(self) -> int:
        """The number of the next tap."""
        with self._lock:
            return self._head_seq + 1

    @property
    def open_intent_seq(self) -> int | None:
        """The number of the card tap that is under way, if one is."""
        with self._lock:
            return self._open_intent_seq

    def write_intent(self, unconfirmed: Tap) -> None:
        """INTENT: call it before the card is written.

        `unconfirmed` is the tap as it stands without a proof.
        """
        with self._lock:
            self._require_next(unconfirmed)
            with self._transaction():
                self._db.execute(
                    "INSERT INTO intent VALUES (1, ?, ?)", (unconfirmed.seq, unconfirmed.encode())
                )
            self._open_intent_seq = unconfirmed.seq

    def write_outcome(self, tap: Tap) -> None:
        """OUTCOME of the open intent: call it before the lamp."""
        with self._lock:
            if tap.seq != self._open_intent_seq:
                raise JournalFault(f"tap {tap.seq} has no open intent")
            self._append(tap.seq, tap.encode(), None, closes_intent=True)

    def write_tap(self, tap: Tap, ride: KeptRide | None = None) -> None:
        """A tap that needs no intent: refused, recovered, or a ticket's with what it claimed."""
        with self._lock:
            self._require_next(tap)
            self._append(tap.seq, tap.encode(), ride, closes_intent=False)

    def settle_intent(self) -> Tap | None:
        """Turn an open intent into the unconfirmed tap it holds; None when none is open."""
        with self._lock:
            if self._open_intent_seq is None:
                return None
            return self._settle_found_intent()

    def _settle_found_intent(self) -> Tap | None:
        try:
            row = self._db.execute("SELECT seq, raw FROM intent").fetchone()
        except sqlite3.Error as fault:  # also a file that was closed already
            raise JournalFault(str(fault)) from fault
        if row is None:
            self._open_intent_seq = None
            return None
        seq, raw = row
        self._append(seq, bytes(raw), None, closes_intent=True)
        return decode_tap(bytes(raw))

    def _require_next(self, tap: Tap) -> None:
        if self._open_intent_seq is not None:
            raise JournalFault(f"tap {self._open_intent_seq} is still under way")
        if tap.seq != self._head_seq + 1 or tap.journal_id != self.journal_id or tap.device != self.device:
            raise JournalFault(f"tap {tap.seq} is not the next of this journal")

    def _append(self, seq: int, raw: bytes, ride: KeptRide | None, *, closes_intent: bool) -> None:
        head = chain_hash(self._head_hash, raw)
        with self._transaction():
            self._db.execute("INSERT INTO tap VALUES (?, ?, ?, ?)", (seq, raw, self._head_hash, head))
            if ride is not None:
                claim = ride.claim
                self._db.execute(
                    "INSERT INTO replay VALUES (?, ?, ?, ?, ?)",
                    (seq, claim.cti, claim.first, claim.last - claim.first + 1, ride.expires_at_s),
                )
            if closes_intent:
                self._db.execute("DELETE FROM intent")
        self._head_seq, self._head_hash = seq, head
        if closes_intent:
            self._open_intent_seq = None

    @contextmanager
    def _transaction(self) -> Generator[None]:
        try:
            self._db.execute("BEGIN IMMEDIATE")
            try:
                yield
                self._db.execute("COMMIT")
            except BaseException:
                if self._db.in_transaction:
                    self._db.execute("ROLLBACK")
                raise
        except sqlite3.Error as fault:
            # After a failed COMMIT nobody knows what the disk holds: read it again before going on.
            self._refresh_after_fault()
            raise JournalFault(str(fault)) from fault

    def _refresh_after_fault(self) -> None:
        try:
            self._head_seq, self._head_hash = self._read_head()
            row = self._db.execute("SELECT seq FROM intent").fetchone()
            self._open_intent_seq = None if row is None else row[0]
        except sqlite3.Error:
            return  # the next write fails as well, and nothing is shown green

    # --- reading ---

    def tap(self, seq: int) -> Tap | None:
        """One tap as written, or None."""
        with self._lock:
            row = self._db.execute("SELECT raw FROM tap WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else decode_tap(bytes(row[0]))

    def recent_taps(self, count: int) -> list[Tap]:
        """The newest taps, oldest of them first."""
        with self._lock:
            rows = self._db.execute("SELECT raw FROM tap ORDER BY seq DESC LIMIT ?", (count,)).fetchall()
        return [decode_tap(bytes(raw)) for (raw,) in reversed(rows)]

    def open_unconfirmed(self, count: int = 50) -> list[Tap]:
        """Unconfirmed taps among the newest `count` whose proof no later tap has recovered."""
        recent = self.recent_taps(count)
        recovered = {tap.recovers for tap in recent}
        return [t for t in recent if t.outcome is Outcome.UNCONFIRMED and t.seq not in recovered]

    def kept_rides(self, now_s: int) -> list[KeptRide]:
        """Every ride of a ticket accepted here that may still be shown at `now_s`, oldest first."""
        with self._lock:
            rows = self._db.execute(
                "SELECT r.cti, r.ctr, r.pax, r.expires_at_s, t.raw FROM replay r"
                " LEFT JOIN tap t ON t.seq = r.seq WHERE r.expires_at_s >= ? ORDER BY r.seq",
                (now_s - CLAIM_GRACE_S,),
            ).fetchall()
        return [
            KeptRide(
                claims(bytes(cti), ctr, pax),
                expires_at_s,
                # A tap is dropped before its claim: the time is no longer known then.
                0 if raw is None else decode_tap(bytes(raw)).wall_ms // 1000,
            )
            for cti, ctr, pax, expires_at_s, raw in rows
        ]

    def claimed_by(self, seq: int) -> RideClaim | None:
        """The rides that tap `seq` claimed; None for a tap of a card, a refused one, or one not kept."""
        with self._lock:
            row = self._db.execute("SELECT cti, ctr, pax FROM replay WHERE seq = ?", (seq,)).fetchone()
        return None if row is None else claims(bytes(row[0]), row[1], row[2])

    def watermark(self) -> Watermark:
        """What the ledger has acknowledged."""
        with self._lock:
            seq, epoch = self._db.execute("SELECT acked_seq, ledger_epoch FROM journal").fetchone()
        return Watermark(seq, None if epoch is None else bytes(epoch))

    def unsent_count(self) -> int:
        """How many taps the ledger has not acknowledged."""
        with self._lock:
            return self._head_seq - self.watermark().acked_seq

    def newest_synchronised_ms(self) -> int:
        """A wall time that certainly has passed: of the newest acknowledgement, else 0."""
        with self._lock:
            (server_time_ms,) = self._db.execute("SELECT server_time_ms FROM journal").fetchone()
        return server_time_ms

    def _read_head(self) -> tuple[int, bytes]:
        row = self._db.execute("SELECT seq, hash FROM tap ORDER BY seq DESC LIMIT 1").fetchone()
        return (row[0], bytes(row[1])) if row else (0, genesis_hash(self.device, self.journal_id))

    # --- upload ---

    def next_batch(
        self, limit: int, mono_ns: int, wall_ms: int, *, probe: bool = False, after_seq: int = 0
    ) -> Batch | None:
        """The oldest unacknowledged taps after `after_seq`, at most `limit`; None when there are none.

        With `probe`, the newest acknowledged tap is sent again: its acknowledgement tells the time and
        whether the ledger still has what it acknowledged.
        """
        with self._lock:
            acked_seq = self.watermark().acked_seq
            first = acked_seq if probe else max(acked_seq, after_seq) + 1
            rows = self._db.execute(
                "SELECT seq, raw, previous_hash, hash FROM tap WHERE seq >= ? ORDER BY seq LIMIT ?",
                (first, limit),
            ).fetchall()
            newest = self._head_seq
        taps: list[bytes] = []
        size = 0
        for _, raw, _, _ in rows:
            size += len(raw)
            if taps and size > MAX_BATCH_PAYLOAD_BYTES:
                break
            taps.append(bytes(raw))
        if not taps:
            return None
        return Batch(
            device=self.device,
            journal_id=self.journal_id,
            first_seq=rows[0][0],
            previous_hash=bytes(rows[0][2]),
            taps=tuple(taps),
            head_hash=bytes(rows[len(taps) - 1][3]),
            newest_seq=newest,
            boot_id=self.boot_id,
            mono_ns=mono_ns,
            wall_ms=wall_ms,
        )

    def hash_at(self, seq: int) -> bytes | None:
        """The chain's hash after tap `seq` (0: before the first).

        None for a tap this journal does not hold.
        """
        with self._lock:
            if seq == 0:
                return genesis_hash(self.device, self.journal_id)
            row = self._db.execute("SELECT hash FROM tap WHERE seq = ?", (seq,)).fetchone()
            if row is None:  # the tap before the oldest kept one is known by its hash alone
                row = self._db.execute("SELECT previous_hash FROM tap WHERE seq = ?", (seq + 1,)).fetchone()
        return None if row is None else bytes(row[0])

    def acknowledge(self, acknowledgement: Acknowledgement, envelope: bytes) -> None:
        """Move the watermark to what a verified acknowledgement says, forwards or (a restored ledger)
        backwards.

        Drops taps and claims that were acknowledged more than 35 days of the ledger's time ago.
        """
        with self._lock, self._transaction():
            (oldest,) = self._db.execute("SELECT coalesce(min(seq), 1) FROM tap").fetchone()
            self._db.execute(
                "UPDATE journal SET acked_seq = ?, ledger_epoch = ?, server_time_ms = ?",
                (
                    # What was dropped cannot be sent again: the ledger's gap shows it.
                    max(acknowledgement.acked_seq, oldest - 1),
                    acknowledgement.ledger_epoch,
                    acknowledgement.server_time_ms,
                ),
            )
            self._db.execute(
                "INSERT INTO acknowledgement (acked_seq, server_time_ms, envelope) VALUES (?, ?, ?)",
                (acknowledgement.acked_seq, acknowledgement.server_time_ms, envelope),
            )
            self._drop_old(acknowledgement)

    def _drop_old(self, newest: Acknowledgement) -> None:
        before_ms = newest.server_time_ms - KEEP_ACKNOWLEDGED_MS
        (upto,) = self._db.execute(
            "SELECT max(acked_seq) FROM acknowledgement WHERE server_time_ms < ?", (before_ms,)
        ).fetchone()
        if upto is None:
            return
        # The watermark's own tap stays: the chain and the probe start from it.
        upto = min(upto, newest.acked_seq - 1)
        self._db.execute("DELETE FROM tap WHERE seq <= ?", (upto,))
        self._db.execute("DELETE FROM replay WHERE seq <= ? AND expires_at_s < ?", (upto, before_ms // 1000))
        self._db.execute("DELETE FROM acknowledgement WHERE server_time_ms < ?", (before_ms,))

    # --- the bundle's envelope ---

    def stored_bundle(self) -> bytes | None:
        """The envelope of the newest bundle that was verified here."""
        with self._lock:
            row = self._db.execute("SELECT envelope FROM bundle").fetchone()
        return None if row is None else bytes(row[0])

    def store_bundle(self, envelope: bytes) -> None:
        """Replace it: the old or the new one after a crash, never a mixture."""
        with self._lock, self._transaction():
            self._db.execute("INSERT OR REPLACE INTO bundle VALUES (1, ?)", (envelope,))
