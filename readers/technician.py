"""Look after PC/SC readers and scanners: list them, test one step by step, watch cards come and go.

mancard reader list                 every reader, its profile, and whether a card lies there
mancard reader test [READER]        plain sentences, and a mend for every failure; exit status 0 or 1
mancard reader watch                a line for each event until Ctrl-C, or --for SECONDS
mancard reader scanner …            the same for scanners of QR codes: `readers.scanners.commands`

It needs no key and never writes to a card. A test holds the reader for itself: stop the validator first.
"""

from __future__ import annotations

import json
import time
from typing import Annotated, Any

import typer

from readers.pcsc.examination import Examination, Finding
from readers.pcsc.opening import survey
from readers.pcsc.profiles import Profile, load_profiles, profile_of
from readers.pcsc.sightings import Sightings
from readers.pcsc.watched import SeenReader, WatchedReader
from readers.ports import ReaderFault
from readers.scanners.commands import app as scanner_commands

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Look after the PC/SC readers and scanners of this machine.",
)
app.add_typer(scanner_commands, name="scanner")


@app.command("list")
def list_readers(
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON list.")] = False,
) -> None:
    """List the readers, their profiles, and whether a card lies there."""
    profiles = load_profiles()
    with WatchedReader("") as worker:
        readers = [
            (seen, profile_of(seen.name, profiles), _told(worker, seen.name)) for seen in survey(worker)
        ]
    if as_json:
        typer.echo(json.dumps([_as_document(*one) for one in readers], ensure_ascii=False, indent=1))
        return
    for seen, profile, told in readers:
        doubts = [f"unconfirmed: {doubt}" for doubt in profile.doubts]
        facts = [profile.model, *doubts, *(f"{what} {value}" for what, value in told.items()), _state(seen)]
        typer.echo(f"{seen.name}\n  " + "\n  ".join(facts))
    if not readers:
        typer.echo("There is no PC/SC reader on this machine: plug one in.")


@app.command("test")
def examine(
    reader: Annotated[
        str, typer.Argument(help="Its name or the beginning of it; the first reader if absent.")
    ] = "",
    wait: Annotated[float, typer.Option(help="Seconds to wait for a card.")] = 15.0,
    lamps: Annotated[bool, typer.Option(help="Go through the lamps and the buzzer.")] = True,
    install: Annotated[
        bool, typer.Option("--install", help="Also write the settings that the reader keeps: once, when new.")
    ] = False,
) -> None:
    """Test one reader step by step; leaves with status 1 when something must be mended."""

    def tell(finding: Finding) -> None:
        typer.echo(f"{finding.mark} {finding.sentence}")
        if finding.mend:
            typer.echo(f"       mend: {finding.mend}")

    examination = Examination(reader, tell, card_wait_s=wait, with_lamps=lamps, with_install=install)
    if not examination.run():
        typer.echo("Something must be mended: see FAULT above.")
        raise typer.Exit(1)
    typer.echo("The reader can be used.")


@app.command()
def watch(
    seconds: Annotated[
        float | None, typer.Option("--for", help="Stop after so many seconds; for ever if absent.")
    ] = None,
) -> None:
    """Print a line for each event: reader in or out, card in or out, service lost or back."""
    deadline_s = None if seconds is None else time.monotonic() + seconds
    with Sightings() as sightings:
        while deadline_s is None or time.monotonic() < deadline_s:
            left_s = 1.0 if deadline_s is None else max(0.0, min(1.0, deadline_s - time.monotonic()))
            for line in sightings.next_lines(left_s):
                typer.echo(f"{time.strftime('%H:%M:%S')}  {line}")


def _told(worker: WatchedReader, name: str) -> dict[str, str]:
    try:
        return worker.describe(name)
    except ReaderFault:
        return {}  # a reader in use tells nothing, and that it is in use is said anyway


def _state(seen: SeenReader) -> str:
    if seen.mute:
        return "something lies on it that does not answer"
    card = f"a card lies on it (ATR {seen.atr.hex(' ').upper()})" if seen.present else "no card"
    return f"{card}, in use by a program" if seen.in_use else card


def _as_document(seen: SeenReader, profile: Profile, told: dict[str, str]) -> dict[str, Any]:
    return {
        "name": seen.name,
        "profile": profile.model if profile.names else None,
        "unconfirmed": list(profile.unconfirmed),
        "card": seen.present,
        "mute": seen.mute,
        "in_use": seen.in_use,
        "atr": seen.atr.hex().upper(),
        **told,
    }
