"""The queries of cards' commits and tickets' rides, and of the half proofs that wait. It decides nothing."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, bindparam, func, select, text

from fare.collection.bulk import insert_if_missing, insert_new, insert_rows, table_of
from fare.collection.earlier_tap import is_load
from fare.collection.models import Adjustment, CardCommit, OpenEvidence, Quarantined, Ride
from fare.collection.rides import Double, KnownCommit, ProvenCommit, RideKey, TapSource
from fare.collection.words import CommitKind, MediumKind, QuarantineReason, RiderKind

_RIDE = table_of(Ride)
_COMMIT = table_of(CardCommit)
_ADJUSTMENT = table_of(Adjustment)
_OPEN = table_of(OpenEvidence)
_QUARANTINE = table_of(Quarantined)
_OPEN_KEY = ("medium_ref", "counter", "device_id", "journal_id", "seq")

_SAME_COMMIT = {
    "postgresql": "SELECT r.* FROM json_to_recordset(CAST(:keys AS json)) AS k(ref text, counter bigint)"
    " JOIN {table} r ON r.medium_ref = k.ref AND r.counter = k.counter",
    "sqlite": "SELECT r.* FROM json_each(:keys) k CROSS JOIN {table} r"
    " ON r.medium_ref = json_extract(k.value, '$.ref') AND r.counter = json_extract(k.value, '$.counter')",
}
_RIDES_BY_KEYS = {
    dialect: text(statement.format(table="travel_ride") + " AND r.medium_kind = 'card'")
    for dialect, statement in _SAME_COMMIT.items()
}
_COMMITS_BY_KEYS = {
    dialect: text(statement.format(table="travel_card_commit")) for dialect, statement in _SAME_COMMIT.items()
}

# Each database in words by which it begins with the few that are asked for, whatever it knows of the table.
_BESIDE = {
    "postgresql": "SELECT k.ref, r.counter, r.spent_before_rial, r.spent_before_rial + r.fare_rial"
    " FROM json_to_recordset(CAST(:keys AS json)) AS k(ref text, counter bigint) CROSS JOIN LATERAL"
    " (SELECT o.counter, o.spent_before_rial, o.fare_rial FROM travel_ride o WHERE o.medium_kind = 'card'"
    " AND o.medium_ref = k.ref AND o.counter {side} k.counter ORDER BY o.counter {order} LIMIT 1) r",
    "sqlite": "SELECT k.ref, r.counter, r.spent_before_rial, r.spent_before_rial + r.fare_rial"
    " FROM (SELECT json_extract(value, '$.ref') AS ref, json_extract(value, '$.counter') AS counter"
    " FROM json_each(:keys)) k CROSS JOIN travel_ride r ON r.medium_kind = 'card' AND r.medium_ref = k.ref"
    " AND r.counter = (SELECT o.counter FROM travel_ride o WHERE o.medium_kind = 'card'"
    " AND o.medium_ref = k.ref AND o.counter {side} k.counter ORDER BY o.counter {order} LIMIT 1)",
}
_PURSES_BESIDE = {
    dialect: [text(statement.format(side=side, order=order)) for side, order in (("<", "DESC"), (">", "ASC"))]
    for dialect, statement in _BESIDE.items()
}


@dataclass(frozen=True, slots=True)
class PurseAt:
    """What a card had spent before and after one proven ride, in rial."""

    ref: str
    counter: int
    before_rial: int
    after_rial: int

    def contradicts(self, other: PurseAt) -> bool:
        """Whether no one card can have done both: what is spent never goes back."""
        if self.counter == other.counter:
            return False  # the proof tells whether they are one ride
        first, then = (self, other) if self.counter < other.counter else (other, self)
        return then.before_rial < first.after_rial


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


def card_commits(connection: Connection, keys: Iterable[RideKey]) -> dict[RideKey, KnownCommit]:
    """Those of these commits that are proven, rides and others; below a load, what the card held then."""
    found: dict[RideKey, KnownCommit] = {}
    wanted: set[RideKey] = set(keys)
    dialect = connection.dialect.name
    while wanted:
        names = [{"ref": ref, "counter": n} for ref, n in sorted((key.ref, key.counter) for key in wanted)]
        listed = {"keys": json.dumps(names)}
        for row in connection.execute(_COMMITS_BY_KEYS[dialect], listed):
            found[RideKey(MediumKind.CARD, row.medium_ref, row.counter)] = _known_commit(row)
        for row in connection.execute(_RIDES_BY_KEYS[dialect], listed):
            found[RideKey(MediumKind.CARD, row.medium_ref, row.counter)] = _known(row)
        below = {key.before() for key in wanted if key in found and is_load(found[key])}
        wanted = below - set(found)
    return found


def purses_beside(connection: Connection, keys: Iterable[RideKey]) -> set[PurseAt]:
    """The proven rides next below and next above each of these commits, proven themselves or not."""
    names = [{"ref": ref, "counter": n} for ref, n in sorted((key.ref, key.counter) for key in set(keys))]
    if not names:
        return set()
    listed = {"keys": json.dumps(names)}
    statements = _PURSES_BESIDE[connection.dialect.name]
    return {PurseAt(*row) for statement in statements for row in connection.execute(statement, listed)}


def highest_counter(connection: Connection, ref: str) -> int:
    """The highest counter of a card's proven commits, rides and others; 0 for a card without any."""
    card_rides = (_RIDE.c.medium_kind == MediumKind.CARD, _RIDE.c.medium_ref == ref)
    counters = (
        select(func.max(_RIDE.c.counter)).where(*card_rides),
        select(func.max(_COMMIT.c.counter)).where(_COMMIT.c.medium_ref == ref),
    )
    return max(connection.execute(statement).scalar() or 0 for statement in counters)


def credited(connection: Connection, refs: Sequence[str]) -> dict[str, int]:
    """What owners and the city were credited for all rides of these cards, in rial.

    What an adjustment gave back to the card was credited all the same: it is loaded on the card again.
    """
    if not refs:
        return {}
    c = _ADJUSTMENT.c
    of_cards = (c.rider_kind == RiderKind.CARD) & c.rider_ref.in_(sorted(refs))
    sums = select(c.rider_ref, func.sum(c.suspense_rial)).where(of_cards).group_by(c.rider_ref)
    released = {ref: int(rial) for ref, rial in connection.execute(sums)}
    rows = connection.execute(
        select(_RIDE.c.medium_ref, func.sum(_RIDE.c.fare_rial - _RIDE.c.suspense_rial))
        .where(_RIDE.c.medium_kind == MediumKind.CARD, _RIDE.c.medium_ref.in_(sorted(refs)))
        .group_by(_RIDE.c.medium_ref)
    )
    return {ref: int(rial) - released.get(ref, 0) for ref, rial in rows}


def add_commits(connection: Connection, commits: Sequence[ProvenCommit]) -> set[RideKey]:
    """Add commits that are no rides; the ones that no other transaction added first."""
    rows = [
        {
            "medium_ref": commit.key.ref,
            "counter": commit.key.counter,
            "kind": str(commit.service),
            "spent_rial": commit.spent_rial,
            "proof": commit.proof,
            "record_written": commit.record_written,
            "entitlement_version": commit.version_after,
            "device_id": commit.device,
            "committed_at": commit.committed_at,
        }
        for commit in sorted(commits, key=lambda commit: commit.key)
    ]
    added = insert_new(connection, _COMMIT, rows, ("medium_ref", "counter"))
    return {RideKey(MediumKind.CARD, ref, counter) for ref, counter in added}


def keep_double(connection: Connection, double: Double, received_at: datetime) -> None:
    """Keep a second valid proof that no tap in the register stands for: TMC, TMV, and the record if known."""
    insert_if_missing(
        connection,
        _QUARANTINE,
        {
            "device_id": double.device,
            "quarantine_id": f"double:{double.serial}:{double.proof.encode().hex()}",
            "journal_id": b"",
            "seq": 0,
            "reason": str(QuarantineReason.DOUBLE),
            "raw": double.proof.encode() + (double.record or b""),
            "received_at": received_at,
            "resolution": None,
        },
    )


def ticket_rides(connection: Connection, ctis: Sequence[str]) -> dict[RideKey, KnownCommit]:
    """Every proven ride of these tickets (at most 255 each)."""
    if not ctis:
        return {}
    rows = connection.execute(
        select(_RIDE).where(_RIDE.c.medium_kind == MediumKind.TICKET, _RIDE.c.medium_ref.in_(sorted(ctis)))
    )
    return {RideKey(MediumKind.TICKET, row.medium_ref, row.counter): _known(row) for row in rows}


def _known_commit(row: Any) -> KnownCommit:
    return KnownCommit(
        source=TapSource(row.device_id, b"", 0),
        proof=bytes(row.proof),
        record_written=None if row.record_written is None else bytes(row.record_written),
        version_after=row.entitlement_version,
        service=CommitKind(row.kind),
    )


def _known(row: Any) -> KnownCommit:
    version = row.entitlement_version if row.delivered_version is None else row.delivered_version
    return KnownCommit(
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
            for row in sorted(rows, key=_place)
        ],
    )


def _place(row: OpenRow) -> tuple[RideKey, int, bytes, int]:
    return row.key, row.source.device, row.source.journal_id, row.source.seq


def add_rides(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> set[RideKey]:
    """Add rides, sorted by key; the ones that no other transaction added first."""
    added = insert_new(connection, _RIDE, rows, ("medium_kind", "medium_ref", "counter"))
    return {RideKey(MediumKind(kind), ref, counter) for kind, ref, counter in added}


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
