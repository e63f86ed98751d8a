"""A phone's browser with the rider's page in it, and the ledger that the page talks to."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext

from tests.web.rider_page.ledger import FakeLedger, Scene
from tests.web.rider_page.phone import Phone


@pytest.fixture(scope="module")
def _server() -> Iterator[FakeLedger]:  # pyright: ignore[reportUnusedFunction]
    running = FakeLedger()
    yield running
    running.stop()


@pytest.fixture
def ledger(_server: FakeLedger) -> FakeLedger:
    """The ledger with a new scene. It listens on one port for all tests of a module."""
    _server.scene = Scene()
    return _server


@pytest.fixture
def context(browser: Browser) -> Iterator[BrowserContext]:
    """Storage of its own for each test, as on a new phone."""
    opened = browser.new_context(
        viewport={"width": 390, "height": 844},
        device_scale_factor=2,
        locale="fa-IR",
        timezone_id="Asia/Tehran",
        has_touch=True,
        reduced_motion="reduce",
    )
    yield opened
    opened.close()


@pytest.fixture
def phone(context: BrowserContext, ledger: FakeLedger) -> Iterator[Phone]:
    """A phone that has not been enrolled. What its console complains of fails the test."""
    opened = Phone(context.new_page(), ledger)
    yield opened
    assert opened.faults == [], f"the page complained: {opened.faults}"
