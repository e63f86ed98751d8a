"""Reads a PSP's report or a bank's statement by a profile, into typed rows, with every fault at once.

Digits may be Persian or Arabic, amounts grouped, dates Jalali or Gregorian as the profile says. It never
touches a database and never guesses: what cannot be read is a fault with its line and column.
"""

from __future__ import annotations

import csv
import hashlib
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Final

from fare.core.calendar import BadCalendarText, Calendar, parse_jalali
from fare.core.errors import FileFaults, OperatorError, RowFault
from fare.core.money import RIAL_PER_TOMAN, Unit, normalise_digits
from fare.reconciliation.profiles import Profile

MAX_FILE_BYTES: Final = 64 << 20
MAX_RIAL: Final = 10**15
_MAX_TEXT: Final = 200
_NO_CELLS: Final[list[str]] = []
# Blanks, and the invisible marks that right-to-left text leaves around a number.
_FILLER: Final = re.compile(r"[\s\u200b-\u200f\u202a-\u202e\u2066-\u2069]+")
# Groups are of three digits or there are none: `1,5` is a slip or a decimal comma, never fifteen.
_AMOUNT: Final = re.compile(
    r"([+\-−]?)([0-9]{1,3}(?:[,٬'][0-9]{3})+|[0-9]{1,16})(?:[.٫]([0-9]{1,2}))?([\-−]?)"
)
_GROUPING: Final = re.compile(r"[,٬']")
_GREGORIAN: Final = re.compile(r"([0-9]{4})[-/]([0-9]{1,2})[-/]([0-9]{1,2})")


class OutsideFileFaults(FileFaults):
    """The PSP's or the bank's file was refused."""


@dataclass(frozen=True, slots=True)
class PspRow:
    """One payment as the PSP reports it."""

    line_no: int
    psp_reference: str
    terminal: str
    amount_rial: int
    paid_day: date
    deposit_reference: str


@dataclass(frozen=True, slots=True)
class BankRow:
    """One booking as the bank states it: money in is positive."""

    line_no: int
    booked_day: date
    amount_rial: int
    reference: str
    text: str


@dataclass(frozen=True, slots=True)
class OutsideFile:
    """A file's bytes; `content_id` (SHA-256, hex) is its name: the same bytes are the same file."""

    raw: bytes
    label: str

    @property
    def content_id(self) -> str:
        """SHA-256 of the bytes, in hex."""
        return hashlib.sha256(self.raw).hexdigest()


class _Refused(Exception):
    """A cell that cannot be read; the message is the fault's sentence."""


def open_file(source: Path | str) -> OutsideFile:
    """A file by its path, or its text itself. Raises OperatorError when it cannot be read."""
    if isinstance(source, str):
        return OutsideFile(source.encode(), "the file")
    try:
        if source.stat().st_size > MAX_FILE_BYTES:
            raise OperatorError(f"{source} is larger than {MAX_FILE_BYTES >> 20} MiB: split it by days.")
        return OutsideFile(source.read_bytes(), str(source))
    except OSError as fault:
        raise OperatorError(
            f"{source} cannot be read ({fault.strerror}): check its name and its rights."
        ) from None


def psp_rows(file: OutsideFile, profile: Profile) -> list[PspRow]:
    """All payments of a report, in file order. Raises OutsideFileFaults, or OperatorError."""
    rows: list[PspRow] = []
    faults: list[RowFault] = []
    for cells in _rows(file, profile, faults):
        reference = cells.text("psp_reference", required=True)
        terminal = cells.text("terminal", required=True)
        amount = cells.amount("amount")
        if amount is not None and amount <= 0:
            cells.fault("amount", "a payment is more than 0: leave out what was not paid.")
        day = cells.day("paid_day")
        # A PSP that names no deposit settles a terminal's day in one.
        deposit = cells.text("deposit_reference") or f"{terminal}/{day}"
        if cells.is_whole and amount is not None and day is not None:
            rows.append(PspRow(cells.line, reference, terminal, amount, day, deposit))
    if faults:
        raise OutsideFileFaults(faults)
    return rows


def bank_rows(file: OutsideFile, profile: Profile) -> list[BankRow]:
    """All bookings of a statement, in file order. Raises OutsideFileFaults, or OperatorError."""
    rows: list[BankRow] = []
    faults: list[RowFault] = []
    for cells in _rows(file, profile, faults):
        day = cells.day("booked_day")
        if "amount" in profile.columns:
            amount = cells.amount("amount")
        else:
            amount = (cells.amount("amount_in", empty=0) or 0) - (cells.amount("amount_out", empty=0) or 0)
        reference, text = cells.text("reference"), cells.text("text")
        if cells.is_whole and amount is not None and day is not None:
            rows.append(BankRow(cells.line, day, amount, reference, text))
    if faults:
        raise OutsideFileFaults(faults)
    return rows


@dataclass(slots=True)
class _Cells:
    """One row's cells under our names; what cannot be read becomes a fault of the row."""

    line: int
    values: Mapping[str, str]
    profile: Profile
    faults: list[RowFault]
    is_whole: bool = True

    def fault(self, name: str, problem: str) -> None:
        self.faults.append(RowFault(self.line, self.profile.columns[name], problem))
        self.is_whole = False

    def text(self, name: str, *, required: bool = False) -> str:
        value = self.values.get(name, "")
        if required and not value:
            self.fault(name, "is empty, and must not be.")
        if len(value) > _MAX_TEXT:
            self.fault(name, f"has more than {_MAX_TEXT} characters.")
        return normalise_digits(value)

    def amount(self, name: str, *, empty: int | None = None) -> int | None:
        value = self.values.get(name, "")
        if not value and empty is not None:
            return empty
        try:
            return read_amount(value, self.profile.unit)
        except _Refused as refused:
            self.fault(name, str(refused))
            return None

    def day(self, name: str) -> date | None:
        try:
            return read_day(self.values.get(name, ""), self.profile.calendar)
        except _Refused as refused:
            self.fault(name, str(refused))
            return None


def read_amount(text: str, unit: Unit) -> int:
    """`1,250,000`, `۱۲۵۰۰۰۰`, `-500`, `500-`; in toman also `150.5`. Rial, signed."""
    match = _AMOUNT.fullmatch(_FILLER.sub("", normalise_digits(text)))
    if match is None or (match[1] and match[4]):
        raise _Refused(f"'{text}' is not an amount: write digits only, such as 1250000.")
    per_unit = RIAL_PER_TOMAN if unit == "toman" else 1
    hundredths = int((match[3] or "").ljust(2, "0")) * per_unit
    if hundredths % 100:
        raise _Refused(f"'{text}' has a part of a rial: the profile's unit may be the wrong one.")
    rial = int(_GROUPING.sub("", match[2])) * per_unit + hundredths // 100
    if rial > MAX_RIAL:
        raise _Refused(f"'{text}' is more than {MAX_RIAL} rial: check the column.")
    return -rial if (match[1] or match[4]) not in {"", "+"} else rial


def read_day(text: str, calendar: Calendar) -> date:
    """A date of the profile's calendar, with `-` or `/`."""
    digits = _FILLER.sub("", normalise_digits(text))
    try:
        if calendar is Calendar.JALALI:
            return parse_jalali(digits)
        match = _GREGORIAN.fullmatch(digits)
        if match is not None:
            return date(int(match[1]), int(match[2]), int(match[3]))
    except (BadCalendarText, ValueError):
        pass
    example = "1405/09/01" if calendar is Calendar.JALALI else "2026-11-22"
    raise _Refused(f"'{text}' is not a {calendar} date: write it as {example}.")


def _rows(file: OutsideFile, profile: Profile, faults: list[RowFault]) -> Iterator[_Cells]:
    reader = csv.reader(
        io.StringIO(_decoded(file, profile), newline=""), delimiter=profile.delimiter, strict=True
    )
    try:
        header = [name.strip() for name in next(reader, _NO_CELLS)]
        places = _places(file, profile, header)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                problem = (
                    f"has {len(cells)} cells and the header {len(header)}: check the delimiter and quotes."
                )
                faults.append(RowFault(reader.line_num, "", problem))
                continue
            values = {name: cells[place].strip() for name, place in places.items()}
            yield _Cells(reader.line_num, values, profile, faults)
    except csv.Error as fault:
        raise OutsideFileFaults(
            [RowFault(reader.line_num, "", f"not well-formed CSV ({fault}); check quotes.")]
        ) from None


def _places(file: OutsideFile, profile: Profile, header: Sequence[str]) -> dict[str, int]:
    missing = [heading for heading in profile.columns.values() if heading not in header]
    if missing:
        raise OperatorError(
            f"{file.label} has no column '{missing[0]}', which the profile {profile.name} asks for; it has: "
            f"{', '.join(header) or 'nothing'}. Choose the profile of this file, or write one."
        )
    return {name: header.index(heading) for name, heading in profile.columns.items()}


def _decoded(file: OutsideFile, profile: Profile) -> str:
    try:
        return file.raw.decode(profile.encoding).removeprefix("\ufeff")
    except UnicodeDecodeError:
        raise OperatorError(
            f"{file.label} is not {profile.encoding} text: set 'encoding' in the profile to the file's own."
        ) from None
