"""Cards: issue, inspect, load, block, replace and roll them on a reader of this machine, and list them.

A reader is found through the entry point `mancard.readers: counter`, so this package imports no hardware. A
counter far from the ledger does the same with `mancard desk`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Protocol

import typer

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    help="Cards: issue, inspect, load, block, replace, roll, list.",
)

Serial = Annotated[str, typer.Argument(metavar="SERIAL", help="The number of the card.")]
Reader = Annotated[
    str | None,
    typer.Option(
        "--reader", metavar="ADDRESS", help="A PC/SC reader's name, virtual:FOLDER or virtual+pcsc:FOLDER."
    ),
]
Virtual = Annotated[
    Path | None, typer.Option("--virtual", metavar="FOLDER", help="The same as --reader virtual:FOLDER.")
]
CardName = Annotated[str | None, typer.Option("--card", help="Which card of a folder of virtual ones.")]
AsJson = Annotated[bool, typer.Option("--json", help="Print facts for a machine.")]
Report = Annotated[
    list[Path] | None,
    typer.Option("--report", metavar="FILE", help="FILE.html to print and sign, or FILE.csv. Repeatable."),
]
Transmit = Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class Ended:
    """How a job ended here: with `result`, or with `error`, one word."""

    result: Mapping[str, Any] | None
    error: str | None
    sentences: Sequence[str]


class Counter(Protocol):
    """The reader of a counter; `readers.counter.Counter` has this shape."""

    def run(
        self,
        job: Callable[[Transmit], Ended],
        tell: Callable[[str], None],
        *,
        only: str | None = None,
        passing: Collection[str] = (),
    ) -> Ended: ...
    def close(self) -> None: ...


@app.command("list")
def list_() -> None:
    """List the cards: number, chip, status, newest version, and what it may spend in all (rial)."""
    from fare.database.engine import open_engine, read
    from fare.desk.outcomes import shown_day
    from fare.issuing import cards
    from fare.settings import LedgerSettings

    with read(open_engine(LedgerSettings().database_url)) as session:
        found = cards(session)
        if not found:
            print("No card was issued yet: 'mancard card issue' makes one.")
            return
        print(f"{'card':>10}  {'chip':14}  {'status':8}  {'version':7} {'rial in all':>13}  holds until")
        for card in found:
            funds_rial = card.loaded_rial - card.withdrawn_rial
            written = "" if card.is_written else "  not written yet"
            print(
                f"{card.serial:>10}  {card.uid.hex().upper()}  {card.status:8}  v{card.version:<6}"
                f" {funds_rial:>13,}  {shown_day(card.expires_on)}{written}"
            )


@app.command()
def issue(
    reader: Reader = None,
    virtual: Virtual = None,
    count: Annotated[int, typer.Option(min=1, help="How many cards.")] = 1,
    category: Annotated[int, typer.Option(min=0, max=255, help="The rider category.")] = 0,
    report: Report = None,
) -> None:
    """Make fresh chips cards of ours, one after the other. Blank virtual ones: 'mancard emulator new'."""
    from datetime import UTC, datetime

    from fare.desk import JobKind, JobRequest
    from fare.desk.context import LOCAL
    from fare.desk.report import BatchReport
    from fare.settings import LedgerSettings

    settings = LedgerSettings()

    def render(rows: Sequence[Mapping[str, Any]], form: str) -> str:
        told = BatchReport(settings.city_name, LOCAL, datetime.now(UTC), settings.zone_info, rows)
        return told.html() if form == "html" else told.csv()

    address = _address(reader, virtual)
    job = _here()(JobRequest(JobKind.ISSUE, rider_category=category))
    status = _of_readers("batch")(address, job, count, report or [], render)
    if status:
        raise typer.Exit(status)


@app.command()
def inspect(
    reader: Reader = None, virtual: Virtual = None, card: CardName = None, as_json: AsJson = False
) -> None:
    """Show everything readable of the card on the reader: balance, last taps, keys, what waits for it."""
    from fare.desk import JobKind, JobRequest

    _say(_one(JobRequest(JobKind.INSPECT), reader, virtual, card), as_json=as_json)


@app.command()
def load(
    serial: Serial,
    amount: Annotated[str, typer.Argument(metavar="RIAL", help="How much, in rial.")],
    reader: Reader = None,
    virtual: Virtual = None,
    card: CardName = None,
    terminal: Annotated[str, typer.Option(help="The PSP terminal that took the money.")] = "issuing-desk",
    reference: Annotated[
        str | None, typer.Option(help="The PSP's reference; the order's number if none.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Load a card with money that was paid; without a reader the next bus writes it onto the card."""
    from fare.desk import JobKind, JobRequest

    asked = JobRequest(
        JobKind.LOAD,
        serial=card_number(serial),
        with_card=_has_reader(reader, virtual),
        amount_rial=whole_rial(amount),
        terminal=terminal,
        reference=reference,
    )
    _say(_one(asked, reader, virtual, card), as_json=as_json)


@app.command()
def block(
    serial: Serial,
    reader: Reader = None,
    virtual: Virtual = None,
    card: CardName = None,
    as_json: AsJson = False,
) -> None:
    """Put a card on the denylist at once, and block the card itself when it lies on the reader."""
    from fare.desk import JobKind

    _mark(JobKind.BLOCK, serial, reader, virtual, card, as_json=as_json)


@app.command()
def deny(serial: Serial) -> None:
    """Put a card on the denylist. Buses refuse it once they have the next bundle."""
    from fare.desk import JobKind

    _mark(JobKind.BLOCK, serial, None, None, None, as_json=False)


@app.command()
def unblock(
    serial: Serial,
    reader: Reader = None,
    virtual: Virtual = None,
    card: CardName = None,
    as_json: AsJson = False,
) -> None:
    """Take a card off the denylist, and its block off the card when it lies on the reader."""
    from fare.desk import JobKind

    _mark(JobKind.UNBLOCK, serial, reader, virtual, card, as_json=as_json)


@app.command()
def replace(
    old_serial: Annotated[
        str | None, typer.Argument(metavar="OLD", help="The number of the lost card.")
    ] = None,
    report_lost: Annotated[bool, typer.Option("--report-lost", help="Deny it; its balance waits.")] = False,
    new_serial: Annotated[
        str | None, typer.Option("--with", metavar="NEW", help="The card that gets it.")
    ] = None,
    due: Annotated[
        bool, typer.Option("--due", help="Move every balance that has waited long enough.")
    ] = False,
    reader: Reader = None,
    virtual: Virtual = None,
    card: CardName = None,
    as_json: AsJson = False,
) -> None:
    """Replace a lost card: report it, and after the waiting time move its balance to another card."""
    from fare.core.errors import OperatorError
    from fare.desk import JobKind, JobRequest

    with_card = _has_reader(reader, virtual)
    if due + report_lost + (new_serial is not None) + with_card != 1 or due == (old_serial is not None):
        raise OperatorError(
            "Give a lost card's number and one of --report-lost, --with NEW or --reader; or --due alone."
        )
    if due:
        _move_due()
        return
    asked = JobRequest(
        JobKind.REPLACE,
        serial=card_number(old_serial or ""),
        with_card=with_card,
        new_serial=None if new_serial is None else card_number(new_serial),
        report_lost=report_lost,
    )
    _say(_one(asked, reader, virtual, card), as_json=as_json)


@app.command()
def roll(
    serial: Annotated[str | None, typer.Argument(metavar="SERIAL", help="Only this card.")] = None,
    reader: Reader = None,
    virtual: Virtual = None,
    card: CardName = None,
    as_json: AsJson = False,
) -> None:
    """Bring the card on the reader to the newest generation of keys."""
    from fare.desk import JobKind, JobRequest

    number = None if serial is None else card_number(serial)
    _say(_one(JobRequest(JobKind.ROLL, serial=number), reader, virtual, card), as_json=as_json)


def card_number(text: str) -> int:
    """The number printed on a card. Raises OperatorError."""
    from fare.core.errors import OperatorError
    from fare.core.identifiers import InvalidIdentifier, parse_card_serial

    try:
        return parse_card_serial(text)
    except InvalidIdentifier as fault:
        raise OperatorError(str(fault)) from None


def whole_rial(text: str) -> int:
    """An amount as people type it. Raises OperatorError."""
    from fare.core.errors import OperatorError
    from fare.core.money import BadAmount, parse_rial

    try:
        return parse_rial(text)
    except BadAmount as fault:
        raise OperatorError(str(fault)) from None


def _mark(
    kind: Any, serial: str, reader: str | None, virtual: Path | None, card: str | None, *, as_json: bool
) -> None:
    from fare.desk import JobRequest

    asked = JobRequest(kind, serial=card_number(serial), with_card=_has_reader(reader, virtual))
    _say(_one(asked, reader, virtual, card), as_json=as_json)


def _move_due() -> None:
    from fare.desk import move_due
    from fare.desk.opening import local_desk
    from fare.settings import LedgerSettings

    settings = LedgerSettings()
    done = move_due(local_desk(settings))
    for moved in done.moved:
        print(*moved.sentences(settings.zone_info), sep="\n")
    for serial, sentence in done.failed:
        print(f"Card {serial} was not replaced. {sentence}")
    if not done.moved and not done.failed:
        print("No balance of a lost card is due.")
    if done.failed:
        raise typer.Exit(1)


def _one(asked: Any, reader: str | None, virtual: Path | None, card: str | None) -> Ended:
    """Run one job, with the card on the reader where it needs one."""
    from fare.core.errors import OperatorError

    here = _here()
    if not asked.with_card:
        if card is not None:
            raise OperatorError("--card names a card of a folder: give the folder with --virtual.")
        return here(asked)(_no_card)
    counter: Counter = _of_readers("counter")(_address(reader, virtual))
    # The lost card itself is looked for by no one; every other number names the card that must lie there.
    by_number = asked.serial is not None and card is None and asked.kind != "replace"
    passing = ("other_card",) if by_number else ()
    try:
        return counter.run(here(asked), _tell, only=card, passing=passing)
    finally:
        counter.close()


def _here() -> Callable[[Any], Callable[[Transmit], Ended]]:
    """The ledger of the settings, opened: from a request to a job that needs only a card."""
    from fare.core.desfire.application import run
    from fare.desk import FAULTS, begin, facts, failure_of
    from fare.desk.opening import local_desk
    from fare.settings import LedgerSettings

    desk = local_desk(LedgerSettings())

    def job_of(asked: Any) -> Callable[[Transmit], Ended]:
        def job(transmit: Transmit) -> Ended:
            try:
                outcome = run(begin(desk, asked), transmit)
            except FAULTS as fault:
                failure = failure_of(fault)
                return Ended(None, failure.error, [failure.sentence])
            return Ended(facts(outcome), None, outcome.sentences(desk.zone))

        return job

    return job_of


def _address(reader: str | None, virtual: Path | None) -> str:
    from fare.core.errors import OperatorError

    if (reader is None) == (virtual is None):
        raise OperatorError("Say where the card lies: with --reader ADDRESS, or --virtual FOLDER.")
    return reader if reader is not None else f"virtual:{virtual}"


def _of_readers(name: str) -> Any:
    """What the package of readers offers under this name; this one may not import it."""
    from importlib.metadata import entry_points

    from fare.core.errors import OperatorError

    for found in entry_points(group="mancard.readers", name=name):
        return found.load()
    raise OperatorError("This installation knows no readers: set it up again with 'make run'.")


def _say(ended: Ended, *, as_json: bool) -> None:
    from fare.core.errors import OperatorError

    if ended.error is not None:
        raise OperatorError(" ".join(ended.sentences))
    if as_json:
        print(json.dumps(ended.result, indent=1, ensure_ascii=False))
    else:
        print(*ended.sentences, sep="\n")


def _has_reader(reader: str | None, virtual: Path | None) -> bool:
    return reader is not None or virtual is not None


def _tell(sentence: str) -> None:
    import sys

    print(sentence, file=sys.stderr)


def _no_card(_apdu: bytes) -> bytes:
    return b""
