"""What tickets' holds should say, by raw rows: set aside, given back, covered. It judges nothing.

    hold:…      + wallet   - hold      of the ticket
    release:…   + hold     - wallet    of a released ticket: what was not ridden when it was given back
    cover:…     + wallet   - hold      of late rides, named by what they come to in all so far

How much of a ticket had been ridden when its hold was given back depends on which buses had come home by
then, and no row says that. What was given back is therefore taken as it was posted, within what the rides can
explain: at most the hold, at least the hold less every ride. Covers are worked out from it to the rial, up to
what all of its rides lack.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection

_TICKET_COLUMNS: Final = ("cti", "wallet_id", "hold_rial", "status")
_RIDE_COLUMNS: Final = ("medium_kind", "medium_ref", "fare_rial", "sealed_entry_id")


def _columns(names: tuple[str, ...]) -> list[sa.ColumnClause[Any]]:
    return [sa.column(name) for name in names]


_TICKET: Final = sa.table("ledger_ticket_entitlement", *_columns(_TICKET_COLUMNS))
_RIDE: Final = sa.table("travel_ride", *_columns(_RIDE_COLUMNS))
_Entries = Mapping[str, Mapping[str, int]]


@dataclass(frozen=True, slots=True)
class TicketHold:
    """One ticket: what was set aside for it, and the fares of its rides, sealed and not yet, in rial."""

    cti: str
    wallet_id: str
    hold_rial: int
    released: bool
    sealed_rial: int
    unsealed_rial: int

    @property
    def account(self) -> str:
        """Where its money waits."""
        return f"holds:{self.cti}"

    @property
    def wallet(self) -> str:
        """Where it came from."""
        return f"stored_value:wallet:{self.wallet_id}"

    @property
    def ridden_rial(self) -> int:
        """The fares of all its rides."""
        return self.sealed_rial + self.unsealed_rial

    def should_be_left(self, left_rial: int) -> int:
        """What its account should have, which has `left_rial`.

        Of a released one at most its rides that are still to be sealed, and it is never overdrawn.
        """
        if self.released:
            return min(max(0, left_rial), self.unsealed_rial)
        return self.hold_rial - self.sealed_rial

    def given_back(self, entries: _Entries) -> int:
        """What was given back of it, as far as its rides can explain that."""
        if not self.released:
            return 0
        said_rial = entries.get(f"release:{self.cti}", {}).get(self.account, 0)
        return min(max(said_rial, self.hold_rial - self.ridden_rial, 0), self.hold_rial)


def ticket_holds(connection: Connection) -> list[TicketHold]:
    """Every ticket, sorted by its alias."""
    sealed, unsealed = _fares(connection, sealed=True), _fares(connection, sealed=False)
    return [
        TicketHold(
            cti=bytes(row.cti).hex(),
            wallet_id=row.wallet_id,
            hold_rial=row.hold_rial,
            released=row.status == "released",
            sealed_rial=sealed[bytes(row.cti).hex()],
            unsealed_rial=unsealed[bytes(row.cti).hex()],
        )
        for row in connection.execute(sa.select(_TICKET).order_by(_TICKET.c.cti))
    ]


def hold_legs(tickets: Sequence[TicketHold], entries: _Entries) -> Iterator[tuple[str, str, int]]:
    """(entry, account, rial) of everything that should have moved between wallets and holds."""
    steps = _cover_steps(entries)
    for ticket in tickets:
        yield f"hold:{ticket.cti}", ticket.wallet, ticket.hold_rial
        yield f"hold:{ticket.cti}", ticket.account, -ticket.hold_rial
        given_rial = ticket.given_back(entries)
        if ticket.released:
            yield f"release:{ticket.cti}", ticket.account, given_rial
            yield f"release:{ticket.cti}", ticket.wallet, -given_rial
        # A ride that is still to be sealed may be covered already: its fare is owed since it was taken in.
        lacking_rial = ticket.ridden_rial + given_rial - ticket.hold_rial
        before_rial = 0
        for step_rial in sorted(step for step in steps[ticket.cti] if 0 < step <= lacking_rial):
            yield f"cover:{ticket.cti}:{step_rial}", ticket.wallet, step_rial - before_rial
            yield f"cover:{ticket.cti}:{step_rial}", ticket.account, before_rial - step_rial
            before_rial = step_rial


def _cover_steps(entries: _Entries) -> defaultdict[str, set[int]]:
    """By ticket, what the covers that were posted say that they come to."""
    steps: defaultdict[str, set[int]] = defaultdict(set)
    for entry_id in entries:
        kind, _, name = entry_id.partition(":")
        cti, _, step = name.partition(":")
        if kind == "cover" and step.isdecimal():
            steps[cti].add(int(step))
    return steps


def _fares(connection: Connection, *, sealed: bool) -> defaultdict[str, int]:
    is_open = _RIDE.c.sealed_entry_id.is_(None)
    rows = connection.execute(
        sa.select(_RIDE.c.medium_ref, sa.func.sum(_RIDE.c.fare_rial))
        .where(_RIDE.c.medium_kind == "ticket", ~is_open if sealed else is_open)
        .group_by(_RIDE.c.medium_ref)
    )
    return defaultdict(int, {ref: int(fare) for ref, fare in rows})
