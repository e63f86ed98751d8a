from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import date, datetime
from zoneinfo import ZoneInfo

import pytest
import uvicorn
from fastapi import FastAPI
from playwright.sync_api import Page, expect
from sqlmodel import Session

from fare import reconciliation
from fare.reconciliation.report import DayReport
from tests.staff.people import PASSWORD
from tests.web.client import Clock
from tests.web.reports import BROKEN, EMPTY, WHOLE

SOON_MS = 15_000


class Ledger:
    """The pages behind a real server, and what reconciliation answers on them."""

    def __init__(self, app: FastAPI) -> None:
        self.report = EMPTY
        # Listening before the server runs: a browser that is early waits instead of being refused.
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port = self._socket.getsockname()[1]
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()

    def address(self, path: str) -> str:
        return f"http://127.0.0.1:{self.port}{path}"

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


@pytest.fixture
def ledger(app: FastAPI, monkeypatch: pytest.MonkeyPatch) -> Iterator[Ledger]:
    running = Ledger(app)

    def day_report(_session: Session, day: date, now: datetime, _zone: ZoneInfo) -> DayReport:
        return replace(running.report, service_day=day, computed_at=now)

    monkeypatch.setattr(reconciliation, "day_report", day_report)
    yield running
    running.stop()


def sign_in(page: Page, ledger: Ledger) -> None:
    """From the day's address through the sign-in form back to the day, with the keyboard alone."""
    page.goto(ledger.address("/finance/day/2026-11-22"))
    expect(page.locator("#name")).to_be_focused()
    page.keyboard.type("sara")
    page.keyboard.press("Tab")
    page.keyboard.type(PASSWORD)
    page.keyboard.press("Enter")
    expect(page).to_have_url(ledger.address("/finance/day/2026-11-22"))
    page.wait_for_load_state("load")


@pytest.mark.usefixtures("clock")
def test_the_page_follows_the_ledger_without_a_reload(page: Page, ledger: Ledger, clock: Clock) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    sign_in(page, ledger)
    expect(page.locator("h1")).to_have_text("یکشنبه ۱ آذر ۱۴۰۵")
    expect(page.locator("#verdict")).to_have_text("هنوز تراکنشی نرسیده است")
    page.evaluate("window.sameDocument = true")

    ledger.report = WHOLE
    expect(page.locator("[data-figure=taps]")).to_have_text("۱۲٬۴۸۰", timeout=SOON_MS)
    expect(page.locator("#verdict")).to_have_text("همه‌چیز با هم می‌خواند")

    ledger.report = BROKEN
    expect(page.locator("[data-proof=channel] .state")).to_have_text("نمی‌خواند", timeout=SOON_MS)
    assert page.evaluate("window.sameDocument")
    assert said == [], "the browser complained, for instance about the content security policy"

    ledger.stop()
    expect(page.locator(".connection")).to_be_visible(timeout=SOON_MS)
    expect(page.locator("[data-figure=taps]")).to_have_text("۱۲٬۴۸۰")


def test_the_persian_font_is_our_own_and_the_type_is_large(page: Page, ledger: Ledger) -> None:
    ledger.report = WHOLE
    sign_in(page, ledger)
    page.evaluate("document.fonts.ready")
    assert page.evaluate("document.fonts.check('18px Vazirmatn')")
    sizes = page.evaluate(
        "[...document.querySelectorAll('main *, header *')].filter(e => e.innerText)"
        ".map(e => parseFloat(getComputedStyle(e).fontSize))"
    )
    assert min(sizes) >= 17
    assert page.evaluate("getComputedStyle(document.body).fontSize") == "18px"


def test_a_narrow_screen_scrolls_tables_and_never_the_page(page: Page, ledger: Ledger) -> None:
    ledger.report = BROKEN
    page.set_viewport_size({"width": 320, "height": 640})
    sign_in(page, ledger)
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
