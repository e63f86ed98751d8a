"""Reads choices out of a fuzzer's bytes. Never draws anything itself.

When the bytes are used up every choice is the first, so any input is complete and a short one means "and then
nothing unusual".
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


class Choices:
    """A cursor over the input."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def used_up(self) -> bool:
        """Is nothing left to choose from?"""
        return self._at >= len(self._data)

    def number(self, below: int) -> int:
        """0 … below − 1, from one byte, or two where one is not enough."""
        size = 1 if below <= 256 else 2
        return int.from_bytes(self.exactly(size), "little") % below

    def pick(self, options: Sequence[T]) -> T:
        """One of the options."""
        return options[self.number(len(options))]

    def exactly(self, size: int) -> bytes:
        """That many bytes; zeros stand for the missing ones."""
        taken = self._data[self._at : self._at + size]
        self._at += size
        return taken.ljust(size, b"\x00")

    def some(self, most: int) -> bytes:
        """0 to `most` bytes, as many as the next byte says."""
        return self.exactly(self.number(most + 1))

    def flipped(self, data: bytes) -> bytes:
        """`data` with one bit changed; nothing to change in nothing."""
        if not data:
            return data
        changed = bytearray(data)
        changed[self.number(len(data))] ^= 1 << self.number(8)
        return bytes(changed)


class Draws:
    """Bytes that look random and are the same in every run: challenges of cards and readers."""

    def __init__(self, label: str) -> None:
        self._label = label.encode()
        self._count = 0

    def __call__(self, size: int = 16) -> bytes:
        self._count += 1
        return hashlib.shake_128(self._label + self._count.to_bytes(4, "big")).digest(size)
