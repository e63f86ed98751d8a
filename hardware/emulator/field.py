"""One card in the field of one reader: the held image, its faults, and what removal means.

Shared by the in-process reader and the vpcd tray, so a fault or a removal is the same event on both wires.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from threading import Event, Lock

from hardware.emulator.card import TORN
from hardware.emulator.faults import Fault, FaultKind, Faults, instruction
from hardware.emulator.image import HeldImage, ImageError, hold_image, image_names, image_path, read_image


class TrayError(Exception):
    """The hand cannot do that with the card; the message is one sentence that says why and what to do."""


@dataclass(frozen=True, slots=True)
class TrayCard:
    """One card that could be placed: its image's name, the label to show, its UID in hexadecimal."""

    name: str
    label: str
    uid_hex: str


def tray_cards(folder: Path) -> list[TrayCard]:
    """All cards of a folder, sorted by name; an unreadable image is shown as such, without a UID."""
    cards: list[TrayCard] = []
    for name in image_names(folder):
        try:
            image = read_image(image_path(folder, name))
        except ImageError:
            cards.append(TrayCard(name, f"{name} (unreadable image)", ""))
        else:
            cards.append(TrayCard(name, image.label, image.state.uid.hex().upper()))
    return cards


class Field:
    """From placing to removal. ``transmit`` never raises; ``b""`` is a lost reply or a card that is gone."""

    def __init__(self, held: HeldImage, faults: Faults, reader: str, on_leave: Callable[[], None]) -> None:
        self._held = held
        self._faults = faults
        self._reader = reader
        self._on_leave = on_leave
        self._card_lock = Lock()
        self._gone = Event()
        held.card.power(False)

    @property
    def name(self) -> str:
        return self._held.name

    @property
    def atr(self) -> bytes:
        return self._held.card.atr

    @property
    def present(self) -> bool:
        return not self._gone.is_set()

    def power(self, on: bool) -> None:
        """Switch or reset the card's power; nothing happens once it is gone."""
        with self._card_lock:
            if self.present:
                self._held.card.power(on)

    def leave(self) -> None:
        """Take the card out: power off, image given back. Safe from any thread, any number of times."""
        with self._card_lock:
            if not self.present:
                return
            self._gone.set()
            self._held.release()
        self._on_leave()

    def transmit(self, apdu: bytes) -> bytes:
        """One APDU, with whatever fault is due for it."""
        fault = self._faults.take(self.name, self._reader, instruction(apdu))
        if fault is None:
            return self._ask(apdu)
        return self._suffer(fault, apdu)

    def _ask(self, apdu: bytes) -> bytes:
        with self._card_lock:
            return self._held.card.transmit(apdu) if self.present else TORN

    def _suffer(self, fault: Fault, apdu: bytes) -> bytes:
        match fault.kind:
            case FaultKind.CUT_BEFORE:
                self.leave()
                return TORN
            case FaultKind.CUT_AFTER:
                self._ask(apdu)
                self.leave()
                return TORN
            case FaultKind.DROP_REPLY:
                self._ask(apdu)
                return TORN
            case FaultKind.DELAY_REPLY:
                # The card has answered, so its image is written; only the reply is still on its way.
                reply = self._ask(apdu)
                gone = self._gone.wait(fault.delay_ms / 1000)
                return TORN if gone else reply
            case FaultKind.CORRUPT_COMMAND:
                return self._ask(_flipped(apdu, fault))
            case FaultKind.CORRUPT_REPLY:
                return _flipped(self._ask(apdu), fault)


def _flipped(data: bytes, fault: Fault) -> bytes:
    if not -len(data) <= fault.byte < len(data):
        return data
    changed = bytearray(data)
    changed[fault.byte] ^= fault.mask & 0xFF
    return bytes(changed)


def enter_field(
    folder: Path,
    name: str,
    faults: Faults,
    reader: str,
    on_leave: Callable[[], None],
    *,
    durable: bool = False,
    frame_bytes: int | None = None,
) -> Field:
    """Put a card into a reader's field; :class:`TrayError` when it is unknown or held elsewhere."""
    try:
        held = hold_image(folder, name, durable=durable, frame_bytes=frame_bytes)
    except ImageError as error:
        raise TrayError(str(error)) from None
    except OSError as error:
        raise TrayError(f"the card {name!r} cannot be taken: {error.strerror}") from None
    return Field(held, faults, reader, on_leave)
