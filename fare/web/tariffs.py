"""The tariff pages: what is in force, what comes, drafts, and the way from a draft over two people to buses.

`/tariffs`, `/tariffs/versions/N`, `/tariffs/drafts/ID`, `/tariffs/requests/ID`. Finance asks and allows, an
auditor reads. What a tariff costs and whether it may be published is decided elsewhere (`fare.tariffs`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Annotated, Any, Final

from fastapi import APIRouter, Form, UploadFile
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fare.core.errors import OperatorError
from fare.core.tariff.model import Tariff
from fare.database.engine import read, write
from fare.distribution import (
    NoTariffInForce,
    check_publication,
    current_tariff,
    newest_version,
    tariff_history,
)
from fare.staff import FOUR_EYES, Action, Right, SignedIn
from fare.tariffs.drafts import (
    MAX_UPLOAD_BYTES,
    DraftView,
    TooManyDrafts,
    check_upload,
    discard_draft,
    draft,
    drafts,
    store_draft,
)
from fare.tariffs.effects import Effect, decode
from fare.tariffs.publishing import (
    PublicationRequest,
    approve_and_publish,
    fitted,
    next_version,
    publication_request,
    publication_requests,
    request_publication,
    with_network,
)
from fare.web.console import Console, Reader
from fare.web.security import from_own_page, protect
from fare.web.tariffs_comparing import MOST_DAYS, Comparisons, Progress
from fare.web.tariffs_shown import category_names, chosen_tariff, plot, refusal, signed, told, told_faults
from fare.web.tariffs_start import BadStart, read_start
from fare.web.tariffs_trials import cases_routes, try_page

SEE: Final = Right.READ_APPROVALS
ASK: Final = FOUR_EYES[Action.PUBLISH_TARIFF].to_request
ALLOW: Final = FOUR_EYES[Action.PUBLISH_TARIFF].to_approve
MOST_FAULTS_SHOWN: Final = 1_000
MOST_TOPICS_LISTED: Final = 2


def routes(console: Console) -> APIRouter:
    """All pages of tariffs."""
    router = APIRouter(include_in_schema=False)
    comparisons = Comparisons(console)
    _reading(router, console, comparisons)
    _drafting(router, console, comparisons)
    _publishing(router, console, comparisons)
    router.include_router(cases_routes(console, SEE))
    return router


def _reading(router: APIRouter, console: Console, comparisons: Comparisons) -> None:
    @router.get("/tariffs")
    def listed(request: Request) -> Response:
        return _seen(console, request) or _list(console, request, _who(console, request))

    @router.get("/tariffs/try")
    def trial(request: Request) -> Response:
        return _seen(console, request) or try_page(console, request, _who(console, request))

    @router.get("/tariffs/versions/{version}")
    def published(request: Request, version: str) -> Response:
        return _seen(console, request) or _version(console, request, _who(console, request), version)

    @router.get("/tariffs/requests/{approval_id}")
    def asked(request: Request, approval_id: str) -> Response:
        return _seen(console, request) or _request(console, request, _who(console, request), approval_id)

    @router.get("/tariffs/drafts/{draft_id}")
    def drafted(request: Request, draft_id: str) -> Response:
        return _seen(console, request) or _draft(
            console, request, _who(console, request), draft_id, comparisons
        )

    @router.get("/tariffs/drafts/{draft_id}/effect")
    def effect(request: Request, draft_id: str) -> Response:
        who = console.visitor(request, counts_as_use=False)
        if who is None or not who.may(SEE):
            return protect(Response(status_code=401))
        progress = comparisons.progress(draft_id)  # before the draft: what has ended since, the draft knows
        with read(console.engine) as session:
            found = draft(session, draft_id)
        if found is None:
            return protect(Response(status_code=404))
        return console.page(
            request, "tariff_effect.html", who, **_effect_values(console, request, found, progress)
        )


def _drafting(router: APIRouter, console: Console, comparisons: Comparisons) -> None:
    @router.post("/tariffs/drafts")
    def upload(
        request: Request, csrf: Annotated[str, Form(max_length=200)] = "", file: UploadFile | None = None
    ) -> Response:
        refused = _not_asking(console, request, csrf)
        if refused is not None:
            return refused
        who = _who(console, request)
        content = b"" if file is None else file.file.read(MAX_UPLOAD_BYTES + 1)
        if file is None or not content or len(content) > MAX_UPLOAD_BYTES:
            return _list(console, request, who, 422, "tariffs.refused.no_file")
        checked = check_upload(file.filename or "tariff.zip", content)
        try:
            with write(console.engine) as session:
                kept = store_draft(session, checked, who.member.staff_id, console.clock())
        except TooManyDrafts:
            return _list(console, request, who, 409, "tariffs.refused.too_many")
        return _to(f"/tariffs/drafts/{kept.draft_id}")

    @router.post("/tariffs/drafts/{draft_id}/discard")
    def discard(request: Request, draft_id: str, csrf: Annotated[str, Form(max_length=200)] = "") -> Response:
        refused = _not_asking(console, request, csrf)
        if refused is not None:
            return refused
        with write(console.engine) as session:
            discard_draft(session, draft_id)
        return _to("/tariffs")

    @router.post("/tariffs/drafts/{draft_id}/compare")
    def compare(
        request: Request,
        draft_id: str,
        days: Annotated[int, Form(ge=1, le=MOST_DAYS)] = 30,
        csrf: Annotated[str, Form(max_length=200)] = "",
    ) -> Response:
        refused = _not_asking(console, request, csrf)
        if refused is not None:
            return refused
        if not comparisons.start(draft_id, days):
            who = _who(console, request)
            return _draft(console, request, who, draft_id, comparisons, 409, "tariff.compare.busy")
        return _to(f"/tariffs/drafts/{draft_id}#effect")


def _publishing(router: APIRouter, console: Console, comparisons: Comparisons) -> None:
    @router.post("/tariffs/drafts/{draft_id}/request")
    def ask(
        request: Request,
        draft_id: str,
        day: Annotated[str, Form(max_length=20)] = "",
        time: Annotated[str, Form(max_length=10)] = "",
        accept: Annotated[str, Form(max_length=3)] = "",
        csrf: Annotated[str, Form(max_length=200)] = "",
    ) -> Response:
        refused = _not_asking(console, request, csrf)
        if refused is not None:
            return refused
        who, now = _who(console, request), console.clock()
        with read(console.engine) as session:
            found = draft(session, draft_id)
        if found is None or found.tariff is None:
            return console.refuse(request, who, 404, "refusal.no_tariff")

        def again(key: str, detail: str | None = None) -> Response:
            return _draft(console, request, who, draft_id, comparisons, 422, key, detail, (day, time))

        if found.warnings and accept != "yes":
            return again("tariff.refused.warnings")
        try:
            starts_at = read_start(day, time, console.zone)
        except BadStart:
            return again("tariff.refused.bad_start")
        try:
            with write(console.engine) as session:
                asked = request_publication(
                    session,
                    console.settings,
                    found.tariff,
                    starts_at,
                    who.member.staff_id,
                    now,
                    draft_id=draft_id,
                    effect=found.comparison,
                )
        except OperatorError as fault:
            return again("tariff.refused.fit", refusal(fault, console.reader(request)))
        return _to(f"/tariffs/requests/{asked.approval_id}")

    @router.post("/tariffs/requests/{approval_id}")
    def allow(
        request: Request,
        approval_id: str,
        sha256: Annotated[str, Form(max_length=64)] = "",
        csrf: Annotated[str, Form(max_length=200)] = "",
    ) -> Response:
        refused = _not_asking(console, request, csrf, ALLOW)
        if refused is not None:
            return refused
        who = _who(console, request)
        problem, detail = publish_by(console, who, approval_id, sha256)
        if problem is not None:
            return _request(console, request, who, approval_id, 409, problem, detail)
        return _to(f"/tariffs/requests/{approval_id}")


def publish_by(
    console: Console, who: SignedIn, approval_id: str, sha256: str
) -> tuple[str | None, str | None]:
    """The second person's yes to a tariff. (None, None) is done; else the key of a sentence, and a detail."""
    try:
        looked_at = bytes.fromhex(sha256)
    except ValueError:
        looked_at = b""
    try:
        with write(console.engine) as session:
            done = approve_and_publish(session, approval_id, looked_at, who.member.staff_id, console.clock())
    except OperatorError as fault:
        return "tariff.refused.publish", str(fault)
    return (None, None) if isinstance(done, PublicationRequest) else (f"approval.refused.{done.value}", None)


def _seen(console: Console, request: Request) -> Response | None:
    """What stands in the way of looking at a page, or None."""
    chosen = console.preferences(request)
    if chosen is not None:
        return chosen
    who = console.visitor(request)
    if who is None:
        return console.to_sign_in(request)
    return None if who.may(SEE) else console.refuse(request, who, 403, "refusal.role")


def _not_asking(console: Console, request: Request, csrf: str, right: Right = ASK) -> Response | None:
    """What stands in the way of a form, or None."""
    who = console.visitor(request)
    if who is None:
        return console.to_sign_in(request)
    if not (from_own_page(request) and who.csrf_matches(csrf)):
        return console.refuse(request, who, 403, "refusal.stale_form")
    return None if who.may(right) else console.refuse(request, who, 403, "refusal.role")


def _who(console: Console, request: Request) -> SignedIn:
    who = console.visitor(request, counts_as_use=False)
    if who is None:  # the session ended between two looks
        raise OperatorError("The session has ended: sign in again.")
    return who


def _to(path: str) -> Response:
    return protect(RedirectResponse(path, 303))


def _list(
    console: Console, request: Request, who: SignedIn, status: int = 200, problem: str | None = None
) -> Response:
    now, reader = console.clock(), console.reader(request)
    with read(console.engine) as session:
        history = tariff_history(session)
        try:
            current = with_network(session, current_tariff(session, now))
        except NoTariffInForce:
            current = None
        newest, found = newest_version(session), drafts(session)
        waiting = [each for each in publication_requests(session) if not each.published]
    since = max((at for at, each in history if current and each.version == current.version), default=None)
    return console.page(
        request,
        "tariffs.html",
        who,
        status,
        title_key="tariffs.title",
        problem=problem,
        current=current,
        since=since,
        told=() if current is None else told(current, reader)[:MOST_TOPICS_LISTED],
        coming=[(at, each) for at, each in history if at > now],
        replaced=_replaced(history),
        earlier=[
            (at, each)
            for at, each in reversed(history)
            if at <= now and (current is None or each.version != current.version)
        ],
        waiting=[(each, each.starts_at < now or each.tariff.version <= newest) for each in waiting],
        drafts=found,
        may_ask=who.may(ASK),
        most_mib=MAX_UPLOAD_BYTES >> 20,
    )


def _replaced(history: Sequence[tuple[datetime, Tariff]]) -> dict[int, int]:
    """Version -> the one that holds in its place: of those that start together the last published holds."""
    holding = {at: each.version for at, each in history}
    return {each.version: holding[at] for at, each in history if each.version != holding[at]}


def _version(console: Console, request: Request, who: SignedIn, version: str) -> Response:
    with read(console.engine) as session:
        tariff = chosen_tariff(session, f"version:{version}")
        starts = {str(each.version): at for at, each in tariff_history(session)}
    if tariff is None:
        return console.refuse(request, who, 404, "refusal.no_tariff")
    return console.page(
        request,
        "tariff_version.html",
        who,
        title_key="tariff.version.title",
        tariff=tariff,
        starts_at=starts[version],
        told=told(tariff, console.reader(request)),
    )


def _draft(
    console: Console,
    request: Request,
    who: SignedIn,
    draft_id: str,
    comparisons: Comparisons,
    status: int = 200,
    problem: str | None = None,
    detail: str | None = None,
    typed: tuple[str, str] | None = None,
) -> Response:
    progress = comparisons.progress(draft_id)  # before the draft: what has ended since, the draft knows
    with read(console.engine) as session:
        found = draft(session, draft_id)
        tariff = None if found is None else chosen_tariff(session, f"draft:{draft_id}")
    if found is None:
        return console.refuse(request, who, 404, "refusal.no_tariff")
    reader, shown = console.reader(request), tariff or found.tariff
    return console.page(
        request,
        "tariff_draft.html",
        who,
        status,
        title_key="tariff.draft.title",
        problem=problem,
        detail=detail,
        draft=found,
        faults=told_faults(found.faults[:MOST_FAULTS_SHOWN], reader),
        warnings=told_faults(found.warnings[:MOST_FAULTS_SHOWN], reader),
        misfit=None if found.tariff is None else _misfit(console, found, reader),
        told=() if shown is None else told(shown, reader),
        typed=typed or _proposed_start(console, reader),
        may_ask=who.may(ASK),
        most_days=MOST_DAYS,
        **_effect_values(console, request, found, progress),
    )


def _request(
    console: Console,
    request: Request,
    who: SignedIn,
    approval_id: str,
    status: int = 200,
    problem: str | None = None,
    detail: str | None = None,
) -> Response:
    with read(console.engine) as session:
        found = publication_request(session, approval_id)
        newest = newest_version(session)
    if found is None:
        return console.refuse(request, who, 404, "refusal.no_tariff")
    effect = None if found.effect is None else decode(found.effect)
    lapsed = not found.published and (found.starts_at < console.clock() or found.tariff.version <= newest)
    mine = found.requested_by == who.member.staff_id
    return console.page(
        request,
        "tariff_request.html",
        who,
        status,
        title_key="tariff.request.title",
        problem=problem,
        detail=detail,
        asked=found,
        lapsed=lapsed,
        mine=mine,
        may_allow=not (found.published or lapsed or mine) and who.may(ALLOW),
        told=told(found.tariff, console.reader(request)),
        **_shown_effect(console, request, effect, found.tariff),
    )


def _effect_values(
    console: Console, request: Request, found: DraftView, progress: Progress | None
) -> dict[str, Any]:
    """What the part of the page needs that shows a comparison, running or done."""
    effect = None if found.comparison is None else decode(found.comparison)
    return {
        "draft_id": found.draft_id,
        "progress": progress,
        "compared_at": found.compared_at,
        **_shown_effect(console, request, effect, found.tariff),
    }


def _shown_effect(console: Console, request: Request, effect: Effect | None, tariff: Any) -> dict[str, Any]:
    reader, names = console.reader(request), dict[str, str]()
    with read(console.engine) as session:
        if tariff is not None:
            numbered = with_network(session, tariff)
            names = {
                str(line): numbered.names.get(f"route:{route}", route)
                for line, route in numbered.lines.items()
            }
    return {
        "effect": effect,
        "plot": None if effect is None else plot(effect, reader),
        "signed": partial(signed, reader=reader),
        "line_names": names,
        "category_names": {} if tariff is None else category_names(tariff),
    }


def _misfit(console: Console, found: DraftView, reader: Reader) -> str | None:
    """Why this city could not run the draft as it is, or None; its start is another question."""
    if found.tariff is None:
        return None
    now = console.clock()
    with read(console.engine) as session:
        try:
            ready = fitted(session, console.settings, found.tariff, next_version(session))
            check_publication(session, ready, now.replace(microsecond=0) + timedelta(seconds=1), now)
        except OperatorError as fault:
            return refusal(fault, reader)
    return None


def _proposed_start(console: Console, reader: Reader) -> tuple[str, str]:
    """The beginning of the next service day but one: time for the second person."""
    day = console.today() + timedelta(days=2)
    starts = datetime.combine(day, console.settings.day_starts_at, console.zone)
    return reader.figures.short_day(day), reader.figures.plain(f"{starts:%H:%M}")
