from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from fare.database.engine import open_engine, read, write
from fare.database.migrate import migrate
from fare.staff import Action, ApprovalView, approvals, request
from tests.web.client import Clock, Visitor, console
from tests.web.reports import NOW

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture
def asked(visitor: Visitor, engine: Engine) -> ApprovalView:
    """A request by reza; its payload tries to be more than text."""
    assert visitor is not None
    with write(engine) as session:
        view = request(session, Action.REFUND, {"why": HOSTILE}, "reza", NOW)
    assert isinstance(view, ApprovalView)
    return view


def press(visitor: Visitor, asked: ApprovalView, **changed: str) -> int:
    fields = {"csrf": visitor.csrf("/approvals"), "sha256": asked.payload_sha256.hex()} | changed
    return visitor.post(f"/approvals/{asked.approval_id}", data=fields, follow_redirects=False).status_code


def approver(engine: Engine) -> str | None:
    with read(engine) as session:
        return approvals(session)[0].approved_by


def test_a_second_person_allows_what_the_page_shows(
    visitor: Visitor, engine: Engine, asked: ApprovalView
) -> None:
    page = visitor.sign_in("sara").get("/approvals").text
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert f'action="/approvals/{asked.approval_id}"' in page
    assert press(visitor, asked) == 303
    assert approver(engine) == "sara"
    assert f'action="/approvals/{asked.approval_id}"' not in visitor.get("/approvals").text


@pytest.mark.parametrize("name", ["reza", "nima"])
def test_neither_the_requester_nor_an_auditor_can_press_the_button(
    visitor: Visitor, engine: Engine, asked: ApprovalView, name: str
) -> None:
    visitor.sign_in(name)
    assert f'action="/approvals/{asked.approval_id}"' not in visitor.get("/approvals").text
    assert press(visitor, asked) == 409
    assert approver(engine) is None


def test_a_form_of_another_site_or_of_another_payload_allows_nothing(
    visitor: Visitor, engine: Engine, asked: ApprovalView
) -> None:
    visitor.sign_in("sara")
    assert press(visitor, asked, csrf="guess") == 403
    assert press(visitor, asked, sha256="00" * 32) == 409
    assert press(visitor, asked, sha256="no hex") == 409
    assert approver(engine) is None


@pytest.mark.parametrize("name", ["ada", "kian", "bahram", "omid"])
def test_other_roles_do_not_see_approvals(visitor: Visitor, asked: ApprovalView, name: str) -> None:
    visitor.sign_in(name)
    assert visitor.get("/approvals").status_code == 403
    assert asked.approval_id not in visitor.get("/").text


def test_nobody_allows_anything_without_signing_in(
    visitor: Visitor, engine: Engine, asked: ApprovalView
) -> None:
    answer = visitor.post(f"/approvals/{asked.approval_id}", follow_redirects=False)
    assert answer.headers["location"].startswith("/login")
    assert approver(engine) is None


@pytest.mark.parametrize("name", ["sara", "nima", "omid", "bahram", "ada", "tara", "kian"])
def test_every_role_has_a_start_page(visitor: Visitor, name: str) -> None:
    for language in ("fa", "en"):
        assert visitor.sign_in(name).get(f"/?language={language}").status_code == 200
        visitor.post("/logout", data={"csrf": visitor.csrf("/")})


def test_the_pages_work_on_postgresql(postgres_url: str, tmp_path: Path, clock: Clock) -> None:
    migrate(postgres_url)
    engine = open_engine(postgres_url)
    with Visitor(console(engine, tmp_path, clock)) as visitor:
        with write(engine) as session:
            asked = request(session, Action.REFUND, {"why": "broken card"}, "reza", NOW)
        assert isinstance(asked, ApprovalView)
        visitor.sign_in("sara")
        assert "broken card" in visitor.get("/approvals").text
        assert press(visitor, asked) == 303
        clock.pass_time(timedelta(minutes=20))
        assert visitor.get("/").status_code == 200
        assert visitor.post("/logout", data={"csrf": visitor.csrf("/")}).status_code == 200
    assert approver(engine) == "sara"
    engine.dispose()
