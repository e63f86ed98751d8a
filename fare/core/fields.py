"""The typed parts of a decoded document, read strictly: an integer is an integer and nothing that equals one.

To Python `True` and `1.0` equal 1, also as keys of a map, so a comparison alone would let one document wear
several encodings. It decodes no bytes and knows no document; every function raises MalformedDocument that
names what is off.
"""

from __future__ import annotations

from typing import Final, cast

from fare.core.errors import MalformedDocument

UINT16_MAX: Final = 0xFFFF
UINT32_MAX: Final = 0xFFFF_FFFF
UINT64_MAX: Final = (1 << 64) - 1
_MAX_WORD_CHARS: Final = 64


def uint(value: object, name: str, limit: int = UINT64_MAX) -> int:
    """An integer in 0..limit."""
    if type(value) is not int or not 0 <= value <= limit:
        raise MalformedDocument(f"{name} is not an integer in 0..{limit}")
    return value


def byte_string(value: object, size: int | None, name: str) -> bytes:
    """A byte string, of exactly `size` bytes where given."""
    if not isinstance(value, bytes) or (size is not None and len(value) != size):
        raise MalformedDocument(f"{name} is not a byte string" + (f" of {size}" if size else ""))
    return value


def text(value: object, name: str) -> str:
    """A text of any length."""
    if not isinstance(value, str):
        raise MalformedDocument(f"{name} is not a text")
    return value


def truth(value: object, name: str) -> bool:
    """True or false, and no number that equals one."""
    if not isinstance(value, bool):
        raise MalformedDocument(f"{name} is neither true nor false")
    return value


def array(value: object, size: int | None, name: str) -> list[object]:
    """An array, of exactly `size` items where given."""
    if not isinstance(value, list) or (size is not None and len(cast("list[object]", value)) != size):
        raise MalformedDocument(f"{name} is not an array" + (f" of {size}" if size else ""))
    return cast("list[object]", value)


def mapping(value: object, name: str) -> dict[object, object]:
    """A map, its keys unread."""
    if not isinstance(value, dict):
        raise MalformedDocument(f"{name} is not a map")
    return cast("dict[object, object]", value)


def numbered(value: object, name: str) -> dict[int, object]:
    """A map whose keys are integers from 0 up."""
    found = mapping(value, name)
    return {uint(key, f"{name}: key"): item for key, item in found.items()}


class NumberedFields:
    """The fields of one document by their numbers: 0 is its format, and no number is there unknown."""

    __slots__ = ("_map", "_name")

    def __init__(
        self, value: object, name: str, format_: int, required: range, optional: range = range(0)
    ) -> None:
        """`required` and `optional` are the numbers of this format's fields."""
        self._map = mapping(value, name)
        self._name = name
        keys = set(self._map)
        if {*map(type, keys)} != {int} or not set(required) <= keys or not keys <= {*required, *optional}:
            raise MalformedDocument(f"{name}: missing or unknown field")
        if self.uint(0) != format_:
            raise MalformedDocument(f"{name}: format {self._map[0]} is not known here")

    def get(self, key: int) -> object:
        """A required field, unread."""
        return self._map[key]

    def optional(self, key: int) -> object:
        """A field, unread; None where it is absent."""
        return self._map.get(key)

    def uint(self, key: int, limit: int = UINT64_MAX) -> int:
        """See `uint`."""
        return uint(self._map[key], self._named(key), limit)

    def byte_string(self, key: int, size: int) -> bytes:
        """See `byte_string`."""
        return byte_string(self._map[key], size, self._named(key))

    def word(self, key: int) -> str:
        """A text of at most 64 characters."""
        value = text(self._map[key], self._named(key))
        if len(value) > _MAX_WORD_CHARS:
            raise MalformedDocument(f"{self._named(key)} is a text of at most {_MAX_WORD_CHARS} characters")
        return value

    def array(self, key: int, size: int | None = None) -> list[object]:
        """See `array`."""
        return array(self._map[key], size, self._named(key))

    def _named(self, key: int) -> str:
        return f"{self._name}: field {key}"
