"""From a stream of bytes to texts, one a line: pure, bounded, without a clock, and nothing raises.

A scanner ends each text with CR, LF or both, and may begin it with an AIM code identifier (`]Q1` for a QR
code: ISO/IEC 15424). What exceeds `LINE_MAX_BYTES` is dropped whole, since half of a ticket is none.
"""

from __future__ import annotations

import re
from collections import deque
from typing import Final

LINE_MAX_BYTES: Final = 512
"""A ticket has at most 400 characters; more than this is no ticket in any spelling."""
WAITING_MAX: Final = 8
SILENCE_S: Final = 0.2
"""A pause inside a text that is longer: the rest will not come."""
_END: Final = re.compile(rb"[\r\n]")
_AIM: Final = re.compile(r"\][Qq][0-9]")


class Lines:
    """Texts of one scanner. Whoever reads the device calls `lapse` after `SILENCE_S` without a byte."""

    def __init__(self) -> None:
        self.too_long = 0
        """Lines dropped for their length."""
        self.left_unfinished = 0
        """Beginnings dropped because no end came: a scanner that sends no CR or LF shows itself here."""
        self.overrun = 0
        """Texts dropped because nobody took them in time."""
        self._partial = bytearray()
        self._skipping = False
        self._waiting: deque[str] = deque()

    @property
    def unfinished(self) -> bool:
        """Whether a text has begun and not ended."""
        return self._skipping or bool(self._partial)

    def feed(self, data: bytes) -> None:
        """Take bytes in, cut anywhere."""
        *ended, rest = _END.split(data)
        for piece in ended:
            self._extend(piece)
            self._end()
        self._extend(rest)

    def take(self) -> str | None:
        """The oldest text that waits, without its AIM prefix."""
        return self._waiting.popleft() if self._waiting else None

    def lapse(self) -> None:
        """Nothing more comes: forget a beginning."""
        if self._partial:
            self.left_unfinished += 1
        self._partial.clear()
        self._skipping = False

    def clear(self) -> None:
        """Forget all that has not been taken: the device is gone."""
        self._partial.clear()
        self._skipping = False
        self._waiting.clear()

    def _extend(self, piece: bytes) -> None:
        if self._skipping or not piece:
            return
        if len(self._partial) + len(piece) > LINE_MAX_BYTES:
            self.too_long += 1
            self._partial.clear()
            self._skipping = True
            return
        self._partial += piece

    def _end(self) -> None:
        line, self._skipping = bytes(self._partial), False
        self._partial.clear()
        text = _without_aim(line.decode("utf-8", "replace"))
        if not text:
            return
        if len(self._waiting) == WAITING_MAX:
            self._waiting.popleft()
            self.overrun += 1
        self._waiting.append(text)


def _without_aim(text: str) -> str:
    found = _AIM.match(text)
    return text if found is None else text[found.end() :]
