"""Reads the fleet's CSV file into typed rows, with every fault at once. It never touches a database.

One row says: from `starts_at` on, this device is in this vehicle on this route, and the vehicle belongs to
this owner under this contract.

| column | meaning |
|---|---|
| device | number of the validator |
| vehicle, plate | the bus: its id in the fleet (letters, digits, `. _ -`), and what people read on it |
| route_id | the GTFS route it runs on |
| owner, owner_name, owner_kind, iban | who is paid: id, name, `private` or `municipal`, Iranian IBAN |
| contract, owner_share_percent | contract id; the owner's part of each fare: 0 to 100, at most two decimals |
| starts_at | a date, Gregorian `2026-11-22` or Jalali `1405/09/01`, or a time `2026-11-22T13:30` |
| ends_at (optional column) | the same forms; empty: until the device's next row |
| contract_name (optional column) | name of the contract |

UTF-8, comma separated, first line with these names in any order. Digits may be Persian. A time is local to
the city unless it carries an offset; a date alone means the start of that service day.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import Path
from typing import Final, TypeVar
from zoneinfo import ZoneInfo

from fare.core.calendar import BadCalendarText, parse_jalali, service_day_bounds
from fare.core.errors import FileFaults, OperatorError, RowFault
from fare.core.identifiers import InvalidIdentifier, parse_device_id, parse_iban
from fare.core.money import normalise_digits

MAX_FILE_BYTES: Final = 64 << 20
REQUIRED: Final = (
    "device", "vehicle", "plate", "route_id", "owner", "owner_name", "owner_kind", "iban",
    "contract", "owner_share_percent", "starts_at",
)  # fmt: skip
OPTIONAL: Final = ("ends_at", "contract_name")
OWNER_KINDS: Final = ("private", "municipal")
_NO_CELLS: Final[list[str]] = []
_MAX_TEXT: Final = 120
_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,40}")
_PERCENT: Final = re.compile(r"([0-9]{1,3})(?:[.٫]([0-9]{1,2}))?")
_DATE: Final = re.compile(r"[0-9]{4}-[0-9]{1,2}-[0-9]{1,2}")
_JALALI_DATE: Final = re.compile(r"1[234][0-9]{2}[/-][0-9]{1,2}[/-][0-9]{1,2}")


class FleetFileFaults(FileFaults):
    """The file of assignments was refused."""


@dataclass(frozen=True, slots=True)
class FleetRow:
    """One well-formed row. `line_no` is its place in the file; `owner_share_bps` is in basis points."""

    line_no: int
    device_id: int
    vehicle_id: str
    plate: str
    route_id: str
    owner_id: str
    owner_name: str
    owner_kind: str
    iban: str
    contract_id: str
    contract_name: str
    owner_share_bps: int
    starts_at: datetime
    ends_at: datetime | None


class _Refused(Exception):
    """A cell that cannot be read; the message is the fault's sentence."""


def read_file(path: Path, zone: ZoneInfo, day_starts_at: time) -> list[FleetRow]:
    """All rows in file order. Raises `FleetFileFaults`, or `OperatorError` for another kind of file."""
    reader = csv.reader(io.StringIO(_text(path), newline=""), strict=True)
    rows: list[FleetRow] = []
    faults: list[RowFault] = []
    try:
        header = [name.strip().lower() for name in next(reader, _NO_CELLS)]
        _check_header(path, header)
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(header):
                faults.append(RowFault(reader.line_num, "", _width_problem(len(cells), len(header))))
                continue
            values = {name: cell.strip() for name, cell in zip(header, cells, strict=True)}
            row = _read_row(reader.line_num, values, zone, day_starts_at, faults)
            if row is not None:
                rows.append(row)
    except csv.Error as fault:
        raise FleetFileFaults(
            [RowFault(reader.line_num, "", f"not well-formed CSV ({fault}); check quotes.")]
        ) from None
    if faults:
        raise FleetFileFaults(faults)
    if not rows:
        raise OperatorError(f"{path} holds no assignment: it needs at least one row under its header.")
    return rows


def _read_row(
    line: int, values: Mapping[str, str], zone: ZoneInfo, day_starts_at: time, faults: list[RowFault]
) -> FleetRow | None:
    """The row, or None with its faults added."""
    cells = _Cells(line, values, [])

    def instant(text: str) -> datetime:
        return _parse_instant(text, zone, day_starts_at)

    epoch = datetime.min.replace(tzinfo=zone)
    row = FleetRow(
        line_no=line,
        device_id=cells.read("device", parse_device_id, 0),
        vehicle_id=cells.read("vehicle", _parse_name, ""),
        plate=cells.read("plate", _parse_text, ""),
        route_id=cells.read("route_id", _parse_text, ""),
        owner_id=cells.read("owner", _parse_name, ""),
        owner_name=cells.read("owner_name", _parse_text, ""),
        owner_kind=cells.read("owner_kind", _parse_kind, ""),
        iban=cells.read("iban", parse_iban, ""),
        contract_id=cells.read("contract", _parse_name, ""),
        contract_name=values.get("contract_name", "") or values["contract"],
        owner_share_bps=cells.read("owner_share_percent", _parse_percent, 0),
        starts_at=cells.read("starts_at", instant, epoch),
        ends_at=cells.read("ends_at", instant, epoch) if values.get("ends_at") else None,
    )
    if not cells.faults and row.ends_at is not None and row.ends_at <= row.starts_at:
        cells.faults.append(RowFault(line, "ends_at", "is not after starts_at: correct one of the two."))
    faults.extend(cells.faults)
    return None if cells.faults else row


_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class _Cells:
    """One record's cells; a cell that cannot be read becomes a fault, so that all are told at once."""

    line: int
    values: Mapping[str, str]
    faults: list[RowFault]

    def read(self, column: str, parse: Callable[[str], _Value], otherwise: _Value) -> _Value:
        text = self.values[column]
        try:
            if not text:
                raise _Refused("is empty: every row needs it.")
            return parse(text)
        except (_Refused, InvalidIdentifier, BadCalendarText) as refused:
            self.faults.append(RowFault(self.line, column, str(refused)))
            return otherwise


def _parse_name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise _Refused(
            f"{text!r} is no id: use up to 40 Latin letters, digits, dots, hyphens and underscores."
        )
    return text


def _parse_text(text: str) -> str:
    if len(text) > _MAX_TEXT or not text.isprintable():
        raise _Refused(
            f"is longer than {_MAX_TEXT} characters or holds invisible ones: write a shorter text."
        )
    return text


def _parse_kind(text: str) -> str:
    if text.lower() not in OWNER_KINDS:
        raise _Refused(f"{text!r} is not known: write {' or '.join(OWNER_KINDS)}.")
    return text.lower()


def _parse_percent(text: str) -> int:
    match = _PERCENT.fullmatch(normalise_digits(text).removesuffix("%").removesuffix("٪").strip())
    bps = int(match[1]) * 100 + int((match[2] or "").ljust(2, "0")) if match else -1
    if not 0 <= bps <= 10_000:
        raise _Refused(f"{text!r} is no share: write 0 to 100 with at most two decimals, such as 92.5.")
    return bps


def _parse_instant(text: str, zone: ZoneInfo, day_starts_at: time) -> datetime:
    digits = normalise_digits(text)
    if _JALALI_DATE.fullmatch(digits):
        return service_day_bounds(parse_jalali(digits), zone, day_starts_at)[0]
    try:
        if _DATE.fullmatch(digits):
            year, month, day = (int(piece) for piece in digits.split("-"))
            return service_day_bounds(date(year, month, day), zone, day_starts_at)[0]
        at = datetime.fromisoformat(digits)
        return (at.replace(tzinfo=zone) if at.tzinfo is None else at).astimezone(UTC)
    except (ValueError, OverflowError):
        raise _Refused(
            f"{text!r} is no time: write a date such as 2026-11-22 or 1405/09/01, or 2026-11-22T13:30."
        ) from None


def _text(path: Path) -> str:
    try:
        if path.stat().st_size > MAX_FILE_BYTES:
            raise OperatorError(f"{path} is larger than {MAX_FILE_BYTES >> 20} MiB: split it by date.")
        return path.read_bytes().decode("utf-8-sig")
    except OSError as fault:
        raise OperatorError(
            f"{path} cannot be read ({fault.strerror}): give the path of a CSV file."
        ) from fault
    except UnicodeDecodeError as fault:
        raise OperatorError(
            f"{path} is not UTF-8 text: save it as 'CSV UTF-8' and import it again."
        ) from fault


def _check_header(path: Path, header: Sequence[str]) -> None:
    if len(header) == 1 and ";" in header[0]:
        raise OperatorError(f"{path} is separated by semicolons: save it as comma-separated CSV.")
    missing = [name for name in REQUIRED if name not in header]
    if missing:
        what = "column" if len(missing) == 1 else "columns"
        raise OperatorError(
            f"{path} has no {what} {', '.join(missing)}: add it to the first line; "
            "'mancard fleet columns' explains each column."
        )
    unknown = [name for name in header if name not in REQUIRED + OPTIONAL]
    if unknown or len(set(header)) != len(header):
        what = f"a column that is not known, {unknown[0]!r}" if unknown else "a column twice"
        raise OperatorError(f"{path} has {what}: take it out; 'mancard fleet columns' explains each column.")


def _width_problem(found: int, expected: int) -> str:
    return f"{found} fields under {expected} columns: put quotes around a value that holds a comma."
