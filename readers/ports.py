"""What the validator needs from the world, as Protocols. No implementation, no I/O.

The card's reader, the scanners, the hands that lay a virtual card on it, the clock, randomness, the disk and
the display are given to the validator from outside, so that a bus, a test and a simulated city run the same
code.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Protocol

from fare.core.proof.refusal import TicketRefusal
from fare.core.tap import ClockQuality
from readers.shown import Shown

RandomBytes = Callable[[int], bytes]
"""`n` fresh random bytes from a cryptographic source."""


Redeem = Callable[[bytes], TicketRefusal | None]
"""Asks the ledger for the only ride of a paper ticket, by its cti: None when this device has it, else why
not; NEEDS_LINE without a line. It never raises, and a rider waits for it: some two seconds at most.
"""


class ReaderFault(Exception):
    """The reader, not the card, failed: unplugged, its service stopped, a handle gone.

    The message says which.
    """


class KeyStoreFault(Exception):
    """The token or module that keeps the cards' keys failed while a card was opened; the card did nothing.

    The message says what is wrong and what to do.
    """


class ScannerFault(Exception):
    """The scanner, not the ticket, failed: unplugged, its camera gone, taken by another program.

    The message says which and what to do. Reading again tries to open it anew.
    """


class Link(Protocol):
    """One card in the field. A reply shorter than two bytes means that it left."""

    @property
    def atr(self) -> bytes:
        """The card's answer to reset. It does not tell which card this is."""
        ...

    def transmit(self, apdu: bytes) -> bytes:
        """Exchange one APDU. Raises ReaderFault when the reader itself is lost."""
        ...

    def close(self) -> None:
        """Let the card go; closing after its removal is no error."""
        ...


class CardReader(Protocol):
    """The NFC part. Used by one thread at a time."""

    @property
    def name(self) -> str:
        """How a person knows this reader."""
        ...

    def wait_for_card(self, timeout_s: float) -> Link | None:
        """A card in the field, or None after `timeout_s`. Raises ReaderFault."""
        ...

    def wait_for_removal(self, timeout_s: float) -> bool:
        """Whether the field is empty, after at most `timeout_s`. Raises ReaderFault."""
        ...


class ScannerEngine(Protocol):
    """What reads QR codes: a USB scanner or a camera. Used by one thread; it opens itself when first read."""

    @property
    def name(self) -> str:
        """Its address, as a person gave it."""
        ...

    def read(self, timeout_s: float) -> str | None:
        """One decoded text, or None after `timeout_s`. Raises ScannerFault; the next call tries again."""
        ...

    def close(self) -> None:
        """Let the device go; closing twice is no error."""
        ...


class TrayCard(Protocol):
    """A virtual card that may be laid on the reader."""

    @property
    def name(self) -> str:
        """Its name in the folder."""
        ...

    @property
    def label(self) -> str:
        """What is printed on it."""
        ...


class Tray(Protocol):
    """The hands of a virtual reader: they lay a card on it and take it away. Thread-safe."""

    def cards(self) -> Sequence[TrayCard]:
        """The cards at hand."""
        ...

    def place(self, name: str) -> None:
        """Lay a card on the reader. Raises an Exception whose message says why it cannot be."""
        ...

    def remove(self) -> None:
        """Take away whatever lies there; nothing there is no error."""
        ...


class PhoneShelf(Protocol):
    """Virtual phones whose screens can be held before the scanner. Thread-safe."""

    def phones(self) -> Sequence[TrayCard]:
        """The phones at hand, by name and label."""
        ...

    def ticket_text(self, name: str, ts_s: int, *, new_ride: bool) -> str:
        """What the phone shows at `ts_s` (unix seconds): the current ride, or a new one."""
        ...


class Clock(Protocol):
    """Time as the validator knows it."""

    def wall_ms(self) -> int:
        """Unix milliseconds; trust them as far as `quality` says."""
        ...

    def mono_ns(self) -> int:
        """Nanoseconds that only rise, within one boot."""
        ...

    def quality(self) -> ClockQuality:
        """Whether the wall clock may be trusted now."""
        ...

    def heard_server_time(self, server_time_ms: int) -> None:
        """The ledger's authenticated time, just received. It may move the wall clock either way."""
        ...


class Storage(Protocol):
    """The partition that holds the journal."""

    def free_bytes(self) -> int:
        """What may still be written."""
        ...


class Display(Protocol):
    """Lamp, screen and buzzer."""

    def show(self, shown: Shown) -> None:
        """Show one answer. Returns at once and never raises: the tap is already journalled."""
        ...
