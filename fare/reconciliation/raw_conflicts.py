"""What the entries of decided conflicts should say, by raw rows. It judges nothing, and trusts no mark.

conflict:…   + suspense of the ride's device   - owners, commission   of the conflicts that name it
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection


def _table(name: str, *columns: str) -> sa.TableClause:
    plain: list[sa.ColumnClause[Any]] = [sa.column(column) for column in columns]
    return sa.table(name, *plain)


_CONFLICT: Final = _table(
    "travel_ticket_conflict", "cti", "ride_ctr", "entry_id", "back_owner_rial", "back_commission_rial",
    "owner_id", "owner_rial", "commission_rial",
)  # fmt: skip
_RIDE: Final = _table("travel_ride", "medium_kind", "medium_ref", "counter", "device_id", "owner_id")


def conflict_legs(connection: Connection) -> Iterator[tuple[str, str, int]]:
    """(entry, account, rial) of everything that decided conflicts moved; several of one account add up."""
    named = sa.select(_CONFLICT).where(_CONFLICT.c.entry_id.is_not(None))
    for row in connection.execute(named.order_by(_CONFLICT.c.entry_id)):
        ride = _ride(connection, bytes(row.cti).hex(), row.ride_ctr)
        if ride is None:
            continue  # then nothing explains the entry
        moved = row.back_owner_rial + row.back_commission_rial + row.owner_rial + row.commission_rial
        yield row.entry_id, f"suspense:device:{ride.device_id}", moved
        yield row.entry_id, f"owner_payable:{ride.owner_id}", -row.back_owner_rial
        yield row.entry_id, f"owner_payable:{row.owner_id}", -row.owner_rial
        yield row.entry_id, "commission_revenue", -row.back_commission_rial - row.commission_rial


def _ride(connection: Connection, ref: str, counter: int) -> Any:
    same = (_RIDE.c.medium_kind == "ticket", _RIDE.c.medium_ref == ref, _RIDE.c.counter == counter)
    return connection.execute(sa.select(_RIDE).where(*same)).first()
