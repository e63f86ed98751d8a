"""Faults and warnings of a tariff folder: where each is, what is wrong, and how to mend it.

Collects all of them, so that finance mends a folder once. It reads nothing.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from fare.core.errors import OperatorError
from fare.core.tariff.loading.saying import say, told
from fare.core.tariff.naming import TariffLocale

MAX_KEPT: Final = 10_000
"""Faults that are kept and shown; those beyond are counted."""

_MAX_SHOWN_CHARACTERS: Final = 60


@dataclass(frozen=True, slots=True)
class TariffFault:
    """One thing to mend. `row` is the line in the file (the header is line 1), None for the file as a whole.

    `column` is the field of a text file or the dotted key of `mancard.toml`, empty for a whole row. `problem`
    says what is wrong and `mend` what to do, both without a full stop.
    """

    file: str
    row: int | None
    column: str
    problem: str
    mend: str

    def __str__(self) -> str:
        """The fault as one line for a person, in English."""
        return str(self.line())

    def told(self, locale: TariffLocale) -> str:
        """The fault as one line for a person who reads this language."""
        return told(self.line(), locale)

    def line(self) -> str:
        """The fault as one line, in any language."""
        return say(
            "{file}{row}{column}: {problem}. Do: {mend}.",
            file=self.file,
            row="" if self.row is None else say(", row {row}", row=self.row),
            column=say(", column {column}", column=self.column) if self.column else "",
            problem=self.problem,
            mend=self.mend,
        )


class TariffFaults(OperatorError):
    """A tariff was refused; `faults` is all there is to mend."""

    def __init__(self, faults: Sequence[TariffFault]) -> None:
        self.faults = tuple(faults)
        super().__init__("\n  ".join([self._what(), *map(str, self.faults)]))

    def told(self, locale: TariffLocale) -> str:
        """The message for a person who reads this language."""
        return "\n  ".join([told(self._what(), locale), *(fault.told(locale) for fault in self.faults)])

    def _what(self) -> str:
        count = len(self.faults)
        return (
            say("The tariff has 1 fault.")
            if count == 1
            else say("The tariff has {count} faults.", count=count)
        )


@dataclass(slots=True)
class Findings:
    """What was found while a folder is read. `row` and `column` as in `TariffFault`."""

    faults: list[TariffFault] = field(default_factory=list[TariffFault])
    warnings: list[TariffFault] = field(default_factory=list[TariffFault])
    uncounted_faults: int = 0
    uncounted_warnings: int = 0

    def fault(self, file: str, row: int | None, column: str, problem: str, mend: str) -> None:
        """Note something that keeps the tariff from being used."""
        if len(self.faults) < MAX_KEPT:
            self.faults.append(TariffFault(file, row, column, problem, mend))
        else:
            self.uncounted_faults += 1

    def warn(self, file: str, row: int | None, column: str, problem: str, mend: str) -> None:
        """Note something that is probably not meant."""
        if len(self.warnings) < MAX_KEPT:
            self.warnings.append(TariffFault(file, row, column, problem, mend))
        else:
            self.uncounted_warnings += 1

    def all_faults(self) -> tuple[TariffFault, ...]:
        """The faults by file and row, and a line for those that were only counted."""
        more = say("there are more faults than the {most:,} that are listed", most=MAX_KEPT)
        return _sorted(self.faults, self.uncounted_faults, more)

    def all_warnings(self) -> tuple[TariffFault, ...]:
        """The warnings by file and row, and a line for those that were only counted."""
        more = say("there are more warnings than the {most:,} that are listed", most=MAX_KEPT)
        return _sorted(self.warnings, self.uncounted_warnings, more)


def shown(value: object) -> str:
    """A value as a fault quotes it: short, on one line, whatever it is."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int) and abs(value) > 10**30:
        return say("a very large number")
    if isinstance(value, (list, dict)):
        return say("a list") if isinstance(value, list) else say("a table")
    text = str(value)
    if len(text) > _MAX_SHOWN_CHARACTERS:
        text = text[:_MAX_SHOWN_CHARACTERS] + "…"
    return repr(text) if isinstance(value, str) else text


def _sorted(found: list[TariffFault], uncounted: int, more: str) -> tuple[TariffFault, ...]:
    ordered = sorted(found, key=lambda each: (each.file, each.row or 0))
    if uncounted:
        mend = say("mend those above and check again")
        ordered.append(TariffFault(say("the folder"), None, "", more, mend))
    return tuple(ordered)
