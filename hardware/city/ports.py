"""The loopback ports that `mancard run` is given. Looked at before anything is loaded, founded or started."""

from __future__ import annotations

import socket
from typing import Final

from fare.core.errors import OperatorError

HOST: Final = "127.0.0.1"


def require_ports(ledger: int, bus: int) -> None:
    """Raises OperatorError, naming the port and its option, unless both are free and apart."""
    if ledger == bus:
        raise OperatorError("The ledger and the bus need a port each: give another one with --bus-port.")
    _require_free(ledger, "--port")
    _require_free(bus, "--bus-port")


def _require_free(port: int, option: str) -> None:
    """Raises OperatorError that names the port and the option when something listens there."""
    with socket.socket() as probe:
        # As the servers themselves do: a connection that is only dying does not hold the port.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as fault:
            raise OperatorError(
                f"Port {port} of {HOST} cannot be used ({fault.strerror}): stop the program that holds it, "
                f"or give another one with {option}."
            ) from fault
