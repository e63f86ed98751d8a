"""The page against the real ledger on SQLite, behind a real server: what the stand-in assumes must be so."""

from __future__ import annotations

import io
import socket
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import uvicorn
from fastapi import FastAPI
from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect
from sqlalchemy import Engine

from fare.core.proof.phone import examine
from fare.core.proof.refusal import TicketRefusal
from fare.keys import LedgerKeys
from fare.settings import CodeSenderKind, LedgerSettings, PaymentGatewayKind
from fare.web import mount, rider
from tests.collection.bus import City
from tests.web.rider.browser import Messages
from tests.web.rider_page.phone import codes_in

NUMBER = "09141234567"


class LedgerClock:
    """The machine's clock; a test may put it forward."""

    def __init__(self) -> None:
        self.ahead = timedelta(0)

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


class Running:
    """The ledger's pages on a port of their own."""

    def __init__(self, app: FastAPI, city: City, messages: Messages, clock: LedgerClock) -> None:
        self.city, self.messages, self.clock = city, messages, clock
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}/rider/"
        self._server = uvicorn.Server(uvicorn.Config(app, log_level="warning", ws="none"))
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


@pytest.fixture
def running(engine: Engine, tmp_path: Path) -> Iterator[Running]:
    settings = LedgerSettings(
        state_dir=tmp_path,
        code_sender=CodeSenderKind.SANDBOX,
        payment_gateway=PaymentGatewayKind.SANDBOX,
        code_command=None,
    )
    city = City.found(engine, LedgerKeys.open(settings.keys_dir))
    messages, clock = Messages(), LedgerClock()
    app = FastAPI(docs_url=None, redoc_url=None)
    mount(app, engine, settings, clock)
    rider.mount(app, engine, settings, city.keys, clock, sender=messages)
    started = Running(app, city, messages, clock)
    yield started
    started.stop()


def enrol(page: Page, running: Running) -> None:
    page.goto(running.address)
    page.fill("#mobile", NUMBER)
    page.click("#send")
    page.wait_for_selector("html[data-ready=yes] #code")
    page.fill("#code", running.messages.code_for(NUMBER))
    page.click("#enter")
    expect(page.locator("[data-figure=balance]")).to_be_visible()


def test_enrol_top_up_and_ride_offline_with_the_real_ledger(
    context: BrowserContext, running: Running
) -> None:
    page = context.new_page()
    faults: list[str] = []
    page.on("pageerror", lambda error: faults.append(str(error)))
    enrol(page, running)
    expect(page.locator(".why")).to_contain_text("کافی نیست")

    page.click("#to-topup")
    page.click("#amount-1000000")
    page.click("button[value=pay]")
    expect(page.locator(".outcome.done")).to_contain_text("۱۰۰٬۰۰۰ تومان")
    page.click("#to-home")
    expect(page.locator("[data-figure=balance]")).to_have_text("۱۰۰٬۰۰۰ تومان")
    expect(page.locator("#show")).to_be_visible()

    page.evaluate("navigator.serviceWorker.ready.then(() => true)")
    context.set_offline(True)
    page.goto(running.address)
    page.click("#show")
    page.wait_for_selector("canvas.code[data-ts]")
    [code] = codes_in(Image.open(io.BytesIO(page.locator("canvas.code").screenshot())))
    known = running.city.keys.channels.known()
    ticket = examine(code.text, known, int(datetime.now(UTC).timestamp()), True, lambda _cti: False)
    assert not isinstance(ticket, TicketRefusal), ticket
    assert (ticket.ctr, ticket.pax) == (1, 1)
    assert faults == []


def test_a_second_phone_is_asked_about_on_the_first(context: BrowserContext, running: Running) -> None:
    first = context.new_page()
    enrol(first, running)
    browser = context.browser
    assert browser is not None
    elsewhere = browser.new_context()
    running.clock.ahead += timedelta(minutes=5)  # codes are sent once a minute at most
    second = elsewhere.new_page()
    enrol(second, running)
    expect(second.locator(".notice")).to_be_visible()  # unconfirmed: a day's fares at most
    first.click("#refresh")
    first.click("#not-me")
    expect(first.locator("[data-figure=balance]")).to_be_visible()
    second.click("#refresh")
    expect(second.locator("main")).to_contain_text("به باجه بروید")
    elsewhere.close()
