"""The text files of a tariff folder as rows of stripped cells, each with its line. Streams; keeps no file.

Reads what GTFS allows (UTF-8 with or without a byte order mark, quotes, CRLF, blank lines, columns in any
order) and turns everything else into faults. It knows no file's meaning.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Final, Protocol

from fare.core.tariff.loading.findings import Findings, shown
from fare.core.tariff.loading.saying import say

MAX_FIELD_CHARACTERS: Final = 64_000
MAX_ROWS: Final = 250_000
"""Lines of one file: more is no tariff of one city."""
MAX_ALL_ROWS: Final = 1_000_000
"""Lines of all files that are read, together."""

_NO_CELLS: Final[list[str]] = []
_SAVE_AS_CSV: Final = say("save the file again as comma-separated text (CSV) in UTF-8")


@dataclass(slots=True)
class Row:
    """One record: `line` in the file, the cells by column, and where to tell what is wrong with them."""

    file: str
    line: int
    cells: Sequence[str]
    index: Mapping[str, int]
    findings: Findings

    def get(self, column: str) -> str:
        """The cell, empty where the column or the cell is missing."""
        place = self.index.get(column)
        return "" if place is None or place >= len(self.cells) else self.cells[place]

    def required(self, column: str) -> str:
        """The cell; a fault where it is empty."""
        value = self.get(column)
        if not value:
            self.fault(
                column,
                say("this field is empty, but every row needs it"),
                say("fill in the {column}", column=column),
            )
        return value

    def fault(self, column: str, problem: str, mend: str) -> None:
        """Note a fault of this row."""
        self.findings.fault(self.file, self.line, column, problem, mend)

    def warn(self, column: str, problem: str, mend: str) -> None:
        """Note a warning about this row."""
        self.findings.warn(self.file, self.line, column, problem, mend)


class Tables:
    """The files that were given, by name, and the faults found in them."""

    def __init__(self, files: Mapping[str, bytes], findings: Findings) -> None:
        self._files = files
        self.findings = findings
        self.broken: set[str] = set()
        """Files that could not be read to their end: what they do not list may still be in them."""
        self._lines_left = MAX_ALL_ROWS

    def has(self, file: str) -> bool:
        """Whether the file is there."""
        return file in self._files

    def names(self) -> list[str]:
        """The files that are there."""
        return list(self._files)

    def content(self, file: str) -> bytes | None:
        """The bytes of a file, None without it."""
        return self._files.get(file)

    def columns(self, file: str) -> frozenset[str]:
        """The names in the first line; none where the file is missing or unreadable."""
        content = self._files.get(file)
        if content is None:
            return frozenset()
        try:
            return frozenset(_header(next(csv.reader(_text(content)), _NO_CELLS)))
        except (csv.Error, UnicodeDecodeError):
            return frozenset()

    def rows(self, file: str, required: Sequence[str], optional: Sequence[str] = ()) -> Iterator[Row]:
        """The records of a file that may be missing. Stops at a fault after which nothing can be trusted."""
        content = self._files.get(file)
        if content is None:
            return
        lines = content.count(b"\n")
        if lines > MAX_ROWS or lines > self._lines_left:
            problem = (
                say("there are more than {most:,} lines", most=MAX_ROWS)
                if lines > MAX_ROWS
                else say("the files together have more than {most:,} lines", most=MAX_ALL_ROWS)
            )
            self.broken.add(file)
            self.findings.fault(file, None, "", problem, say("leave out what the tariff does not need"))
            return
        self._lines_left -= lines
        reader = csv.reader(_text(content), strict=True)
        try:
            yield from self._records(file, reader, required, optional)
        except csv.Error as fault:
            self.broken.add(file)
            problem = say("this is not well-formed CSV ({detail})", detail=str(fault))
            if "field larger" in str(fault):
                problem = say("a field is longer than {most:,} characters", most=MAX_FIELD_CHARACTERS)
            self.findings.fault(
                file, reader.line_num or 1, "", problem, say("check the quotes around this row's values")
            )
        except UnicodeDecodeError:
            self.broken.add(file)
            self.findings.fault(
                file, _line_of_bad_text(content), "", say("the text is not UTF-8"), _SAVE_AS_CSV
            )

    def _records(
        self, file: str, reader: _Reader, required: Sequence[str], optional: Sequence[str]
    ) -> Iterator[Row]:
        header = _header(next(reader, _NO_CELLS))
        if not self._good_header(file, header, required, optional):
            self.broken.add(file)
            return
        index = {name: place for place, name in enumerate(header) if name}
        width, findings = len(header), self.findings
        line = reader.line_num
        for cells in reader:
            first, line = line + 1, reader.line_num
            if findings.uncounted_faults:
                self.broken.add(file)
                return  # more faults than anybody mends at once: no need to look for others
            stripped = [cell.strip() for cell in cells]
            if not any(stripped):
                continue
            row = Row(file, first, stripped, index, findings)
            if len(stripped) > width:
                if any(stripped[width:]):
                    row.fault(
                        "",
                        say(
                            "the row has {cells} fields under {columns} columns",
                            cells=len(cells),
                            columns=width,
                        ),
                        say("put quotes around a value that holds a comma"),
                    )
                    continue
                del stripped[width:]
            if max(map(len, stripped)) > MAX_FIELD_CHARACTERS:
                row.fault(
                    "",
                    say("a field is longer than {most:,} characters", most=MAX_FIELD_CHARACTERS),
                    say("shorten it"),
                )
                continue
            if any("\0" in cell for cell in stripped):
                row.fault("", say("the text holds a zero byte"), _SAVE_AS_CSV)
                return
            yield row

    def _good_header(
        self, file: str, header: Sequence[str], required: Sequence[str], optional: Sequence[str]
    ) -> bool:
        findings = self.findings
        if not any(header):
            findings.fault(
                file,
                None,
                "",
                say("the file is empty"),
                say("write the names of the columns into its first line"),
            )
            return False
        missing = [name for name in required if name not in header]
        if missing and len(header) == 1 and any(mark in header[0] for mark in ";\t"):
            findings.fault(file, 1, "", say("the columns are not separated by commas"), _SAVE_AS_CSV)
            return False
        for name in missing:
            findings.fault(
                file,
                1,
                name,
                say("the column is missing"),
                say("add {name} to the first line and fill it in", name=name),
            )
        for name in sorted({name for name in header if name and header.count(name) > 1}):
            findings.fault(file, 1, name, say("the column is there twice"), say("keep one of them"))
        if optional:
            self._odd_columns(file, header, [*required, *optional])
        return not missing

    def _odd_columns(self, file: str, header: Sequence[str], known: Sequence[str]) -> None:
        absent = [name for name in known if name not in header]
        for name in header:
            near = [] if name in known or not name else get_close_matches(name, absent, 1, 0.85)
            if near:
                self.findings.warn(
                    file,
                    1,
                    shown(name)[1:-1],
                    say("nobody reads this column"),
                    say("write {name} if that is meant", name=near[0]),
                )


class _Reader(Protocol):
    """What csv.reader() returns, which has no public name."""

    @property
    def line_num(self) -> int: ...
    def __iter__(self) -> Iterator[list[str]]: ...
    def __next__(self) -> list[str]: ...


def _text(content: bytes) -> io.TextIOWrapper:
    return io.TextIOWrapper(io.BytesIO(content), encoding="utf-8-sig", newline="")


def _header(cells: Sequence[str]) -> list[str]:
    return [cell.strip() for cell in cells]


def _line_of_bad_text(content: bytes) -> int:
    try:
        content.decode("utf-8-sig")
    except UnicodeDecodeError as fault:
        return content.count(b"\n", 0, fault.start) + 1
    return 1
