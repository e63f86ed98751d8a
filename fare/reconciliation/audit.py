"""An auditor's second opinion: everything is added up again from raw rows, and every difference is named.

It trusts no running total, no mark and no other package's word: it reads the tables itself, as rows of
columns, and works out what each journal entry should say. It changes nothing and repairs nothing.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from sqlmodel import Session

from fare.collection.journals import batches_over, holes
from fare.core.batch import decode_batch
from fare.core.errors import MalformedDocument
from fare.core.signed import split
from fare.core.tap import Outcome, decode_tap
from fare.ledger import TrialBalance, trial_balance
from fare.reconciliation import raw_rows
from fare.reconciliation.raw_rows import Legs

_SHOWN_ACCOUNTS = 3


@dataclass(frozen=True, slots=True)
class AuditFinding:
    """One thing that is wrong. `subject` names the entry, tap, ride or account."""

    kind: str
    subject: str
    detail: str
    amount_rial: int = 0

    def __str__(self) -> str:
        """The finding as a sentence."""
        return f"{self.subject}: {self.detail}"


@dataclass(frozen=True, slots=True)
class Audit:
    """What the whole journal and register amount to.

    `trial_balance` in rial; `posted_twice` counts rides that more than one entry posted, `missing` taps that
    were accepted and are posted nowhere, `media_mismatches` media whose stored value is not what was loaded
    less what was ridden. The first three figures are how much was looked at.
    """

    entries: int
    rides: int
    accepted: int
    trial_balance: int
    posted_twice: int
    missing: int
    media_mismatches: int
    findings: tuple[AuditFinding, ...]

    @property
    def holds(self) -> bool:
        """Whether nothing is wrong."""
        return not self.findings and self.trial_balance == 0


def audit(session: Session) -> Audit:
    """Add everything up again. Reads the whole database once; on a large one this takes its time."""
    books = trial_balance(session)
    rows = raw_rows.read_all(session)
    entry_findings, posted_twice = _entries(books, rows)
    missing_findings = [*_dropped_taps(session), *_unposted_taps(rows)]
    media_findings = _media(rows)
    findings = [
        *entry_findings,
        *_clearing(rows),
        *missing_findings,
        *_orphans(rows),
        *_shared_counters(rows),
        *media_findings,
    ]
    return Audit(
        entries=len(rows.entries),
        rides=rows.rides,
        accepted=rows.accepted,
        trial_balance=books.total,
        posted_twice=posted_twice,
        missing=sum(finding.kind == "missing" for finding in missing_findings),
        media_mismatches=len(media_findings),
        findings=tuple(findings),
    )


# --- the journal ------------------------------------------------------------------------------------------


def _entries(books: TrialBalance, rows: raw_rows.RawRows) -> tuple[list[AuditFinding], int]:
    """One finding for each entry that is wrong, with all that is wrong about it."""
    wrong: dict[str, list[str]] = defaultdict(list)
    for entry_id in books.altered_entries:
        wrong[entry_id].append("it no longer says what was posted (its digest does not hold)")
    for entry_id in books.unbalanced_entries:
        wrong[entry_id].append("its legs do not sum to zero")
    posted_twice = 0
    for entry_id in sorted(set(rows.entries) | set(rows.expected)):
        said, should = rows.entries.get(entry_id), rows.expected.get(entry_id)
        if said == should or (said is None and not should):
            continue
        if said is None:
            wrong[entry_id].append("it is not in the journal, and rides or orders name it")
        elif should is None:
            kind = entry_id.partition(":")[0]
            if kind in raw_rows.EXPLAINED_KINDS:
                wrong[entry_id].append(f"nothing that happened explains it: {_shown(said)}")
                posted_twice += _posted_again(entry_id, said, rows)
        else:
            wrong[entry_id].append(_difference(said, should))
    found = [AuditFinding("entry", f"entry {entry}", "; ".join(why)) for entry, why in sorted(wrong.items())]
    return found, posted_twice


def _posted_again(entry_id: str, said: Legs, rows: raw_rows.RawRows) -> int:
    """How many rides an entry that no ride names posts again: those of its twin, else one at least."""
    if not entry_id.startswith("batch:"):
        return 0
    twins = (rows.rides_of[other] for other in rows.rides_of if rows.expected[other] == said)
    return max(twins, default=1)


def _difference(said: Legs, should: Legs) -> str:
    accounts = [name for name in sorted({*said, *should}) if said.get(name, 0) != should.get(name, 0)]
    parts = [
        f"{name} has {said.get(name, 0):,} rial where its causes come to {should.get(name, 0):,}"
        for name in accounts[:_SHOWN_ACCOUNTS]
    ]
    if len(accounts) > _SHOWN_ACCOUNTS:
        parts.append(f"and {len(accounts) - _SHOWN_ACCOUNTS} more accounts")
    return ", ".join(parts)


def _shown(legs: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {rial:,}" for name, rial in sorted(legs.items())[:_SHOWN_ACCOUNTS])


def _clearing(rows: raw_rows.RawRows) -> list[AuditFinding]:
    """Clearing holds exactly the rides that are not sealed yet: nothing, once a day is closed."""
    return [
        AuditFinding(
            "clearing",
            f"clearing:{day}",
            f"it stands at {rows.clearing.get(day, 0):,} rial where unsealed rides come to"
            f" {rows.unsealed.get(day, 0):,}",
            rows.clearing.get(day, 0) - rows.unsealed.get(day, 0),
        )
        for day in sorted({*rows.clearing, *rows.unsealed})
        if rows.clearing.get(day, 0) != rows.unsealed.get(day, 0)
    ]


# --- the register -----------------------------------------------------------------------------------------


def _dropped_taps(session: Session) -> list[AuditFinding]:
    """Taps that a device signed and the ledger acknowledged, and that are in no table any more."""
    found: list[AuditFinding] = []
    for (device, journal), seqs in sorted(holes(session).items()):
        for seq in seqs:
            accepted = _was_accepted(session, device, journal, seq)
            told = {True: "it was accepted", False: "it was not accepted", None: "its batch is gone too"}
            found.append(
                AuditFinding(
                    "hole" if accepted is False else "missing",
                    f"tap {seq} of device {device}, journal {journal.hex()[:8]}",
                    f"it was acknowledged and is in no register; {told[accepted]}",
                )
            )
    return found


def _was_accepted(session: Session, device: int, journal: bytes, seq: int) -> bool | None:
    """What the signed batch says of the tap; None when no stored batch has it."""
    for batch in batches_over(session, device, journal, seq):
        try:
            payload, _, _ = split(batch.envelope)
            opened = decode_batch(payload)
            return decode_tap(opened.taps[seq - opened.first_seq]).outcome is Outcome.ACCEPTED
        except (MalformedDocument, ValueError):
            continue
    return None


def _unposted_taps(rows: raw_rows.RawRows) -> list[AuditFinding]:
    return [
        AuditFinding(
            "missing",
            f"tap {tap.seq} of device {tap.device_id}, journal {tap.journal_id.hex()[:8]}",
            f"it was accepted for {tap.fare_rial:,} rial and is posted nowhere",
            tap.fare_rial,
        )
        for tap in rows.unposted
    ]


def _orphans(rows: raw_rows.RawRows) -> Iterable[AuditFinding]:
    return [
        AuditFinding(
            "orphan", f"ride {ride}", "no tap in the register brought it, and no later tap proved it"
        )
        for ride in rows.orphans
    ]


def _shared_counters(rows: raw_rows.RawRows) -> Iterable[AuditFinding]:
    return [
        AuditFinding("counter", name, "this commit and a ride stand under one counter of the card")
        for name in rows.shared_counters
    ]


# --- stored value -----------------------------------------------------------------------------------------


def _media(rows: raw_rows.RawRows) -> list[AuditFinding]:
    """What each medium holds against what was loaded less what was ridden and sealed."""
    found: list[AuditFinding] = []
    for medium in sorted({*rows.held, *rows.should_hold}):
        held, should = rows.held.get(medium, 0), rows.should_hold.get(medium, 0)
        if held != should:
            detail = f"it holds {held:,} rial where loads less rides come to {should:,}"
            found.append(AuditFinding("medium", medium, detail, held - should))
    return found
