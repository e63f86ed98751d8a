"""What the entries of adjusted fares should say, by raw rows. It judges nothing, and trusts no mark.

adjust:…     + clearing         - owners, commission, suspense   of the adjustments that name it
adjusted:…   + rider's purse    - clearing                       of the adjustments that name it

While a ride is in dispute, what was its owner's and the city's is moved within suspense. What a
card got or owed, or the one that has its balance now, stands in the entitlement that names the entry; what no
entitlement says is a refund or a loss.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection


def _columns(*names: str) -> list[sa.ColumnClause[Any]]:
    return [sa.column(name) for name in names]


_ADJUSTMENT: Final = sa.table(
    "travel_adjustment",
    *_columns(
        "medium_kind", "medium_ref", "counter", "rider_kind", "rider_ref", "owner_id", "rider_rial",
        "owner_rial", "commission_rial", "suspense_rial", "is_held", "entry_id", "sealed_entry_id",
    ),
    sa.column("service_day", sa.Date()),
)  # fmt: skip
_RIDE: Final = sa.table("travel_ride", *_columns("medium_kind", "medium_ref", "counter", "device_id"))
_C: Final = _ADJUSTMENT.c


def adjustment_legs(
    connection: Connection, signed: Mapping[str, tuple[int, int]]
) -> Iterator[tuple[str, str, int]]:
    """(entry, account, rial) of everything that adjustments moved; several of one account add up.

    `signed`: entry -> (card, rial) that an entitlement naming it withdrew, negative where it loaded.
    """
    yield from _posted(connection)
    key = (_C.sealed_entry_id, _C.service_day, _C.rider_kind, _C.rider_ref)
    rows = connection.execute(
        sa.select(*key, sa.func.sum(_C.rider_rial)).where(_C.sealed_entry_id.is_not(None)).group_by(*key)
    )
    for entry_id, day, kind, ref, total in rows:
        rial = int(total)
        yield entry_id, f"clearing:{day.isoformat()}", -rial
        if kind == "wallet":
            yield entry_id, f"stored_value:wallet:{ref}", rial
            continue
        card, carried = signed.get(entry_id, (int(ref), 0))
        yield entry_id, f"stored_value:card:{card}", carried
        yield entry_id, "capped_losses" if rial > carried else "refunds", rial - carried


def unsealed_adjustments(connection: Connection) -> dict[date, int]:
    """What of each day is not settled with its riders yet: it stands on the day's clearing account."""
    rows = connection.execute(
        sa.select(_C.service_day, sa.func.sum(_C.rider_rial))
        .where(_C.sealed_entry_id.is_(None))
        .group_by(_C.service_day)
    )
    return {day: int(rial) for day, rial in rows}


def sealed_by_wallet(connection: Connection) -> dict[str, int]:
    """What wallets were charged in all by adjustments, in rial; negative came back."""
    rows = connection.execute(
        sa.select(_C.rider_ref, sa.func.sum(_C.rider_rial))
        .where(_C.rider_kind == "wallet", _C.sealed_entry_id.is_not(None))
        .group_by(_C.rider_ref)
    )
    return {ref: int(rial) for ref, rial in rows}


def released_by_card(connection: Connection) -> dict[str, int]:
    """What adjustments took out of suspense, by card, in rial."""
    rows = connection.execute(
        sa.select(_C.rider_ref, sa.func.sum(_C.suspense_rial))
        .where(_C.rider_kind == "card", _C.sealed_entry_id.is_not(None))
        .group_by(_C.rider_ref)
    )
    return {ref: -int(rial) for ref, rial in rows}


def _posted(connection: Connection) -> Iterator[tuple[str, str, int]]:
    same = (
        (_RIDE.c.medium_kind == _C.medium_kind)
        & (_RIDE.c.medium_ref == _C.medium_ref)
        & (_RIDE.c.counter == _C.counter)
    )
    legs = ("rider_rial", "owner_rial", "commission_rial", "suspense_rial")
    key = (_C.entry_id, _C.service_day, _C.owner_id, _C.is_held, _RIDE.c.device_id)
    rows = connection.execute(
        sa.select(*key, *(sa.func.sum(_C[name]) for name in legs)).join(_RIDE, same).group_by(*key)
    )
    for row in rows:
        entry_id, held = row.entry_id, f"suspense:device:{row.device_id}"
        rider, owner, commission, suspense = (int(each) for each in row[-len(legs) :])
        yield entry_id, f"clearing:{row.service_day.isoformat()}", rider
        yield entry_id, held, -suspense
        yield entry_id, held if row.is_held else f"owner_payable:{row.owner_id}", -owner
        yield entry_id, held if row.is_held else "commission_revenue", -commission
