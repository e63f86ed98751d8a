"""From an address to a reader. It knows no emulator: one is found through the entry points it declares.

virtual:FOLDER             a reader in this process; its cards are the image files of FOLDER
virtual+pcsc:FOLDER        the same cards, laid on vsmartcard's PC/SC reader and read through PC/SC
virtual+pcsc@PORT:FOLDER   the same, where vpcd listens on another port than 35963
NAME                       a PC/SC reader, by its full name or the beginning of it

PC/SC readers live in a worker process of their own: whoever resolved an address closes it in the end.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any, Final, cast

from fare.core.errors import OperatorError
from readers.phones import FolderPhones
from readers.ports import CardReader, Display, PhoneShelf, ScannerEngine, Tray

GROUP: Final = "mancard.readers"
VIRTUAL: Final = "virtual:"
VIRTUAL_PCSC: Final = "virtual+pcsc"
VIRTUAL_PCSC_READER: Final = "Virtual PCD 00 00"


def _nothing_to_close() -> None:
    """What lives in this process ends with it."""


@dataclass(frozen=True, slots=True)
class Equipment:
    """What an address stands for: a reader with its lamps, and beside virtual ones hands and phones.

    The scanners beside it have addresses of their own and are closed by whoever serves them. `close` lets go
    of what runs outside this process; closing twice is no error.
    """

    reader: CardReader
    tray: Tray | None = None
    phones: PhoneShelf | None = None
    lamps: Display | None = None
    scanners: Sequence[ScannerEngine] = ()
    close: Callable[[], None] = _nothing_to_close


def resolve(address: str) -> Equipment:
    """Raises OperatorError for a folder or a reader that is not there, or without a PC/SC service."""
    if address.startswith(VIRTUAL):
        folder = _folder(address.removeprefix(VIRTUAL))
        virtual = cast("Any", _load("in_process"))(folder)
        return Equipment(cast("CardReader", virtual), cast("Tray", virtual), _phones(folder))
    scheme, _, rest = address.partition(":")
    name, _, port = scheme.partition("@")
    if name == VIRTUAL_PCSC:
        folder = _folder(rest)
        tray = cast("Tray", cast("Any", _load("vpcd"))(folder, **_port(port)))
        return replace(_pcsc(VIRTUAL_PCSC_READER), tray=tray, phones=_phones(folder))
    return _pcsc(address)


def _port(text: str) -> dict[str, int]:
    """Where vpcd listens, when the address says so."""
    if not text:
        return {}
    if not text.isascii() or not text.isdigit() or not 1 <= int(text) <= 65535:
        raise OperatorError(f"{VIRTUAL_PCSC}@{text}: is not a port: give a number from 1 to 65535.")
    return {"port": int(text)}


def _folder(text: str) -> Path:
    folder = Path(text)
    if not folder.is_dir():
        raise OperatorError(
            f"There is no folder {folder} with virtual cards: make some with 'mancard emulator new {folder} "
            "NAME', or give another --reader."
        )
    return folder


def _phones(folder: Path) -> PhoneShelf:
    phone = cast("Any", _load("phone"))
    return FolderPhones(folder, phone.load)


def _pcsc(name: str) -> Equipment:
    # A bus with a virtual reader needs none of this.
    from readers.pcsc.lamps import ReaderLamps  # noqa: PLC0415
    from readers.pcsc.opening import open_with_profile  # noqa: PLC0415

    reader, profile = open_with_profile(name)
    return Equipment(reader, lamps=ReaderLamps(reader, profile), close=reader.close)


def _load(name: str) -> Callable[..., object]:
    for found in entry_points(group=GROUP, name=name):
        return cast("Callable[..., object]", found.load())
    raise OperatorError(
        f"This installation has no virtual reader ({GROUP}: {name}): install the hardware package, or "
        "give the name of a PC/SC reader with --reader."
    )
