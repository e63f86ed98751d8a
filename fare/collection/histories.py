"""The queries behind pricing anew: riders and locks, their rides, what was adjusted. It decides nothing.

A rider is a card, or the wallet behind a phone's tickets. Rows come with the columns of their tables.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection, text
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session

from fare.collection.adjusting import Parts
from fare.collection.bulk import insert_rows, table_of
from fare.collection.models import (
    Adjustment,
    CardCommit,
    KeptState,
    RegisteredTap,
    Ride,
    Rider,
    TicketConflict,
)
from fare.collection.rides import RideKey
from fare.collection.store import has_flag
from fare.collection.words import CAUSES_OF_LESS, Flag, MediumKind, RiderKind
from fare.core.tariff.card_state import from_wide, to_wide
from fare.core.tariff.model import Tariff
from fare.core.tariff.state import RiderState
from fare.database.chunks import in_chunks
from fare.issuing import TicketMedium, ticket_entitlements, tickets_of_wallet

_RIDE: Final = table_of(Ride)
_TAP: Final = table_of(RegisteredTap)
_COMMIT: Final = table_of(CardCommit)
_CONFLICT: Final = table_of(TicketConflict)
_ADJUSTMENT: Final = table_of(Adjustment)
_RIDER: Final = table_of(Rider)
_STATE: Final = table_of(KeptState)
_STATES_KEPT: Final = 6
_NO_PARTS: Final = Parts()

_AFTER = {
    "postgresql": "SELECT r.* FROM json_to_recordset(CAST(:places AS json)) AS k(ref text, place bigint)"
    " JOIN {table} r ON r.medium_ref = k.ref AND r.counter > k.place",
    "sqlite": "SELECT r.* FROM json_each(:places) k CROSS JOIN {table} r"
    " ON r.medium_ref = json_extract(k.value, '$.ref') AND r.counter > json_extract(k.value, '$.place')",
}


@dataclass(frozen=True, slots=True, order=True)
class RiderKey:
    """Whose rides belong together: a card by its serial, a wallet by its id."""

    kind: RiderKind
    ref: str


@dataclass(frozen=True, slots=True)
class Kept:
    """A state that was kept: after the ride at `place`, at `at_s` (unix seconds)."""

    place: int
    at_s: int
    state: RiderState


NOTHING_KEPT: Final = Kept(0, 0, RiderState())


def riders_of(session: Session, keys: Iterable[RideKey]) -> dict[RideKey, RiderKey]:
    """The rider of each ride; paper has none."""
    found: dict[RideKey, RiderKey] = {}
    tickets: dict[bytes, list[RideKey]] = defaultdict(list)
    for key in keys:
        if key.kind is MediumKind.CARD:
            found[key] = RiderKey(RiderKind.CARD, key.ref)
        else:
            tickets[bytes.fromhex(key.ref)].append(key)
    if tickets:
        for cti, face in ticket_entitlements(session, list(tickets)).items():
            if face.medium == TicketMedium.PHONE:
                found |= dict.fromkeys(tickets[cti], RiderKey(RiderKind.WALLET, face.wallet_id))
    return found


def known_riders(connection: Connection, riders: Collection[RiderKey]) -> set[RiderKey]:
    """Those of these riders whose rides were priced anew before."""
    found: set[RiderKey] = set()
    for kind, refs in _by_kind(riders).items():
        for chunk in in_chunks(refs):
            some = sa.select(_RIDER.c.rider_ref).where(
                _RIDER.c.rider_kind == kind, _RIDER.c.rider_ref.in_(chunk)
            )
            found |= {RiderKey(kind, ref) for (ref,) in connection.execute(some)}
    return found


def lock_riders(connection: Connection, riders: Sequence[RiderKey]) -> None:
    """Lock these riders until the transaction ends, in everybody's order: one prices them at a time."""
    dialect = postgresql if connection.dialect.name == "postgresql" else sqlite
    rows = [{"rider_kind": str(r.kind), "rider_ref": r.ref, "open_since": None} for r in sorted(riders)]
    connection.execute(dialect.insert(_RIDER).on_conflict_do_nothing(), rows)
    for kind, refs in sorted(_by_kind(sorted(riders)).items()):
        for chunk in in_chunks(refs):
            some = (_RIDER.c.rider_kind == kind) & _RIDER.c.rider_ref.in_(chunk)
            connection.execute(sa.select(_RIDER).where(some).order_by(_RIDER.c.rider_ref).with_for_update())


def open_riders(connection: Connection) -> list[RiderKey]:
    """The riders with a journey whose tap-off is not known."""
    rows = connection.execute(
        sa.select(_RIDER.c.rider_kind, _RIDER.c.rider_ref).where(_RIDER.c.open_since.is_not(None))
    )
    return sorted(RiderKey(RiderKind(kind), ref) for kind, ref in rows)


def mark_open(connection: Connection, riders: Mapping[RiderKey, int | None]) -> None:
    """Note since when (unix seconds) each of these riders has an open journey."""
    statement = (
        _RIDER.update()
        .where(_RIDER.c.rider_kind == sa.bindparam("kind"), _RIDER.c.rider_ref == sa.bindparam("ref"))
        .values(open_since=sa.bindparam("since"))
    )
    rows = [
        {
            "kind": str(rider.kind),
            "ref": rider.ref,
            "since": None if since is None else datetime.fromtimestamp(since, UTC),
        }
        for rider, since in sorted(riders.items())
    ]
    connection.execute(statement, rows)


# --- rides ------------------------------------------------------------------------------------------------


def card_rides(connection: Connection, after: Mapping[str, int]) -> dict[str, list[Any]]:
    """Every ride of these cards above a counter each, in order of the counter."""
    found: dict[str, list[Any]] = defaultdict(list)
    for row in _rows_after(connection, "travel_ride", after, _RIDE):
        if row.medium_kind == MediumKind.CARD:
            found[row.medium_ref].append(row)
    for rows in found.values():
        rows.sort(key=lambda row: row.counter)
    return found


def commit_counters(connection: Connection, after: Mapping[str, int]) -> dict[str, set[int]]:
    """The counters above that of these cards' commits that are no rides."""
    found: dict[str, set[int]] = defaultdict(set)
    for row in _rows_after(connection, "travel_card_commit", after, _COMMIT):
        found[row.medium_ref].add(row.counter)
    return found


def wallet_rides(session: Session, wallet_id: str, after_s: int) -> list[Any]:
    """Every ride by phone that this wallet paid for, after an instant, in order of time."""
    after = datetime.fromtimestamp(after_s, UTC)
    refs = [
        face.cti.hex()
        for face in tickets_of_wallet(session, wallet_id)
        if face.medium == TicketMedium.PHONE and face.expires_at >= after
    ]
    rows: list[Any] = []
    for chunk in in_chunks(refs):
        some = _RIDE.c.medium_ref.in_(chunk)
        of_tickets = sa.select(_RIDE).where(_RIDE.c.medium_kind == MediumKind.TICKET, some)
        rows += session.connection().execute(of_tickets)
    later = [row for row in rows if int(row.boarded_at.timestamp()) > after_s]
    return sorted(later, key=lambda row: (row.boarded_at, row.medium_ref, row.counter))


def disputes(connection: Connection, refs: Collection[str]) -> tuple[set[RideKey], set[RideKey]]:
    """Of these tickets' rides: the disputed ones, and those whose fare a decision has moved."""
    disputed: set[RideKey] = set()
    moved: set[RideKey] = set()
    for chunk in in_chunks(refs):
        tap = (
            (_TAP.c.device_id == _RIDE.c.device_id)
            & (_TAP.c.journal_id == _RIDE.c.journal_id)
            & (_TAP.c.seq == _RIDE.c.seq)
        )
        rows = connection.execute(
            sa.select(_RIDE.c.medium_ref, _RIDE.c.counter)
            .join(_TAP, tap)
            .where(
                _RIDE.c.medium_kind == MediumKind.TICKET,
                _RIDE.c.medium_ref.in_(chunk),
                has_flag(_TAP.c.flags, Flag.DISPUTED),
            )
        )
        disputed |= {RideKey(MediumKind.TICKET, ref, counter) for ref, counter in rows}
        decided = connection.execute(
            sa.select(_CONFLICT.c.cti, _CONFLICT.c.ride_ctr).where(
                _CONFLICT.c.cti.in_([bytes.fromhex(ref) for ref in chunk]), _CONFLICT.c.entry_id.is_not(None)
            )
        )
        moved |= {RideKey(MediumKind.TICKET, bytes(cti).hex(), ctr) for cti, ctr in decided}
    return disputed, moved


def _rows_after(connection: Connection, name: str, after: Mapping[str, int], table: sa.Table) -> list[Any]:
    rows: list[Any] = []
    statement = text(_AFTER[connection.dialect.name].format(table=name)).columns(
        **{column.name: column.type for column in table.columns}
    )
    for chunk in in_chunks(after):
        places = json.dumps([{"ref": ref, "place": after[ref]} for ref in chunk])
        rows += connection.execute(statement, {"places": places}).all()
    return rows


# --- what was adjusted ------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class SoFar:
    """What the adjustments of a ride come to, how many there are, and whether the newest says it was too
    little.
    """

    parts: Parts = _NO_PARTS
    count: int = 0
    too_little: bool = False


def newest_says_too_little() -> sa.ColumnElement[int]:
    """An aggregate over a ride's adjustments: an odd number where the newest says so."""
    return sa.func.max(
        _ADJUSTMENT.c.number * 2 + sa.case((_ADJUSTMENT.c.cause.in_(CAUSES_OF_LESS), 1), else_=0)
    )


def adjusted_so_far(connection: Connection, riders: Collection[RiderKey]) -> dict[RideKey, SoFar]:
    """The adjustments of these riders' rides."""
    found: dict[RideKey, SoFar] = {}
    c = _ADJUSTMENT.c
    for kind, refs in _by_kind(riders).items():
        for chunk in in_chunks(refs):
            rows = connection.execute(
                sa.select(
                    c.medium_kind,
                    c.medium_ref,
                    c.counter,
                    sa.func.sum(c.rider_rial),
                    sa.func.sum(c.owner_rial),
                    sa.func.sum(c.commission_rial),
                    sa.func.sum(c.suspense_rial),
                    sa.func.count(),
                    newest_says_too_little(),
                )
                .where(c.rider_kind == kind, c.rider_ref.in_(chunk))
                .group_by(c.medium_kind, c.medium_ref, c.counter)
            )
            for medium, ref, counter, *rial, count, newest in rows:
                parts = Parts(*(int(each) for each in rial))
                key = RideKey(MediumKind(medium), ref, counter)
                found[key] = SoFar(parts, int(count), bool(int(newest) % 2))
    return found


def signed_so_far(connection: Connection, serials: Collection[str]) -> dict[str, int]:
    """What adjustments of these cards have gone into their entitlements, in rial: positive was withdrawn."""
    found: dict[str, int] = {}
    c = _ADJUSTMENT.c
    for chunk in in_chunks(serials):
        rows = connection.execute(
            sa.select(c.rider_ref, sa.func.sum(c.rider_rial))
            .where(c.rider_kind == RiderKind.CARD, c.rider_ref.in_(chunk), c.sealed_entry_id.is_not(None))
            .group_by(c.rider_ref)
        )
        found |= {ref: int(rial) for ref, rial in rows}
    return found


# --- states that were kept --------------------------------------------------------------------------------


def kept_states(connection: Connection, before: Mapping[RiderKey, int]) -> dict[RiderKey, Kept]:
    """For each rider the newest kept state below a place; later ones are thrown away: they are wrong now."""
    found: dict[RiderKey, Kept] = {}
    wrong: list[dict[str, Any]] = []
    for kind, refs in _by_kind(before).items():
        for chunk in in_chunks(refs):
            rows = connection.execute(
                sa.select(_STATE).where(_STATE.c.rider_kind == kind, _STATE.c.rider_ref.in_(chunk))
            )
            for row in rows:
                rider = RiderKey(kind, row.rider_ref)
                if row.place >= before[rider]:
                    wrong.append({"kind": str(kind), "ref": row.rider_ref, "at": row.place})
                elif rider not in found or found[rider].place < row.place:
                    found[rider] = Kept(row.place, row.at_s, from_wide(bytes(row.state)))
    _forget(connection, wrong)
    return found


def keep_states(connection: Connection, kept: Mapping[RiderKey, Sequence[tuple[Tariff, Kept]]]) -> None:
    """Keep these states; of each rider the newest few alone."""
    rows = [
        {
            "rider_kind": str(rider.kind),
            "rider_ref": rider.ref,
            "place": one.place,
            "at_s": one.at_s,
            "tariff_version": tariff.version,
            "state": to_wide(tariff, one.state, one.at_s),
        }
        for rider, some in sorted(kept.items())
        for tariff, one in some
    ]
    insert_rows(connection, _STATE, rows)
    old: list[dict[str, Any]] = []
    for kind, refs in _by_kind(rider for rider, some in kept.items() if some).items():
        for chunk in in_chunks(refs):
            places = connection.execute(
                sa.select(_STATE.c.rider_ref, _STATE.c.place)
                .where(_STATE.c.rider_kind == kind, _STATE.c.rider_ref.in_(chunk))
                .order_by(_STATE.c.rider_ref, _STATE.c.place.desc())
            )
            by_rider: dict[str, list[int]] = defaultdict(list)
            for ref, place in places:
                by_rider[ref].append(place)
            old += [
                {"kind": str(kind), "ref": ref, "at": place}
                for ref, known in by_rider.items()
                for place in known[_STATES_KEPT:]
            ]
    _forget(connection, old)


def _forget(connection: Connection, rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        connection.execute(
            _STATE.delete().where(
                _STATE.c.rider_kind == sa.bindparam("kind"),
                _STATE.c.rider_ref == sa.bindparam("ref"),
                _STATE.c.place == sa.bindparam("at"),
            ),
            rows,
        )


def _by_kind(riders: Iterable[RiderKey]) -> dict[RiderKind, list[str]]:
    found: dict[RiderKind, list[str]] = defaultdict(list)
    for rider in riders:
        found[rider.kind].append(rider.ref)
    return dict(found)
