"""The page of disputed tickets: who sees it, what it shows, and the decision that it takes, once."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import Engine

from fare.collection import ConflictDecision, ConflictView, conflict, open_conflicts
from fare.keys import LedgerKeys
from tests.collection.bus import NOON, OWNER_RIAL, City
from tests.web.client import Visitor

HOSTILE = '<script>alert("x")</script>'


@pytest.fixture
def disputed(engine: Engine, tmp_path: Path) -> City:
    """A ledger with two disputes of one phone."""
    city = City.found(engine, LedgerKeys.open(tmp_path / "keys"))
    buses = city.bus(1, "o-1"), city.bus(2, "o-2")
    rider = city.rider()
    for minutes in (0, 30):
        phone = city.phone(of=rider)
        for bus in buses:
            bus.scan(phone, 1, NOON + timedelta(minutes=minutes, seconds=17 * bus.device))
            bus.send()
    return city


def first(city: City) -> ConflictView:
    return city.session(open_conflicts)[0]


def decide(visitor: Visitor, which: str, **fields: str) -> int:
    page = f"/conflicts/{which}"
    told = {"decision": "pay_first", "note": "", "csrf": visitor.csrf(page)} | fields
    return visitor.post(page, data=told, follow_redirects=False).status_code


def test_both_sides_are_shown_in_both_languages(visitor: Visitor, disputed: City) -> None:
    visitor.sign_in("sara")
    page = visitor.get("/conflicts").text
    assert "بلیت‌هایی که در دو اتوبوس خوانده شده‌اند" in page
    assert page.count("۱۷ ثانیه") == 2
    view = disputed.session(open_conflicts)[1]
    page = visitor.get(f"/conflicts/{view.conflict_id}?language=en").text
    for shown in ("v-1", "v-2", "o-1", "o-2", "17 s", view.cti.hex(), "It was a repeat"):
        assert shown in page
    assert page.count('type="radio"') == 3


def test_finance_decides_once_and_the_name_stays(visitor: Visitor, disputed: City) -> None:
    visitor.sign_in("sara")
    which = first(disputed).conflict_id
    assert decide(visitor, which, decision="pay_second", note=HOSTILE) == 303
    seen = disputed.session(lambda session: conflict(session, which))
    assert seen is not None
    assert (seen.decision, seen.decided_by) == (ConflictDecision.PAY_SECOND, "sara")
    assert disputed.balance("owner_payable:o-2") == -OWNER_RIAL
    page = visitor.get(f"/conflicts/{which}").text
    assert HOSTILE not in page
    assert "&lt;script&gt;" in page
    assert 'type="radio"' not in page
    assert which not in visitor.get("/conflicts").text
    assert visitor.post(
        f"/conflicts/{which}", data={"decision": "pay_first", "csrf": visitor.csrf("/")}
    ).status_code == 409  # fmt: skip


def test_a_wrong_form_is_said_and_changes_nothing(visitor: Visitor, disputed: City) -> None:
    visitor.sign_in("reza")
    which = first(disputed).conflict_id
    assert decide(visitor, which, decision="pay_nobody", note=" ") == 409
    assert decide(visitor, which, decision="") == 422
    assert decide(visitor, which, decision="pay_everybody") == 422
    assert decide(visitor, which, csrf="guess") == 403
    assert decide(visitor, which, note="x" * 3000) == 422
    assert visitor.get("/conflicts/unknown").status_code == 404
    unknown = visitor.post("/conflicts/unknown", data={"decision": "pay_first", "csrf": visitor.csrf("/")})
    assert unknown.status_code == 404
    assert first(disputed).conflict_id == which


def test_an_auditor_reads_and_other_roles_do_not(visitor: Visitor, disputed: City) -> None:
    which = first(disputed).conflict_id
    assert visitor.get("/conflicts", follow_redirects=False).status_code == 303
    assert visitor.post(f"/conflicts/{which}", follow_redirects=False).status_code == 303
    visitor.sign_in("nima")
    assert 'type="radio"' not in visitor.get(f"/conflicts/{which}").text
    told = {"decision": "pay_first", "csrf": visitor.csrf("/")}
    assert visitor.post(f"/conflicts/{which}", data=told).status_code == 403
    visitor.post("/logout", data={"csrf": visitor.csrf("/")})
    for name in ("bahram", "omid", "kian", "ada", "tara"):
        visitor.sign_in(name)
        for path in ("/conflicts", f"/conflicts/{which}"):
            assert visitor.get(path).status_code == 403, name
        assert "/conflicts" not in visitor.get("/").text
        visitor.post("/logout", data={"csrf": visitor.csrf("/")})
    assert len(disputed.session(open_conflicts)) == 2
