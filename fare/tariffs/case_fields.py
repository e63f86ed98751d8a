"""Takes values out of the JSON of a case, one kind at a time, and says where and why one will not do.

It knows JSON, times and whole numbers, and nothing of cases or tariffs.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Mapping
from datetime import date, datetime
from difflib import get_close_matches
from typing import Any, Final, TypeVar, cast

from fare.core.tariff.loading.saying import any_of, each_of, say

MOST_TEXT: Final = 256
MOST_FAULTS_TOLD: Final = 20
_UNTELLABLE: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\ud800-\udfff]")
"""What no terminal and no UTF-8 file can show. Joiners stay: Persian is written with them."""
_MOST_NAMES: Final = 8
_YEARS: Final = range(1971, 2200)

Value = TypeVar("Value")


def nearest(name: str, known: Collection[str]) -> str:
    """What to write instead of a name nobody knows: ` Do: write "route_id".`, or the few that there are."""
    names = sorted(known)
    close = get_close_matches(name[:MOST_TEXT], names, n=1, cutoff=0.6)
    if close:
        return say(' Do: write "{name}" if that was meant.', name=close[0])
    if not names:
        return say(" Do: leave it out.")
    few = each_of([f'"{each}"' for each in names[:_MOST_NAMES]])
    more = say(" and {count} more", count=len(names) - _MOST_NAMES) if len(names) > _MOST_NAMES else ""
    return say(" Do: use one of {names}{more}.", names=few, more=more)


class FieldReader:
    """Takes the values of one case out of its JSON objects and collects what is wrong with them."""

    def __init__(self) -> None:
        self._faults: list[str] = []

    @property
    def faults(self) -> tuple[str, ...]:
        """All sentences; of very many the first, and how many more there are."""
        more = len(self._faults) - MOST_FAULTS_TOLD
        told = tuple(self._faults[:MOST_FAULTS_TOLD])
        return told if more <= 0 else (*told, say("… and {count} more. Do: mend these first.", count=more))

    def fault(self, place: str, problem: str) -> None:
        """One more sentence."""
        self._faults.append(say("{place}: {problem}", place=place, problem=problem))

    def keys(self, entry: object, place: str, known: tuple[str, ...]) -> dict[str, Any]:
        """The object's entries; null is the same as leaving the key out."""
        if not isinstance(entry, dict):
            self.fault(
                place, say("an object is needed here, not {kind}. Do: write { … }.", kind=kind_of(entry))
            )
            return {}
        found: dict[str, Any] = {}
        for key, value in cast("dict[str, Any]", entry).items():
            if key not in known:
                self.fault(
                    f"{place}.{shown(key)}", say("there is no such key.{mend}", mend=nearest(key, known))
                )
            elif value is not None:
                found[key] = value
        return found

    def text(self, entry: Mapping[str, Any], key: str, place: str) -> str | None:
        """A text with something in it."""
        value = entry.get(key)
        if value is None:
            return None
        if not isinstance(value, str):
            self.fault(
                f"{place}.{key}",
                say("a text is needed here, not {kind}. Do: put it in quotes.", kind=kind_of(value)),
            )
            return None
        if not 0 < len(value) <= MOST_TEXT:
            self.fault(
                f"{place}.{key}",
                say("a text of 1 to {most} characters is needed here. Do: mend it.", most=MOST_TEXT),
            )
            return None
        if _UNTELLABLE.search(value):
            self.fault(f"{place}.{key}", say("it holds a control character. Do: take it out."))
            return None
        return value

    def one_of(
        self, entry: Mapping[str, Any], key: str, place: str, known: tuple[str, ...], default: str
    ) -> str:
        """One of the words of `known`."""
        value = entry.get(key, default)
        if value not in known:
            words = any_of([f'"{each}"' for each in known])
            self.fault(
                f"{place}.{key}",
                say("{kind} is not known here. Do: write {words}.", kind=kind_of(value), words=words),
            )
            return default
        return cast("str", value)

    def number(self, entry: Mapping[str, Any], key: str, place: str, least: int, most: int) -> int | None:
        """A whole number within bounds, both included."""
        value = entry.get(key)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int):
            self.fault(
                f"{place}.{key}",
                say("a whole number is needed here, not {kind}. Do: mend it.", kind=kind_of(value)),
            )
            return None
        if not least <= value <= most:
            self.fault(
                f"{place}.{key}", say("it must be {least} to {most}. Do: mend it.", least=least, most=most)
            )
            return None
        return value

    def flag(self, entry: Mapping[str, Any], key: str, place: str) -> bool:
        """True or false; false where it is left out."""
        value = entry.get(key, False)
        if not isinstance(value, bool):
            self.fault(
                f"{place}.{key}",
                say("true or false is needed here, not {kind}. Do: mend it.", kind=kind_of(value)),
            )
            return False
        return value

    def instant(self, entry: Mapping[str, Any], key: str, place: str) -> datetime | None:
        """An instant with its offset."""
        found = self.text(entry, key, place)
        return None if found is None else self._instant(found, f"{place}.{key}")

    def day_or_instant(self, entry: Mapping[str, Any], key: str, place: str) -> date | datetime | None:
        """A date, or an instant with its offset."""
        found = self.text(entry, key, place)
        if found is None:
            return None
        if len(found) == len("2026-03-21"):
            try:
                day = date.fromisoformat(found)
            except ValueError:
                self.fault(
                    f"{place}.{key}", say('"{value}" is no date. Do: write it as 2026-03-21.', value=found)
                )
                return None
            return self._of_our_time(day, f"{place}.{key}")
        return self._instant(found, f"{place}.{key}")

    def _instant(self, found: str, place: str) -> datetime | None:
        try:
            at = datetime.fromisoformat(found)
        except ValueError:
            self.fault(
                place,
                say(
                    '"{value}" is no time. Do: write it in ISO 8601, as 2026-11-22T08:00:00+03:30.',
                    value=found[:40],
                ),
            )
            return None
        if at.tzinfo is None:
            self.fault(
                place,
                say(
                    '"{value}" has no UTC offset. Do: write the offset behind it, as {time}+03:30.',
                    value=found,
                    time=found[:19],
                ),
            )
            return None
        return self._of_our_time(at, place)

    def _of_our_time(self, value: Value, place: str) -> Value | None:
        if cast("date", value).year in _YEARS:
            return value
        self.fault(
            place,
            say("the year must be {first} to {last}. Do: mend it.", first=_YEARS.start, last=_YEARS.stop - 1),
        )
        return None

    def each(
        self,
        entry: Mapping[str, Any],
        key: str,
        place: str,
        most: int,
        read: Callable[[Any, str], Value | None],
    ) -> tuple[Value, ...]:
        """The entries of a list that could be read."""
        listed = entry.get(key, [])
        if not isinstance(listed, list):
            self.fault(
                f"{place}.{key}",
                say("a list is needed here, not {kind}. Do: write [ … ].", kind=kind_of(listed)),
            )
            return ()
        values = cast("list[Any]", listed)
        if len(values) > most:
            self.fault(
                f"{place}.{key}", say("there are more than {most} entries. Do: split the case.", most=most)
            )
            return ()
        read_entries = (read(value, f"{place}.{key}[{index}]") for index, value in enumerate(values))
        return tuple(value for value in read_entries if value is not None)


def kind_of(value: object) -> str:
    """What stands there, short enough for a sentence."""
    if isinstance(value, str):
        return shown(value)
    if isinstance(value, dict):
        return say("an object")
    if isinstance(value, list):
        return say("a list")
    return json.dumps(value)[:40]


def shown(text: str) -> str:
    """A key or text of the file, short, and in quotes where it is no plain word."""
    told = _UNTELLABLE.sub("\ufffd", text[:40])
    return told if told == text and text.isidentifier() else json.dumps(told, ensure_ascii=False)
