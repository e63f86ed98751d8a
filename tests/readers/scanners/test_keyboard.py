"""USB scanners in keyboard mode: the kernel's events and what they type. A pipe carries them for a device."""

from __future__ import annotations

import errno
import fcntl
import os
import string
import struct
from collections.abc import Iterable, Iterator
from pathlib import Path

import pytest
from evdev import InputEvent, ecodes

from fare.core.base45 import ALPHABET
from readers.ports import ScannerFault
from readers.scanners.keyboard import GAP, Keyboard, KeyDevice, Keys, decode
from readers.scanners.streaming import StreamingScanner

DOWN, UP, HELD = 1, 0, 2
# Written by the names of the keys, as they are printed on a US keyboard, and not by their codes.
NAMES = {
    **{letter: f"KEY_{letter.upper()}" for letter in string.ascii_lowercase},
    **{digit: f"KEY_{digit}" for digit in string.digits},
    " ": "KEY_SPACE",
    "-": "KEY_MINUS",
    "=": "KEY_EQUAL",
    "[": "KEY_LEFTBRACE",
    "]": "KEY_RIGHTBRACE",
    "\\": "KEY_BACKSLASH",
    ";": "KEY_SEMICOLON",
    "'": "KEY_APOSTROPHE",
    "`": "KEY_GRAVE",
    ",": "KEY_COMMA",
    ".": "KEY_DOT",
    "/": "KEY_SLASH",
}
WITH_SHIFT = dict(zip('!@#$%^&*()_+{}|:"~<>?', "1234567890-=[]\\;'`,./", strict=True))
WITH_SHIFT |= dict(zip(string.ascii_uppercase, string.ascii_lowercase, strict=True))


def key(name: str, value: int) -> InputEvent:
    return InputEvent(0, 0, ecodes.EV_KEY, ecodes.ecodes[name], value)


def report(code: int = ecodes.SYN_REPORT) -> InputEvent:
    return InputEvent(0, 0, ecodes.EV_SYN, code, 0)


def press(name: str) -> list[InputEvent]:
    return [
        InputEvent(0, 0, ecodes.EV_MSC, ecodes.MSC_SCAN, 458756),
        key(name, DOWN),
        report(),
        key(name, UP),
        report(),
    ]


def typed(text: str, shift: str = "KEY_LEFTSHIFT") -> list[InputEvent]:
    """The events of a keyboard on which `text` is typed."""
    events: list[InputEvent] = []
    for character in text:
        if character == "\r":
            events += press("KEY_ENTER")
        elif character in WITH_SHIFT:
            events += [
                key(shift, DOWN),
                report(),
                *press(NAMES[WITH_SHIFT[character]]),
                key(shift, UP),
                report(),
            ]
        else:
            events += press(NAMES[character])
    return events


def read(events: Iterable[InputEvent], keys: Keys | None = None) -> str:
    keys = keys or Keys()
    text = ""
    for event in events:
        keys, character = decode(keys, event)
        text += character
    return text


def test_every_character_of_a_ticket_and_of_the_us_layout() -> None:
    every = "".join(chr(code) for code in range(0x20, 0x7F))
    assert set(ALPHABET) <= set(every)
    for shift in ("KEY_LEFTSHIFT", "KEY_RIGHTSHIFT"):
        assert read(typed(every, shift)) == every
        assert read(typed("MC1:" + ALPHABET + "\r", shift)) == "MC1:" + ALPHABET + "\r"


def test_the_number_pad_types_numbers_and_ends_a_text() -> None:
    names = [f"KEY_KP{digit}" for digit in range(10)]
    names += ["KEY_KPASTERISK", "KEY_KPMINUS", "KEY_KPPLUS", "KEY_KPDOT", "KEY_KPSLASH", "KEY_KPENTER"]
    assert read(event for name in names for event in press(name)) == "0123456789*-+./\r"


def test_capitals_by_caps_lock() -> None:
    lock = press("KEY_CAPSLOCK")
    # A scanner that uses Caps Lock sends letters plain, and shift makes them small.
    assert read([*lock, *typed("mc1:Ab;"), *lock, *typed("mC")]) == "MC1:aB;mC"


def test_two_shifts_are_held_until_both_are_up() -> None:
    both = [key("KEY_LEFTSHIFT", DOWN), key("KEY_RIGHTSHIFT", DOWN), key("KEY_LEFTSHIFT", UP)]
    assert read([*both, *press("KEY_A"), key("KEY_RIGHTSHIFT", UP), *press("KEY_A")]) == "Aa"


def test_keys_that_hang_and_keys_that_type_nothing() -> None:
    assert read([key("KEY_A", DOWN), *[key("KEY_A", HELD)] * 100, key("KEY_A", UP)]) == "a"
    assert (
        read(event for name in ("KEY_F1", "KEY_ESC", "KEY_UP", "KEY_NUMLOCK") for event in press(name)) == ""
    )
    for name in ("KEY_LEFTCTRL", "KEY_RIGHTALT", "KEY_LEFTMETA"):
        assert read([key(name, DOWN), *press("KEY_C"), key(name, UP), *press("KEY_C")]) == "c"


def test_what_the_kernel_dropped_leaves_a_gap_that_no_ticket_survives() -> None:
    events = [*typed("MC"), key("KEY_LEFTSHIFT", DOWN), report(ecodes.SYN_DROPPED), *press("KEY_Z")[:2]]
    # Until the next report the rest is worth nothing, and shift may be up by now.
    assert read([*events, report(), *typed("x\r")]) == "MC" + GAP + "x\r"


def test_any_event_is_read_without_an_exception() -> None:
    keys = Keys()
    for kind in (*range(0x20), 0xFFFF):
        for code in (*range(0x300), 0xFFFF):
            for value in (-1, 0, 1, 2, 1 << 31):
                keys, character = decode(keys, InputEvent(0, 0, kind, code, value))
                assert len(character) <= 1
    assert len(keys.held) <= 8


# --- the device ---


class PipeDevice:
    """An input device whose events come out of a pipe, and which knows whether it was grabbed."""

    def __init__(self) -> None:
        self.fd, self._writer = os.pipe()
        os.set_blocking(self.fd, False)
        fcntl.fcntl(self._writer, fcntl.F_SETPIPE_SZ, 1 << 19)
        os.set_blocking(self._writer, False)
        self.grabbed = self.closed = False

    def grab(self) -> None:
        self.grabbed = True

    def send(self, events: Iterable[InputEvent]) -> None:
        for event in events:
            os.write(self._writer, struct.pack("@llHHi", 0, 0, event.type, event.code, event.value))

    def read(self) -> Iterator[InputEvent]:
        raw = os.read(self.fd, 64 * 24)
        if not raw:
            raise OSError(errno.ENODEV, "No such device")
        for at in range(0, len(raw), 24):
            yield InputEvent(*struct.unpack("@llHHi", raw[at : at + 24]))

    def pull_out(self) -> None:
        os.close(self._writer)

    def close(self) -> None:
        if not self.closed:
            os.close(self.fd)
        self.closed = True


def test_texts_are_read_and_an_unplugged_keyboard_comes_back(monkeypatch: pytest.MonkeyPatch) -> None:
    devices: list[PipeDevice] = []

    def open_and_grab(path: Path) -> KeyDevice:
        devices.append(PipeDevice())
        devices[-1].grab()
        return devices[-1]

    monkeypatch.setattr("readers.scanners.keyboard.open_and_grab", open_and_grab)
    scanner = StreamingScanner("keyboard:test", Keyboard(Path("/dev/input/by-id/usb-Scanner-event-kbd")))
    for turn in range(2):
        assert scanner.read(0) is None
        device = devices[turn]
        device.send(typed("]Q1MC1:A$ %*+-./:Z\rMC1:HA"))
        assert scanner.read(1) == "MC1:A$ %*+-./:Z"
        device.send(typed("LF\r" + "X" * 600 + "\rMC1:LAST\r"))
        assert [scanner.read(1), scanner.read(1)] == ["MC1:HALF", "MC1:LAST"]
        device.send([key("KEY_LEFTSHIFT", DOWN)])  # held while the plug is pulled: forgotten with the device
        device.pull_out()
        with pytest.raises(ScannerFault, match="was lost: plug it in again"):
            scanner.read(1)
        assert device.closed
    assert scanner.lines.too_long == 2
    scanner.close()


@pytest.mark.parametrize(
    ("number", "sentence"),
    [
        (errno.EACCES, "may not be opened: install the udev rules"),
        (errno.EBUSY, "is held by another program: stop that one"),
        (errno.ENOTTY, "is no keyboard"),
    ],
)
def test_a_device_that_cannot_be_had_is_one_sentence(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, number: int, sentence: str
) -> None:
    def refuse(path: Path) -> KeyDevice:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("readers.scanners.keyboard.open_and_grab", refuse)
    with pytest.raises(ScannerFault, match=sentence):
        Keyboard(tmp_path).receive(0)
