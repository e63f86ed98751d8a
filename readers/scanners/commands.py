"""Look after scanners of QR codes: list them, test one. It charges nobody and writes nothing.

mancard reader scanner list              what seems to be a scanner, and the address to give to --scanner
mancard reader scanner test ADDRESS      what it reads, and whether that is a ticket; exit status 0 or 1

A test holds the scanner for itself: stop the validator first. Whether a ticket is genuine is not asked:
that needs the ledger's keys (`mancard qr verify`).
"""

from __future__ import annotations

import json
import time
from dataclasses import asdict
from typing import Annotated, Final

import typer

from fare.core.proof.mp1 import PaperTicket
from fare.core.proof.refusal import MalformedTicket
from fare.core.proof.tickets import decode_any_ticket
from readers.ports import ScannerEngine, ScannerFault
from readers.scanners.camera import CameraScanner
from readers.scanners.opening import doubt_about, open_scanner
from readers.scanners.serving import Pace
from readers.scanners.streaming import StreamingScanner
from readers.scanners.survey import load_models, survey

app = typer.Typer(add_completion=False, no_args_is_help=True, help="Look after the scanners of QR codes.")

SHOWN_CHARACTERS: Final = 120
ANOTHER: Final = "test another address: 'mancard reader scanner list' shows them"


@app.command("list")
def list_scanners(
    as_json: Annotated[bool, typer.Option("--json", help="For programs: one JSON list.")] = False,
) -> None:
    """List what seems to be a scanner, and the address to give to --scanner."""
    found = survey(load_models())
    if as_json:
        typer.echo(json.dumps([asdict(one) for one in found], ensure_ascii=False, indent=1))
        return
    for one in found:
        facts = [f"{one.kind}: {one.model}" if one.model else one.kind, one.advice]
        typer.echo(f"{one.address}\n  " + "\n  ".join(fact for fact in facts if fact))
    if not found:
        typer.echo("There is no scanner and no camera on this machine: plug one in.")


@app.command("test")
def try_scanner(
    address: Annotated[str, typer.Argument(help="As the list shows it, or frames:FOLDER.")],
    wait: Annotated[float, typer.Option(help="Seconds to wait for a code.")] = 15.0,
    count: Annotated[int, typer.Option(min=1, help="How many codes to read.")] = 1,
) -> None:
    """Read codes and say what they are; leaves with status 1 when none was a ticket or nothing was read."""
    engine = open_scanner(address)
    if doubt := doubt_about(address):
        typer.echo(doubt)
    typer.echo("Hold a ticket before the scanner.")
    tickets, pace = 0, Pace()
    try:
        for _ in range(count):
            text = _next_text(engine, pace, wait)
            if text is None:
                typer.echo(f"FAULT  Nothing was read in {wait:g} s.\n       mend: {_why_nothing(engine)}")
                raise typer.Exit(1)
            mark, sentence = verdict(text)
            tickets += mark == "ok"
            typer.echo(f"read   {len(text)} characters: {_shown(text)}\n{mark:<5}  {sentence}")
    except ScannerFault as fault:
        what, _, mend = str(fault).rpartition(": ")
        # The sentence is for a validator, which is given --scanner; a test is given an address.
        mend = mend.replace("give another --scanner", ANOTHER)
        typer.echo(f"FAULT  {what}.\n       mend: {mend}")
        raise typer.Exit(1) from None
    finally:
        engine.close()
    if not tickets:
        raise typer.Exit(1)


def verdict(text: str) -> tuple[str, str]:
    """A mark and a sentence: whether `text` has the form of a ticket. No signature is checked."""
    try:
        ticket = decode_any_ticket(text)
    except MalformedTicket as fault:
        return "FAULT", f"It is no ticket ({fault.reason}): {fault.reason.advice}"
    kind = "a paper ticket" if isinstance(ticket, PaperTicket) else "a phone's ticket"
    until = time.strftime("%Y-%m-%d %H:%M", time.localtime(ticket.expires_at_s))
    return "ok", (
        f"It has the form of {kind}: ride {ticket.ctr} of {ticket.max_taps}, {ticket.pax} "
        f"{'person' if ticket.pax == 1 else 'persons'}, valid until {until}. Its signatures were not checked."
    )


def _next_text(engine: ScannerEngine, pace: Pace, wait_s: float) -> str | None:
    deadline_s = time.monotonic() + wait_s
    while (left_s := deadline_s - time.monotonic()) > 0:
        text = engine.read(min(left_s, 0.5))
        if text is not None and pace.admits(text, time.monotonic()):
            return text
    return None


def _why_nothing(engine: ScannerEngine) -> str:
    if isinstance(engine, StreamingScanner):
        if engine.lines.left_unfinished:
            return "it sends texts without an ending: scan the code for the suffix CR (Enter) of its manual"
        if engine.lines.too_long:
            return (
                "it sends what is longer than a ticket: set its interface, suffix and speed to the defaults"
            )
        return "does it beep at a code? Then it is in another mode: see docs/operations-scanners.md"
    if isinstance(engine, CameraScanner) and engine.unreadable:
        return f"pictures that could not be read: {engine.unreadable}; try another camera, or whole PNG files"
    return "hold the code still at 10 to 20 cm, upright and bright; wipe the window"


def _shown(text: str) -> str:
    """On one line and harmless to a terminal, whatever the code holds."""
    plain = "".join(character if character.isprintable() else "·" for character in text)
    return plain if len(plain) <= SHOWN_CHARACTERS else plain[:SHOWN_CHARACTERS] + " …"
