"""Frozen dataclasses as plain maps, and a strict reader of such maps: text, integers, lists and maps alone.

Fields that have their default are left out; sets are sorted lists, maps keep their keys, words are text. The
dataclasses themselves are the schema. It knows no meaning of any field, and reads no file.
"""

from __future__ import annotations

import types
from collections.abc import Callable, Mapping
from dataclasses import MISSING, Field, fields, is_dataclass
from enum import IntEnum, StrEnum
from functools import cache
from typing import Any, TypeVar, Union, cast, get_args, get_origin, get_type_hints

from fare.core.errors import MalformedDocument

_Reader = Callable[[Any, str], Any]
_Value = TypeVar("_Value")


def as_map(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that differ from their defaults, ready for canonical CBOR or JSON."""
    return cast("dict[str, Any]", _written(value))


def from_map(kind: type[_Value], found: Any, name: str) -> _Value:
    """The dataclass that `as_map` wrote. Raises MalformedDocument, which names the field below `name`."""
    return cast("_Value", _reader_of(kind)(found, name))


def _written(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return {
            each.name: _written(getattr(value, each.name))
            for each in fields(value)
            if getattr(value, each.name) != _default(each)
        }
    if isinstance(value, StrEnum):
        return value.value
    if isinstance(value, IntEnum):
        return int(value)
    if isinstance(value, frozenset):
        return sorted(cast("frozenset[Any]", value))
    if isinstance(value, tuple):
        return [_written(each) for each in cast("tuple[Any, ...]", value)]
    if isinstance(value, Mapping):
        return {key: _written(each) for key, each in cast("Mapping[Any, Any]", value).items()}
    return value


def _default(each: Field[Any]) -> Any:
    if each.default_factory is not MISSING:
        return each.default_factory()
    return each.default


@cache
def _reader_of(kind: Any) -> _Reader:
    origin, inner = get_origin(kind), get_args(kind)
    if origin in (Union, types.UnionType):
        [real] = [each for each in inner if each is not type(None)]
        return _optional(_reader_of(real))
    if origin is tuple:
        if len(inner) == 2 and inner[1] is Ellipsis:
            return _listed(_reader_of(inner[0]), tuple)
        return _listed(_reader_of(inner[0]), tuple)
    if origin is frozenset:
        return _listed(_reader_of(inner[0]), frozenset)
    if origin is Mapping:
        return _mapped(_reader_of(inner[0]), _reader_of(inner[1]))
    if isinstance(kind, type) and is_dataclass(kind):
        return _dataclass_reader(kind)
    if isinstance(kind, type) and issubclass(kind, StrEnum | IntEnum):
        return _word(kind)
    return _plain(cast("type[Any]", kind))


def _plain(kind: type) -> _Reader:
    def read(value: Any, name: str) -> Any:
        if type(value) is not kind:
            raise MalformedDocument(f"{name}: {kind.__name__} expected")
        return value

    return read


def _word(kind: type[StrEnum | IntEnum]) -> _Reader:
    plain = str if issubclass(kind, StrEnum) else int

    def read(value: Any, name: str) -> Any:
        if type(value) is not plain:
            raise MalformedDocument(f"{name}: {plain.__name__} expected")
        try:
            return kind(value)
        except ValueError as unknown:
            raise MalformedDocument(f"{name}: {value!r} is not known") from unknown

    return read


def _optional(inner: _Reader) -> _Reader:
    return lambda value, name: None if value is None else inner(value, name)


def _listed(inner: _Reader, make: Callable[[list[Any]], Any]) -> _Reader:
    def read(value: Any, name: str) -> Any:
        if not isinstance(value, list):
            raise MalformedDocument(f"{name}: a list expected")
        return make([inner(each, name) for each in cast("list[Any]", value)])

    return read


def _mapped(key: _Reader, inner: _Reader) -> _Reader:
    def read(value: Any, name: str) -> Any:
        if not isinstance(value, dict):
            raise MalformedDocument(f"{name}: a map expected")
        found = cast("dict[Any, Any]", value)
        return {key(each, name): inner(one, name) for each, one in found.items()}

    return read


def _dataclass_reader(kind: Any) -> _Reader:
    needed = {
        each.name for each in fields(kind) if each.default is MISSING and each.default_factory is MISSING
    }
    readers: dict[str, _Reader] = {}

    def read(value: Any, name: str) -> Any:
        if not readers:  # at the first map only: a dataclass may hold itself
            hints = get_type_hints(kind)
            readers.update({each.name: _reader_of(hints[each.name]) for each in fields(kind)})
        if not isinstance(value, dict):
            raise MalformedDocument(f"{name}: a map expected")
        found = cast("dict[Any, Any]", value)
        if not found.keys() <= readers.keys() or not needed <= found.keys():
            odd = sorted(map(str, (found.keys() - readers.keys()) | (needed - found.keys())))
            raise MalformedDocument(f"{name}: unknown or missing: {', '.join(odd)}")
        return kind(**{each: readers[each](one, f"{name}: {each}") for each, one in found.items()})

    return read
