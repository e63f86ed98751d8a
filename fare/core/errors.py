"""The errors that reach a person at a terminal, and what they say of a file. No traceback, no secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

_SHOWN_FAULTS: Final = 20


class OperatorError(Exception):
    """Something a person must put right: the message says what is wrong and what to do.

    Commands print the message alone and leave with exit status 2.
    """


class MalformedDocument(ValueError):
    """Bytes that are not a document of the stated format; the message names the field."""


@dataclass(frozen=True, slots=True)
class RowFault:
    """One thing to put right in a file. `line` counts its lines from 1; `column` is empty for a whole row."""

    line: int
    column: str
    problem: str

    def __str__(self) -> str:
        """The fault as a sentence."""
        where = f", column {self.column}" if self.column else ""
        return f"line {self.line}{where}: {self.problem}"


class FileFaults(OperatorError):
    """A file was refused as a whole and nothing of it was imported; `faults` is all that is to put right."""

    def __init__(self, faults: Sequence[RowFault]) -> None:
        self.faults = tuple(sorted(faults, key=lambda fault: fault.line))
        shown = [str(fault) for fault in self.faults[:_SHOWN_FAULTS]]
        if len(self.faults) > _SHOWN_FAULTS:
            shown.append(f"and {len(self.faults) - _SHOWN_FAULTS} more")
        what = "1 fault" if len(self.faults) == 1 else f"{len(self.faults)} faults"
        super().__init__("\n  ".join([f"Nothing was imported: the file has {what}.", *shown]))
