"""The queries of collection: one for each kind of row and batch, whatever its size. It decides nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Update, bindparam, func, literal, select, text

from fare.collection.bulk import insert_if_missing, insert_new, insert_rows, table_of
from fare.collection.chain import RawTap
from fare.collection.models import OpenEvidence, Quarantined, RegisteredTap, Ride, StoredBatch, Stream
from fare.collection.rides import KnownRide, RideKey, TapSource
from fare.collection.words import MediumKind, QuarantineReason
from fare.core.tap import Batch

_STREAM = table_of(Stream)
_BATCH = table_of(StoredBatch)
_TAP = table_of(RegisteredTap)
_RIDE = table_of(Ride)
_OPEN = table_of(OpenEvidence)
_QUARANTINE = table_of(Quarantined)
_OPEN_KEY = ("medium_ref", "counter", "device_id", "journal_id", "seq")

_BY_KEYS = {
    "postgresql": text(
        "SELECT r.* FROM json_to_recordset(CAST(:keys AS json)) AS k(ref text, counter bigint)"
        " JOIN travel_ride r"
        " ON r.medium_kind = 'card' AND r.medium_ref = k.ref AND r.counter = k.counter"
    ),
    "sqlite": text(
        "SELECT r.* FROM json_each(:keys) k CROSS JOIN travel_ride r"
        " ON r.medium_kind = 'card' AND r.medium_ref = json_extract(k.value, '$.ref')"
        " AND r.counter = json_extract(k.value, '$.counter')"
    ),
}


@dataclass(frozen=True, slots=True)
class StreamState:
    """How far a journal is acknowledged, read under its lock."""

    acked_seq: int
    acked_hash: bytes
    newest_seq: int
    last_upload_at: datetime


@dataclass(frozen=True, slots=True)
class OpenRow:
    """One row of the working list of half proofs. `seen_at`: when the tap that brought it was, or came in."""

    key: RideKey
    source: TapSource
    record: bytes
    tmv: bytes | None
    raw_tap: bytes | None
    tapped_at: datetime
    seen_at: datetime


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


def card_rides(connection: Connection, keys: Iterable[RideKey]) -> dict[RideKey, KnownRide]:
    """Those of these card rides that are proven."""
    wanted = sorted({(key.ref, key.counter) for key in keys})
    if not wanted:
        return {}
    listed = json.dumps([{"ref": ref, "counter": counter} for ref, counter in wanted])
    rows = connection.execute(_BY_KEYS[connection.dialect.name], {"keys": listed})
    return {RideKey(MediumKind.CARD, row.medium_ref, row.counter): _known(row) for row in rows}


def ticket_rides(connection: Connection, ctis: Sequence[str]) -> dict[RideKey, KnownRide]:
    """Every proven ride of these tickets (at most 255 each)."""
    if not ctis:
        return {}
    rows = connection.execute(
        select(_RIDE).where(_RIDE.c.medium_kind == MediumKind.TICKET, _RIDE.c.medium_ref.in_(sorted(ctis)))
    )
    return {RideKey(MediumKind.TICKET, row.medium_ref, row.counter): _known(row) for row in rows}


def _known(row: Any) -> KnownRide:
    version = row.entitlement_version if row.delivered_version is None else row.delivered_version
    return KnownRide(
        source=TapSource(row.device_id, bytes(row.journal_id), row.seq),
        proof=bytes(row.proof),
        record_written=None if row.record_written is None else bytes(row.record_written),
        version_after=version,
        vehicle_id=row.vehicle_id,
    )


def highest_from_others(
    connection: Connection, device: int, refs: Sequence[str], before: datetime
) -> dict[str, int]:
    """For each card, the highest counter of a ride on another device before this time."""
    if not refs:
        return {}
    rows = connection.execute(
        select(_RIDE.c.medium_ref, func.max(_RIDE.c.counter).label("highest"))
        .where(
            _RIDE.c.medium_kind == MediumKind.CARD,
            _RIDE.c.medium_ref.in_(sorted(refs)),
            _RIDE.c.device_id != device,
            _RIDE.c.boarded_at < before,
        )
        .group_by(_RIDE.c.medium_ref)
    )
    return {row.medium_ref: row.highest for row in rows}


def open_evidence(connection: Connection, refs: Sequence[str]) -> list[OpenRow]:
    """The half proofs that wait, of these cards."""
    if not refs:
        return []
    rows = connection.execute(select(_OPEN).where(_OPEN.c.medium_ref.in_(sorted(refs))))
    return [
        OpenRow(
            key=RideKey(MediumKind.CARD, row.medium_ref, row.counter),
            source=TapSource(row.device_id, bytes(row.journal_id), row.seq),
            record=bytes(row.record),
            tmv=None if row.tmv is None else bytes(row.tmv),
            raw_tap=None if row.raw_tap is None else bytes(row.raw_tap),
            tapped_at=row.tapped_at,
            seen_at=row.received_at,
        )
        for row in rows
    ]


def add_open_evidence(connection: Connection, rows: Sequence[OpenRow], received_at: datetime) -> None:
    """Add half proofs to the working list."""
    insert_rows(
        connection,
        _OPEN,
        [
            {
                "medium_ref": row.key.ref,
                "counter": row.key.counter,
                "device_id": row.source.device,
                "journal_id": row.source.journal_id,
                "seq": row.source.seq,
                "record": row.record,
                "tmv": row.tmv,
                "raw_tap": row.raw_tap,
                "tapped_at": row.tapped_at,
                "received_at": received_at,
            }
            for row in rows
        ],
    )


def close_open_evidence(connection: Connection, rows: Sequence[OpenRow]) -> None:
    """Take half proofs off the working list: they were completed or overtaken."""
    if not rows:
        return
    connection.execute(
        _OPEN.delete().where(*(_OPEN.c[name] == bindparam(f"of_{name}") for name in _OPEN_KEY)),
        [
            {
                "of_medium_ref": row.key.ref,
                "of_counter": row.key.counter,
                "of_device_id": row.source.device,
                "of_journal_id": row.source.journal_id,
                "of_seq": row.source.seq,
            }
            for row in sorted(rows, key=lambda row: (row.key, _order(row.source)))
        ],
    )


def add_rides(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> set[RideKey]:
    """Add rides, sorted by key; the ones that no other transaction added first."""
    added = insert_new(connection, _RIDE, rows, ("medium_kind", "medium_ref", "counter"))
    return {RideKey(MediumKind(kind), ref, counter) for kind, ref, counter in added}


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


def ride_parts(connection: Connection, keys: Sequence[RideKey]) -> list[Any]:
    """The rows of these rides, by key: source, service day, owner and parts."""
    rows: list[Any] = []
    for key in sorted(set(keys)):
        named = (
            _RIDE.c.medium_kind == key.kind,
            _RIDE.c.medium_ref == key.ref,
            _RIDE.c.counter == key.counter,
        )
        rows += connection.execute(select(_RIDE).where(*named)).all()
    return rows


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
