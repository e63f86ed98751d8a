"""What reconciliation may read of the buses' journals: watermarks, stored batches, holes, quarantine.

It reads only. What a device signed is handed out as it came, so that a proof need not trust the register.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Session, col, select

from fare.collection.bulk import table_of
from fare.collection.models import Quarantined, RegisteredTap, StoredBatch, Stream

_TAP: Final = table_of(RegisteredTap)
_BATCH: Final = table_of(StoredBatch)


@dataclass(frozen=True, slots=True)
class StreamView:
    """One journal of one device: its watermark, and what of it is set aside."""

    device_id: int
    journal_id: bytes
    acked_seq: int
    newest_seq: int
    last_upload_at: datetime
    quarantined: int


@dataclass(frozen=True, slots=True)
class SetAside:
    """A tap (or, with seq 0, a whole batch) in quarantine that nobody has resolved."""

    device_id: int
    journal_id: bytes
    seq: int
    reason: str
    received_at: datetime


@dataclass(frozen=True, slots=True)
class BatchEvidence:
    """A stored batch as it came: `envelope` is the signed bytes, `batch_id` their SHA-256 in hex."""

    device_id: int
    batch_id: str
    journal_id: bytes
    first_seq: int
    last_seq: int
    envelope: bytes


def streams(session: Session) -> list[StreamView]:
    """Every journal that has ever uploaded, by device."""
    aside = {
        (device, bytes(journal)): int(count)
        for device, journal, count in session.exec(
            select(Quarantined.device_id, Quarantined.journal_id, sa.func.count())
            .where(col(Quarantined.resolution).is_(None))
            .group_by(col(Quarantined.device_id), col(Quarantined.journal_id))
        )
    }
    found = session.exec(select(Stream).order_by(col(Stream.device_id), col(Stream.journal_id))).all()
    return [
        StreamView(
            device_id=row.device_id,
            journal_id=row.journal_id,
            acked_seq=row.acked_seq,
            newest_seq=row.newest_seq,
            last_upload_at=row.last_upload_at,
            quarantined=aside.get((row.device_id, row.journal_id), 0),
        )
        for row in found
    ]


def set_aside(session: Session) -> list[SetAside]:
    """What stands in quarantine unresolved, by device, journal and seq."""
    rows = session.exec(
        select(Quarantined)
        .where(col(Quarantined.resolution).is_(None))
        .order_by(col(Quarantined.device_id), col(Quarantined.journal_id), col(Quarantined.seq))
    )
    return [
        SetAside(row.device_id, bytes(row.journal_id), row.seq, row.reason, row.received_at) for row in rows
    ]


def day_batches(session: Session, day: date) -> Iterator[BatchEvidence]:
    """The stored batches that brought taps of the day, by device and first seq."""
    of_day = (
        sa.select(_TAP.c.device_id, _TAP.c.batch_id).where(_TAP.c.service_day == day).distinct().subquery()
    )
    rows = session.connection().execute(
        sa.select(_BATCH)
        .join(of_day, (_BATCH.c.device_id == of_day.c.device_id) & (_BATCH.c.batch_id == of_day.c.batch_id))
        .order_by(_BATCH.c.device_id, _BATCH.c.journal_id, _BATCH.c.first_seq)
    )
    return (_evidence(row) for row in rows.all())


def batches_over(session: Session, device_id: int, journal_id: bytes, seq: int) -> list[BatchEvidence]:
    """The stored batches that hold this seq."""
    rows = session.connection().execute(
        sa.select(_BATCH).where(
            _BATCH.c.device_id == device_id,
            _BATCH.c.journal_id == journal_id,
            _BATCH.c.first_seq <= seq,
            _BATCH.c.last_seq >= seq,
        )
    )
    return [_evidence(row) for row in rows]


def taken_in(session: Session, batch: BatchEvidence) -> dict[int, set[bytes]]:
    """The digests under which the batch's seqs were taken in: registered or set aside."""
    found: dict[int, set[bytes]] = defaultdict(set)
    registered = session.connection().execute(
        sa.select(_TAP.c.seq, _TAP.c.digest).where(
            _TAP.c.device_id == batch.device_id,
            _TAP.c.journal_id == batch.journal_id,
            _TAP.c.seq.between(batch.first_seq, batch.last_seq),
        )
    )
    for seq, digest in registered:
        found[seq].add(bytes(digest))
    quarantined = session.exec(
        select(Quarantined.seq, Quarantined.raw).where(
            col(Quarantined.device_id) == batch.device_id,
            col(Quarantined.journal_id) == batch.journal_id,
            col(Quarantined.seq).between(batch.first_seq, batch.last_seq),
        )
    )
    for seq, raw in quarantined:
        found[seq].add(hashlib.sha256(raw).digest())
    return found


def holes(session: Session) -> dict[tuple[int, bytes], list[int]]:
    """For each journal, the seqs up to its watermark that are neither registered nor set aside."""
    rows = session.connection().execute(
        sa.select(_TAP.c.device_id, _TAP.c.journal_id, sa.func.count(), sa.func.max(_TAP.c.seq)).group_by(
            _TAP.c.device_id, _TAP.c.journal_id
        )
    )
    registered = {(device, bytes(journal)): (int(count), newest) for device, journal, count, newest in rows}
    aside: dict[tuple[int, bytes], set[int]] = defaultdict(set)
    for device, journal, seq in session.exec(
        select(Quarantined.device_id, Quarantined.journal_id, Quarantined.seq).where(col(Quarantined.seq) > 0)
    ):
        aside[device, bytes(journal)].add(seq)
    found: dict[tuple[int, bytes], list[int]] = {}
    for stream in session.exec(select(Stream)):
        key = (stream.device_id, bytes(stream.journal_id))
        count, newest = registered.get(key, (0, 0))
        if count == stream.acked_seq == newest:
            continue
        missing = _absent(session, stream, aside[key])
        if missing:
            found[key] = missing
    return found


def _absent(session: Session, stream: Stream, aside: set[int]) -> list[int]:
    seqs = session.exec(
        select(RegisteredTap.seq).where(
            col(RegisteredTap.device_id) == stream.device_id,
            col(RegisteredTap.journal_id) == stream.journal_id,
        )
    )
    present = set(seqs) | aside
    return [seq for seq in range(1, stream.acked_seq + 1) if seq not in present]


def _evidence(row: Any) -> BatchEvidence:
    return BatchEvidence(
        row.device_id, row.batch_id, bytes(row.journal_id), row.first_seq, row.last_seq, bytes(row.envelope)
    )
