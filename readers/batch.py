"""A batch of cards at a counter as a person sees it: progress, a sentence a card, reports, exit status.

Local and distant desks share it; what makes a card and what renders a report are given from outside.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final, TypeAlias

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from fare.core.errors import OperatorError
from readers.counter import Batch, Counter, Job

STATUS_DONE: Final = 0
STATUS_FAILURES: Final = 1
STATUS_STOPPED: Final = 130
FORMS: Final = ("html", "csv")
Render: TypeAlias = Callable[[Sequence[dict[str, Any]], str], str]
"""From a batch's rows and a form (html or csv) to the report's text."""


def issue_batch(address: str, job: Job, count: int, files: Sequence[Path], render: Render) -> int:
    """Issue `count` cards on the reader at `address` and write the reports; returns the exit status.

    0: all are issued, 1: some failed or the cards ran out, 130: a person stopped it. Raises OperatorError for
    a reader or a file that cannot be used, and when there is no blank card at all.
    """
    for file in files:
        check_report(file)
    with Counter(address) as counter:
        batch = _watched(counter, job, count)
    if batch.broken_off is not None:
        typer.echo(batch.broken_off, err=True)
    elif not batch.rows and not batch.stopped:
        raise OperatorError("There is no blank card there: make one with 'mancard emulator new FOLDER NAME'.")
    ran_out = batch.broken_off is None and not batch.stopped and batch.done < count
    left = " There was no further blank card." if ran_out else ""
    typer.echo(f"{batch.done} of {count} cards are issued, {batch.failed} failed.{left}")
    for file in files:
        _write(file, render([row.as_json() for row in batch.rows], file.suffix.removeprefix(".")))
    if batch.stopped:
        return STATUS_STOPPED
    return STATUS_DONE if batch.done == count and not batch.failed else STATUS_FAILURES


def check_report(file: Path) -> None:
    """Before the first card is touched: a batch must not end without its report. Raises OperatorError."""
    if file.suffix.removeprefix(".") not in FORMS:
        raise OperatorError(f"The report {file} is neither .html nor .csv: name it so.")
    if not file.parent.is_dir():
        raise OperatorError(f"There is no folder {file.parent} for the report: make it first.")


def _watched(counter: Counter, job: Job, count: int) -> Batch:
    """Under a line that says n of m, the time left and how many failed; plain lines where no person looks."""
    columns = (
        TextColumn("cards"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        TextColumn("{task.fields[failed]} failed"),
    )
    with Progress(*columns) as progress:
        person_looks = progress.console.is_terminal
        task = progress.add_task("", total=count, failed=0, visible=person_looks)

        def tell(sentence: str) -> None:
            if person_looks:
                progress.console.print(sentence, markup=False, highlight=False, soft_wrap=True)
            else:
                typer.echo(sentence)

        def show(batch: Batch) -> None:
            progress.update(task, completed=batch.done, failed=batch.failed)

        return counter.batch(job, count, tell, show)


def _write(file: Path, text: str) -> None:
    try:
        # The mark at its beginning tells a spreadsheet that Persian follows.
        file.write_text(text, encoding="utf-8-sig" if file.suffix == ".csv" else "utf-8", newline="")
    except OSError as fault:
        raise OperatorError(
            f"The report {file} cannot be written ({fault.strerror}): name another."
        ) from None
    typer.echo(f"The report is in {file}.")
