"""Run a validator: the device on a bus, its reader, its journal and its small web page.

mancard validator run --kit FOLDER --state FOLDER --reader ADDRESS --scanner ADDRESS --port 8100
mancard validator run --inspect …  tells an inspector who has paid, and charges nobody
mancard validator readers          lists the PC/SC readers of this machine
"""

from __future__ import annotations

import signal
import sys
import threading
from pathlib import Path
from types import FrameType
from typing import Annotated, Any

import typer
from typer.core import TyperGroup


class RunUnlessSaid(TyperGroup):
    """Options without a command mean `run`: the units on the buses start it so."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """See click."""
        if not args or (args[0].startswith("-") and args[0] != "--help"):
            args = ["run", *args]
        return super().parse_args(ctx, args)


app = typer.Typer(
    add_completion=False,
    cls=RunUnlessSaid,
    help="Run a validator: the device on a bus, its reader, its journal and its small web page.",
)


@app.command()
def run(  # noqa: PLR0913, PLR0917 - one argument an option
    kit: Annotated[Path | None, typer.Option(help="Folder with kit.json and card-keys.json.")] = None,
    state: Annotated[Path | None, typer.Option(help="Folder of the journal and the device key.")] = None,
    reader: Annotated[
        str | None, typer.Option(help="virtual:FOLDER, virtual+pcsc:FOLDER or the name of a PC/SC reader.")
    ] = None,
    scanner: Annotated[
        list[str] | None,
        typer.Option(
            help="serial:/dev/serial/by-id/…, keyboard:/dev/input/by-id/…, camera:/dev/video0 or "
            "frames:FOLDER; may be given several times."
        ),
    ] = None,
    host: Annotated[str | None, typer.Option(help="Where its web page listens.")] = None,
    port: Annotated[int | None, typer.Option(help="Its port; 0 takes a free one.")] = None,
    ledger: Annotated[str | None, typer.Option(help="The ledger's address, instead of the kit's.")] = None,
    gateway: Annotated[
        str | None,
        typer.Option(
            help="redis://HOST:PORT/0 of the vehicle's gateway, which its doors share. A password belongs "
            "into MANCARD_VALIDATOR_GATEWAY_URL, where no list of processes shows it.",
        ),
    ] = None,
    poll: Annotated[float | None, typer.Option(help="Seconds between two looks for a new bundle.")] = None,
    inspect: Annotated[
        bool | None,
        typer.Option("--inspect", help="Only tell an inspector who has paid: nothing is charged."),
    ] = None,
    inspect_vehicle: Annotated[
        str | None, typer.Option(help="With --inspect: the bus the inspector is on, by its name.")
    ] = None,
) -> None:
    """Serve cards and phones until stopped. Options not given come from MANCARD_VALIDATOR_… or a default."""
    from pydantic import ValidationError

    from fare.core.errors import OperatorError
    from readers.settings import ValidatorSettings

    given: dict[str, Any] = {
        "kit": kit,
        "state": state,
        "reader": reader,
        "scanners": tuple(scanner) if scanner else None,
        "host": host,
        "port": port,
        "ledger_url": ledger,
        "poll_s": poll,
        "gateway_url": gateway,
        "inspect": inspect,
        "inspect_vehicle": inspect_vehicle,
    }
    try:
        settings = ValidatorSettings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as fault:
        first = fault.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise OperatorError(f"The setting {name} cannot be used ({first['msg']}): correct it.") from fault
    if settings.inspect_vehicle is not None and not settings.inspect:
        raise OperatorError("A vehicle to inspect was given without --inspect: add it, or leave both out.")
    serve(settings)


@app.command()
def readers() -> None:
    """List the PC/SC readers of this machine."""
    from readers.pcsc import reader_names

    names = reader_names()
    for name in names:
        print(name)
    if not names:
        print("There is no PC/SC reader on this machine: plug one in.")


def serve(settings: Any) -> None:
    """Compose, open the web page, run until SIGTERM or SIGINT.

    Raises OperatorError before anything starts.
    """
    from readers.addresses import resolve
    from readers.kit import read_kit
    from readers.process import ValidatorOptions, compose
    from readers.scanners.opening import open_scanners
    from readers.web.server import WebFace

    kit = read_kit(settings.kit)
    scanners, warnings = open_scanners(settings.scanners)
    for warning in warnings:
        print(warning, file=sys.stderr, flush=True)
    equipment = resolve(settings.reader)
    options = ValidatorOptions(
        state=settings.state,
        ledger_url=settings.ledger_url,
        poll_s=settings.poll_s,
        linger_s=settings.linger_s,
        gateway_url=settings.gateway_url,
        inspect=settings.inspect,
        inspection_window_s=settings.inspection_window_min * 60,
        inspect_vehicle=settings.inspect_vehicle,
    )
    process = compose(kit, equipment, options, scanners=scanners)
    stopping = threading.Event()
    try:
        web = WebFace(process, settings.host, settings.port)
    except BaseException:
        process.stop()
        raise

    def stop(_signal: int, _frame: FrameType | None) -> None:
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, stop)
    process.start()
    web.start()
    print(f"Validator {kit.device}: {web.url}/bus", flush=True)
    try:
        stopping.wait()
    finally:
        web.stop()
        process.stop()
