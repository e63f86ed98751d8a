"""The ledger's server and its database.

`mancard ledger serve` · `mancard ledger migrate`
"""

from __future__ import annotations

import socket
from typing import Annotated

import typer

from fare.core.errors import OperatorError

app = typer.Typer(add_completion=False, no_args_is_help=True)


@app.callback()
def _group() -> None:
    """The ledger's server and its database."""


@app.command()
def migrate() -> None:
    """Make the database, or bring it to the newest version of its tables."""
    from fare.database.migrate import migrate as bring_up_to_date
    from fare.settings import LedgerSettings

    bring_up_to_date(LedgerSettings().database_url)
    print("The database is at the newest version.")


@app.command()
def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; MANCARD_HOST otherwise.")] = None,
    port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Port to listen on; MANCARD_PORT otherwise.")
    ] = None,
) -> None:
    """Serve the ledger: the device API, the console and /docs."""
    import uvicorn

    from fare.api.app import create_app
    from fare.database.migrate import migrate as bring_up_to_date
    from fare.settings import LedgerSettings

    settings = LedgerSettings()
    listener = _listen(host or settings.host, port or settings.port)
    if settings.database_url.startswith("sqlite"):
        # One file beside one server: nobody else is there to migrate it. PostgreSQL is migrated by its owner.
        bring_up_to_date(settings.database_url)
    config = uvicorn.Config(create_app(settings), log_level="warning", access_log=False, server_header=False)
    address, bound = listener.getsockname()[:2]
    print(f"The ledger answers at http://{address}:{bound}/", flush=True)
    uvicorn.Server(config).run(sockets=[listener])


def _listen(host: str, port: int) -> socket.socket:
    """A bound socket, before anything else starts. Raises OperatorError when the port is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named: asyncio turns Nagle's delay off (40 ms an answer) only on sockets that name it.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind((host, port))
        listener.listen(socket.SOMAXCONN)
    except OSError as fault:
        listener.close()
        raise OperatorError(
            f"The ledger cannot listen on {host}:{port} ({fault.strerror}): stop what uses that port, or"
            " choose another with --port."
        ) from None
    return listener
