"""The raw rows of an audit, and what each journal entry should say by them. It judges nothing.

The tables are described here a second time, by their columns alone: an audit that read them through the code
that wrote them would repeat its mistakes.

    batch:…    + clearing               - owners, commission, suspense     of the rides that name it
    seal:…     + stored value or hold   - clearing                         of the rides that name it
    load:…     + PSP receivable         - stored value                     of the order
    replacement:… + lost card          - the card that gets its balance   of the replacement
    late_fare:…   + its heir, losses   - lost card                        of late rides after a replacement
    deposit:…  + bank                   - PSP receivable                   of the bank line (its bank leg)
    payment:…  + owner                  - in transit                       of the payment
    paid:…     + in transit             - bank                             of the confirmed payment
    hold:…, release:…, cover:… as in `raw_holds`; conflict:… as in `raw_conflicts`; adjust:…, adjusted:… as in
    `raw_adjustments`
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlmodel import Session

from fare.core.tap import Outcome
from fare.reconciliation.raw_adjustments import (
    adjustment_legs,
    released_by_card,
    sealed_by_wallet,
    unsealed_adjustments,
)
from fare.reconciliation.raw_conflicts import conflict_legs
from fare.reconciliation.raw_holds import TicketHold, hold_legs, ticket_holds

Legs = Mapping[str, int]
EXPLAINED_KINDS: Final = frozenset([
    "batch", "sighting", "seal", "load", "hold", "release", "cover", "conflict", "replacement", "late_fare",
    "deposit", "payment", "paid", "adjust", "adjusted",
])  # fmt: skip
"""The causes of entries that can be worked out from other rows; an entry of another cause stands alone."""
_QUEUED: Final = ("conflict", "pending", "bad")


def _table(name: str, *columns: str, **typed: Any) -> sa.TableClause:
    plain: list[sa.ColumnClause[Any]] = [sa.column(column) for column in columns]
    return sa.table(name, *plain, *(sa.column(column, kind) for column, kind in typed.items()))


_ENTRY: Final = _table("ledger_entry", "entry_id")
_POSTING: Final = _table("ledger_posting", "entry_id", "account_id", "amount_rial")
_RIDE: Final = _table(
    "travel_ride", "medium_kind", "medium_ref", "counter", "device_id", "journal_id", "seq", "owner_id",
    "fare_rial", "owner_rial", "commission_rial", "suspense_rial", "entry_id", "sealed_entry_id", "proven_by",
    service_day=sa.Date(),
)  # fmt: skip
_TAP: Final = _table(
    "travel_tap", "device_id", "journal_id", "seq", "outcome", "medium_kind", "medium_ref", "counter",
    "fare_rial", "proof_state",
)  # fmt: skip
_ORDER: Final = _table(
    "ledger_order", "order_id", "medium_kind", "medium_ref", "amount_rial", "terminal", "state"
)
_SIGNED: Final = _table(
    "ledger_entitlement", "serial", "version", "loaded_total_rial", "withdrawn_total_rial", "order_id"
)
_REPLACEMENT: Final = _table("ledger_replacement", "old_serial", "new_serial", "moved_rial", "entry_id")
_COMMIT: Final = _table("travel_card_commit", "medium_ref", "counter", "kind")
_PAYMENT: Final = _table("ledger_payment", "payment_reference", "owner_id", "amount_rial", "state")
_BANK_LINE: Final = _table("ledger_bank_line", "statement_id", "line_no", "amount_rial", "matched_to")


@dataclass(frozen=True, slots=True)
class UnpostedTap:
    """A tap that was accepted, is not queued, and that no ride stands for."""

    device_id: int
    journal_id: bytes
    seq: int
    fare_rial: int


@dataclass(frozen=True, slots=True)
class RawRows:
    """Everything an audit compares. Money in rial, debit positive; legs of zero are left out.

    `entries` is what the journal says and `expected` what it should say, by entry and account. `rides_of`
    counts the rides behind each batch entry. `clearing` and `unsealed` are by day. `held` and `should_hold`
    are by medium, as its holder sees it (credit positive). `shared_counters` are rides whose counter another
    commit of the same card has too.
    """

    entries: Mapping[str, Legs]
    expected: Mapping[str, Legs]
    rides_of: Mapping[str, int]
    rides: int
    accepted: int
    clearing: Mapping[date, int]
    unsealed: Mapping[date, int]
    unposted: Sequence[UnpostedTap]
    orphans: Sequence[str]
    held: Mapping[str, int]
    should_hold: Mapping[str, int]
    shared_counters: Sequence[str] = ()


class _Sums(defaultdict[str, defaultdict[str, int]]):
    """Legs in the making, by entry and account."""

    def __init__(self) -> None:
        super().__init__(lambda: defaultdict(int))

    def legs(self) -> dict[str, Legs]:
        return {entry: {name: rial for name, rial in sums.items() if rial} for entry, sums in self.items()}


def read_all(session: Session) -> RawRows:
    """Read every table that money touches."""
    connection = session.connection()
    entries = _journal(connection)
    expected = _Sums()
    rides_of = _batches(connection, expected)
    _seals(connection, expected)
    _orders(connection, expected)
    _moves(connection, expected)
    late = _late_fares(connection, expected, entries)
    _payments(connection, expected)
    tickets = ticket_holds(connection)
    adjusted = adjustment_legs(connection, _signed_by_cause(connection))
    for entry_id, account, rial in (*conflict_legs(connection), *hold_legs(tickets, entries), *adjusted):
        expected[entry_id][account] += rial
    _deposits(connection, expected, entries)
    balances = _balances(entries)
    return RawRows(
        entries=entries,
        expected=expected.legs(),
        rides_of=rides_of,
        rides=sum(rides_of.values()),
        accepted=_accepted(connection),
        clearing={
            date.fromisoformat(name.partition(":")[2]): rial
            for name, rial in balances.items()
            if name.startswith("clearing:")
        },
        unsealed=_unsealed(connection),
        unposted=_unposted(connection),
        orphans=_orphans(connection),
        held=_held(tickets, balances),
        should_hold=_should_hold(connection, tickets, balances, late),
        shared_counters=_shared_counters(connection),
    )


# --- the journal, as it stands ----------------------------------------------------------------------------


def _journal(connection: Connection) -> dict[str, dict[str, int]]:
    entries: dict[str, dict[str, int]] = {row.entry_id: {} for row in connection.execute(sa.select(_ENTRY))}
    for entry_id, account_id, rial in connection.execute(
        sa.select(_POSTING.c.entry_id, _POSTING.c.account_id, _POSTING.c.amount_rial)
    ):
        entries.setdefault(entry_id, {})[account_id] = rial
    return entries


def _balances(entries: Mapping[str, Legs]) -> dict[str, int]:
    balances: dict[str, int] = defaultdict(int)
    for legs in entries.values():
        for account, rial in legs.items():
            balances[account] += rial
    return balances


# --- the journal, as it should be -------------------------------------------------------------------------


def _batches(connection: Connection, expected: _Sums) -> dict[str, int]:
    ride = _RIDE.c
    rows = connection.execute(
        sa.select(
            ride.entry_id,
            ride.service_day,
            ride.owner_id,
            ride.device_id,
            sa.func.count(),
            sa.func.sum(ride.fare_rial),
            sa.func.sum(ride.owner_rial),
            sa.func.sum(ride.commission_rial),
            sa.func.sum(ride.suspense_rial),
        ).group_by(ride.entry_id, ride.service_day, ride.owner_id, ride.device_id)
    )
    rides: dict[str, int] = defaultdict(int)
    for entry_id, day, owner_id, device_id, count, fare, owner, commission, suspense in rows:
        legs = expected[entry_id]
        legs[f"clearing:{day.isoformat()}"] += int(fare)
        legs[f"owner_payable:{owner_id}"] -= int(owner)
        legs["commission_revenue"] -= int(commission)
        legs[f"suspense:device:{device_id}"] -= int(suspense)
        rides[entry_id] += int(count)
    return rides


def _seals(connection: Connection, expected: _Sums) -> None:
    ride = _RIDE.c
    key = (ride.sealed_entry_id, ride.service_day, ride.medium_kind, ride.medium_ref)
    rows = connection.execute(
        sa.select(*key, sa.func.sum(ride.fare_rial)).where(ride.sealed_entry_id.is_not(None)).group_by(*key)
    )
    for entry_id, day, kind, ref, fare in rows:
        purse = f"stored_value:card:{ref}" if kind == "card" else f"holds:{ref}"
        expected[entry_id][purse] += int(fare)
        expected[entry_id][f"clearing:{day.isoformat()}"] -= int(fare)


def _orders(connection: Connection, expected: _Sums) -> None:
    for order in connection.execute(sa.select(_ORDER).where(_ORDER.c.state != "requested")):
        legs = expected[f"load:{order.order_id}"]
        legs[f"psp_receivable:{order.terminal}"] += order.amount_rial
        legs[f"stored_value:{order.medium_kind}:{order.medium_ref}"] -= order.amount_rial


def _moves(connection: Connection, expected: _Sums) -> None:
    for moved in connection.execute(sa.select(_REPLACEMENT).where(_REPLACEMENT.c.moved_rial.is_not(None))):
        legs = expected[moved.entry_id]
        legs[f"stored_value:card:{moved.old_serial}"] += moved.moved_rial
        legs[f"stored_value:card:{moved.new_serial}"] -= moved.moved_rial


def _late_fares(
    connection: Connection, expected: _Sums, entries: Mapping[str, Legs]
) -> Mapping[int, tuple[int, int]]:
    """By lost card: what was moved from it, and what its late rides come to in all.

    The entries are named by what they come to in all so far, so each says by its name how much it adds; what
    of it a card was charged stands in the entitlement that names the entry.
    """
    credited = _ridden(connection, _RIDE.c.fare_rial - _RIDE.c.suspense_rial)
    funds = _funds(connection)
    withdrawn = _signed_by_cause(connection)
    released = released_by_card(connection)
    found: dict[int, tuple[int, int]] = {}
    for moved in connection.execute(sa.select(_REPLACEMENT).where(_REPLACEMENT.c.moved_rial.is_not(None))):
        old = moved.old_serial
        beyond = (
            credited.get(("card", str(old)), 0)
            + released.get(str(old), 0)
            + moved.moved_rial
            - funds.get(old, 0)
        )
        in_all = min(moved.moved_rial, max(0, beyond))
        found[old] = moved.moved_rial, in_all
        prefix = f"late_fare:{old}:"
        said = {int(name.removeprefix(prefix)) for name in entries if name.startswith(prefix)}
        before = 0
        for step in sorted(rial for rial in {*said, in_all} if 0 < rial <= in_all):
            legs = expected[f"{prefix}{step}"]
            heir, charged = withdrawn.get(f"{prefix}{step}", (0, 0))
            legs[f"stored_value:card:{old}"] -= step - before
            legs[f"stored_value:card:{heir}"] += charged
            legs["capped_losses"] += step - before - charged
            before = step
    return found


def _signed_by_cause(connection: Connection) -> dict[str, tuple[int, int]]:
    """(card, rial) that a signed version withdrew, negative where it loaded, by the cause it names."""
    before: dict[int, int] = {}
    found: dict[str, tuple[int, int]] = {}
    for row in connection.execute(sa.select(_SIGNED).order_by(_SIGNED.c.serial, _SIGNED.c.version)):
        taken = row.withdrawn_total_rial - row.loaded_total_rial
        grown = taken - before.get(row.serial, 0)
        before[row.serial] = taken
        if grown and row.order_id:
            found[row.order_id] = row.serial, grown
    return found


def _payments(connection: Connection, expected: _Sums) -> None:
    for payment in connection.execute(sa.select(_PAYMENT)):
        instructed = expected[f"payment:{payment.payment_reference}"]
        instructed[f"owner_payable:{payment.owner_id}"] += payment.amount_rial
        instructed["payments_in_transit"] -= payment.amount_rial
        if payment.state == "confirmed":
            paid = expected[f"paid:{payment.payment_reference}"]
            paid["payments_in_transit"] += payment.amount_rial
            paid["bank"] -= payment.amount_rial


def _deposits(connection: Connection, expected: _Sums, entries: Mapping[str, Legs]) -> None:
    """What the bank booked is known; how it divides among terminals is taken as it was posted."""
    lines = connection.execute(sa.select(_BANK_LINE).where(_BANK_LINE.c.matched_to.like("deposit:%")))
    for line in lines:
        entry_id = f"deposit:{line.statement_id}:{line.line_no}"
        legs = expected[entry_id]
        legs.update(entries.get(entry_id, {}))
        legs["bank"] = line.amount_rial


# --- the register -----------------------------------------------------------------------------------------


def _unsealed(connection: Connection) -> dict[date, int]:
    rows = connection.execute(
        sa.select(_RIDE.c.service_day, sa.func.sum(_RIDE.c.fare_rial))
        .where(_RIDE.c.sealed_entry_id.is_(None))
        .group_by(_RIDE.c.service_day)
    )
    unsealed = {day: int(fare) for day, fare in rows}
    for day, rial in unsealed_adjustments(connection).items():
        unsealed[day] = unsealed.get(day, 0) + rial
    return unsealed


def _unposted(connection: Connection) -> list[UnpostedTap]:
    posted = sa.exists().where(
        _RIDE.c.medium_kind == _TAP.c.medium_kind,
        _RIDE.c.medium_ref == _TAP.c.medium_ref,
        _RIDE.c.counter == _TAP.c.counter,
    )
    rows = connection.execute(
        sa.select(_TAP)
        .where(_TAP.c.outcome == Outcome.ACCEPTED.value, _TAP.c.proof_state.not_in(_QUEUED), ~posted)
        .order_by(_TAP.c.device_id, _TAP.c.journal_id, _TAP.c.seq)
    )
    return [UnpostedTap(row.device_id, bytes(row.journal_id), row.seq, row.fare_rial) for row in rows]


def _orphans(connection: Connection) -> list[str]:
    brought = sa.exists().where(
        _TAP.c.device_id == _RIDE.c.device_id,
        _TAP.c.journal_id == _RIDE.c.journal_id,
        _TAP.c.seq == _RIDE.c.seq,
    )
    rows = connection.execute(
        sa.select(_RIDE.c.medium_kind, _RIDE.c.medium_ref, _RIDE.c.counter)
        .where(_RIDE.c.proven_by != "next_tap", ~brought)
        .order_by(_RIDE.c.medium_kind, _RIDE.c.medium_ref, _RIDE.c.counter)
    )
    return [f"{kind} {ref} {counter}" for kind, ref, counter in rows]


def _shared_counters(connection: Connection) -> list[str]:
    rows = connection.execute(
        sa.select(_COMMIT.c.medium_ref, _COMMIT.c.counter, _COMMIT.c.kind)
        .join(
            _RIDE,
            (_RIDE.c.medium_kind == "card")
            & (_RIDE.c.medium_ref == _COMMIT.c.medium_ref)
            & (_RIDE.c.counter == _COMMIT.c.counter),
        )
        .order_by(_COMMIT.c.medium_ref, _COMMIT.c.counter)
    )
    return [f"card {ref} {counter} ({kind})" for ref, counter, kind in rows]


def _accepted(connection: Connection) -> int:
    accepted = sa.select(sa.func.count()).select_from(_TAP).where(_TAP.c.outcome == Outcome.ACCEPTED.value)
    return connection.execute(accepted).scalar_one()


# --- stored value -----------------------------------------------------------------------------------------


def _held(tickets: Sequence[TicketHold], balances: Mapping[str, int]) -> dict[str, int]:
    """By card, by ticket, and by wallet together with its tickets' holds."""
    held = {
        name: -rial for name, rial in balances.items() if name.startswith(("stored_value:card:", "holds:"))
    }
    wallets = {name for name in balances if name.startswith("stored_value:wallet:")}
    held |= {name: -balances[name] for name in wallets}
    for ticket in tickets:
        held[ticket.wallet] = held.get(ticket.wallet, 0) - balances.get(ticket.account, 0)
    return held


def _should_hold(
    connection: Connection,
    tickets: Sequence[TicketHold],
    balances: Mapping[str, int],
    late: Mapping[int, tuple[int, int]],
) -> dict[str, int]:
    ridden = _ridden(connection, _RIDE.c.fare_rial)
    should: dict[str, int] = defaultdict(int)
    for serial, funds in _funds(connection).items():
        card = f"stored_value:card:{serial}"
        moved_rial, late_rial = late.get(serial, (0, 0))
        should[card] = funds - ridden.get(("card", str(serial)), 0) - moved_rial + late_rial
    for order in connection.execute(sa.select(_ORDER).where(_ORDER.c.state != "requested")):
        # A card's paid orders are in its signed funds, except those that could not be signed.
        if order.medium_kind == "wallet" or order.state == "paid":
            should[f"stored_value:{order.medium_kind}:{order.medium_ref}"] += order.amount_rial
    for wallet, rial in sealed_by_wallet(connection).items():
        should[f"stored_value:wallet:{wallet}"] -= rial
    for ticket in tickets:
        should[ticket.wallet] -= ticket.sealed_rial
        should[ticket.account] = ticket.should_be_left(-balances.get(ticket.account, 0))
    return should


def _funds(connection: Connection) -> dict[int, int]:
    """Loaded less withdrawn by the newest version signed for each card."""
    rows = connection.execute(sa.select(_SIGNED).order_by(_SIGNED.c.serial, _SIGNED.c.version))
    return {row.serial: row.loaded_total_rial - row.withdrawn_total_rial for row in rows}


def _ridden(connection: Connection, column: sa.ColumnElement[int]) -> dict[tuple[str, str], int]:
    """A column of sealed rides, summed by medium."""
    rows = connection.execute(
        sa.select(_RIDE.c.medium_kind, _RIDE.c.medium_ref, sa.func.sum(column))
        .where(_RIDE.c.sealed_entry_id.is_not(None))
        .group_by(_RIDE.c.medium_kind, _RIDE.c.medium_ref)
    )
    return {(kind, ref): int(fare) for kind, ref, fare in rows}
