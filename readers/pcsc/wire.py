"""The words between a validator and its reader worker, and their framing on a pipe. It opens nothing.

    frame     length(4, big-endian, of what follows) ‖ word(1) ‖ payload

A request is answered by one frame, `Order.SHOW` by none. Times are unsigned milliseconds in 4 bytes. Lists
travel as JSON; an APDU and its reply travel as they are.
"""

from __future__ import annotations

from enum import IntEnum
from typing import Final

LENGTH_SIZE: Final = 4
MAX_REQUEST_BYTES: Final = 4096
"""PIPE_BUF on Linux: a frame of this size is written whole or not at all, whoever else writes."""
MAX_ANSWER_BYTES: Final = 1 << 20


class Order(IntEnum):
    """What the validator asks. The payload is in the comment, then the answer's."""

    OPEN = ord("O")  # JSON [name, [[beginning, mark] …]] -> nothing
    WAIT_FOR_CARD = ord("W")  # ms -> nothing, or JSON [reader, ATR in hex]
    WAIT_FOR_REMOVAL = ord("R")  # ms -> b"\1" when the field is empty, else b"\0"
    TRANSMIT = ord("T")  # APDU -> reply, empty when the card left
    CLOSE = ord("C")  # nothing -> nothing
    SURVEY = ord("S")  # ms -> JSON [[reader, present, mute, in_use, ATR in hex] …]
    DESCRIBE = ord("D")  # reader -> JSON {"what": "value"}
    ESCAPE = ord("E")  # JSON [reader, hex] -> the reader's reply
    SHOW = ord("L")  # JSON [[hex …], hold_ms, [hex …]] -> no answer


class Answer(IntEnum):
    """How it went."""

    DONE = ord("+")
    READER_FAULT = ord("!")  # the payload is a sentence
    SERVICE_LOST = ord("?")  # the payload is a sentence


class BrokenFrame(ValueError):
    """Bytes on the pipe that are no frame: whoever wrote them is not the other side of this program."""


def frame(word: int, payload: bytes = b"") -> bytes:
    """One frame."""
    return (len(payload) + 1).to_bytes(LENGTH_SIZE, "big") + bytes([word]) + payload


class Frames:
    """Takes bytes as they arrive and gives whole frames."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._held = b""

    def feed(self, data: bytes) -> None:
        """Bytes that were read."""
        self._held += data

    def take(self) -> tuple[int, bytes] | None:
        """The next (word, payload), or None while it is incomplete. Raises BrokenFrame."""
        if len(self._held) < LENGTH_SIZE:
            return None
        length = int.from_bytes(self._held[:LENGTH_SIZE], "big")
        if not 1 <= length <= self._most_bytes:
            raise BrokenFrame(f"a frame of {length} bytes")
        end = LENGTH_SIZE + length
        if len(self._held) < end:
            return None
        word, payload = self._held[LENGTH_SIZE], self._held[LENGTH_SIZE + 1 : end]
        self._held = self._held[end:]
        return word, payload


def milliseconds(seconds: float) -> bytes:
    """A waiting time for the wire."""
    return min(0xFFFF_FFFF, max(0, round(seconds * 1000))).to_bytes(4, "big")


def seconds(raw: bytes) -> float:
    """A waiting time from the wire."""
    return int.from_bytes(raw, "big") / 1000
