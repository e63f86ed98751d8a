"""Faults to order: a field cut before or after an APDU, a lost or late reply, a flipped byte.

A fault is armed in the process (:meth:`Faults.arm`) or in a file, ``faults.json`` beside the images, that
any process may write: a JSON list of objects such as ``{"kind": "cut_after", "ins": "C7"}``. It fires once,
unless it says ``"repeat": true``, and is taken off the list before it acts, so a process killed by its
effect does not meet it again.
"""

from __future__ import annotations

import fcntl
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from threading import Lock
from typing import cast

from hardware.emulator.image import PRIVATE, replace_file
from hardware.emulator.memory import BadDocument, Fields

FILE_NAME = "faults.json"
WRAPPED_CLA = 0x90
READER_CLA = 0xFF


class FaultKind(StrEnum):
    """What happens at the chosen APDU."""

    CUT_BEFORE = "cut_before"  # the field ends before the card sees it
    CUT_AFTER = "cut_after"  # the card has acted, nobody hears of it, the field ends
    DROP_REPLY = "drop_reply"  # the reply is lost, the field stays
    DELAY_REPLY = "delay_reply"  # the card has acted, the reply comes late
    CORRUPT_COMMAND = "corrupt_command"
    CORRUPT_REPLY = "corrupt_reply"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: it meets the ``nth`` APDU (from 1) of ``ins`` after it was ordered.

    ``ins`` is the instruction byte (0xFFCA for the reader's own UID command), None counts every APDU.
    ``card`` and ``reader`` restrict it to one name. ``byte`` (from the end when negative) is XORed with
    ``mask``. ``repeat`` makes it fire at every such APDU from the nth on.
    """

    kind: FaultKind
    ins: int | None = None
    nth: int = 1
    delay_ms: int = 0
    byte: int = 0
    mask: int = 0xFF
    card: str | None = None
    reader: str | None = None
    repeat: bool = False

    def document(self) -> dict[str, object]:
        """The JSON object of ``faults.json``; what is not set is left out."""
        values: dict[str, object] = {"kind": self.kind.value, "nth": self.nth}
        if self.ins is not None:
            values["ins"] = f"{self.ins:02X}"
        if self.kind is FaultKind.DELAY_REPLY:
            values["delay_ms"] = self.delay_ms
        if self.kind in (FaultKind.CORRUPT_COMMAND, FaultKind.CORRUPT_REPLY):
            values |= {"byte": self.byte, "mask": self.mask}
        names = {"card": self.card, "reader": self.reader}
        values |= {key: name for key, name in names.items() if name is not None}
        return values | ({"repeat": True} if self.repeat else {})

    def concerns(self, card: str, reader: str, ins: int) -> bool:
        """Does this fault count the APDU?"""
        named = self.card in (None, card) and self.reader in (None, reader)
        return named and self.ins in (None, ins)


def advance(faults: list[Fault], card: str, reader: str, ins: int) -> tuple[list[Fault], Fault | None]:
    """Count one APDU: the faults still armed after it, and the one it must suffer."""
    due: Fault | None = None
    armed: list[Fault] = []
    for fault in faults:
        if not fault.concerns(card, reader, ins):
            armed.append(fault)
        elif fault.nth > 1:
            armed.append(replace(fault, nth=fault.nth - 1))
        elif due is not None:
            armed.append(fault)
        else:
            due = fault
            armed += [fault] if fault.repeat else []
    return armed, due


def read_fault(value: object) -> Fault:
    """One object of ``faults.json``; :class:`BadDocument` names what is wrong in it."""
    fields = Fields(value, "a fault")
    try:
        kind = FaultKind(fields.text("kind"))
        ins = int(fields.text("ins"), 16) if fields.has("ins") else None
    except ValueError as error:
        raise BadDocument(f"a fault is not readable: {error}") from None
    return Fault(
        kind,
        ins,
        fields.number("nth") if fields.has("nth") else 1,
        fields.number("delay_ms") if fields.has("delay_ms") else 0,
        fields.number("byte") if fields.has("byte") else 0,
        fields.number("mask") if fields.has("mask") else 0xFF,
        fields.text("card") if fields.has("card") else None,
        fields.text("reader") if fields.has("reader") else None,
        fields.flag("repeat") if fields.has("repeat") else False,
    )


def instruction(apdu: bytes) -> int:
    """The instruction of a wrapped or native APDU; 0xFFxx for the reader's own commands."""
    if apdu[:1] == bytes((WRAPPED_CLA,)) and len(apdu) > 1:
        return apdu[1]
    if apdu[:1] == bytes((READER_CLA,)) and len(apdu) > 1:
        return READER_CLA << 8 | apdu[1]
    return apdu[0] if apdu else 0


class Faults:
    """The armed faults of one process, and those of a folder's ``faults.json`` when a folder is given."""

    def __init__(self, folder: Path | None = None) -> None:
        self._armed: list[Fault] = []
        self._path = None if folder is None else folder / FILE_NAME
        self._lock = Lock()

    def arm(self, fault: Fault) -> None:
        """Add a fault of this process."""
        with self._lock:
            self._armed.append(fault)

    def clear(self) -> None:
        """Forget the faults of this process; the file is left alone."""
        with self._lock:
            self._armed.clear()

    def take(self, card: str, reader: str, ins: int) -> Fault | None:
        """Count one APDU and return the fault it must suffer, off its list unless it repeats."""
        with self._lock:
            self._armed, due = advance(self._armed, card, reader, ins)
            if due is not None or self._path is None or not self._path.exists():
                return due
            return _take_from_file(self._path, card, reader, ins)


def _read_file(path: Path) -> list[Fault]:
    """The faults of a file; an unreadable file arms none, so that a half-written list harms no tap."""
    try:
        document: object = json.loads(path.read_bytes())
        entries = cast(list[object], document) if isinstance(document, list) else []
        return [read_fault(entry) for entry in entries]
    except (OSError, ValueError):
        return []


def _take_from_file(path: Path, card: str, reader: str, ins: int) -> Fault | None:
    if not any(fault.concerns(card, reader, ins) for fault in _read_file(path)):
        return None
    # Another process may be counting too: read, count and write under one lock.
    with _locked(path):
        faults = _read_file(path)
        armed, due = advance(faults, card, reader, ins)
        if armed != faults:
            _write_file(path, armed)
        return due


@contextmanager
def _locked(path: Path) -> Generator[None, None, None]:
    lock = os.open(path.with_name(f".{path.name}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)
    try:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
    finally:
        os.close(lock)


def _write_file(path: Path, faults: list[Fault]) -> None:
    replace_file(path, json.dumps([fault.document() for fault in faults], indent=1).encode())


def arm_in_folder(folder: Path, fault: Fault) -> None:
    """Add a fault to the folder's ``faults.json`` for whichever process meets it first."""
    path = folder / FILE_NAME
    with _locked(path):
        _write_file(path, [*_read_file(path), fault])
