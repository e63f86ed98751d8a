"""A card's memory as a JSON document and back. Bytes are hexadecimal, versions and limits are numbers.

The document is the whole non-volatile memory and nothing else; reading one that does not fit is
:class:`BadDocument`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import cast

from hardware.emulator.files import Access, CyclicFile, DataFile, File, TransactionMacFile, ValueFile
from hardware.emulator.kinds import ChipKind
from hardware.emulator.session import CommMode
from hardware.emulator.state import AID_BYTES, KEY_BYTES, Application, CardKey, CardState, KeySet

Json = dict[str, object]


class BadDocument(ValueError):
    """The document lacks a field or holds the wrong kind of value; the message names it."""


class Fields:
    """Typed access to one JSON object; every miss names the field."""

    def __init__(self, value: object, where: str) -> None:
        if not isinstance(value, dict):
            raise BadDocument(f"{where} is not an object")
        self._values = cast(Json, value)
        self._where = where

    def _get(self, name: str) -> object:
        if name not in self._values:
            raise BadDocument(f"{self._where} has no {name!r}")
        return self._values[name]

    def _wrong(self, name: str, kind: str) -> BadDocument:
        return BadDocument(f"{name!r} in {self._where} is not {kind}")

    def number(self, name: str) -> int:
        value = self._get(name)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self._wrong(name, "a whole number")
        return value

    def flag(self, name: str) -> bool:
        value = self._get(name)
        if not isinstance(value, bool):
            raise self._wrong(name, "true or false")
        return value

    def text(self, name: str) -> str:
        value = self._get(name)
        if not isinstance(value, str):
            raise self._wrong(name, "a text")
        return value

    def raw(self, name: str, size: int | None = None) -> bytes:
        text = self.text(name)
        try:
            value = bytes.fromhex(text)
        except ValueError:
            raise self._wrong(name, "hexadecimal") from None
        if size is not None and len(value) != size:
            raise self._wrong(name, f"{size} bytes long")
        return value

    def object(self, name: str) -> Fields:
        return Fields(self._get(name), f"{name!r}")

    def mapping(self, name: str) -> Mapping[str, object]:
        value = self._get(name)
        if not isinstance(value, dict):
            raise self._wrong(name, "an object")
        return cast(Json, value)

    def items(self, name: str) -> list[object]:
        value = self._get(name)
        if not isinstance(value, list):
            raise self._wrong(name, "a list")
        return cast(list[object], value)

    def has(self, name: str) -> bool:
        return self._values.get(name) is not None


def card_document(state: CardState) -> Json:
    """The document of :func:`read_card`; an EV3 is not named, nor a default key that is the maker's."""
    document: Json = {
        "uid": state.uid.hex(),
        "picc_key": _key_document(state.picc_key),
        "picc_settings": state.picc_settings,
        "format_disabled": state.format_disabled,
        "applications": {aid.hex(): _application_document(app) for aid, app in state.applications.items()},
    }
    if state.default_key != CardKey():
        document["default_key"] = _key_document(state.default_key)
    return document if state.kind is ChipKind.EV3 else document | {"kind": state.kind.value}


def read_card(fields: Fields) -> CardState:
    """A card's memory out of its document; :class:`BadDocument` when it does not fit."""
    applications = {
        aid: _read_application(aid, Fields(document, f"application {aid.hex()}"))
        for aid, document in (
            (_hex(name, AID_BYTES), value) for name, value in fields.mapping("applications").items()
        )
    }
    try:
        kind = ChipKind(fields.text("kind")) if fields.has("kind") else ChipKind.EV3
    except ValueError as error:
        raise BadDocument(f"its kind of chip is unknown: {error}") from None
    return CardState(
        fields.raw("uid", kind.uid_bytes),
        _read_key(fields.object("picc_key")),
        fields.number("picc_settings"),
        fields.flag("format_disabled"),
        applications,
        kind,
        _read_key(fields.object("default_key")) if fields.has("default_key") else CardKey(),
    )


def _hex(name: str, size: int) -> bytes:
    try:
        value = bytes.fromhex(name)
    except ValueError:
        value = b""
    if len(value) != size:
        raise BadDocument(f"{name!r} is not a name of {size} bytes in hexadecimal")
    return value


def _key_document(key: CardKey) -> Json:
    document: Json = {"value": key.value.hex(), "version": key.version}
    return document | {"des": True} if key.des else document


def _read_key(fields: Fields) -> CardKey:
    des = fields.flag("des") if fields.has("des") else False
    return CardKey(fields.raw("value", KEY_BYTES), fields.number("version"), des)


def _application_document(application: Application) -> Json:
    return {
        "key_settings": application.key_settings,
        "roll_key": application.roll_key,
        "key_sets": [
            {
                "version": key_set.version,
                "initialized": key_set.initialized,
                "finalized": key_set.finalized,
                "keys": [_key_document(key) for key in key_set.keys],
            }
            for key_set in application.key_sets
        ],
        "files": {f"{number:02x}": _file_document(file) for number, file in application.files.items()},
    }


def _read_application(aid: bytes, fields: Fields) -> Application:
    sets = tuple(_read_key_set(Fields(value, "a key set")) for value in fields.items("key_sets"))
    if not sets:
        raise BadDocument(f"application {aid.hex()} has no key set")
    files: dict[int, File] = {}
    for name, value in fields.mapping("files").items():
        (number,) = _hex(name, 1)
        files[number] = _read_file(Fields(value, f"file {name}"))
    roll_key = fields.number("roll_key") if fields.has("roll_key") else None
    return Application(aid, fields.number("key_settings"), sets, roll_key, files)


def _read_key_set(fields: Fields) -> KeySet:
    keys = tuple(_read_key(Fields(value, "a key")) for value in fields.items("keys"))
    return KeySet(keys, fields.number("version"), fields.flag("initialized"), fields.flag("finalized"))


def _file_document(file: File) -> Json:
    common: Json = {"comm": int(file.comm), "access": file.access.bits}
    match file:
        case DataFile():
            return {"type": "backup" if file.backup else "standard", **common, "data": file.data.hex()}
        case ValueFile():
            limits: Json = {"lower": file.lower, "upper": file.upper, "value": file.value}
            return {
                "type": "value",
                **common,
                **limits,
                "options": file.options,
                "limited_credit": file.limited_credit,
            }
        case CyclicFile():
            records = [record.hex() for record in file.records]
            sizes: Json = {"record_bytes": file.record_bytes, "max_records": file.max_records}
            return {"type": "cyclic", **common, **sizes, "records": records}
        case TransactionMacFile():
            return {
                "type": "transaction_mac",
                **common,
                "key": file.key.hex(),
                "key_version": file.key_version,
                "tmc": file.tmc,
                "tmv": file.tmv.hex(),
                "reader_id": file.reader_id.hex(),
            }


def _read_file(fields: Fields) -> File:
    try:
        comm = CommMode(fields.number("comm"))
    except ValueError:
        raise BadDocument("a file has an unknown communication mode") from None
    access = Access(fields.number("access"))
    match fields.text("type"):
        case "backup" | "standard" as kind:
            return DataFile(comm, access, kind == "backup", fields.raw("data"))
        case "value":
            limits = (fields.number("lower"), fields.number("upper"), fields.number("value"))
            return ValueFile(comm, access, *limits, fields.number("options"), fields.number("limited_credit"))
        case "cyclic":
            record_bytes = fields.number("record_bytes")
            records = tuple(_record(item, record_bytes) for item in fields.items("records"))
            return CyclicFile(comm, access, record_bytes, fields.number("max_records"), records)
        case "transaction_mac":
            key = (fields.raw("key", KEY_BYTES), fields.number("key_version"))
            last = (fields.number("tmc"), fields.raw("tmv", 8), fields.raw("reader_id", 16))
            return TransactionMacFile(comm, access, *key, *last)
        case unknown:
            raise BadDocument(f"{unknown!r} is not a file type")


def _record(item: object, size: int) -> bytes:
    try:
        record = bytes.fromhex(item if isinstance(item, str) else "?")
    except ValueError:
        raise BadDocument("a record is not hexadecimal") from None
    if len(record) != size:
        raise BadDocument(f"a record is not {size} bytes long")
    return record
