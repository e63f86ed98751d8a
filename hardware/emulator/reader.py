"""A contactless reader inside the process, over card images.

It has a driver's side, which waits and transmits, and a hand's side, which places cards; they may live in
different threads. It decides nothing about fares and knows no driver: a reader port is met by shape alone.
A card that is cut out by a fault has left the field, as if the hand had taken it away.
"""

from __future__ import annotations

from pathlib import Path
from threading import Condition

from hardware.emulator.card import TORN
from hardware.emulator.faults import Faults
from hardware.emulator.field import Field, TrayCard, TrayError, enter_field, tray_cards

__all__ = ["InProcessReader", "TrayCard", "TrayError", "VirtualLink"]


class VirtualLink:
    """A connection to the card in the field; opening one resets the card, an old one is torn."""

    def __init__(self, field: Field) -> None:
        self._field = field
        self._open = True
        field.power(True)

    @property
    def atr(self) -> bytes:
        return self._field.atr

    def transmit(self, apdu: bytes) -> bytes:
        """The card's reply; ``b""`` when the reply was lost, the card is gone or the link closed."""
        return self._field.transmit(apdu) if self._open else TORN

    def close(self) -> None:
        """Power the card off; harmless when it is gone."""
        if self._open:
            self._open = False
            self._field.power(False)

    def is_with(self, field: Field) -> bool:
        """Is this the link to the card now in the field?"""
        return self._field is field


class InProcessReader:
    """One reader over the card images of ``folder``; ``faults.json`` in it is obeyed.

    ``durable`` writes images so that they survive a power failure; ``frame_bytes`` sets the size of answers.
    """

    def __init__(
        self,
        folder: Path,
        name: str = "Virtual reader",
        faults: Faults | None = None,
        *,
        durable: bool = False,
        frame_bytes: int | None = None,
    ) -> None:
        self.name = name
        self.faults = Faults(folder) if faults is None else faults
        self._folder = folder
        self._durable = durable
        self._frame_bytes = frame_bytes
        self._changed = Condition()
        self._field: Field | None = None
        self._link: VirtualLink | None = None

    # --- the driver's side ---

    def wait_for_card(self, timeout_s: float) -> VirtualLink | None:
        """A link to the card in the field as soon as there is one; None after ``timeout_s`` seconds."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._present() is not None, timeout_s):
                return None
            field = self._present()
            if field is None:
                return None
            if self._link is not None:
                self._link.close()
            self._link = VirtualLink(field)
            return self._link

    def wait_for_removal(self, timeout_s: float) -> bool:
        """True once the card of the last link has left the field (even if another one lies there already)."""
        with self._changed:
            return self._changed.wait_for(self._last_card_left, timeout_s)

    def _present(self) -> Field | None:
        return self._field if self._field is not None and self._field.present else None

    def _last_card_left(self) -> bool:
        field = self._present()
        return field is None or (self._link is not None and not self._link.is_with(field))

    # --- the hand's side ---

    def cards(self) -> list[TrayCard]:
        """The cards that could be placed."""
        return tray_cards(self._folder)

    @property
    def placed(self) -> str | None:
        """The name of the card in the field."""
        with self._changed:
            field = self._present()
            return None if field is None else field.name

    def place(self, name: str) -> None:
        """Put a card into the field; :class:`TrayError` when one is there or this one cannot be had."""
        with self._changed:
            present = self._present()
            if present is not None:
                raise TrayError(f"the card {present.name!r} is already on the reader: remove it first")
            self._field = enter_field(
                self._folder,
                name,
                self.faults,
                self.name,
                self._left,
                durable=self._durable,
                frame_bytes=self._frame_bytes,
            )
            self._changed.notify_all()

    def remove(self) -> None:
        """Take the card away, whatever it is doing; nothing happens when there is none."""
        with self._changed:
            field = self._field
        if field is not None:
            field.leave()

    def _left(self) -> None:
        with self._changed:
            self._changed.notify_all()
