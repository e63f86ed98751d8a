"""Balances and the trial balance, computed from the postings each time. Never writes, keeps no total."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from itertools import groupby
from typing import TypeAlias, cast

import sqlalchemy as sa
from sqlmodel import Session, col, select

from fare.ledger import accounts
from fare.ledger.journal import entry_digest
from fare.ledger.models import Entry, Posting

_ROWS_AT_ONCE = 2000

_EntryLeg: TypeAlias = tuple[str, date, str, bytes, str | None, int, date]
"""entry_id, its service day, description and digest; account_id, amount and service day of one leg."""


@dataclass(frozen=True, slots=True)
class TrialBalance:
    """What the whole journal says of itself.

    `total` of all postings in rial, `by_kind` the sum of each kind of account; `unbalanced_entries` do not
    sum to zero; `altered_entries` no longer say what was posted (their digest does not match, or they are
    gone).
    """

    total: int
    by_kind: dict[str, int]
    unbalanced_entries: tuple[str, ...]
    altered_entries: tuple[str, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return self.total == 0 and not self.unbalanced_entries and not self.altered_entries


def balance(session: Session, account_id: str) -> int:
    """The account's balance in rial, debit positive; 0 for an account without postings."""
    total = session.exec(
        select(sa.func.sum(col(Posting.amount_rial))).where(col(Posting.account_id) == account_id)
    ).one()
    return int(total or 0)


def balances(session: Session, prefix: str) -> dict[str, int]:
    """Balances of all accounts that begin with `prefix` (such as `stored_value:card:`), zeros included."""
    statement = (
        select(Posting.account_id, sa.func.sum(col(Posting.amount_rial)))
        .group_by(col(Posting.account_id))
        .order_by(col(Posting.account_id))
    )
    if prefix:
        after = prefix[:-1] + chr(ord(prefix[-1]) + 1)
        statement = statement.where(col(Posting.account_id) >= prefix, col(Posting.account_id) < after)
    return {account_id: int(total) for account_id, total in session.exec(statement)}


def clearing(session: Session, service_day: date) -> int:
    """What is still to be cleared of a service day, in rial: zero once it is sealed."""
    return balance(session, accounts.clearing(service_day))


def postings_of(session: Session, entry_id: str) -> dict[str, int]:
    """The legs of one entry by account, in rial; empty for an entry that does not exist."""
    return dict(
        session.exec(
            select(Posting.account_id, Posting.amount_rial)
            .where(col(Posting.entry_id) == entry_id)
            .order_by(col(Posting.account_id))
        ).all()
    )


def trial_balance(session: Session) -> TrialBalance:
    """Read every entry and posting, recompute every digest, and add everything up."""
    by_kind: dict[str, int] = {}
    unbalanced: list[str] = []
    altered: set[str] = set()
    for entry_id, group in groupby(_entries_with_postings(session), key=lambda row: row[0]):
        rows = list(group)
        _, service_day, description, digest = rows[0][:4]
        legs: list[tuple[str, int]] = []
        for account_id, amount, posted_day in (row[4:7] for row in rows):
            if account_id is not None:
                legs.append((account_id, amount))
                _add(by_kind, account_id, amount)
                if posted_day != service_day:
                    altered.add(entry_id)
        if sum(amount for _, amount in legs):
            unbalanced.append(entry_id)
        if entry_digest(entry_id, service_day, description, legs) != digest:
            altered.add(entry_id)
    for account_id, entry_id, amount in _postings_without_entry(session):
        _add(by_kind, account_id, amount)
        altered.add(entry_id)
    return TrialBalance(
        total=sum(by_kind.values()),
        by_kind=dict(sorted(by_kind.items())),
        unbalanced_entries=tuple(unbalanced),
        altered_entries=tuple(sorted(altered)),
    )


def _add(by_kind: dict[str, int], account_id: str, amount: int) -> None:
    kind = account_id.partition(":")[0]
    by_kind[kind] = by_kind.get(kind, 0) + amount


def _entries_with_postings(session: Session) -> Iterator[_EntryLeg]:
    """Each entry with each of its legs; the last three are None for an entry without legs."""
    statement = (
        sa.select(
            col(Entry.entry_id),
            col(Entry.service_day),
            col(Entry.description),
            col(Entry.digest),
            col(Posting.account_id),
            col(Posting.amount_rial),
            col(Posting.service_day),
        )
        .outerjoin_from(Entry, Posting, col(Entry.entry_id) == col(Posting.entry_id))
        .order_by(col(Entry.entry_id), col(Posting.account_id))
        .execution_options(yield_per=_ROWS_AT_ONCE)
    )
    rows = session.connection().execute(statement)
    yield from cast("Iterator[_EntryLeg]", rows)


def _postings_without_entry(session: Session) -> Iterator[tuple[str, str, int]]:
    statement = sa.select(col(Posting.account_id), col(Posting.entry_id), col(Posting.amount_rial)).where(
        ~sa.exists().where(col(Entry.entry_id) == col(Posting.entry_id))
    )
    yield from cast("Iterator[tuple[str, str, int]]", session.connection().execute(statement))
