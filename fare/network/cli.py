"""The city's lines and stops, loaded from a GTFS feed.

`mancard network import FILE` · `mancard network lines`
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The city's lines and stops, loaded from a GTFS feed."""


@app.command("import")
def import_(
    feed: Annotated[
        Path, typer.Argument(metavar="FILE", help="A GTFS zip file, or a folder with its files.")
    ],
    sample: Annotated[bool, typer.Option("--sample", help="Mark the feed as invented sample data.")] = False,
) -> None:
    """Load a GTFS feed. Lines keep their numbers when a feed is loaded again."""
    from datetime import UTC, datetime

    from fare.database.engine import open_engine, write
    from fare.network import import_feed
    from fare.settings import LedgerSettings

    with write(open_engine(LedgerSettings().database_url)) as session:
        report = import_feed(session, feed, datetime.now(UTC), sample)
    print(f"{report.name}{' (sample data)' if report.sample else ''}")
    print(
        f"  lines   {report.lines:>7}   {report.new_lines} new, {report.retired_lines} no longer in the feed"
    )
    print(f"  stops   {report.stops:>7}")
    print(f"  areas   {report.areas:>7}")
    print(f"  trips   {report.trips:>7}   {report.stop_times} stop times")


@app.command("lines")
def lines_() -> None:
    """List the lines under the numbers that taps carry."""
    from fare.database.engine import open_engine, read
    from fare.network import lines
    from fare.settings import LedgerSettings

    with read(open_engine(LedgerSettings().database_url)) as session:
        for view in lines(session):
            print(f"{view.line:>5}  {view.route_id}  {view.name}{'' if view.active else '  (retired)'}")
