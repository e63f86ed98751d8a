"""Trying a tariff before anybody approved it: a rider with a few taps from a form, or a file of cases.

`/tariffs/try?tariff=draft:ID` and `POST /tariffs/cases`. Nothing is stored.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, time
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, UploadFile
from starlette.requests import Request
from starlette.responses import Response

from fare.core.calendar import BadCalendarText, parse_day
from fare.core.money import normalise_digits
from fare.core.tariff.context import TapKind
from fare.core.tariff.model import FareMedium, Tariff
from fare.database.engine import read
from fare.staff import Right, SignedIn
from fare.tariffs.cases import Case, CaseFileRefused, CaseTap, read_cases
from fare.tariffs.quoting import Quote, quote_case
from fare.web.console import Console, Reader
from fare.web.security import from_own_page
from fare.web.tariffs_shown import address_of, category_names, chosen_tariff, language, money, name_of

MOST_ROWS: Final = 6
MOST_CASES_SHOWN: Final = 200
MOST_CHOICES: Final = 500


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the form as it was filled in."""

    time: str = ""
    kind: str = "on"
    route: str = ""
    area: str = ""
    vehicle: str = ""
    metres: str = ""


class _Misread(ValueError):
    """A field that cannot be read; the text is the key of a sentence."""


def try_page(console: Console, request: Request, who: SignedIn) -> Response:
    """The form, and the answer where it was filled in."""
    name = request.query_params.get("tariff", "")
    with read(console.engine) as session:
        tariff = chosen_tariff(session, name)
    if tariff is None:
        return console.refuse(request, who, 404, "refusal.no_tariff")
    asked = request.query_params
    problem, answered = None, None
    if "day" in asked:
        try:
            case = _case(console, asked)
        except _Misread as misread:
            problem = str(misread)
        else:
            reader = console.reader(request)
            answered = quote_case(tariff, case, language(reader), reader.figures.unit), case
    return _page(console, request, who, tariff, name, _Outcome(problem=problem, answered=answered))


def cases_routes(console: Console, see: Right) -> APIRouter:
    """`POST /tariffs/cases`: a file of cases, priced."""
    router = APIRouter(include_in_schema=False)

    @router.post("/tariffs/cases")
    def cases(
        request: Request,
        tariff: Annotated[str, Form(max_length=60)] = "",
        csrf: Annotated[str, Form(max_length=200)] = "",
        file: UploadFile | None = None,
    ) -> Response:
        who = console.visitor(request)
        if who is None:
            return console.to_sign_in(request)
        if not who.may(see):
            return console.refuse(request, who, 403, "refusal.role")
        if not (from_own_page(request) and who.csrf_matches(csrf)):
            return console.refuse(request, who, 403, "refusal.stale_form")
        with read(console.engine) as session:
            found = chosen_tariff(session, tariff)
        if found is None:
            return console.refuse(request, who, 404, "refusal.no_tariff")
        reader = console.reader(request)
        try:
            read_ones = read_cases(b"" if file is None else file.file.read())
        except CaseFileRefused as refused:
            refusal = _Outcome(status=422, file_problem=refused.told(language(reader)))
            return _page(console, request, who, found, tariff, refusal)
        quotes = tuple(
            quote_case(found, case, language(reader), reader.figures.unit)
            for case in read_ones[:MOST_CASES_SHOWN]
        )
        left_out = max(0, len(read_ones) - MOST_CASES_SHOWN)
        return _page(console, request, who, found, tariff, _Outcome(quotes=quotes, left_out=left_out))

    return router


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What the page says beside its forms. `problem` is the key of a sentence, `file_problem` a sentence."""

    status: int = 200
    problem: str | None = None
    file_problem: str | None = None
    answered: tuple[Quote, Case] | None = None
    quotes: tuple[Quote, ...] | None = None
    left_out: int = 0


def _page(
    console: Console, request: Request, who: SignedIn, tariff: Tariff, name: str, outcome: _Outcome
) -> Response:
    reader, asked = console.reader(request), request.query_params
    quotes = outcome.quotes
    return console.page(
        request,
        "tariff_try.html",
        who,
        outcome.status,
        title_key="tariff.try.title",
        tariff=tariff,
        name=name,
        back=address_of(name),
        problem=outcome.problem,
        file_problem=outcome.file_problem,
        asked={
            "day": asked.get("day") or reader.figures.short_day(console.today()),
            "category": asked.get("category", ""),
            "medium": asked.get("medium", FareMedium.CARD.value),
            "balance": asked.get("balance", ""),
        },
        rows=_rows(asked),
        categories=category_names(tariff),
        media=_media(tariff),
        routes=_named(tariff, "route", tariff.lines.values() or tariff.routes),
        areas=_named(tariff, "area", tariff.area_ids),
        taps_off=tariff.tap_off is not None,
        by_distance=bool(tariff.distance_fares),
        answer=None if outcome.answered is None else _answer(tariff, reader, *outcome.answered),
        quotes=None if quotes is None else [_quoted(tariff, reader, quote) for quote in quotes],
        left_out=outcome.left_out,
    )


def _rows(asked: Mapping[str, str]) -> list[Row]:
    rows = [
        Row(
            *(
                asked.get(f"{field}{number}", "")
                for field in ("time", "kind", "route", "area", "vehicle", "m")
            )
        )
        for number in range(1, MOST_ROWS + 1)
    ]
    if not any(row.time for row in rows):
        rows[0] = Row(time="08:00", kind="on")
    return rows


def _case(console: Console, asked: Mapping[str, str]) -> Case:
    """The rider of the form. Raises _Misread with the key of the sentence to show."""
    try:
        day = parse_day(asked.get("day", ""))
    except BadCalendarText:
        raise _Misread("tariff.try.bad_day") from None
    taps = tuple(
        CaseTap(
            at=datetime.combine(day, _time(row.time), console.zone),
            kind=TapKind.OFF if row.kind == "off" else TapKind.ON,
            route_id=row.route or None,
            area_id=row.area or None,
            vehicle_id=row.vehicle.strip() or None,
            distance_m=_number(row.metres, "tariff.try.bad_metres"),
        )
        for row in _rows(asked)
        if row.time.strip()
    )
    return Case(
        case_id="1",
        taps=tuple(sorted(taps, key=lambda tap: tap.at)),
        rider_category=asked.get("category") or None,
        fare_media=asked.get("medium") or None,
        balance=_number(asked.get("balance", ""), "tariff.try.bad_balance"),
    )


def _time(text: str) -> time:
    try:
        at = time.fromisoformat(normalise_digits(text.strip()).rjust(5, "0"))
    except ValueError:
        raise _Misread("tariff.try.bad_time") from None
    if at.tzinfo is not None:
        raise _Misread("tariff.try.bad_time")
    return at


def _number(text: str, key: str) -> int | None:
    digits = normalise_digits(text).strip().replace(",", "").replace("٬", "")
    if not digits:
        return None
    if not (digits.removeprefix("-").isascii() and digits.removeprefix("-").isdigit() and len(digits) <= 12):
        raise _Misread(key)
    return int(digits)


def _media(tariff: Tariff) -> list[str]:
    """Our media that the tariff names, or card and phone for one that prices all alike."""
    return [medium.value for medium in FareMedium if medium.value in tariff.media] or ["card", "phone"]


def _named(tariff: Tariff, kind: str, which: Iterable[str]) -> list[tuple[str, str]]:
    found = sorted({(one, name_of(tariff, kind, one)) for one in which}, key=lambda each: each[1])
    return found[:MOST_CHOICES]


def _answer(tariff: Tariff, reader: Reader, quote: Quote, case: Case) -> dict[str, Any]:
    shown = _quoted(tariff, reader, quote)
    for line, tap in zip(shown["taps"], case.taps, strict=False):
        line["at"] = reader.figures.time(tap.at)
        line["kind"] = tap.kind.value
        line["route"] = "" if tap.route_id is None else name_of(tariff, "route", tap.route_id)
    return shown


def _quoted(tariff: Tariff, reader: Reader, quote: Quote) -> dict[str, Any]:
    return {
        "id": quote.case_id,
        "total": None if quote.total is None else money(tariff, reader, quote.total),
        "error": quote.error,
        "taps": [
            {
                "charge": None if tap.charge is None else money(tariff, reader, tap.charge),
                "adjustment": money(tariff, reader, tap.adjustment) if tap.adjustment else "",
                "why": tap.why,
                "boards": tap.boards,
            }
            for tap in quote.taps
        ],
    }
