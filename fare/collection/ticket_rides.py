"""What riders and issuing may read of the rides that tickets paid for. It changes nothing.

Rows come out as values of this module, amounts in rial. It tells a rider's own rides to whoever names the
tickets: asking for somebody else's is for the caller to refuse.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Session

from fare.collection.adjustments import AdjustmentView, adjustments_of_tickets
from fare.collection.bulk import table_of
from fare.collection.models import Ride, TicketConflict
from fare.collection.ticket_claims import claim_of
from fare.collection.words import MediumKind
from fare.database.chunks import in_chunks

_RIDE: Final = table_of(Ride)
_CONFLICT: Final = table_of(TicketConflict)
PAGE_MAX: Final = 100


@dataclass(frozen=True, slots=True, order=True)
class RidePlace:
    """Where one ride stands in a rider's history: the cursor of the page after it."""

    boarded_at: datetime
    cti: bytes
    ctr: int


@dataclass(frozen=True, slots=True)
class TicketRideView:
    """One boarding that a ticket paid for. `disputed`: another bus showed it too and nobody has decided yet.

    `line` is the line's number; the rider paid `fare_rial` for `pax` people, once, disputed or not.
    `adjusted_rial` is what that was adjusted by, negative where it came back, and `adjustment` the last one.
    """

    place: RidePlace
    line: int
    pax: int
    fare_rial: int
    disputed: bool
    adjusted_rial: int = 0
    adjustment: AdjustmentView | None = None

    @property
    def boarded_at(self) -> datetime:
        """When it was, aware."""
        return self.place.boarded_at


@dataclass(frozen=True, slots=True)
class TakenIn:
    """What the ledger has received of one ticket: fares not yet taken out of its hold, and the highest
    counter that a ride used (its companions' too).
    """

    unsealed_rial: int
    highest_ctr: int


def rides_of_tickets(
    session: Session, ctis: Collection[bytes], before: RidePlace | None = None, limit: int = 20
) -> list[TicketRideView]:
    """The rides of these tickets, the newest first, at most `limit` (1 to 100), older than `before`.

    The last one's `place` is the `before` of the next page.
    """
    rows: list[Any] = []
    limit = max(1, min(limit, PAGE_MAX))
    for chunk in in_chunks(cti.hex() for cti in ctis):
        statement = (
            _of_tickets(chunk)
            .order_by(_RIDE.c.boarded_at.desc(), _RIDE.c.medium_ref.desc(), _RIDE.c.counter.desc())
            .limit(limit)
        )
        if before is not None:
            place = sa.tuple_(_RIDE.c.boarded_at, _RIDE.c.medium_ref, _RIDE.c.counter)
            here = sa.tuple_(
                sa.literal(before.boarded_at, _RIDE.c.boarded_at.type),
                sa.literal(before.cti.hex()),
                sa.literal(before.ctr, _RIDE.c.counter.type),
            )
            statement = statement.where(place < here)
        rows += session.connection().execute(statement).all()
    rows.sort(key=_place, reverse=True)
    shown = rows[:limit]
    shown_ctis = {bytes.fromhex(row.medium_ref) for row in shown}
    open_ones = _disputed(session, shown_ctis)
    adjusted: dict[tuple[str, int], list[AdjustmentView]] = defaultdict(list)
    for each in adjustments_of_tickets(session, shown_ctis):
        adjusted[each.medium_ref, each.counter].append(each)
    return [_view(row, open_ones, adjusted[row.medium_ref, row.counter]) for row in shown]


def taken_in(session: Session, ctis: Iterable[bytes]) -> dict[bytes, TakenIn]:
    """What was received of each of these tickets; one that has not ridden yet is left out."""
    sums: dict[bytes, list[int]] = {}
    for chunk in in_chunks(cti.hex() for cti in ctis):
        for row in session.connection().execute(_of_tickets(chunk)):
            told = sums.setdefault(bytes.fromhex(row.medium_ref), [0, 0])
            told[0] += row.fare_rial if row.sealed_entry_id is None else 0
            told[1] = max(told[1], row.counter + _pax(row) - 1)
    return {cti: TakenIn(*told) for cti, told in sums.items()}


def _of_tickets(refs: Collection[str]) -> sa.Select[Any]:
    return sa.select(_RIDE).where(_RIDE.c.medium_kind == MediumKind.TICKET, _RIDE.c.medium_ref.in_(refs))


def _disputed(session: Session, ctis: Collection[bytes]) -> set[tuple[bytes, int]]:
    """(cti, ctr) of the rides that nobody has decided yet."""
    rows = session.connection().execute(
        sa.select(_CONFLICT.c.cti, _CONFLICT.c.ride_ctr).where(
            _CONFLICT.c.cti.in_(sorted(ctis)), _CONFLICT.c.decision.is_(None)
        )
    )
    return {(bytes(cti), ctr) for cti, ctr in rows}


def _view(
    row: Any, disputed: Collection[tuple[bytes, int]], adjusted: Sequence[AdjustmentView]
) -> TicketRideView:
    place = _place(row)
    return TicketRideView(
        place,
        row.line,
        _pax(row),
        row.fare_rial,
        disputed=(place.cti, place.ctr) in disputed,
        adjusted_rial=sum(each.rider_rial for each in adjusted),
        adjustment=adjusted[0] if adjusted else None,
    )


def _place(row: Any) -> RidePlace:
    return RidePlace(row.boarded_at, bytes.fromhex(row.medium_ref), row.counter)


def _pax(row: Any) -> int:
    claimed = claim_of(bytes(row.proof))
    return 1 if claimed is None else claimed.last - claimed.first + 1
