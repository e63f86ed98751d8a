"""Cases: riders with their taps, as finance and outsiders write them to try a tariff.

Reads the JSON that docs/tariff.md describes, exactly: an unknown key, a time without its offset or a number
that is not whole is a fault that names its place, such as `cases[3].taps[0].rout_id`. A fault in one case
leaves the others alone. It prices nothing; whether the tariff knows an id is for `fare.tariffs.case_taps`.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any, Final, cast

from fare.core.errors import OperatorError
from fare.core.tariff.context import TapKind
from fare.core.tariff.loading.saying import say, told
from fare.core.tariff.naming import TariffLocale
from fare.tariffs.case_fields import FieldReader, nearest, shown

MOST_BYTES: Final = 32 * 1024 * 1024
MOST_TAPS: Final = 200_000
MOST_OBJECTS: Final = 1_000_000
"""Objects and lists together: of empty ones a small file could hold more than memory does."""
MOST_TAPS_A_CASE: Final = 20_000
MOST_AMOUNT: Final = 10**15
MOST_PERSONS: Final = 1_000
MOST_METRES: Final = 10_000_000

CASE_KEYS: Final = (
    "id",
    "rider_category",
    "fare_media",
    "passes",
    "balance",
    "until",
    "refund",
    "taps",
)
PASS_KEYS: Final = ("product", "valid_from", "valid_until", "rides_left")
TAP_KEYS: Final = (
    "at",
    "kind",
    "route_id",
    "stop_id",
    "area_id",
    "vehicle_id",
    "trip_id",
    "distance_m",
    "pax",
    "balance",
    "validator_status",
)
_IN_SERVICE: Final = "in_service"
_OUT_OF_SERVICE: Final = "out_of_service"


class CaseFileRefused(OperatorError):
    """The file as a whole is not cases; the message says why and what to do."""

    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)

    def told(self, locale: TariffLocale) -> str:
        """The message for a person who reads this language."""
        return told(self.problem, locale)


@dataclass(frozen=True, slots=True)
class CasePass:
    """A pass the rider holds. A `date` is its whole service day; None: the tariff says, or it is open."""

    product: str
    valid_from: date | datetime | None = None
    valid_until: date | datetime | None = None
    rides_left: int | None = None


@dataclass(frozen=True, slots=True)
class CaseTap:
    """One tap of a case. `at` is aware; ids are the tariff's, None is not known; distances in metres.

    `balance`: what the purse held just before it, in minor units, where somebody loaded it meanwhile.
    """

    at: datetime
    kind: TapKind = TapKind.ON
    route_id: str | None = None
    stop_id: str | None = None
    area_id: str | None = None
    vehicle_id: str | None = None
    trip_id: str | None = None
    distance_m: int | None = None
    pax: int = 1
    in_service: bool = True
    balance: int | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """One rider and the taps of one medium, in any order. `balance` in minor units of the tariff's currency.

    `until`: when journeys that are still open close. `refund`: what comes back for the card is asked as well.
    `faults`: sentences; with any, the case cannot be priced. `place` is where it stood, such as `cases[3]`.
    """

    case_id: str
    taps: tuple[CaseTap, ...]
    rider_category: str | None = None
    fare_media: str | None = None
    passes: tuple[CasePass, ...] = ()
    balance: int | None = None
    until: datetime | None = None
    refund: bool = False
    faults: tuple[str, ...] = ()
    place: str = "case"


def open_cases(path: Path) -> tuple[Case, ...]:
    """The cases of a file. Raises CaseFileRefused for one that cannot be read or holds no cases at all."""
    try:
        if not path.is_file():
            raise CaseFileRefused(
                say("{path} is no file. Do: name the JSON file with the cases.", path=str(path))
                if path.exists()
                else say(
                    "There is no file {path}. Do: check the name of the file with the cases.", path=str(path)
                )
            )
        with path.open("rb") as opened:
            raw = opened.read(MOST_BYTES + 1)
    except OSError as fault:
        raise CaseFileRefused(
            say(
                "{path} cannot be read ({detail}). Do: check its rights.",
                path=str(path),
                detail=fault.strerror or "",
            )
        ) from None
    try:
        return read_cases(raw)
    except CaseFileRefused as refused:
        raise CaseFileRefused(say("{path}: {problem}", path=str(path), problem=refused.problem)) from None


def read_cases(raw: bytes) -> tuple[Case, ...]:
    """The cases of `{"cases": […]}`. Raises CaseFileRefused; a fault within a case goes to its `faults`."""
    if len(raw) > MOST_BYTES:
        raise CaseFileRefused(
            say(
                "it has more than {mib} MiB. Do: split it into several files.", mib=MOST_BYTES // 1024 // 1024
            )
        )
    if raw.count(b"{") + raw.count(b"[") > MOST_OBJECTS:
        raise CaseFileRefused(
            say(
                "it has more than {most:,} objects and lists. Do: split it into several files.",
                most=MOST_OBJECTS,
            )
        )
    document = _parsed(raw)
    if not isinstance(document, dict):
        raise CaseFileRefused(say('it is no JSON object. Do: write {"cases": [ … ]}.'))
    keys = cast("dict[str, Any]", document)
    for key in keys:
        if key != "cases":
            raise CaseFileRefused(
                say("{value}: there is no such key.{mend}", value=shown(key), mend=nearest(key, ("cases",)))
            )
    listed = keys.get("cases")
    if not isinstance(listed, list):
        raise CaseFileRefused(say('cases: a list is needed here. Do: write {"cases": [ … ]}.'))
    seen: dict[str, str] = {}
    cases: list[Case] = []
    taps = 0
    for index, entry in enumerate(cast("list[Any]", listed)):
        case = _read_case(entry, f"cases[{index}]", seen)
        taps += len(case.taps)
        if taps > MOST_TAPS:
            raise CaseFileRefused(
                say("it has more than {most} taps. Do: split it into several files.", most=MOST_TAPS)
            )
        cases.append(case)
    return tuple(cases)


class _Twice(ValueError):
    def __init__(self, problem: str) -> None:
        self.problem = problem
        super().__init__(problem)


def _parsed(raw: bytes) -> Any:
    def once(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        found = dict(pairs)
        if len(found) != len(pairs):
            keys = [key for key, _ in pairs]
            twice = next(key for key in keys if keys.count(key) > 1)
            raise _Twice(
                say("the key {value} stands twice in one object. Do: keep one of them.", value=shown(twice))
            )
        return found

    def no_number(text: str) -> Any:
        raise _Twice(say("{text} is no number in JSON. Do: write a whole number.", text=text))

    try:
        return json.loads(raw.decode("utf-8-sig"), object_pairs_hook=once, parse_constant=no_number)
    except UnicodeDecodeError as fault:
        raise CaseFileRefused(
            say("byte {place} is not UTF-8. Do: save the file as UTF-8.", place=fault.start + 1)
        ) from None
    except json.JSONDecodeError as fault:
        raise CaseFileRefused(
            say(
                "it is no JSON at line {line}, column {column} ({detail}). Do: mend it there.",
                line=fault.lineno,
                column=fault.colno,
                detail=fault.msg,
            )
        ) from None
    except _Twice as fault:
        raise CaseFileRefused(fault.problem) from None
    except RecursionError:
        raise CaseFileRefused(
            say("it is nested too deeply. Do: write cases as docs/tariff.md says.")
        ) from None
    except ValueError:
        raise CaseFileRefused(say("a number in it has too many digits. Do: write a shorter one.")) from None


def _read_case(entry: object, place: str, seen: dict[str, str]) -> Case:
    reader = FieldReader()
    found = reader.keys(entry, place, CASE_KEYS)
    case_id = found.get("id")
    if isinstance(case_id, int) and not isinstance(case_id, bool) and abs(case_id) <= MOST_AMOUNT:
        found["id"] = str(case_id)
    case_id = reader.text(found, "id", place)
    if case_id is None:
        if "id" not in found:
            reader.fault(f"{place}.id", say('it is missing. Do: give the case a name, as "id": "student-1".'))
        case_id = place
    elif case_id in seen:
        reader.fault(
            f"{place}.id",
            say(
                '"{case_id}" is the id of {other} too. Do: write another.',
                case_id=case_id,
                other=seen[case_id],
            ),
        )
    seen.setdefault(case_id, place)
    if "taps" not in found and isinstance(entry, dict):
        reader.fault(f"{place}.taps", say("it is missing. Do: list the taps, or write []."))
    until = reader.instant(found, "until", place)
    taps = reader.each(found, "taps", place, MOST_TAPS_A_CASE, lambda each, at: _read_tap(reader, each, at))
    if until is not None and any(tap.at > until for tap in taps):
        reader.fault(f"{place}.until", say("it is before the last tap. Do: write a time after all taps."))
    balance = reader.number(found, "balance", place, -MOST_AMOUNT, MOST_AMOUNT)
    refund = reader.flag(found, "refund", place)
    if refund and "balance" not in found:
        reader.fault(
            f"{place}.balance", say("a refund needs it. Do: write what the purse held before the taps.")
        )
    return Case(
        case_id=case_id,
        taps=taps,
        rider_category=reader.text(found, "rider_category", place),
        fare_media=reader.text(found, "fare_media", place),
        passes=reader.each(found, "passes", place, 100, lambda each, at: _read_pass(reader, each, at)),
        balance=balance,
        until=until,
        refund=refund,
        faults=reader.faults,
        place=place,
    )


def _read_pass(reader: FieldReader, entry: object, place: str) -> CasePass | None:
    found = reader.keys(entry, place, PASS_KEYS)
    product = reader.text(found, "product", place)
    if product is None:
        if "product" not in found:
            reader.fault(f"{place}.product", say("it is missing. Do: name the pass as the tariff does."))
        return None
    valid_from = reader.day_or_instant(found, "valid_from", place)
    valid_until = reader.day_or_instant(found, "valid_until", place)
    if valid_from is not None and valid_until is not None and _before(valid_until, valid_from):
        reader.fault(f"{place}.valid_until", say("it is before valid_from. Do: mend one of them."))
    return CasePass(product, valid_from, valid_until, reader.number(found, "rides_left", place, 0, 1_000_000))


def _before(earlier: date | datetime, later: date | datetime) -> bool:
    if isinstance(earlier, datetime) and isinstance(later, datetime):
        return earlier < later
    # A day and an instant are a day apart at most, whatever the zone: only what is surely wrong is told.
    return _day_of(earlier) + timedelta(days=1) < _day_of(later) or (
        type(earlier) is date and type(later) is date and earlier < later
    )


def _day_of(value: date | datetime) -> date:
    return value.date() if isinstance(value, datetime) else value


def _read_tap(reader: FieldReader, entry: object, place: str) -> CaseTap | None:
    found = reader.keys(entry, place, TAP_KEYS)
    at = reader.instant(found, "at", place)
    if at is None and "at" not in found and isinstance(entry, dict):
        reader.fault(
            f"{place}.at", say("it is missing. Do: write when the tap was, as 2026-11-22T08:00:00+03:30.")
        )
    kind = reader.one_of(found, "kind", place, (TapKind.ON, TapKind.OFF), TapKind.ON)
    status = reader.one_of(found, "validator_status", place, (_IN_SERVICE, _OUT_OF_SERVICE), _IN_SERVICE)
    pax = reader.number(found, "pax", place, 1, MOST_PERSONS)
    known_tap = partial(
        CaseTap,
        kind=TapKind(kind),
        route_id=reader.text(found, "route_id", place),
        stop_id=reader.text(found, "stop_id", place),
        area_id=reader.text(found, "area_id", place),
        vehicle_id=reader.text(found, "vehicle_id", place),
        trip_id=reader.text(found, "trip_id", place),
        distance_m=reader.number(found, "distance_m", place, 0, MOST_METRES),
        pax=1 if pax is None else pax,
        in_service=status == _IN_SERVICE,
        balance=reader.number(found, "balance", place, -MOST_AMOUNT, MOST_AMOUNT),
    )
    return None if at is None else known_tap(at=at)
