"""One table of `mancard.toml`, read key by key: a value of the right kind or a fault, and no key unread.

Each method takes a key and returns its value, the default where the key is absent, and a harmless value where
it is faulty.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from difflib import get_close_matches
from enum import StrEnum
from typing import Any, TypeVar, cast

from fare.core.tariff.loading.findings import Findings, shown
from fare.core.tariff.loading.saying import any_of, each_of, say
from fare.core.tariff.loading.toml_text import FILE, Path, TomlText, dotted
from fare.core.tariff.loading.values import an_amount, decimal_amount, time_of_day

_Word = TypeVar("_Word", bound=StrEnum)
_MAX_TABLES = 1_000
_MAX_ODD_KEYS = 1_000


@dataclass(slots=True)
class Source:
    """What all tables of the file share. `exponent` is that of the tariff's currency."""

    text: TomlText
    findings: Findings
    exponent: int = 0


@dataclass(slots=True)
class Table:
    """A table and where it stands. `close()` tells of keys that nobody asked for."""

    source: Source
    path: Path
    values: Mapping[str, Any]
    asked: set[str] = field(default_factory=set[str])

    def fault(self, key: str, problem: str, mend: str) -> None:
        """Note a fault of a key, or of the table where the key is empty."""
        path = (*self.path, key) if key else self.path
        self.source.findings.fault(FILE, self.source.text.line(path), dotted(path), problem, mend)

    def has(self, key: str) -> bool:
        """Whether the key is there."""
        return key in self.values

    def raw(self, key: str) -> Any:
        """The value as it is, None where the key is absent."""
        self.asked.add(key)
        return self.values.get(key)

    def text(self, key: str, default: str = "") -> str:
        """A text that is not empty."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, str) and value.strip() and len(value) <= 500:
            return value.strip()
        self.fault(key, say("{value} is not a name", value=shown(value)), say("write a text in quotes"))
        return default

    def needed(self, key: str) -> str:
        """A text that must be there."""
        if key not in self.values:
            self.asked.add(key)
            self.fault(key, say("the key is missing"), say('add a line {key} = "…"', key=key))
            return ""
        return self.text(key)

    def flag(self, key: str, *, default: bool) -> bool:
        """True or false."""
        value = self.raw(key)
        if value is None or isinstance(value, bool):
            return default if value is None else value
        self.fault(
            key,
            say("{value} is neither true nor false", value=shown(value)),
            say("write true or false without quotes"),
        )
        return default

    def whole(self, key: str, least: int, most: int) -> int | None:
        """A whole number, None where the key is absent."""
        value = self.raw(key)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool) and least <= value <= most:
            return value
        self.fault(
            key,
            say(
                "{value} is not one of the whole numbers from {least} to {most:,}",
                value=shown(value),
                least=least,
                most=most,
            ),
            say("write such a number"),
        )
        return None

    def whole_or(self, key: str, default: int, least: int, most: int) -> int:
        """A whole number with a default."""
        value = self.whole(key, least, most)
        return default if value is None else value

    def amount(self, key: str, least: int = 0) -> int | None:
        """Minor units of an amount in major units, None where the key is absent."""
        value = self.raw(key)
        if value is None:
            return None
        amount: int | str = f"{shown(value)} is not an amount"
        if isinstance(value, (int, Decimal)) and not isinstance(value, bool):
            amount = decimal_amount(value, self.source.exponent)
        if isinstance(amount, int) and amount >= least:
            return amount
        problem = amount if isinstance(amount, str) else say("{value} is too little", value=shown(value))
        self.fault(
            key,
            problem,
            say("write a number without quotes, such as {example}", example=an_amount(self.source.exponent)),
        )
        return None

    def amount_or(self, key: str, default: int = 0) -> int:
        """An amount with a default."""
        value = self.amount(key)
        return default if value is None else value

    def word(self, key: str, words: type[_Word], default: _Word) -> _Word:
        """One of some words."""
        value = self.raw(key)
        if value is None:
            return default
        if isinstance(value, str) and value in set(words):
            return words(value)
        self.fault(
            key,
            say("{value} is not known here", value=shown(value)),
            say("write {words}", words=any_of([f'"{each}"' for each in words])),
        )
        return default

    def time(self, key: str, default: int) -> int:
        """Seconds after midnight of "HH:MM"."""
        value = self.raw(key)
        if value is None:
            return default
        seconds = time_of_day(value) if isinstance(value, str) else None
        if seconds is not None and seconds < 86_400:
            return seconds
        self.fault(
            key,
            say("{value} is not a time of day", value=shown(value)),
            say('write it in quotes, such as "03:00"'),
        )
        return default

    def texts(self, key: str, known: Collection[str] | None = None, where: str = "") -> tuple[str, ...]:
        """A list of ids, each in `known` (None: whatever they are)."""
        value = self.raw(key)
        if value is None:
            return ()
        if not isinstance(value, list) or not all(isinstance(each, str) for each in cast("list[Any]", value)):
            self.fault(
                key,
                say("{value} is not a list of ids", value=shown(cast("object", value))),
                say('write {key} = ["…", "…"]', key=key),
            )
            return ()
        found = tuple(cast("list[str]", value))
        for each in found:
            self.known_id(key, each, known, where)
        return found

    def known_id(self, key: str, value: str, known: Collection[str] | None, where: str) -> bool:
        """Whether an id is listed where it should be; a fault where it is not."""
        if known is None or value in known:
            return True
        near = get_close_matches(value[:60], list(known)[:1_000], 1)
        mend = (
            say("write {name} if that is meant, or add it there", name=repr(near[0]))
            if near
            else say("add it to {where} or correct it here", where=where)
        )
        self.fault(key, say("{value} is not in {where}", value=shown(value), where=where), mend)
        return False

    def table(self, key: str) -> Table:
        """A table inside; an empty one where the key is absent."""
        value = self.raw(key)
        if value is not None and not isinstance(value, dict):
            self.fault(
                key,
                say("this should be a table"),
                say("write it as a table [{table}]", table=dotted((*self.path, key))),
            )
            value = None
        return Table(self.source, (*self.path, key), cast("dict[str, Any]", value or {}))

    def tables(self, key: str) -> list[Table]:
        """A list of tables."""
        value = self.raw(key)
        if value is None:
            return []
        rows = cast("list[Any]", value) if isinstance(value, list) else []
        if (
            not isinstance(value, list)
            or not all(isinstance(each, dict) for each in rows)
            or len(rows) > _MAX_TABLES
        ):
            self.fault(
                key,
                say("this should be a list of at most {most:,} tables", most=_MAX_TABLES),
                say("begin each with a line [[{key}]]", key=key),
            )
            return []
        return [Table(self.source, (*self.path, key, place), each) for place, each in enumerate(rows)]

    def entries(self, key: str) -> dict[str, Table]:
        """The tables inside a table, by their names."""
        outer = self.table(key)
        return {name: outer.table(name) for name in outer.values}

    def close(self) -> None:
        """Tell of each key that nobody reads, with the nearest that somebody does."""
        for place, key in enumerate(each for each in self.values if each not in self.asked):
            if place >= _MAX_ODD_KEYS:
                self.fault(
                    "",
                    say("there are more than {most} keys that are not known here", most=_MAX_ODD_KEYS),
                    say("delete them"),
                )
                return
            near = get_close_matches(key[:60], sorted(self.asked - self.values.keys()), 1, 0.5)
            mend = say("write {name} if that is meant", name=near[0]) if near else say("delete it")
            if not near and self.asked:
                known = each_of(sorted(self.asked))
                mend = say("delete it; known here are {keys}", keys=known)
            self.fault(key, say("this key is not known here"), mend)
