"""A visitor without a screen for the pages' tests: one application around one database, people in it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import Engine
from starlette.testclient import TestClient

from fare.settings import LedgerSettings
from fare.staff import Role
from fare.web import mount
from tests.staff.people import PASSWORD, add_people
from tests.web.reports import NOW

_CSRF = re.compile(r'name="csrf" value="([^"]+)"')


class Clock:
    """A clock that a test sets."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now

    def pass_time(self, by: timedelta) -> None:
        self.now += by


class Visitor(TestClient):
    """A test client that signs in as a person would."""

    def csrf(self, path: str) -> str:
        """The secret in the page's first form."""
        found = _CSRF.search(self.get(path).text)
        assert found is not None, f"no form on {path}"
        return found[1]

    def submit_login(self, name: str, password: str, onward: str = "/") -> int:
        """Fill in the sign-in form; the status of the answer, redirects not followed."""
        fields = {"name": name, "password": password, "csrf": self.csrf("/login"), "next": onward}
        answer = self.post("/login", data=fields, follow_redirects=False)
        return answer.status_code

    def sign_in(self, name: str) -> Visitor:
        """Sign in, which must work."""
        assert self.submit_login(name, PASSWORD) == 303
        return self


@pytest.fixture
def clock() -> Clock:
    return Clock()


def console(engine: Engine, state: Path, clock: Clock) -> FastAPI:
    """The pages around a database with people of each role."""
    add_people(
        engine,
        sara=Role.FINANCE,
        reza=Role.FINANCE,
        nima=Role.AUDITOR,
        omid=Role.OPERATOR,
        bahram=Role.OWNER,
        ada=Role.ADMINISTRATOR,
        tara=Role.TECHNICIAN,
        kian=Role.CLERK,
    )
    application = FastAPI(docs_url=None, redoc_url=None)
    mount(application, engine, LedgerSettings(state_dir=state), clock)
    return application


@pytest.fixture
def app(engine: Engine, clock: Clock, tmp_path: Path) -> FastAPI:
    return console(engine, tmp_path, clock)


@pytest.fixture
def visitor(app: FastAPI) -> Iterator[Visitor]:
    with Visitor(app) as client:
        yield client
