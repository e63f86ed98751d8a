"""Virtual phones of a folder, for the demonstration page. A real validator sees only a scanner's text.

A phone is `NAME.phone.json`, opened by whatever program knows that format. The number of its current ride
lives beside it in `NAME.ride.json`, as it would live in the rider's app: it begins at 1 with each
entitlement and rises only when the rider presses "new ride".
"""

from __future__ import annotations

import hashlib
import json
import os
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, cast

_SUFFIX: Final = ".phone.json"


class Phone(Protocol):
    """A phone that holds an entitlement."""

    @property
    def entitlement(self) -> bytes | None:
        """What the ledger issued to it."""
        ...

    def ticket_text(self, ts: int, ctr: int) -> str:
        """The text of its QR code. Raises an Exception whose message says what is missing."""
        ...


@dataclass(frozen=True, slots=True)
class ShelfPhone:
    """One phone, to be chosen by a person."""

    name: str
    label: str


class FolderPhones:
    """The PhoneShelf port on a folder."""

    def __init__(self, folder: Path, load: Callable[[Path, str], Phone]) -> None:
        self._folder = folder
        self._load = load
        self._lock = threading.Lock()

    def phones(self) -> Sequence[ShelfPhone]:
        """All phones, by name; a label in the file is shown where it has one."""
        names = sorted(path.name.removesuffix(_SUFFIX) for path in self._folder.glob(f"[!.]*{_SUFFIX}"))
        return [ShelfPhone(name, self._label(name)) for name in names]

    def ticket_text(self, name: str, ts_s: int, *, new_ride: bool) -> str:
        """See PhoneShelf. Raises LookupError for a phone that is not on the shelf."""
        if name not in {phone.name for phone in self.phones()}:
            raise LookupError(f"there is no phone {name!r} here")
        with self._lock:
            phone = self._load(self._folder, name)
            held = hashlib.sha256(phone.entitlement or b"").hexdigest()
            ctr = self._next_ride(name, held, new_ride)
        return phone.ticket_text(ts_s, ctr)

    def _next_ride(self, name: str, held: str, new_ride: bool) -> int:
        path = self._folder / f"{name}.ride.json"
        ride = _json_object(path)
        same = ride.get("entitlement") == held
        ctr = int(ride.get("ctr", 1)) if same else 1
        if new_ride and same:
            ctr = min(ctr + 1, 255)
        making = path.with_name(f".{path.name}.{os.getpid()}")
        making.write_text(json.dumps({"entitlement": held, "ctr": ctr}))
        making.replace(path)
        return ctr

    def _label(self, name: str) -> str:
        label = _json_object(self._folder / f"{name}{_SUFFIX}").get("label")
        return label if isinstance(label, str) and label else name


def _json_object(path: Path) -> dict[str, Any]:
    try:
        document: object = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return cast("dict[str, Any]", document) if isinstance(document, dict) else {}
