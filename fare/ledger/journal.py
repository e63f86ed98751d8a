"""Posting: the one door into the journal. Never changes what is there: a correction is a new entry.

An entry is named by its cause, so posting the same cause again is a no-op when it says the same and a
conflict when it says something else. What an entry says is sealed by its digest:

    digest = SHA-256( canonical CBOR of [entry_id, service day, description, [[account_id, amount], …
    sorted]] )
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Final

import sqlalchemy as sa
from sqlalchemy import Connection
from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, SQLModel, col, select

from fare.core.signed import canonical
from fare.database.chunks import in_chunks
from fare.ledger import accounts
from fare.ledger.models import Account, Entry, Posting

MAX_AMOUNT_RIAL: Final = 2**63 - 1


class ImpossibleEntry(ValueError):
    """The entry breaks a law of the journal (sum, account, amount): a fault of the program."""


class PostingConflict(Exception):
    """The cause is already posted and said something else: nothing is posted, a person must look.

    `entry_id` names the entry that stands.
    """

    def __init__(self, entry_id: str) -> None:
        self.entry_id = entry_id
        super().__init__(f"The entry '{entry_id}' is already posted with another content.")


@dataclass(frozen=True, slots=True)
class EntryDraft:
    """An entry to be posted: `postings` maps account_id to rial, debit positive, summing to zero.

    Legs of zero are left out. An entry without legs is allowed: it records that the cause was dealt with.
    """

    cause_kind: str
    cause_id: str
    service_day: date
    description: str
    postings: Mapping[str, int]

    @property
    def entry_id(self) -> str:
        """`<cause_kind>:<cause_id>`."""
        return f"{self.cause_kind}:{self.cause_id}"

    def legs(self) -> list[tuple[str, int]]:
        """The postings that are not zero, sorted by account."""
        return sorted((account, amount) for account, amount in self.postings.items() if amount)


def entry_digest(
    entry_id: str, service_day: date, description: str, legs: Sequence[tuple[str, int]]
) -> bytes:
    """What seals an entry; `legs` sorted by account. See the module's formula."""
    said = [entry_id, service_day.isoformat(), description, [list(leg) for leg in legs]]
    return hashlib.sha256(canonical(said)).digest()


def post(
    session: Session,
    cause_kind: str,
    cause_id: str,
    service_day: date,
    description: str,
    postings: Mapping[str, int],
    posted_at: datetime,
) -> str | None:
    """Post one entry; returns its id, or None when this cause is already posted with the same content.

    Raises PostingConflict when it is posted with another content, ImpossibleEntry when it breaks a law.
    """
    draft = EntryDraft(cause_kind, cause_id, service_day, description, postings)
    posted = post_many(session, [draft], posted_at)
    return posted[0] if posted else None


def post_many(session: Session, drafts: Sequence[EntryDraft], posted_at: datetime) -> list[str]:
    """Post many entries with a handful of statements; returns the ids of those that are new, in given order.

    Raises as `post` does, and then posts none of them.
    """
    wanted: dict[str, tuple[EntryDraft, list[tuple[str, int]], bytes]] = {}
    for draft in drafts:
        legs = draft.legs()
        _check(draft, legs)
        digest = entry_digest(draft.entry_id, draft.service_day, draft.description, legs)
        if draft.entry_id in wanted and wanted[draft.entry_id][2] != digest:
            raise PostingConflict(draft.entry_id)
        wanted.setdefault(draft.entry_id, (draft, legs, digest))
    if not wanted:
        return []
    known = _digests(session, list(wanted))
    _refuse_conflicts(known, wanted)
    fresh = [item for entry_id, item in wanted.items() if entry_id not in known]
    return _insert(session, fresh, posted_at)


def _insert(
    session: Session, fresh: list[tuple[EntryDraft, list[tuple[str, int]], bytes]], posted_at: datetime
) -> list[str]:
    if not fresh:
        return []
    connection = session.connection()
    rows = [
        {
            "entry_id": draft.entry_id,
            "cause_kind": draft.cause_kind,
            "cause_id": draft.cause_id,
            "service_day": draft.service_day,
            "posted_at": posted_at,
            "description": draft.description,
            "digest": digest,
        }
        # In one order for everybody, so that two transactions wait for each other but never both ways.
        for draft, _, digest in sorted(fresh, key=lambda item: item[0].entry_id)
    ]
    returning = _insert_new(connection, Entry).returning(col(Entry.entry_id))
    posted = {row.entry_id for row in connection.execute(returning, rows)}
    if len(posted) < len(rows):
        # Another transaction posted one of them since we looked: it has committed, so now it can be compared.
        elsewhere = {draft.entry_id: (draft, legs, digest) for draft, legs, digest in fresh}
        missed = [entry_id for entry_id in elsewhere if entry_id not in posted]
        _refuse_conflicts(_digests(session, missed), elsewhere)
    legs = [
        {
            "account_id": account,
            "entry_id": draft.entry_id,
            "service_day": draft.service_day,
            "amount_rial": amount,
        }
        for draft, entry_legs, _ in fresh
        if draft.entry_id in posted
        for account, amount in entry_legs
    ]
    if legs:
        _open_accounts(connection, {str(leg["account_id"]) for leg in legs})
        connection.execute(sa.insert(Posting), legs)
    return [draft.entry_id for draft, _, _ in fresh if draft.entry_id in posted]


def _open_accounts(connection: Connection, account_ids: set[str]) -> None:
    rows: list[dict[str, str | None]] = []
    for account_id in sorted(account_ids):
        kind, party = accounts.split(account_id)
        rows.append({"account_id": account_id, "kind": kind.value, "party": party})
    connection.execute(_insert_new(connection, Account), rows)


def _insert_new(connection: Connection, model: type[SQLModel]) -> sqlite.Insert | postgresql.Insert:
    """INSERT that leaves rows alone which are already there."""
    if connection.dialect.name == "postgresql":
        return postgresql.insert(model).on_conflict_do_nothing()
    return sqlite.insert(model).on_conflict_do_nothing()


def _digests(session: Session, entry_ids: list[str]) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for chunk in in_chunks(entry_ids):
        found |= dict(
            session.exec(select(Entry.entry_id, Entry.digest).where(col(Entry.entry_id).in_(chunk))).all()
        )
    return found


def _refuse_conflicts(
    known: Mapping[str, bytes], wanted: Mapping[str, tuple[EntryDraft, list[tuple[str, int]], bytes]]
) -> None:
    for entry_id, digest in known.items():
        if wanted[entry_id][2] != digest:
            raise PostingConflict(entry_id)


def _check(draft: EntryDraft, legs: list[tuple[str, int]]) -> None:
    if not draft.cause_kind or ":" in draft.cause_kind or not draft.cause_id:
        raise ImpossibleEntry("an entry names its cause as a kind without a colon, and an id")
    for account, amount in draft.postings.items():
        if type(amount) is not int or abs(amount) > MAX_AMOUNT_RIAL:
            raise ImpossibleEntry(f"'{draft.entry_id}': {account} needs a whole number of rial")
        try:
            accounts.split(account)
        except ValueError as fault:
            raise ImpossibleEntry(f"'{draft.entry_id}': {fault}") from None
    total = sum(amount for _, amount in legs)
    if total:
        raise ImpossibleEntry(f"'{draft.entry_id}' does not sum to zero: {total} rial are left over")
