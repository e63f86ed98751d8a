"""A card tray in front of vsmartcard's vpcd: the card goes through real PC/SC, the hand stays here.

vpcd speaks frames of a 2-byte big-endian length and a payload; a one-byte payload 00, 01, 02 or 04 is power
off, power on, reset or "your ATR?" (only 04 is answered). Placing connects, removing closes the socket.

pcscd looks for the card every 0.4 s. One that is torn and back again between two looks stays "absent" to it
for ever, so a placement waits until the last removal must have been seen, as a hand would.
"""

from __future__ import annotations

import socket
import time
from pathlib import Path
from threading import Lock, Thread, current_thread

from hardware.emulator.faults import Faults
from hardware.emulator.field import Field, TrayCard, TrayError, enter_field, tray_cards

__all__ = ["DEFAULT_PORT", "TrayCard", "TrayError", "VpcdTray"]

DEFAULT_PORT = 35963
CONNECT_TIMEOUT_S = 5.0
ABSENCE_S = 1.0
LOST_REPLY = b"\x00"  # vpcd waits for ever after an empty frame; one byte is no status word either
POWER_OFF, POWER_ON, RESET, ASK_ATR = b"\x00", b"\x01", b"\x02", b"\x04"


def receive_exactly(wire: socket.socket, size: int) -> bytes | None:
    """``size`` bytes, or None when the other side has closed."""
    data = b""
    while len(data) < size:
        # Without this before every read the kernel delays its acknowledgement and an APDU takes 44 ms.
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        part = wire.recv(size - len(data))
        if not part:
            return None
        data += part
    return data


def receive_frame(wire: socket.socket) -> bytes | None:
    """One frame's payload, or None when the other side has closed."""
    head = receive_exactly(wire, 2)
    return None if head is None else receive_exactly(wire, int.from_bytes(head, "big"))


def send_frame(wire: socket.socket, payload: bytes) -> None:
    wire.sendall(len(payload).to_bytes(2, "big") + payload)


class VpcdTray:
    """Places cards of ``folder`` on the virtual PC/SC reader at ``host:port``; ``faults.json`` is obeyed.

    vpcd's second slot listens at the next port. ``durable`` and ``frame_bytes``: as the other reader.
    """

    def __init__(
        self,
        folder: Path,
        host: str = "127.0.0.1",
        port: int = DEFAULT_PORT,
        name: str = "Virtual PCD",
        faults: Faults | None = None,
        *,
        durable: bool = False,
        frame_bytes: int | None = None,
    ) -> None:
        self.name = name
        self.faults = Faults(folder) if faults is None else faults
        self._folder = folder
        self._address = (host, port)
        self._durable = durable
        self._frame_bytes = frame_bytes
        self._lock = Lock()
        self._field: Field | None = None
        self._wire: socket.socket | None = None
        self._server: Thread | None = None
        self._absent_since: float | None = None

    def cards(self) -> list[TrayCard]:
        """The cards that could be placed."""
        return tray_cards(self._folder)

    @property
    def placed(self) -> str | None:
        """The name of the card in the field."""
        field = self._field
        return field.name if field is not None and field.present else None

    def place(self, name: str) -> None:
        """Put a card on the reader; :class:`TrayError` says why it cannot be."""
        with self._lock:
            if self.placed is not None:
                raise TrayError(f"the card {self.placed!r} is already on the reader: remove it first")
            field = enter_field(
                self._folder,
                name,
                self.faults,
                self.name,
                self._left,
                durable=self._durable,
                frame_bytes=self._frame_bytes,
            )
            self._stay_away()
            try:
                wire = socket.create_connection(self._address, timeout=CONNECT_TIMEOUT_S)
            except OSError:
                field.leave()
                host, port = self._address
                raise TrayError(
                    f"no virtual PC/SC reader at {host}:{port}: start pcscd with vsmartcard-vpcd first"
                ) from None
            wire.settimeout(None)
            wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._field, self._wire = field, wire
            self._server = Thread(target=_serve, args=(field, wire), name=f"vpcd card {name}", daemon=True)
            self._server.start()

    def remove(self) -> None:
        """Take the card away; nothing happens when there is none."""
        with self._lock:
            field, wire, server = self._field, self._wire, self._server
            self._field = self._wire = self._server = None
        if field is not None:
            field.leave()
        if wire is not None:
            _hang_up(wire)
        if server is not None and server is not current_thread():
            server.join()

    def _left(self) -> None:
        self._absent_since = time.monotonic()

    def _stay_away(self) -> None:
        if self._absent_since is not None:
            time.sleep(max(0.0, self._absent_since + ABSENCE_S - time.monotonic()))

    def wait(self) -> None:
        """Block until the card on the reader is gone: removed, cut, or PC/SC has hung up."""
        server = self._server
        if server is not None:
            server.join()


def _hang_up(wire: socket.socket) -> None:
    try:
        wire.shutdown(socket.SHUT_RDWR)
    except OSError:
        return  # already closed by the other side


def _serve(field: Field, wire: socket.socket) -> None:
    """Answer vpcd until the card leaves or the socket closes; leaving the loop removes the card."""
    with wire:
        try:
            while field.present and (payload := receive_frame(wire)) is not None:
                if payload == ASK_ATR:
                    send_frame(wire, field.atr)
                elif payload in (POWER_OFF, POWER_ON, RESET):
                    field.power(payload != POWER_OFF)
                else:
                    reply = field.transmit(payload)
                    if field.present:
                        send_frame(wire, reply or LOST_REPLY)
        except OSError:
            pass  # the socket died under us: the card is gone, which is what leaving says
        finally:
            field.leave()
            _hang_up(wire)
