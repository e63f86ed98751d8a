"""Run a validator: the device on a bus, its reader, its journal and its small web page.

mancard validator --kit FOLDER --state FOLDER --reader ADDRESS --scanner ADDRESS --port 8100
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

app = typer.Typer(
    add_completion=False,
    invoke_without_command=True,
    help="Run a validator: the device on a bus, its reader, its journal and its small web page.",
)


@app.callback()
def validator(
    context: typer.Context,
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
) -> None:
    """Serve cards and phones until stopped. Options not given come from MANCARD_VALIDATOR_… or a default."""
    if context.invoked_subcommand is not None:
        return
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
    }
    try:
        settings = ValidatorSettings(**{name: value for name, value in given.items() if value is not None})
    except ValidationError as fault:
        first = fault.errors()[0]
        name = ".".join(str(part) for part in first["loc"])
        raise OperatorError(f"The setting {name} cannot be used ({first['msg']}): correct it.") from fault
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
        settings.state, settings.ledger_url, settings.poll_s, settings.linger_s, settings.gateway_url
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
