"""USB scanners in keyboard mode (HID), through evdev. The device is grabbed (EVIOCGRAB), so that no ticket is
typed into a console or a window of this machine.

`decode` turns the kernel's key events into characters of the US layout, which is what a scanner types when
its country setting is US; it knows nothing of a device. Composing with Alt and numbers is not understood.
"""

from __future__ import annotations

import contextlib
import errno
import select
from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Protocol

from evdev import InputDevice, InputEvent, ecodes

from readers.ports import ScannerFault

GAP: Final = "\ufffd"
"""Stands where the kernel lost events: the text is then no ticket, and the rider holds it again."""

_ROWS: Final = (
    (ecodes.KEY_1, "1234567890-=", "!@#$%^&*()_+"),
    (ecodes.KEY_Q, "qwertyuiop[]", "QWERTYUIOP{}"),
    (ecodes.KEY_A, "asdfghjkl;'`", 'ASDFGHJKL:"~'),
    (ecodes.KEY_BACKSLASH, "\\zxcvbnm,./", "|ZXCVBNM<>?"),
)
"""Each row of the US layout has consecutive codes, from the first key on (linux/input-event-codes.h)."""
_PLAIN: Final = {first + at: plain[at] for first, plain, _ in _ROWS for at in range(len(plain))}
_SHIFTED: Final = {first + at: shifted[at] for first, _, shifted in _ROWS for at in range(len(shifted))}
_ANYWAY: Final = {
    ecodes.KEY_SPACE: " ",
    ecodes.KEY_TAB: "\t",
    ecodes.KEY_ENTER: "\r",
    ecodes.KEY_KPENTER: "\r",
    ecodes.KEY_KPASTERISK: "*",
    ecodes.KEY_KPMINUS: "-",
    ecodes.KEY_KPPLUS: "+",
    ecodes.KEY_KPDOT: ".",
    ecodes.KEY_KPSLASH: "/",
    ecodes.KEY_KP0: "0",
    ecodes.KEY_KP1: "1",
    ecodes.KEY_KP2: "2",
    ecodes.KEY_KP3: "3",
    ecodes.KEY_KP4: "4",
    ecodes.KEY_KP5: "5",
    ecodes.KEY_KP6: "6",
    ecodes.KEY_KP7: "7",
    ecodes.KEY_KP8: "8",
    ecodes.KEY_KP9: "9",
}
_SHIFTS: Final = frozenset((ecodes.KEY_LEFTSHIFT, ecodes.KEY_RIGHTSHIFT))
_SILENT: Final = frozenset(
    (
        ecodes.KEY_LEFTCTRL,
        ecodes.KEY_RIGHTCTRL,
        ecodes.KEY_LEFTALT,
        ecodes.KEY_RIGHTALT,
        ecodes.KEY_LEFTMETA,
        ecodes.KEY_RIGHTMETA,
    )
)
"""A key pressed together with one of these is a command, not a character."""


@dataclass(frozen=True, slots=True)
class Keys:
    """What is held down, and what was switched on, between two events."""

    held: frozenset[int] = frozenset()
    capitals: bool = False
    lost: bool = False
    """The kernel has dropped events and says so until its next report."""


def decode(keys: Keys, event: InputEvent) -> tuple[Keys, str]:
    """The state after one event, and the character that it types: one, or the empty text. Raises nothing."""
    if event.type == ecodes.EV_SYN:
        if event.code == ecodes.SYN_DROPPED:
            # Which keys are held is not known any more; the events up to the next report are only a rest.
            return Keys(capitals=keys.capitals, lost=True), GAP
        return replace(keys, lost=False), ""
    if event.type != ecodes.EV_KEY or keys.lost:
        return keys, ""
    if event.code in _SHIFTS or event.code in _SILENT:
        held = keys.held | {event.code} if event.value else keys.held - {event.code}
        return replace(keys, held=held), ""
    if event.value != 1:
        return keys, ""  # a release, or the repetition of a key that hangs
    if event.code == ecodes.KEY_CAPSLOCK:
        return replace(keys, capitals=not keys.capitals), ""
    return keys, "" if keys.held & _SILENT else _typed(keys, event.code)


def _typed(keys: Keys, code: int) -> str:
    if code in _ANYWAY:
        return _ANYWAY[code]
    plain = _PLAIN.get(code, "")
    shift = bool(keys.held & _SHIFTS) != (keys.capitals and plain.isalpha())
    return _SHIFTED.get(code, "") if shift else plain


class KeyDevice(Protocol):
    """What is used of an `evdev.InputDevice`."""

    @property
    def fd(self) -> int:
        """Ready to be read when events wait."""
        ...

    def grab(self) -> None:
        """Keep its events from everybody else."""
        ...

    def read(self) -> Iterable[InputEvent]:
        """The events that wait."""
        ...

    def close(self) -> None:
        """Let it go."""
        ...


class Keyboard:
    """One input device. See `readers.scanners.streaming.ByteSource`."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._device: KeyDevice | None = None
        self._keys = Keys()

    def receive(self, wait_s: float) -> bytes:
        """The characters typed in time, in UTF-8."""
        device = self._opened()
        typed: list[str] = []
        try:
            ready, _, _ = select.select([device.fd], [], [], wait_s)
            for event in device.read() if ready else ():
                self._keys, character = decode(self._keys, event)
                typed.append(character)
        except OSError as fault:
            raise ScannerFault(
                f"The scanner at {self._path} was lost: plug it in again, or look at its cable."
            ) from fault
        return "".join(typed).encode()

    def close(self) -> None:
        """See the port."""
        device, self._device = self._device, None
        self._keys = Keys()
        if device is not None:
            with contextlib.suppress(OSError):  # a device that is gone may refuse even this
                device.close()

    def _opened(self) -> KeyDevice:
        if self._device is None:
            try:
                self._device = open_and_grab(self._path)
            except OSError as fault:
                raise ScannerFault(_why_not(self._path, fault)) from fault
        return self._device


def open_and_grab(path: Path) -> KeyDevice:
    """The device at `path`, ours alone. Raises OSError."""
    device: InputDevice[str] = InputDevice(str(path))
    try:
        device.grab()
    except OSError:
        device.close()
        raise
    return device


def _why_not(path: Path, fault: OSError) -> str:
    if not path.exists():
        return f"There is no scanner at {path}: plug it in, or give another --scanner."
    if fault.errno in {errno.EACCES, errno.EPERM}:
        return (
            f"The scanner at {path} may not be opened: install the udev rules of hardware/udev, or add this "
            "account to the group input."
        )
    if fault.errno == errno.EBUSY:
        return f"The scanner at {path} is held by another program: stop that one."
    return f"{path} is no keyboard ({fault.strerror}): give another --scanner."
