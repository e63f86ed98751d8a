"""Proving that records agree.

`mancard reconcile psp FILE` · `bank FILE` · `run DAY` · `exceptions` · `conflicts` · `audit`
"""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True)

FileArgument = Annotated[Path, typer.Argument(metavar="FILE.csv", help="The file as it was downloaded.")]
ProfileOption = Annotated[
    str | None, typer.Option(help="Which columns it has: a profile's name, or the path of your own .toml.")
]


def clock() -> datetime:
    """The time at which a command runs."""
    return datetime.now(UTC)


@app.callback()
def _group() -> None:
    """Proving that records agree: PSP reports, bank statements, and the four proofs."""


@app.command()
def psp(file: FileArgument, profile: ProfileOption = None) -> None:
    """Import a PSP's report of payments. The same file again changes nothing."""
    from fare.database.engine import open_engine, write
    from fare.reconciliation import import_psp_report
    from fare.reconciliation.profiles import PSP_DEFAULT
    from fare.settings import LedgerSettings

    with write(open_engine(LedgerSettings().database_url)) as session:
        report = import_psp_report(session, file, profile or PSP_DEFAULT, now=clock())
    print(f"{report.lines} payments in the file, {report.new_lines} new.")


@app.command()
def bank(file: FileArgument, profile: ProfileOption = None) -> None:
    """Import a bank statement. The same file again changes nothing."""
    from fare.database.engine import open_engine, write
    from fare.reconciliation import import_bank_statement
    from fare.reconciliation.profiles import BANK_DEFAULT
    from fare.settings import LedgerSettings

    with write(open_engine(LedgerSettings().database_url)) as session:
        report = import_bank_statement(session, file, profile or BANK_DEFAULT, now=clock())
    print(f"{report.lines} lines in the file, {report.new_lines} new.")


@app.command()
def run(
    day: Annotated[
        str, typer.Argument(metavar="DAY", help="The service day: 2026-11-22, or Jalali 1405/09/01.")
    ],
) -> None:
    """Run the four proofs of a day. Exit status 1 when something does not agree."""
    from fare.database.engine import open_engine, write
    from fare.reconciliation import run_proofs
    from fare.settings import LedgerSettings
    from fare.settlement.days import read_day

    settings = LedgerSettings()
    with write(open_engine(settings.database_url)) as session:
        states = run_proofs(session, read_day(day), clock(), settings.zone_info)
    for name, state in states.items():
        print(
            f"{name:8} checked {state.checked}, matched {state.matched}, waiting {state.waiting}, "
            f"exceptions {state.exceptions}"
        )
        for item in state.items:
            print(f"         {item.kind}: {item.detail} [{item.queue_role}]")
    if any(state.exceptions for state in states.values()):
        raise typer.Exit(1)


@app.command()
def exceptions() -> None:
    """List what waits for a person, the oldest first."""
    from fare.database.engine import open_engine, read
    from fare.reconciliation.findings import open_exceptions
    from fare.settings import LedgerSettings

    now = clock()
    with read(open_engine(LedgerSettings().database_url)) as session:
        for row in open_exceptions(session):
            age_hours = int((now - row.opened_at).total_seconds() // 3600)
            print(f"{age_hours:>5} h  {row.queue_role:10} {row.exception_id}: {row.detail}")


@app.command()
def conflicts(
    as_json: Annotated[bool, typer.Option("--json", help="One JSON document instead of lines.")] = False,
) -> None:
    """List the tickets that two buses showed and nobody has decided about, the oldest first.

    The page /conflicts of the ledger decides them.
    """
    from fare.collection import open_conflicts
    from fare.database.engine import open_engine, read
    from fare.reconciliation.conflict_list import as_document, as_line
    from fare.settings import LedgerSettings

    now = clock()
    with read(open_engine(LedgerSettings().database_url)) as session:
        found = open_conflicts(session)
    if as_json:
        print(json.dumps({"conflicts": [as_document(one) for one in found]}, indent=2))
        return
    for one in found:
        print(as_line(one, now))
    if not found:
        print("No ticket waits for a decision.")


@app.command("audit")
def audit_() -> None:
    """Add everything up again from raw rows. Exit status 1 when something is wrong."""
    from fare.database.engine import open_engine, read
    from fare.reconciliation import audit
    from fare.settings import LedgerSettings

    with read(open_engine(LedgerSettings().database_url)) as session:
        result = audit(session)
    print(
        f"{result.entries} entries, {result.rides} rides, {result.accepted} accepted taps; trial balance "
        f"{result.trial_balance:,} rial, posted twice {result.posted_twice}, missing {result.missing}, "
        f"media that do not agree {result.media_mismatches}"
    )
    for finding in result.findings:
        print(finding)
    if not result.holds:
        raise typer.Exit(1)
