"""Tickets that two buses showed: the queue, both sides of each, and the form by which a person decides.

`/conflicts` and `/conflicts/ID`. What a decision does is `fare.collection.decide_conflict`'s; this shows and
asks. It names tickets, buses and lines, never a rider.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fare.collection import (
    ConflictDecision,
    ConflictRefusal,
    ConflictView,
    conflict,
    count_open,
    decide_conflict,
    open_conflicts,
)
from fare.collection.conflict_decisions import NOTE_MAX_CHARS
from fare.database.engine import read, write
from fare.staff import Right, SignedIn
from fare.web.console import Console
from fare.web.security import from_own_page, protect

SEE: Final = Right.READ_APPROVALS
DECIDE: Final = Right.REQUEST_MONEY_ACTION


def routes(console: Console) -> APIRouter:
    """`/conflicts`, `/conflicts/ID`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/conflicts")
    def waiting(request: Request) -> Response:
        chosen = console.preferences(request)
        if chosen is not None:
            return chosen
        who = console.visitor(request)
        return console.to_sign_in(request) if who is None else _queue(console, request, who)

    @router.get("/conflicts/{conflict_id}")
    def one(request: Request, conflict_id: str) -> Response:
        chosen = console.preferences(request)
        if chosen is not None:
            return chosen
        who = console.visitor(request)
        return console.to_sign_in(request) if who is None else _one(console, request, who, conflict_id)

    @router.post("/conflicts/{conflict_id}")
    def decide(
        request: Request,
        conflict_id: str,
        decision: Annotated[str, Form(max_length=20)] = "",
        note: Annotated[str, Form(max_length=4 * NOTE_MAX_CHARS)] = "",
        csrf: Annotated[str, Form(max_length=200)] = "",
    ) -> Response:
        who = console.visitor(request)
        if who is None:
            return console.to_sign_in(request)
        if not (from_own_page(request) and who.csrf_matches(csrf)):
            return console.refuse(request, who, 403, "refusal.stale_form")
        if not who.may(DECIDE):
            return console.refuse(request, who, 403, "refusal.role")
        if decision not in set(ConflictDecision):
            return _one(console, request, who, conflict_id, 422, "conflict.refused.no_choice", note)
        with write(console.engine) as session:
            refusal = decide_conflict(
                session,
                conflict_id,
                ConflictDecision(decision),
                who.member.staff_id,
                note,
                console.clock(),
            )
        if refusal is ConflictRefusal.UNKNOWN_CONFLICT:
            return console.refuse(request, who, 404, "refusal.no_conflict")
        if refusal is not None:
            key = f"conflict.refused.{refusal.value}"
            return _one(console, request, who, conflict_id, 409, key, note, decision)
        return protect(RedirectResponse("/conflicts", 303))

    return router


def _queue(console: Console, request: Request, who: SignedIn) -> Response:
    if not who.may(SEE):
        return console.refuse(request, who, 403, "refusal.role")
    with read(console.engine) as session:
        found, count = open_conflicts(session), count_open(session)
    return console.page(
        request, "conflicts.html", who, title_key="conflicts.title", conflicts=found, count=count
    )


def _one(
    console: Console,
    request: Request,
    who: SignedIn,
    conflict_id: str,
    status: int = 200,
    problem: str | None = None,
    note: str = "",
    chosen: str = "",
) -> Response:
    if not who.may(SEE):
        return console.refuse(request, who, 403, "refusal.role")
    with read(console.engine) as session:
        found: ConflictView | None = conflict(session, conflict_id)
    if found is None:
        return console.refuse(request, who, 404, "refusal.no_conflict")
    return console.page(
        request,
        "conflict.html",
        who,
        status,
        title_key="conflict.title",
        problem=problem,
        note=note,
        note_max=NOTE_MAX_CHARS,
        chosen=chosen,
        decisions=list(ConflictDecision),
        may_decide=found.decision is None and who.may(DECIDE),
        conflict=found,
    )
