"""The device proof: every journal arrived whole, and the register says what the devices signed.

Each stored batch of the day is opened again with its device's key and compared tap by tap with the register,
so that a row which was changed or removed shows, whoever did it.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta
from typing import Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from sqlmodel import Session

from fare.collection.card_register import held_back
from fare.collection.journals import (
    BatchEvidence,
    StreamView,
    day_batches,
    holes,
    set_aside,
    streams,
    taken_in,
)
from fare.collection.words import QuarantineReason, SuspenseReason
from fare.core.batch import Batch, decode_batch
from fare.core.errors import MalformedDocument
from fare.core.signed import BATCH, DEVICE_KID, BadSignature, open_envelope
from fare.fleet import device_public_key
from fare.reconciliation.findings import Finding, Kind, Outcome, Queue

UPLOADING: Final = timedelta(minutes=10)
"""A journal that was heard of this recently may be in the middle of an upload."""
_SHOWN_SEQS: Final = 8

_HELD_BACK: Final = {
    SuspenseReason.NO_ASSIGNMENT: (Kind.NO_ASSIGNMENT, Queue.OPERATOR, "had no bus or its bus no owner"),
    SuspenseReason.PAPER_WITHOUT_LEAVE: (
        Kind.PAPER_WITHOUT_LEAVE,
        Queue.FINANCE,
        "took paper that is another bus's or that it had no leave for",
    ),
    SuspenseReason.DEVICE_REVOKED: (Kind.DEVICE_REVOKED, Queue.OPERATOR, "was revoked"),
    SuspenseReason.ABOVE_TARIFF: (Kind.ABOVE_TARIFF, Queue.FINANCE, "took more than the tariff's most"),
    SuspenseReason.RECORD_DIFFERS: (
        Kind.RECORD_DIFFERS,
        Queue.TECHNICIAN,
        "wrote other records than it told",
    ),
}


def check_device(session: Session, day: date, now: datetime, *, is_closed: bool) -> Outcome:
    """Every journal, the day's batches, and what stands in quarantine. `is_closed`: the day was sealed."""
    missing = holes(session)
    aside, troubled = _quarantine(session, day)
    findings = [_hole(device, journal, day, seqs) for (device, journal), seqs in sorted(missing.items())]
    findings += aside
    troubled |= set(missing)
    journals = streams(session)
    waiting = 0
    for journal in journals:
        key = (journal.device_id, journal.journal_id)
        if journal.newest_seq == journal.acked_seq or key in troubled:
            # A copied device also tells of taps that its original never made: its fork stands for both.
            continue
        if not is_closed and now - journal.last_upload_at < UPLOADING:
            waiting += 1
            continue
        troubled.add(key)
        findings.append(_missing_batch(journal, day))
    batches, differing = _compare_batches(session, day, missing)
    findings += differing
    findings += _suspended(session, day)
    whole = len({(j.device_id, j.journal_id) for j in journals} - troubled) - waiting
    return Outcome(len(journals) + batches, whole + batches - len(differing), waiting, findings)


def _compare_batches(
    session: Session, day: date, missing: Mapping[tuple[int, bytes], Sequence[int]]
) -> tuple[int, list[Finding]]:
    """How many batches the day has, and those that the register does not agree with."""
    keys = _Keys(session)
    count = 0
    findings: list[Finding] = []
    for batch in day_batches(session, day):
        count += 1
        known_hole = set(missing.get((batch.device_id, batch.journal_id), ()))
        fault = _batch_fault(session, batch, keys, known_hole)
        if fault is not None:
            findings.append(_batch_differs(batch, day, fault))
    return count, findings


def journal_name(device_id: int, journal_id: bytes) -> str:
    """How a journal is named to people: the device, and the first digits of the journal's id."""
    return f"{device_id}:{journal_id.hex()[:8]}"


# --- batches against the register -------------------------------------------------------------------------


class _Keys:
    """The devices' keys, each fetched once."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._known: dict[int, Ed25519PublicKey | None] = {}

    def of(self, device_id: int) -> Ed25519PublicKey | None:
        if device_id not in self._known:
            device = device_public_key(self._session, device_id)
            key = None if device is None else Ed25519PublicKey.from_public_bytes(device.public_key)
            self._known[device_id] = key
        return self._known[device_id]


def _batch_fault(session: Session, batch: BatchEvidence, keys: _Keys, known_hole: set[int]) -> str | None:
    """What is wrong between a stored batch and the register; None when nothing is."""
    if hashlib.sha256(batch.envelope).hexdigest() != batch.batch_id:
        return "its bytes are not those that came"
    key = keys.of(batch.device_id)
    if key is None:
        return "its device is not enrolled"
    opened = open_batch(batch, key)
    if opened is None:
        return "it is not signed by its device, or its chain is broken"
    digests = taken_in(session, batch)
    wrong = [
        seq
        for seq, raw in enumerate(opened.taps, opened.first_seq)
        if hashlib.sha256(raw).digest() not in digests.get(seq, ()) and seq not in known_hole
    ]
    return f"the register has another tap {_listed(wrong)} than was signed" if wrong else None


def open_batch(batch: BatchEvidence, key: Ed25519PublicKey) -> Batch | None:
    """The batch as its device signed it; None when it is not that any more."""
    try:
        return decode_batch(open_envelope(BATCH, batch.envelope, {DEVICE_KID: key}))
    except (BadSignature, MalformedDocument):
        return None


# --- findings ---------------------------------------------------------------------------------------------


def _missing_batch(journal: StreamView, day: date) -> Finding:
    first, last = journal.acked_seq + 1, journal.newest_seq
    return Finding(
        Kind.MISSING_BATCH,
        journal_name(journal.device_id, journal.journal_id),
        day,
        0,
        f"device {journal.device_id} has {last - first + 1} taps ({first} to {last}) that have not arrived",
        Queue.TECHNICIAN,
    )


def _hole(device_id: int, journal_id: bytes, day: date, seqs: Sequence[int]) -> Finding:
    return Finding(
        Kind.SEQ_HOLE,
        journal_name(device_id, journal_id),
        day,
        0,
        f"device {device_id}: tap {_listed(seqs)} was acknowledged and is not in the register",
        Queue.TECHNICIAN,
    )


def _quarantine(session: Session, day: date) -> tuple[list[Finding], set[tuple[int, bytes]]]:
    """One finding for each journal and reason: a copied device is one fault, however many taps it makes."""
    groups: dict[tuple[int, bytes, str], list[int]] = defaultdict(list)
    for tap in set_aside(session):
        if tap.reason == QuarantineReason.DOUBLE:
            continue  # says nothing about the device: the card proof shows it
        groups[tap.device_id, tap.journal_id, tap.reason].append(tap.seq)
    findings = [
        Finding(
            Kind(reason),
            journal_name(device, journal),
            day,
            0,
            f"device {device}: {len(seqs)} set aside as {reason} ({_listed(sorted(set(seqs)))})",
            Queue.TECHNICIAN,
        )
        for (device, journal, reason), seqs in sorted(groups.items())
    ]
    return findings, {(device, journal) for device, journal, _ in groups}


def _batch_differs(batch: BatchEvidence, day: date, fault: str) -> Finding:
    name = f"{batch.device_id}:{batch.batch_id[:16]}"
    detail = f"batch {name} (taps {batch.first_seq} to {batch.last_seq}): {fault}"
    return Finding(Kind.BATCH_DIFFERS, name, day, 0, detail, Queue.TECHNICIAN)


def _suspended(session: Session, day: date) -> list[Finding]:
    """Fares held back because of the device, one finding for each device and reason."""
    groups: dict[tuple[int, SuspenseReason], list[int]] = defaultdict(lambda: [0, 0])
    for row in held_back(session, day):
        if row.reason in set(_HELD_BACK):
            sums = groups[row.device_id, SuspenseReason(row.reason)]
            sums[0] += row.rides
            sums[1] += row.suspense_rial
    findings: list[Finding] = []
    for (device, reason), (rides, rial) in sorted(groups.items()):
        kind, queue, why = _HELD_BACK[reason]
        detail = f"device {device} {why}: {rial:,} rial of {rides} rides wait in suspense"
        findings.append(Finding(kind, f"{device}:{day}", day, rial, detail, queue))
    return findings


def _listed(seqs: Sequence[int]) -> str:
    shown = ", ".join(str(seq) for seq in seqs[:_SHOWN_SEQS])
    return shown if len(seqs) <= _SHOWN_SEQS else f"{shown} and {len(seqs) - _SHOWN_SEQS} more"
