"""The page of disputed tickets in a real browser: accessible, and usable with the keyboard alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect

from fare.collection import ConflictDecision, conflict, open_conflicts
from tests.collection.bus import City
from tests.staff.people import PASSWORD
from tests.web.test_conflicts import disputed
from tests.web.test_in_a_browser import Ledger

__all__ = ["disputed"]

AXE = Path(__file__).parents[1] / "vendor" / "axe" / "axe.min.js"


@pytest.fixture
def ledger(app: FastAPI) -> Iterator[Ledger]:
    running = Ledger(app)
    yield running
    running.stop()


def sign_in(page: Page, ledger: Ledger) -> None:
    page.goto(ledger.address("/login"))
    page.fill("#name", "sara")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_be_visible()
    page.wait_for_url(ledger.address("/"))


def grave(page: Page) -> list[Any]:
    """What axe finds serious or critical."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    found = page.evaluate("axe.run()")["violations"]
    return [
        (one["id"], [node["html"][:120] for node in one["nodes"]])
        for one in found
        if one["impact"] in ("serious", "critical")
    ]


def test_the_pages_are_accessible_with_disputes_an_error_and_a_decision(
    page: Page, ledger: Ledger, disputed: City
) -> None:
    sign_in(page, ledger)
    which = disputed.session(open_conflicts)[0].conflict_id
    for language in ("fa", "en"):
        page.goto(ledger.address(f"/conflicts?language={language}"))
        assert grave(page) == [], language
        page.goto(ledger.address(f"/conflicts/{which}"))
        page.check("[value=pay_nobody]")
        page.click("form.stack button")
        expect(page.locator("[role=alert]")).to_be_visible()
        assert grave(page) == [], language
        targets = page.evaluate(
            "[...document.querySelectorAll('main label:has(input), main button')]"
            ".map(e => e.getBoundingClientRect().height)"
        )
        assert min(targets) >= 48
        page.set_viewport_size({"width": 320, "height": 640})
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
        page.set_viewport_size({"width": 1280, "height": 900})
    page.goto(ledger.address(f"/conflicts/{which}"))
    page.locator("[value=pay_first]").focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    page.keyboard.type("the driver was asked")
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")
    expect(page.locator(f"[data-conflict='{which}']")).to_have_count(0)
    seen = disputed.session(lambda session: conflict(session, which))
    assert seen is not None
    assert (seen.decision, seen.note) == (ConflictDecision.PAY_SECOND, "the driver was asked")
    page.goto(ledger.address(f"/conflicts/{which}"))
    assert grave(page) == []
