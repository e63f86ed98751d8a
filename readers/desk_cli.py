"""Serve cards at a counter: a reader here, the ledger elsewhere. No key of a card ever comes here.

mancard desk issue --server https://LEDGER --login NAME --reader "ACS ACR1252"
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any

import typer

from fare.core.errors import OperatorError
from fare.core.identifiers import InvalidIdentifier, parse_card_serial
from fare.core.money import BadAmount, parse_rial
from readers.batch import check_report, issue_batch
from readers.counter import Counter, Ended
from readers.desk import DeskClient

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Serve cards at a counter: a reader here, the ledger elsewhere.",
)

MAX_PASSWORD_FILE_BYTES = 1024

Serial = Annotated[str, typer.Argument(metavar="SERIAL", help="The number of the card.")]
Server = Annotated[str, typer.Option("--server", metavar="URL", help="The ledger's address: https://HOST.")]
Login = Annotated[str, typer.Option("--login", metavar="NAME", help="Your staff account.")]
PasswordFile = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="Its password; asked for otherwise.")
]
Reader = Annotated[
    str, typer.Option("--reader", metavar="ADDRESS", help="A PC/SC reader's name, or virtual:FOLDER.")
]
MaybeReader = Annotated[
    str | None, typer.Option("--reader", metavar="ADDRESS", help="Where the card lies, if it is at hand.")
]
CardName = Annotated[str | None, typer.Option("--card", help="Which card of a folder of virtual ones.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print facts for a machine.")]


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a command works: the ledger, who works, and the reader with the card, if there is one."""

    server: str
    login: str
    password_file: Path | None
    reader: str | None = None
    card: str | None = None


@app.command()
def issue(
    server: Server,
    login: Login,
    reader: Reader,
    password_file: PasswordFile = None,
    count: Annotated[int, typer.Option(min=1, help="How many cards.")] = 1,
    category: Annotated[int, typer.Option(min=0, max=255, help="The rider category.")] = 0,
    report: Annotated[
        list[Path] | None,
        typer.Option(
            "--report", metavar="FILE", help="FILE.html to print and sign, or FILE.csv. Repeatable."
        ),
    ] = None,
) -> None:
    """Make fresh chips cards of the ledger, one after the other."""

    for file in report or []:
        check_report(file)
    with _signed_in(_Place(server, login, password_file)) as desk:
        job = {"kind": "issue", "rider_category": category}
        status = issue_batch(
            reader, lambda transmit: desk.run(job, transmit), count, report or [], desk.report
        )
    if status:
        raise typer.Exit(status)


@app.command()
def inspect(
    server: Server,
    login: Login,
    reader: Reader,
    password_file: PasswordFile = None,
    card: CardName = None,
    as_json: AsJson = False,
) -> None:
    """Show everything readable of the card on the reader."""
    _run({"kind": "inspect"}, _Place(server, login, password_file, reader, card), as_json=as_json)


@app.command()
def load(
    serial: Serial,
    amount: Annotated[str, typer.Argument(metavar="RIAL", help="How much, in rial.")],
    server: Server,
    login: Login,
    reader: MaybeReader = None,
    password_file: PasswordFile = None,
    card: CardName = None,
    terminal: Annotated[str, typer.Option(help="The PSP terminal that took the money.")] = "issuing-desk",
    reference: Annotated[str | None, typer.Option(help="The PSP's reference of the payment.")] = None,
    as_json: AsJson = False,
) -> None:
    """Load a card with money that was paid; without a reader the next bus writes it onto the card."""
    job = {
        "kind": "load",
        "serial": _number(serial),
        "amount_rial": _rial(amount),
        "terminal": terminal,
        "reference": reference,
    }
    _run(job, _Place(server, login, password_file, reader, card), as_json=as_json)


@app.command()
def block(
    serial: Serial,
    server: Server,
    login: Login,
    reader: MaybeReader = None,
    password_file: PasswordFile = None,
    card: CardName = None,
    as_json: AsJson = False,
) -> None:
    """Put a card on the denylist at once, and block the card itself when it lies on the reader."""
    job = {"kind": "block", "serial": _number(serial)}
    _run(job, _Place(server, login, password_file, reader, card), as_json=as_json)


@app.command()
def unblock(
    serial: Serial,
    server: Server,
    login: Login,
    reader: MaybeReader = None,
    password_file: PasswordFile = None,
    card: CardName = None,
    as_json: AsJson = False,
) -> None:
    """Take a card off the denylist, and its block off the card when it lies on the reader."""
    job = {"kind": "unblock", "serial": _number(serial)}
    _run(job, _Place(server, login, password_file, reader, card), as_json=as_json)


@app.command()
def replace(
    old_serial: Annotated[str, typer.Argument(metavar="OLD", help="The number of the lost card.")],
    server: Server,
    login: Login,
    report_lost: Annotated[bool, typer.Option("--report-lost", help="Deny it; its balance waits.")] = False,
    new_serial: Annotated[
        str | None, typer.Option("--with", metavar="NEW", help="The card that gets it.")
    ] = None,
    reader: MaybeReader = None,
    password_file: PasswordFile = None,
    card: CardName = None,
    as_json: AsJson = False,
) -> None:
    """Replace a lost card: report it, and after the waiting time move its balance to another card."""
    job = {
        "kind": "replace",
        "serial": _number(old_serial),
        "new_serial": None if new_serial is None else _number(new_serial),
        "report_lost": report_lost,
    }
    _run(job, _Place(server, login, password_file, reader, card), as_json=as_json)


@app.command()
def roll(
    server: Server,
    login: Login,
    reader: Reader,
    serial: Annotated[str | None, typer.Argument(metavar="SERIAL", help="Only this card.")] = None,
    password_file: PasswordFile = None,
    card: CardName = None,
    as_json: AsJson = False,
) -> None:
    """Bring the card on the reader to the newest generation of keys."""
    job = {"kind": "roll", "serial": None if serial is None else _number(serial)}
    _run(job, _Place(server, login, password_file, reader, card), as_json=as_json)


def _run(job: Mapping[str, Any], place: _Place, *, as_json: bool) -> None:

    with _signed_in(place) as desk:
        if place.reader is None:
            _say(desk.run(job, None), as_json=as_json)
            return
        # The lost card itself is looked for by no one; every other number names the card that must lie there.
        by_number = job.get("serial") is not None and place.card is None and job["kind"] != "replace"
        passing = ("other_card",) if by_number else ()
        with Counter(place.reader) as counter:
            ended = counter.run(
                lambda transmit: desk.run(job, transmit), _tell, only=place.card, passing=passing
            )
        _say(ended, as_json=as_json)


def _signed_in(place: _Place) -> DeskClient:
    """A client whose session is open. The password is typed or read from a file, never an argument."""

    desk = DeskClient(place.server)
    try:
        desk.sign_in(place.login, _password(place.password_file))
    except BaseException:
        desk.close()
        raise
    return desk


def _password(file: Path | None) -> str:

    if file is None:
        if not sys.stdin.isatty():
            raise OperatorError("There is no terminal to type a password at: name a --password-file.")
        return str(typer.prompt("Password", hide_input=True, err=True))
    try:
        handle = os.open(file, os.O_RDONLY)
        with os.fdopen(handle, "rb") as opened:
            mode = os.fstat(handle).st_mode
            text = opened.read(MAX_PASSWORD_FILE_BYTES).decode()
    except OSError as fault:
        raise OperatorError(f"The password file {file} cannot be read ({fault.strerror}).") from None
    except UnicodeDecodeError:
        raise OperatorError(
            f"The password file {file} holds no text: write the password alone into it."
        ) from None
    if mode & 0o077:
        raise OperatorError(f"The password file {file} is open to other accounts: run 'chmod 600 {file}'.")
    if not text.strip():
        raise OperatorError(f"The password file {file} is empty: write the password alone into it.")
    return text.strip("\r\n")


def _number(text: str) -> int:

    try:
        return parse_card_serial(text)
    except InvalidIdentifier as fault:
        raise OperatorError(str(fault)) from None


def _rial(text: str) -> int:

    try:
        return parse_rial(text)
    except BadAmount as fault:
        raise OperatorError(str(fault)) from None


def _say(ended: Ended, *, as_json: bool) -> None:

    if ended.error is not None:
        raise OperatorError(" ".join(ended.sentences))
    if as_json:
        typer.echo(json.dumps(ended.result, indent=1, ensure_ascii=False))
    else:
        typer.echo("\n".join(ended.sentences))


def _tell(sentence: str) -> None:
    typer.echo(sentence, err=True)
