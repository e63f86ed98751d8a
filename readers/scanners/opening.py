"""From an address to a scanner. Only the address is judged here: a device that is not plugged in is a fault
of its scanner later, so that a bus serves cards meanwhile.

serial:/dev/serial/by-id/NAME      a USB scanner in serial mode; serial@9600:… for a slow serial line
keyboard:/dev/input/by-id/NAME     a USB scanner in keyboard mode, taken away from the console
camera:/dev/video0                 a camera
frames:FOLDER                      pictures as they appear in a folder, also for tests
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final

from fare.core.errors import OperatorError
from readers.ports import ScannerEngine
from readers.scanners.streaming import StreamingScanner

BAUDS: Final = (1200, 2400, 4800, 9600, 19_200, 38_400, 57_600, 115_200, 230_400, 460_800, 921_600)
_STABLE: Final = {"serial": "/dev/serial/by-id/", "keyboard": "/dev/input/by-id/"}


def open_scanner(address: str) -> ScannerEngine:
    """The scanner at `address`, opened when it is first read. Raises OperatorError for a wrong address."""
    scheme, colon, rest = address.partition(":")
    kind, at, baud = scheme.partition("@")
    make = _KINDS.get(kind)
    if make is None or not colon or not rest or (at and kind != "serial"):
        raise OperatorError(
            f"'{address}' is no scanner: give serial:/dev/serial/by-id/…, keyboard:/dev/input/by-id/…, "
            "camera:/dev/video0 or frames:FOLDER."
        )
    return make(address, Path(rest), baud)


def open_scanners(addresses: Sequence[str]) -> tuple[list[ScannerEngine], list[str]]:
    """All scanners of a door, and a sentence for each address that is accepted with a doubt."""
    for address in addresses:
        if addresses.count(address) > 1:
            raise OperatorError(f"The scanner {address} is given twice: give it once.")
    return [open_scanner(address) for address in addresses], [
        doubt for address in addresses if (doubt := doubt_about(address))
    ]


def doubt_about(address: str) -> str:
    """A sentence about an address that works today and may name another device tomorrow; else empty."""
    scheme, _, rest = address.partition(":")
    stable = _STABLE.get(scheme.partition("@")[0])
    if stable is None or rest.startswith(stable):
        return ""
    return (
        f"The scanner {address} is named by a number that changes with each plug: better give its name "
        f"under {stable}, which 'mancard reader scanner list' shows."
    )


def _serial(address: str, path: Path, baud: str) -> ScannerEngine:
    from readers.scanners.serial import BAUD, SerialLine  # noqa: PLC0415 - a bus loads what it has

    if "@" in address.partition(":")[0] and baud not in {str(known) for known in BAUDS}:
        known = ", ".join(str(one) for one in BAUDS)
        raise OperatorError(f"'{address}' names no speed of a serial line: give one of {known}.")
    return StreamingScanner(address, SerialLine(path, int(baud) if baud else BAUD))


def _camera(address: str, path: Path, _baud: str) -> ScannerEngine:
    from readers.scanners.camera import CameraScanner  # noqa: PLC0415
    from readers.scanners.v4l2 import V4l2Camera  # noqa: PLC0415

    return CameraScanner(address, V4l2Camera(path))


def _frames(address: str, path: Path, _baud: str) -> ScannerEngine:
    from readers.scanners.camera import CameraScanner  # noqa: PLC0415
    from readers.scanners.folder import FolderFrames  # noqa: PLC0415

    return CameraScanner(address, FolderFrames(path))


def _keyboard(address: str, path: Path, _baud: str) -> ScannerEngine:
    from readers.scanners.keyboard import Keyboard  # noqa: PLC0415

    return StreamingScanner(address, Keyboard(path))


_KINDS: Final[Mapping[str, Callable[[str, Path, str], ScannerEngine]]] = {
    "serial": _serial,
    "keyboard": _keyboard,
    "camera": _camera,
    "frames": _frames,
}
