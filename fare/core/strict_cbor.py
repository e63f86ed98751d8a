"""The few CBOR forms a QR ticket uses (RFC 8949 section 4.2.1), read and written strictly.

Each value has exactly one accepted encoding: shortest heads, definite lengths, no tags, no trailing byte. It
never guesses and never builds nested objects: the caller names the form it expects next. A general decoder
accepts many encodings of one token, which would let one ticket wear many bytes.
"""

from __future__ import annotations

from typing import Final

UINT32_MAX: Final = 0xFFFF_FFFF

_UINT, _BYTES, _TEXT, _ARRAY, _MAP = 0, 2, 3, 4, 5
_MAJOR_NAMES: Final = {
    _UINT: "an unsigned integer",
    _BYTES: "a byte string",
    _TEXT: "a text",
    _ARRAY: "an array",
    _MAP: "a map",
}
_FALSE, _TRUE, _NULL = 0xF4, 0xF5, 0xF6
_UINT_OF_64_BITS: Final = 0x1B
_LEAST_OF_INFO: Final = {24: 24, 25: 0x100, 26: 0x1_0000}  # below it a shorter head was due
_NO_BYTE: Final = 0xFF  # major type 7: no head that is read here


class NotStrictCbor(ValueError):
    """The bytes are not the one accepted encoding; the message says what was expected."""


class StrictReader:
    """Reads expected forms one after another from `data`; every method raises `NotStrictCbor`.

    Integers are bounded to 32 bits, the widest a ticket carries.
    """

    __slots__ = ("_at", "_data", "_end")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0
        self._end = len(data)

    def uint(self, least: int = 0, most: int = UINT32_MAX) -> int:
        """An unsigned integer within `least..most`."""
        value = self._head(_UINT)
        if value < least or value > most:
            raise NotStrictCbor(f"an integer is {value}, outside {least}..{most}")
        return value

    def byte_string(self, size: int | None = None) -> bytes:
        """A byte string, of exactly `size` bytes where given."""
        length = self._head(_BYTES)
        if size is not None and length != size:
            raise NotStrictCbor(f"a byte string has {length} bytes instead of {size}")
        start = self._at
        self._at = end = start + length
        if end > self._end:
            raise NotStrictCbor("a byte string runs past the end")
        return self._data[start:end]

    def text_or_null(self, most_bytes: int) -> str | None:
        """A text of 1 to `most_bytes` bytes of UTF-8, or None for `null`."""
        if self._data[self._at : self._at + 1] == bytes((_NULL,)):
            self._at += 1
            return None
        length = self._head(_TEXT)
        if not 1 <= length <= most_bytes:
            raise NotStrictCbor(f"a text has {length} bytes, outside 1..{most_bytes}")
        start = self._at
        self._at = end = start + length
        if end > self._end:
            raise NotStrictCbor("a text runs past the end")
        try:
            return self._data[start:end].decode()
        except UnicodeDecodeError:
            raise NotStrictCbor("a text is not UTF-8") from None

    def array(self) -> int:
        """The head of an array: how many items follow."""
        return self._head(_ARRAY)

    def map(self) -> int:
        """The head of a map: how many pairs follow."""
        return self._head(_MAP)

    def boolean(self) -> bool:
        """`true` or `false`."""
        byte = self._data[self._at] if self._at < self._end else _NO_BYTE
        if byte not in (_FALSE, _TRUE):
            raise NotStrictCbor("true or false expected")
        self._at += 1
        return byte == _TRUE

    def skip_scalar(self) -> None:
        """Past one byte string, or one unsigned integer of at most 64 bits, whichever it is."""
        first = self._data[self._at] if self._at < self._end else _NO_BYTE
        if first == _UINT_OF_64_BITS:
            self._at += 9
        elif first >> 5 == _UINT:
            self._head(_UINT)
        else:
            self.byte_string()

    def literal(self, expected: bytes, meaning: str) -> None:
        """Exactly these bytes: map keys and pinned values, which have one legal form anyway."""
        end = self._at + len(expected)
        if self._data[self._at : end] != expected:
            raise NotStrictCbor(f"{meaning} expected")
        self._at = end

    def position(self) -> int:
        """Offset of the next unread byte, for callers that keep an item's own bytes."""
        return self._at

    def end(self) -> None:
        """Nothing may follow."""
        if self._at != self._end:
            raise NotStrictCbor("bytes follow the last item")

    def _head(self, major: int) -> int:
        data, at = self._data, self._at
        first = data[at] if at < self._end else _NO_BYTE
        if first >> 5 != major:
            raise NotStrictCbor(f"{_MAJOR_NAMES[major]} expected")
        info = first & 0x1F
        if info < 24:
            self._at = at + 1
            return info
        if info > 26:
            raise NotStrictCbor(f"{_MAJOR_NAMES[major]} with a definite length of at most 32 bits expected")
        if info == 24:
            end = at + 2
            value = data[at + 1] if end <= self._end else 0
        else:
            end = at + (3 if info == 25 else 5)
            value = int.from_bytes(data[at + 1 : end]) if end <= self._end else 0
        self._at = end
        if value < _LEAST_OF_INFO[info]:
            raise NotStrictCbor(f"{_MAJOR_NAMES[major]} in its shortest form expected")
        return value


def write_uint(value: int) -> bytes:
    """Shortest form of an unsigned integer of at most 32 bits."""
    return _write_head(_UINT, value)


def write_bytes(value: bytes) -> bytes:
    """A byte string with its shortest head."""
    return _write_head(_BYTES, len(value)) + value


def write_text_or_null(value: str | None) -> bytes:
    """A text as UTF-8 with its shortest head, or `null`. `ValueError` for half a surrogate pair."""
    if value is None:
        return bytes((_NULL,))
    raw = value.encode()
    return _write_head(_TEXT, len(raw)) + raw


def write_boolean(value: bool) -> bytes:
    """`true` or `false`."""
    return bytes((_TRUE if value else _FALSE,))


def _write_head(major: int, value: int) -> bytes:
    if not 0 <= value <= UINT32_MAX:
        raise ValueError(f"{value} does not fit 32 bits without a sign")
    top = major << 5
    if value < 24:
        return bytes((top | value,))
    if value <= 0xFF:
        return bytes((top | 24, value))
    if value <= 0xFFFF:
        return bytes((top | 25,)) + value.to_bytes(2)
    return bytes((top | 26,)) + value.to_bytes(4)
