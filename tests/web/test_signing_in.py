from __future__ import annotations

from datetime import timedelta

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine

from fare.database.engine import write
from fare.staff import disable
from fare.staff.throttle import FAILURES_PER_NAME, WINDOW
from fare.web.security import local_path
from tests.staff.people import PASSWORD
from tests.web.client import Clock, Visitor


def is_signed_in(visitor: Visitor) -> bool:
    return visitor.get("/", follow_redirects=False).status_code == 200


def test_signing_in_and_out(visitor: Visitor) -> None:
    assert visitor.get("/", follow_redirects=False).headers["location"] == "/login?next=%2F"
    visitor.sign_in("Sara ")
    assert "sara" in visitor.get("/").text
    csrf = visitor.csrf("/")
    answer = visitor.post("/logout", data={"csrf": csrf}, follow_redirects=False)
    assert answer.headers["location"] == "/login"
    assert not is_signed_in(visitor)


def test_the_session_cookie_is_closed_to_scripts_and_other_sites(visitor: Visitor) -> None:
    fields = {"name": "sara", "password": PASSWORD, "csrf": visitor.csrf("/login")}
    answer = visitor.post("/login", data=fields, follow_redirects=False)
    [cookie] = [line for line in answer.headers.get_list("set-cookie") if line.startswith("mancard_session=")]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert "Secure" not in cookie


def test_over_https_cookies_never_leave_https(app: FastAPI) -> None:
    with Visitor(app, base_url="https://testserver") as visitor:
        assert "Secure" in visitor.get("/login").headers["set-cookie"]


def test_every_failure_gets_the_same_answer(visitor: Visitor, engine: Engine) -> None:
    with write(engine) as session:
        disable(session, "nima")
    pages: set[str] = set()
    for name, password in (("sara", "wrong"), ("nobody", PASSWORD), ("nima", PASSWORD), ("", "")):
        fields = {"name": name, "password": password, "csrf": visitor.csrf("/login")}
        answer = visitor.post("/login", data=fields, follow_redirects=False)
        assert answer.status_code == 401
        pages.add(answer.text)
    assert len(pages) == 1


def test_guessing_is_slowed_down(visitor: Visitor, clock: Clock) -> None:
    for _ in range(FAILURES_PER_NAME):
        assert visitor.submit_login("sara", "wrong") == 401
    assert visitor.submit_login("sara", PASSWORD) == 429
    clock.pass_time(WINDOW)
    assert visitor.submit_login("sara", PASSWORD) == 303


@pytest.mark.parametrize("csrf", ["", "guess"])
def test_a_form_of_another_site_signs_nobody_in(visitor: Visitor, csrf: str) -> None:
    visitor.get("/login")
    fields = {"name": "sara", "password": PASSWORD, "csrf": csrf}
    assert visitor.post("/login", data=fields, follow_redirects=False).status_code == 403
    right = {**fields, "csrf": visitor.csrf("/login")}
    other = {"origin": "https://evil.invalid"}
    assert visitor.post("/login", data=right, headers=other, follow_redirects=False).status_code == 403
    visitor.cookies.clear()
    assert visitor.post("/login", data=right, follow_redirects=False).status_code == 403


def test_a_form_of_another_site_signs_nobody_out(visitor: Visitor) -> None:
    visitor.sign_in("sara")
    assert visitor.post("/logout", data={"csrf": "guess"}).status_code == 403
    assert visitor.post("/logout").status_code == 403
    assert is_signed_in(visitor)


def test_a_session_ends_without_use(visitor: Visitor, clock: Clock) -> None:
    visitor.sign_in("sara")
    clock.pass_time(timedelta(minutes=29))
    assert is_signed_in(visitor)
    clock.pass_time(timedelta(minutes=29))
    assert is_signed_in(visitor)
    clock.pass_time(timedelta(minutes=30))
    assert not is_signed_in(visitor)


@pytest.mark.parametrize(
    ("wanted", "allowed"),
    [
        ("/finance/day/2026-11-22", "/finance/day/2026-11-22"),
        ("//evil.invalid", "/"),
        ("/\\evil.invalid", "/"),
        ("https://evil.invalid", "/"),
        ("/a?b\r\nSet-Cookie: x", "/"),
        ("", "/"),
    ],
)
def test_signing_in_never_leads_to_another_site(wanted: str, allowed: str) -> None:
    assert local_path(wanted) == allowed


def test_whoever_signs_in_comes_back_to_the_page_they_wanted(visitor: Visitor) -> None:
    fields = {
        "name": "sara",
        "password": PASSWORD,
        "csrf": visitor.csrf("/login"),
        "next": "/approvals",
    }
    assert visitor.post("/login", data=fields, follow_redirects=False).headers["location"] == "/approvals"
    assert visitor.get("/login", follow_redirects=False).headers["location"] == "/"


def test_pages_carry_the_security_headers(visitor: Visitor) -> None:
    for path in ("/login", "/static/console.css", "/static/vendor/vazirmatn/vazirmatn-wght.woff2"):
        answer = visitor.get(path)
        assert answer.status_code == 200
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"
    assert visitor.get("/login").headers["cache-control"] == "no-store"


def test_language_and_unit_are_remembered(visitor: Visitor) -> None:
    page = visitor.get("/login").text
    assert '<html lang="fa" dir="rtl">' in page
    answer = visitor.get("/login?language=en&unit=rial&next=/approvals", follow_redirects=False)
    assert answer.status_code == 303
    assert answer.headers["location"] == "/login?next=%2Fapprovals"
    page = visitor.get("/login").text
    assert '<html lang="en" dir="ltr">' in page
    assert visitor.get("/login?language=xx").status_code == 200
