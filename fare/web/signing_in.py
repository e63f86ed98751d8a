"""Signing in and out. Whoever fails is told one thing only: that name and password do not fit."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from fare.database.engine import read, write
from fare.staff import close_session, open_session, password_hash_of, verify_password
from fare.web.console import Console
from fare.web.security import (
    FORM_COOKIE,
    SESSION_COOKIE,
    from_own_page,
    local_path,
    protect,
    same_secret,
    set_cookie,
)


def routes(console: Console) -> APIRouter:
    """`/login` and `/logout`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/login")
    def form(request: Request) -> Response:
        chosen = console.preferences(request)
        if chosen is not None:
            return chosen
        if console.visitor(request) is not None:
            return protect(RedirectResponse("/", 303))
        return _form(console, request, request.query_params.get("next", "/"), 200, None)

    @router.post("/login")
    def sign_in(
        request: Request,
        name: Annotated[str, Form(max_length=200)] = "",
        password: Annotated[str, Form(max_length=1000)] = "",
        csrf: Annotated[str, Form(max_length=200)] = "",
        onward: Annotated[str, Form(alias="next", max_length=200)] = "/",
    ) -> Response:
        if not (from_own_page(request) and same_secret(request.cookies.get(FORM_COOKIE), csrf)):
            return _form(console, request, onward, 403, "login.stale")
        now, person = console.clock(), name.strip().lower()
        address = request.client.host if request.client else ""
        if not console.throttle.is_open(person, address, now):
            return _form(console, request, onward, 429, "login.wait")
        with read(console.engine) as session:
            stored = password_hash_of(session, person)
        # Outside any transaction: argon2id takes its time, and nobody should wait for a lock meanwhile.
        if not verify_password(stored, password):
            console.throttle.failed(person, address, now)
            return _form(console, request, onward, 401, "login.wrong")
        console.throttle.succeeded(person)
        with write(console.engine) as session:
            token = open_session(session, person, now)
        response = RedirectResponse(local_path(onward), 303)
        set_cookie(request, response, SESSION_COOKIE, token)
        response.delete_cookie(FORM_COOKIE, path="/")
        return protect(response)

    @router.post("/logout")
    def sign_out(request: Request, csrf: Annotated[str, Form(max_length=200)] = "") -> Response:
        who = console.visitor(request, counts_as_use=False)
        if who is not None:
            if not (from_own_page(request) and who.csrf_matches(csrf)):
                return console.refuse(request, who, 403, "refusal.stale_form")
            with write(console.engine) as session:
                close_session(session, request.cookies[SESSION_COOKIE])
        response = RedirectResponse("/login", 303)
        response.delete_cookie(SESSION_COOKIE, path="/")
        return protect(response)

    return router


def _form(console: Console, request: Request, onward: str, status: int, problem: str | None) -> Response:
    return console.page(
        request, "login.html", None, status, title_key="login.title", next=local_path(onward), problem=problem
    )
