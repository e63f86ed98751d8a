"""The command `mancard run`: a whole sample city on this machine, to try out."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer


def run_command(
    state: Annotated[
        Path | None, typer.Option(metavar="FOLDER", help="Where everything is kept; ./.state unless set.")
    ] = None,
    port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the ledger.")] = 8000,
    bus_port: Annotated[int, typer.Option(min=1, max=65535, help="Port of the validator's page.")] = 8100,
    reader: Annotated[
        str | None,
        typer.Option(help="A PC/SC reader's name, or virtual+pcsc:FOLDER; a virtual reader unless set."),
    ] = None,
) -> None:
    """Run a sample city: the ledger, and one bus to tap on. It goes on until Ctrl-C."""
    import os

    from hardware.city.ports import require_ports

    require_ports(port, bus_port)  # first: the rest takes its time to load

    from rich.console import Console

    from hardware.city.run import CityRun, RunOptions

    folder = state or Path(os.environ.get("MANCARD_STATE_DIR", ".state"))
    os.environ["MANCARD_STATE_DIR"] = str(folder)  # where a fault of this command is written down, too
    options = RunOptions(folder, port, bus_port, reader)
    CityRun(options, progress=Console(stderr=True), answer=Console()).run()
