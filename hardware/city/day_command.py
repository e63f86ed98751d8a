"""The command `mancard day`: progress on standard error, a summary or JSON out, an honest exit status."""

from __future__ import annotations

import json
import os
import sys
import tempfile
from contextlib import ExitStack
from datetime import date
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as ProgressBar
from rich.table import Table

from fare.core.errors import OperatorError
from fare.settings import LedgerSettings
from hardware.city.corruption import Corruption
from hardware.city.day import DayOptions, Injection, ServiceDay
from hardware.city.verdict import PROOF_FIGURES, Verdict

_MAX_VEHICLES = 64
_MAX_TAPS = 200_000


def day_command(
    vehicles: Annotated[int, typer.Option(min=1, max=_MAX_VEHICLES, help="Buses, a process each.")] = 4,
    taps: Annotated[int, typer.Option(min=20, max=_MAX_TAPS, help="Presentations in all.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="The same seed plans the same day.")] = 1,
    day: Annotated[str, typer.Option("--date", help="Service day, YYYY-MM-DD.")] = "2026-11-22",
    offline_share: Annotated[
        float, typer.Option(min=0.0, max=1.0, help="Share of each bus's taps made with its uplink cut.")
    ] = 0.2,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON alone on standard output.")] = False,
    inject: Annotated[
        list[Injection] | None, typer.Option(help="Add one fault for one proof to find; may be repeated.")
    ] = None,
    corrupt: Annotated[Corruption | None, typer.Option(help="Tamper with the database at the end.")] = None,
    database_url: Annotated[
        str | None, typer.Option(help="An empty database; SQLite in --state else.")
    ] = None,
    state: Annotated[Path | None, typer.Option(help="Empty folder to keep everything in.")] = None,
) -> None:
    """Simulate a service day and prove that every rial of it is matched or explained."""
    options = DayOptions(vehicles, taps, seed, _date(day), offline_share, frozenset(inject or ()), corrupt)
    with ExitStack() as stack:
        folder = state or Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="mancard-day-")))
        _require_empty(folder)
        settings = _settings(folder, database_url)
        verdict = _live_through(ServiceDay(options, settings))
    if as_json:
        sys.stdout.write(json.dumps(verdict.to_document(), ensure_ascii=False) + "\n")
    else:
        _print_summary(verdict)
    _explain(verdict)
    if not verdict.clean:
        raise typer.Exit(1)


def _date(text: str) -> date:
    try:
        return date.fromisoformat(text)
    except ValueError as fault:
        raise OperatorError(f"{text!r} is not a date: give --date as YYYY-MM-DD.") from fault


def _require_empty(folder: Path) -> None:
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OperatorError(f"{folder} is not an empty folder: give --state a new one, it will be made.")


def _settings(folder: Path, database_url: str | None) -> LedgerSettings:
    """Settings for this day alone: nothing of the machine's own configuration may leak into it."""
    for name in [name for name in os.environ if name.startswith("MANCARD_")]:
        del os.environ[name]
    url = database_url or f"sqlite:///{folder / 'mancard.db'}"
    return LedgerSettings(state_dir=folder, database_url=url)


def _live_through(day: ServiceDay) -> Verdict:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with ProgressBar(*columns, console=Console(stderr=True)) as bar:
        task = bar.add_task("", total=None)
        for step in day.run():
            bar.update(task, completed=step.done, total=step.total, description=step.stage)
    if day.verdict is None:
        raise OperatorError("The day ended without a verdict: run it again.")
    return day.verdict


def _print_summary(verdict: Verdict) -> None:
    document = verdict.to_document()
    figures = Table(title="The service day", show_header=False)
    for name, value in document.items():
        if isinstance(value, int):
            figures.add_row(name.replace("_", " "), f"{value:,}")
    proofs = Table("proof", *PROOF_FIGURES, title="Four proofs")
    for name, proof in verdict.proofs.items():
        proofs.add_row(name, *(f"{getattr(proof, part):,}" for part in PROOF_FIGURES))
    console = Console()
    console.print(figures)
    console.print(proofs)


def _explain(verdict: Verdict) -> None:
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    if verdict.tampered_entry is not None:
        console.print(f"Tampered with on purpose: {verdict.tampered_entry}", markup=False)
    for finding in verdict.findings:
        console.print(f"Found: {finding}", markup=False)
    if verdict.clean:
        console.print("Every rial is matched or explained.")
    else:
        console.print("The day does not add up: see what was found above.")
