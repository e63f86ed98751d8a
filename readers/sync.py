"""Keeping bus and ledger in step: taps up, bundle down, by polling. It never deletes a tap and stops no sale.

`Synchroniser.step` is one round and may be driven by a simulation; `SyncThread` drives it at its own
pace, with full-jitter backoff from 1 s to 5 min after a failure. What a round meets is kept in `status`
for the screens.
"""

from __future__ import annotations

import contextlib
import hashlib
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core.batch import MAX_TAPS_IN_BATCH, Acknowledgement, Batch, decode_acknowledgement
from fare.core.claim_answer import open_claim_answer
from fare.core.signed import ACKNOWLEDGEMENT, BATCH, DEVICE_KID, open_envelope, seal
from fare.core.tap import ClockQuality
from readers.bundles import Bundles
from readers.journal import Journal, JournalFault
from readers.ports import Clock, RandomBytes
from readers.uplink import LedgerRefused, Uplink, UplinkDown

BACKOFF_FIRST_S: Final = 1.0
BACKOFF_MOST_S: Final = 300.0
MOST_REWINDS: Final = 3
UNAUTHORISED: Final = 401


class SyncFault(Exception):
    """The two sides do not agree; the message says on what, and a person has to look."""


class OtherHistory(SyncFault):
    """The ledger holds other taps under this journal's numbers: a copied or a restored disk."""

    def __init__(self) -> None:
        super().__init__(
            "the ledger holds other taps under this journal's numbers (a copied or restored disk): "
            "take this device to the workshop with its state folder"
        )


@dataclass(frozen=True, slots=True)
class SyncStatus:
    """What the last round met. Times are unix milliseconds of this bus; `problem` is a sentence or empty."""

    last_contact_ms: int | None = None
    last_upload_ms: int | None = None
    bundle_confirmed_ms: int | None = None
    problem: str = ""
    retry_after_s: float | None = None
    quarantined: int = 0


@dataclass(frozen=True, slots=True)
class Enrolment:
    """How this device proves itself: its key, and the single-use code of its kit until the key is claimed."""

    device: int
    key: Ed25519PrivateKey
    claim_code: str


class Synchroniser:
    """One round at a time, from any thread."""

    def __init__(
        self, *, enrolment: Enrolment, journal: Journal, bundles: Bundles, uplink: Uplink, clock: Clock
    ) -> None:
        self._enrolment = enrolment
        self._journal = journal
        self._bundles = bundles
        self._uplink = uplink
        self._clock = clock
        self._one_round = threading.Lock()
        # A device that has a bundle was claimed; a kit's code works once.
        self._claimed = bundles.current is not None
        self._probed = False
        self._handed_over_seq = 0
        self._status = SyncStatus()

    @property
    def status(self) -> SyncStatus:
        """What the last round met."""
        return self._status

    def step(self, *, poll_bundle: bool = True) -> bool:
        """One round: claim if needed, upload everything, poll the bundle. Whether all of it succeeded.

        One part may fail and the others go on: a revoked device still uploads, one whose clock is wrong
        learns the time from an acknowledgement, and a new acknowledgement key comes with the next bundle.
        """
        with self._one_round:
            parts: list[Callable[[], None]] = [self._claim] if not self._claimed else []
            if self._bundles.current is None:  # its keys are needed to believe an acknowledgement
                parts += [self._poll_bundle, self._upload]
            else:
                parts += [self._upload, self._poll_bundle] if poll_bundle else [self._upload]
            failed = [fault for part in parts if (fault := _attempt(part)) is not None]
            if not failed and not self._probed:  # the poll brought another epoch of the ledger
                failed = [fault for fault in [_attempt(self._upload)] if fault is not None]
            if failed:
                self._note(failed[0])
                return False
            self._status = replace(
                self._status, problem="", retry_after_s=None, last_contact_ms=self._clock.wall_ms()
            )
            return True

    def _note(self, fault: Exception) -> None:
        retry_after_s = fault.retry_after_s if isinstance(fault, LedgerRefused) else None
        self._status = replace(self._status, problem=str(fault), retry_after_s=retry_after_s)

    def _claim(self) -> None:
        public_key = self._enrolment.key.public_key().public_bytes_raw()
        try:
            answer = self._uplink.claim(self._enrolment.claim_code, public_key)
        except LedgerRefused as refused:
            try:  # the answer to an earlier claim may have been lost: then the key is known already
                self._poll_bundle()
            except LedgerRefused:
                raise refused from None
        else:
            # Only what the ledger signed for this very claim tells the time: nobody on the line chooses it.
            device, trusted = self._enrolment.device, self._bundles.trusted
            try:
                server_time_ms = open_claim_answer(answer.envelope, trusted, device, public_key, answer.nonce)
            except ValueError as fault:
                raise SyncFault(
                    "the answer to this device's claim is not from the ledger of its kit: check the ledger's "
                    "address and who else is on the line"
                ) from fault
            self._clock.heard_server_time(server_time_ms)
        self._claimed = True

    def _poll_bundle(self) -> None:
        current = self._bundles.current
        try:
            envelope = self._uplink.fetch_bundle(None if current is None else current.bundle.version.etag)
        except LedgerRefused as refused:
            if refused.status == UNAUTHORISED:
                # Perhaps our clock is off and no tap waits whose acknowledgement would tell the time:
                # claiming again with the same key changes nothing and answers with it.
                self._claimed = False
            raise
        if envelope is None:
            self._bundle_is_newest()
            return
        newer = self._bundles.offer(envelope)
        if current is None or newer.bundle.version.ledger_epoch != current.bundle.version.ledger_epoch:
            self._probed = False  # a restored ledger may have lost what it acknowledged
        self._bundle_is_newest()

    def _bundle_is_newest(self) -> None:
        self._status = replace(self._status, bundle_confirmed_ms=self._clock.wall_ms())

    def _upload(self) -> None:
        try:
            self._upload_all()
        except OtherHistory:
            self._hand_over_branch()
            raise

    def _hand_over_branch(self) -> None:
        """Send what stands only in this journal, once: the ledger puts it aside as evidence, none is lost."""
        while True:
            batch = self._journal.next_batch(
                MAX_TAPS_IN_BATCH,
                self._clock.mono_ns(),
                self._clock.wall_ms(),
                after_seq=self._handed_over_seq,
            )
            if batch is None:
                return
            self._uplink.send_batch(seal(BATCH, batch.encode(), DEVICE_KID, self._enrolment.key))
            self._handed_over_seq = batch.last_seq

    def _upload_all(self) -> None:
        if not self._probed:
            # After a start: learn the time, and whether the ledger still holds what it acknowledged.
            self._probe()
            self._probed = True
        rewinds = 0
        while True:
            before = self._journal.watermark()
            batch = self._batch(limit=MAX_TAPS_IN_BATCH, probe=False)
            if batch is None:
                return
            self._send(batch)
            after = self._journal.watermark()
            rewinds += after.acked_seq < before.acked_seq  # a restored ledger: send again from there
            if after == before or rewinds > MOST_REWINDS:
                raise SyncFault(
                    f"the ledger did not take tap {batch.first_seq} and gave no error: "
                    "it is kept and sent again"
                )

    def _probe(self) -> None:
        batch = self._batch(limit=1, probe=True)
        if batch is not None:
            self._send(batch)
        elif self._clock.quality() is ClockQuality.UNSYNCHRONISED:
            # No tap yet whose acknowledgement would tell the time, and phones need it now: claiming again
            # with the same key changes nothing and answers with it. Refused, the first acknowledgement tells.
            with contextlib.suppress(LedgerRefused):
                self._claim()

    def _batch(self, *, limit: int, probe: bool) -> Batch | None:
        return self._journal.next_batch(limit, self._clock.mono_ns(), self._clock.wall_ms(), probe=probe)

    def _send(self, batch: Batch | None) -> None:
        if batch is None:
            return
        envelope = seal(BATCH, batch.encode(), DEVICE_KID, self._enrolment.key)
        receipt = self._uplink.send_batch(envelope)
        acknowledgement = self._open(receipt)
        if self._is_played_again(acknowledgement, envelope):
            return
        self._journal.acknowledge(acknowledgement, receipt)
        self._clock.heard_server_time(acknowledgement.server_time_ms)
        self._status = replace(
            self._status,
            last_upload_ms=self._clock.wall_ms(),
            quarantined=self._status.quarantined + len(acknowledgement.quarantined),
        )

    def _is_played_again(self, acknowledgement: Acknowledgement, envelope: bytes) -> bool:
        """Whether this is an earlier answer that somebody kept: its time would turn the clock back.

        One that promises the very batch just sent is new, whatever time it tells.
        """
        if acknowledgement.inclusion_promise == hashlib.sha256(b"\x00" + envelope).digest():
            return False
        return acknowledgement.server_time_ms < self._journal.newest_synchronised_ms()

    def _open(self, receipt: bytes) -> Acknowledgement:
        """Verify an acknowledgement and that it speaks of this journal's own chain."""
        current = self._bundles.current
        if current is None:
            raise SyncFault("there is no bundle yet to check the ledger's acknowledgements with")
        acknowledgement = decode_acknowledgement(
            open_envelope(ACKNOWLEDGEMENT, receipt, current.acknowledgement_keys)
        )
        journal = self._journal
        if (acknowledgement.device, acknowledgement.journal_id) != (journal.device, journal.journal_id):
            raise SyncFault("the ledger acknowledged another device's journal: its answer was not taken")
        known = journal.hash_at(acknowledgement.acked_seq)
        dropped = known is None and acknowledgement.acked_seq < journal.watermark().acked_seq
        if not dropped and known != acknowledgement.acked_hash:
            raise OtherHistory
        return acknowledgement


def _attempt(part: Callable[[], None]) -> Exception | None:
    """Do one part of a round; what went wrong, as a value, so that the other parts can go on."""
    try:
        part()
    except (LedgerRefused, UplinkDown, SyncFault, JournalFault, ValueError) as fault:
        return fault
    return None


class SyncThread:
    """Drives a Synchroniser: soon after a tap, every `poll_s` otherwise, jittered after failures."""

    def __init__(
        self, synchroniser: Synchroniser, random_bytes: RandomBytes, *, poll_s: float, linger_s: float
    ) -> None:
        self._synchroniser = synchroniser
        self._random_bytes = random_bytes
        self._poll_s = poll_s
        self._linger_s = linger_s
        self._tap_written = threading.Event()
        self._now = threading.Event()  # cuts a backoff short: the line is back, or we stop
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="sync", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def stop(self) -> None:
        """Stop after the round that is under way, if any."""
        self._stopping.set()
        self._now.set()
        self._tap_written.set()
        if self._thread.is_alive():
            self._thread.join()

    def tap_written(self) -> None:
        """There is something to upload. It does not shorten a backoff."""
        self._tap_written.set()

    def line_restored(self) -> None:
        """The line is back: try at once."""
        self._now.set()
        self._tap_written.set()

    def _run(self) -> None:
        failures = 0
        poll_at_s = 0.0
        while not self._stopping.is_set():
            self._now.clear()
            due = time.monotonic() >= poll_at_s
            if self._synchroniser.step(poll_bundle=due):
                failures = 0
                poll_at_s = time.monotonic() + self._poll_s if due else poll_at_s
                if self._tap_written.wait(max(0.0, poll_at_s - time.monotonic())):
                    # Taps that come together travel together: wait a little after the first of them.
                    self._now.wait(self._linger_s)
                self._tap_written.clear()
            else:
                failures += 1
                self._now.wait(self._back_off_s(failures))

    def _back_off_s(self, failures: int) -> float:
        own_s = backoff_s(failures, int.from_bytes(self._random_bytes(4)) / 2**32)
        asked_s = self._synchroniser.status.retry_after_s
        return own_s if asked_s is None else max(own_s, asked_s)


def backoff_s(failures: int, jitter: float) -> float:
    """Full jitter: between 0 and 1, 2, 4 … 300 s. `jitter` is uniform in 0..1, `failures` counts from 1."""
    return jitter * min(BACKOFF_MOST_S, BACKOFF_FIRST_S * 2 ** min(failures - 1, 16))
