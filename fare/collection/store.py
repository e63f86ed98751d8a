"""The queries of journals, batches, quarantine and the tap register. It decides nothing.

One for each kind of row and batch, whatever its size.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Update, bindparam, func, literal, select

from fare.collection.bulk import insert_if_missing, insert_rows, table_of
from fare.collection.chain import RawTap
from fare.collection.models import Quarantined, RegisteredTap, StoredBatch, Stream
from fare.collection.rides import TapSource
from fare.collection.words import QuarantineReason
from fare.core.batch import Batch

_STREAM = table_of(Stream)
_BATCH = table_of(StoredBatch)
_TAP = table_of(RegisteredTap)
_QUARANTINE = table_of(Quarantined)


@dataclass(frozen=True, slots=True)
class StreamState:
    """How far a journal is acknowledged, read under its lock."""

    acked_seq: int
    acked_hash: bytes
    newest_seq: int
    last_upload_at: datetime


def lock_stream(connection: Connection, batch: Batch, genesis: bytes, received_at: datetime) -> StreamState:
    """The journal's row, locked until the transaction ends; made when this is its first batch."""
    key = {"device_id": batch.device, "journal_id": batch.journal_id}
    insert_if_missing(
        connection,
        _STREAM,
        key
        | {
            "acked_seq": 0,
            "acked_hash": genesis,
            "newest_seq": 0,
            "last_upload_at": received_at,
            "clock_offset_ms": 0,
        },
    )
    row = connection.execute(
        select(_STREAM.c.acked_seq, _STREAM.c.acked_hash, _STREAM.c.newest_seq, _STREAM.c.last_upload_at)
        .where(_STREAM.c.device_id == batch.device, _STREAM.c.journal_id == batch.journal_id)
        .with_for_update()
    ).one()
    return StreamState(row.acked_seq, bytes(row.acked_hash), row.newest_seq, row.last_upload_at)


def update_stream(connection: Connection, batch: Batch, state: StreamState, clock_offset_ms: int) -> None:
    """Write the journal's new watermark, and when it was heard of."""
    connection.execute(
        _STREAM.update()
        .where(_STREAM.c.device_id == batch.device, _STREAM.c.journal_id == batch.journal_id)
        .values(
            acked_seq=state.acked_seq,
            acked_hash=state.acked_hash,
            newest_seq=state.newest_seq,
            last_upload_at=state.last_upload_at,
            clock_offset_ms=clock_offset_ms,
        )
    )


def known_digests(connection: Connection, batch: Batch) -> dict[int, bytes]:
    """SHA-256 of what was taken in under the batch's seqs, registered or set aside."""
    registered = connection.execute(
        select(_TAP.c.seq, _TAP.c.digest).where(
            _TAP.c.device_id == batch.device,
            _TAP.c.journal_id == batch.journal_id,
            _TAP.c.seq.between(batch.first_seq, batch.last_seq),
        )
    )
    found = {row.seq: bytes(row.digest) for row in registered}
    return found | {
        seq: digest
        for seq, reason, _, digest in _set_aside(connection, batch)
        if reason != QuarantineReason.FORK
    }


def quarantined_in(connection: Connection, batch: Batch) -> tuple[tuple[int, str], ...]:
    """The seqs of this batch that are set aside, with the reason, for its acknowledgement."""
    own = set(batch.taps)
    listed = {(seq, reason) for seq, reason, raw, _ in _set_aside(connection, batch) if raw in own}
    return tuple(sorted(listed))


def _set_aside(connection: Connection, batch: Batch) -> list[tuple[int, str, bytes, bytes]]:
    # The device leads the key, and its quarantine is small.
    rows = connection.execute(
        select(_QUARANTINE.c.seq, _QUARANTINE.c.reason, _QUARANTINE.c.raw, _QUARANTINE.c.quarantine_id).where(
            _QUARANTINE.c.device_id == batch.device,
            _QUARANTINE.c.journal_id == batch.journal_id,
            _QUARANTINE.c.seq.between(batch.first_seq, batch.last_seq),
        )
    )
    return [
        (row.seq, row.reason, bytes(row.raw), bytes.fromhex(row.quarantine_id.rpartition(":")[2]))
        for row in rows
    ]


def set_aside(
    connection: Connection, batch: Batch, taps: Mapping[RawTap, QuarantineReason], received_at: datetime
) -> None:
    """Put raw taps into quarantine; one that is there already stays as it is."""
    for tap, reason in taps.items():
        insert_if_missing(
            connection,
            _QUARANTINE,
            {
                "device_id": batch.device,
                "quarantine_id": f"{batch.journal_id.hex()}:{tap.seq}:{tap.digest.hex()}",
                "journal_id": batch.journal_id,
                "seq": tap.seq,
                "reason": str(reason),
                "raw": tap.raw,
                "received_at": received_at,
                "resolution": None,
            },
        )


def set_batch_aside(
    connection: Connection, device: int, envelope: bytes, batch_id: str, received_at: datetime
) -> None:
    """Keep a signed batch whose contents cannot be read, whole."""
    insert_if_missing(
        connection,
        _QUARANTINE,
        {
            "device_id": device,
            "quarantine_id": f"batch:{batch_id}",
            "journal_id": b"",
            "seq": 0,
            "reason": str(QuarantineReason.DAMAGED_BATCH),
            "raw": envelope,
            "received_at": received_at,
            "resolution": None,
        },
    )


def store_batch(
    connection: Connection,
    batch: Batch,
    batch_id: str,
    envelope: bytes,
    received_at: datetime,
    entry_id: str | None,
) -> None:
    """Keep the signed batch as it came."""
    insert_if_missing(
        connection,
        _BATCH,
        {
            "device_id": batch.device,
            "batch_id": batch_id,
            "journal_id": batch.journal_id,
            "first_seq": batch.first_seq,
            "last_seq": batch.last_seq,
            "envelope": envelope,
            "received_at": received_at,
            "entry_id": entry_id,
        },
    )


def stored_envelope(connection: Connection, batch: Batch) -> bytes | None:
    """The stored batch that first brought the last tap of this one, if that tap was taken in."""
    found = connection.execute(
        select(_BATCH.c.envelope)
        .join(_TAP, (_TAP.c.device_id == _BATCH.c.device_id) & (_TAP.c.batch_id == _BATCH.c.batch_id))
        .where(
            _TAP.c.device_id == batch.device,
            _TAP.c.journal_id == batch.journal_id,
            _TAP.c.seq == batch.last_seq,
        )
    ).scalar()
    return None if found is None else bytes(found)


def register_taps(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    """Add rows to the tap register."""
    insert_rows(connection, _TAP, rows)


def settle_torn(connection: Connection, settled: Mapping[TapSource, tuple[str, str]]) -> None:
    """Write what became of unconfirmed taps: proof state, and a flag to add (or an empty text)."""
    if settled:
        connection.execute(
            _one_tap().values(proof_state=bindparam("state"), flags=_with_flag()),
            [
                {**_place(source), "state": str(state), "new_flag": str(flag)}
                for source, (state, flag) in sorted(settled.items(), key=lambda item: _order(item[0]))
            ],
        )


def flag_taps(connection: Connection, sources: Iterable[TapSource], flag: str) -> None:
    """Add a flag to taps that are registered."""
    rows = [{**_place(source), "new_flag": str(flag)} for source in sorted(sources, key=_order)]
    if rows:
        connection.execute(_one_tap().values(flags=_with_flag()), rows)


def flag_once(connection: Connection, source: TapSource, flag: str) -> bool:
    """Add a flag to a registered tap; False when it has it already, whoever is adding it just now."""
    place = (
        _TAP.c.device_id == source.device,
        _TAP.c.journal_id == source.journal_id,
        _TAP.c.seq == source.seq,
    )
    fresh = ~has_flag(_TAP.c.flags, flag)
    added = func.trim(_TAP.c.flags + f" {flag}")
    return connection.execute(_TAP.update().where(*place, fresh).values(flags=added)).rowcount == 1


def has_flag(flags: ColumnElement[str], flag: str) -> ColumnElement[bool]:
    """Whether a tap's flags hold this word."""
    return (literal(" ") + flags + " ").contains(f" {flag} ", autoescape=True)


def _one_tap() -> Update:
    return _TAP.update().where(
        _TAP.c.device_id == bindparam("device"),
        _TAP.c.journal_id == bindparam("journal"),
        _TAP.c.seq == bindparam("tap_seq"),
    )


def _with_flag() -> ColumnElement[str]:
    return func.trim(_TAP.c.flags + " " + bindparam("new_flag", type_=_TAP.c.flags.type))


def _place(source: TapSource) -> dict[str, Any]:
    return {"device": source.device, "journal": source.journal_id, "tap_seq": source.seq}


def _order(source: TapSource) -> tuple[int, bytes, int]:
    return source.device, source.journal_id, source.seq
