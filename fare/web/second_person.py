"""The approvals page: what waits for a second person, what it says exactly, and the button that allows it."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fare.database.engine import read, write
from fare.staff import FOUR_EYES, Action, ApprovalView, Right, SignedIn, approval, approvals, approve
from fare.web.console import Console
from fare.web.security import from_own_page, protect


def routes(console: Console) -> APIRouter:
    """`/approvals`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/approvals")
    def waiting(request: Request) -> Response:
        chosen = console.preferences(request)
        if chosen is not None:
            return chosen
        who = console.visitor(request)
        if who is None:
            return console.to_sign_in(request)
        return _page(console, request, who, 200, None)

    @router.post("/approvals/{approval_id}")
    def allow(
        request: Request,
        approval_id: str,
        sha256: Annotated[str, Form(max_length=64)] = "",
        csrf: Annotated[str, Form(max_length=200)] = "",
    ) -> Response:
        who = console.visitor(request)
        if who is None:
            return console.to_sign_in(request)
        if not (from_own_page(request) and who.csrf_matches(csrf)):
            return console.refuse(request, who, 403, "refusal.stale_form")
        with read(console.engine) as session:
            asked = approval(session, approval_id)
        if asked is not None and asked.action is Action.PUBLISH_TARIFF:
            # A tariff is published with the yes to it, and its own page says what that does.
            return protect(RedirectResponse(f"/tariffs/requests/{approval_id}", 303))
        try:
            looked_at = bytes.fromhex(sha256)
        except ValueError:
            looked_at = b""
        with write(console.engine) as session:
            refusal = approve(session, approval_id, looked_at, who.member.staff_id, console.clock())
        if refusal is not None:
            return _page(console, request, who, 409, f"approval.refused.{refusal.value}")
        return protect(RedirectResponse("/approvals", 303))

    return router


def may_approve(who: SignedIn, approval: ApprovalView) -> bool:
    """Whether the button is shown; whether it works is decided anew when it is pressed."""
    return (
        approval.approved_by is None
        and approval.requested_by != who.member.staff_id
        and who.may(FOUR_EYES[approval.action].to_approve)
    )


def _page(console: Console, request: Request, who: SignedIn, status: int, problem: str | None) -> Response:
    if not who.may(Right.READ_APPROVALS):
        return console.refuse(request, who, 403, "refusal.role")
    with read(console.engine) as session:
        found = approvals(session)
    return console.page(
        request,
        "approvals.html",
        who,
        status,
        title_key="approvals.title",
        problem=problem,
        approvals=[(approval, may_approve(who, approval)) for approval in found],
    )
