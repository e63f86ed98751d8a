"""The service day: `/finance/day` and `/finance/day/YYYY-MM-DD`, and the fragment that keeps the page fresh.

It shows what `fare.reconciliation.day_report` computed and computes nothing but sums of what it shows. An
owner's account sees its own row and its own devices, and no figure of anybody else.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from typing import Any, Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fare import reconciliation
from fare.core.calendar import BadCalendarText, parse_day
from fare.database.engine import read
from fare.reconciliation.report import DayReport, OwnerDay, StreamState
from fare.staff import Right, SignedIn
from fare.web.console import Console
from fare.web.security import protect

SHOWN_EXCEPTIONS: Final = 100
"""Of one proof on the page; the queue holds them all."""
_ONE_DAY: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True)
class DayView:
    """What one person may see of a day. Not `whole_city` for an owner: only `owners` and `streams` count.

    `unassigned` are the rides on buses without an owner, in `total` too; no owner's account sees them.
    `to_check` holds the keys of what keeps the day from being in order, empty when it is.
    """

    report: DayReport
    whole_city: bool
    owners: tuple[OwnerDay, ...]
    unassigned: OwnerDay | None
    total: OwnerDay
    streams: tuple[StreamState, ...]
    refusals: tuple[tuple[str, int], ...]
    to_check: tuple[str, ...]


def routes(console: Console) -> APIRouter:
    """The page of a day and its fragment."""
    router = APIRouter(include_in_schema=False)

    @router.get("/finance/day")
    def running_day(request: Request) -> Response:
        chosen = console.preferences(request)
        if chosen is not None:
            return chosen
        typed = request.query_params.get("date")
        if typed is None:
            return _page(console, request, console.today())
        day = typed_day(typed)
        if day is None:
            return console.refuse(request, console.visitor(request), 400, "refusal.no_date")
        return protect(RedirectResponse(f"/finance/day/{day.isoformat()}", 303))

    @router.get("/finance/day/{text}")
    def one_day(request: Request, text: str) -> Response:
        chosen = console.preferences(request)
        if chosen is not None:
            return chosen
        day = typed_day(text)
        if day is None:
            return console.refuse(request, console.visitor(request), 404, "refusal.no_date")
        return _page(console, request, day)

    @router.get("/finance/day/{text}/figures")
    def figures(request: Request, text: str) -> Response:
        who, day = console.visitor(request, counts_as_use=False), typed_day(text)
        if who is None or day is None or not _may_see(who):
            return protect(Response(status_code=401 if who is None else 404))
        return console.page(request, "day_figures.html", who, **_figures(console, who, day))

    return router


def typed_day(text: str) -> date | None:
    """A day as `fare.core.calendar.parse_day` reads it; None for what is none."""
    try:
        return parse_day(text)
    except BadCalendarText:
        return None


def view_of(report: DayReport, owner_id: str | None) -> DayView:
    """The day as one owner sees it, or as the whole city's for None."""
    owners = tuple(row for row in report.owners if owner_id is None or row.owner_id == owner_id)
    streams = tuple(stream for stream in report.streams if owner_id is None or stream.owner_id == owner_id)
    refusals = sorted(report.refusals.items(), key=lambda item: (-item[1], item[0]))
    unassigned = _unassigned(report) if owner_id is None else None
    return DayView(
        report=report,
        whole_city=owner_id is None,
        owners=owners,
        unassigned=unassigned,
        total=_total(owners if unassigned is None else (*owners, unassigned)),
        streams=streams,
        refusals=tuple(refusals),
        to_check=_to_check(report),
    )


def _unassigned(report: DayReport) -> OwnerDay | None:
    if not report.unassigned_rides:
        return None
    fares_rial = report.unassigned_rial
    return OwnerDay("", "", report.unassigned_rides, fares_rial, 0, fares_rial, 0)


def _total(owners: tuple[OwnerDay, ...]) -> OwnerDay:
    return OwnerDay(
        owner_id="",
        name="",
        rides=sum(row.rides for row in owners),
        gross_rial=sum(row.gross_rial for row in owners),
        commission_rial=sum(row.commission_rial for row in owners),
        suspense_rial=sum(row.suspense_rial for row in owners),
        net_rial=sum(row.net_rial for row in owners),
        late_rides=sum(row.late_rides for row in owners),
        late_rial=sum(row.late_rial for row in owners),
    )


def _to_check(report: DayReport) -> tuple[str, ...]:
    found = {
        "check.trial_balance": report.trial_balance_rial != 0,
        "check.damaged": bool(report.damaged_entries),
        # Before the seal, clearing holds what the day's rides wait to be taken from the media.
        "check.clearing": report.sealed_at is not None and report.clearing_rial != 0,
        "check.exceptions": any(proof.exceptions for proof in report.proofs.values()),
    }
    return tuple(key for key, wrong in found.items() if wrong)


def _may_see(who: SignedIn) -> bool:
    return who.may(Right.READ_DAY) or (who.may(Right.READ_OWN_DAY) and who.member.owner_id is not None)


def _figures(console: Console, who: SignedIn, day: date) -> dict[str, Any]:
    """What the fragment needs, on its own or inside the page."""
    with read(console.engine) as session:
        report = reconciliation.day_report(session, day, console.clock(), console.zone)
    view = view_of(report, None if who.may(Right.READ_DAY) else who.member.owner_id)
    return {"day": day, "view": view, "shown_exceptions": SHOWN_EXCEPTIONS}


def _page(console: Console, request: Request, day: date) -> Response:
    who = console.visitor(request)
    if who is None:
        return console.to_sign_in(request)
    if not _may_see(who):
        return console.refuse(request, who, 403, "refusal.role")
    today = console.today()
    return console.page(
        request,
        "day.html",
        who,
        title_key="day.title",
        is_today=day == today,
        before=day - _ONE_DAY,
        after=day + _ONE_DAY if day < today else None,
        **_figures(console, who, day),
    )
