"""What a person sees, in a real browser: the bus and the service day of `mancard run`.

With MANCARD_SCREENSHOTS=FOLDER the pictures of the README are taken on the way (see scripts/screenshots).
"""

from __future__ import annotations

import os
import re
import signal
from collections.abc import Iterator
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING

import httpx2
import pytest
from PIL import Image

from tests.system.city import wait_for
from tests.system.running import Run

if TYPE_CHECKING:
    from playwright.sync_api import Page

pytestmark = pytest.mark.xdist_group("system-browser")
FARE = "۳٬۵۰۰ تومان"
DIGITS = str.maketrans("۰۱۲۳۴۵۶۷۸۹", "0123456789")


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    running = Run(tmp_path_factory.mktemp("run") / "state").start()
    yield running
    assert running.stop(signal.SIGINT) == 0, "Ctrl-C"


@pytest.fixture
def bus(run: Run, page: Page) -> Page:
    """The bus's page, ready, its line to the ledger whole."""
    page.goto(run.address("/bus"))
    page.locator("#phones button").first.wait_for()
    if page.locator("#uplink").get_attribute("aria-pressed") == "true":
        page.locator("#uplink").click()
    page.locator('#unsent[data-value="0"]').wait_for()
    return page


def tap(bus: Page, card: str) -> str:
    """Choose a card and tap it; the lamp."""
    before = number(bus)
    bus.locator(f'input[name="card"][value="{card}"]').check()
    bus.locator("#tap").click()
    return lamp_after(bus, before)


def show_ticket(bus: Page, *, new_ride: bool) -> str:
    before = number(bus)
    bus.locator(f'button[data-phone="phone-0001"][data-new-ride="{str(new_ride).lower()}"]').click()
    return lamp_after(bus, before)


def number(bus: Page) -> int:
    return int(bus.locator("#lamp").get_attribute("data-number") or 0)


def lamp_after(bus: Page, before: int) -> str:
    bus.locator(f'#lamp:not([data-number="{before}"])').wait_for()
    return bus.locator("#lamp").get_attribute("data-lamp") or ""


def sign_in(run: Run, page: Page) -> None:
    page.goto(run.address("/finance/day"))
    page.locator("#name").fill("finance")
    page.locator("#password").fill(run.password)
    page.locator("form button[type=submit]").click()
    page.wait_for_url("**/finance/day")


def answers(url: str) -> bool:
    try:
        return httpx2.get(url, trust_env=False).status_code == 200
    except httpx2.TransportError:
        return False


def figure(page: Page, name: str) -> int:
    """One of the figures of the service day."""
    text = page.locator(f'[data-figure="{name}"]').inner_text().translate(DIGITS)
    return int(re.sub(r"[^0-9-]", "", text))


def keep_picture(page: Page, name: str) -> None:
    folder = os.environ.get("MANCARD_SCREENSHOTS")
    if folder:
        page.locator("main").evaluate("main => main.ownerDocument.defaultView.scrollTo(0, 0)")
        taken = page.screenshot(full_page=True, animations="disabled")
        picture = Image.open(BytesIO(taken)).convert("RGB")
        # Few colours are enough for a page of text, and keep the picture small.
        picture.quantize(64, dither=Image.Dither.NONE).save(Path(folder) / f"{name}.png", optimize=True)


def test_a_ride_is_seen_on_the_bus_and_then_on_the_service_day(run: Run, bus: Page) -> None:
    office = bus.context.new_page()
    sign_in(run, office)
    accepted = figure(office, "accepted")

    assert tap(bus, "card-00001") == "green"
    shown = bus.locator("#lamp").inner_text()
    assert FARE in shown
    assert "سه هزار و پانصد تومان" in shown, "the fare in words"
    assert "ماندهٔ کارت" in shown
    bus.locator('#unsent[data-value="0"]').wait_for()
    bus.locator("#lamp:not(.busy)").wait_for()
    keep_picture(bus, "bus")

    bus.locator("#uplink").click()
    bus.locator('#uplink[aria-pressed="true"]').wait_for()
    assert tap(bus, "card-00002") == "green", "a bus decides without a network"
    bus.locator('#unsent[data-value="1"]').wait_for()
    bus.locator("#uplink").click()
    bus.locator('#unsent[data-value="0"]').wait_for()

    office.reload()
    assert figure(office, "accepted") == accepted + 2
    assert figure(office, "trial-balance") == 0
    owner = office.locator('[data-owner="owner-1"]').inner_text().translate(DIGITS)
    assert "مالک نمونه 1" in owner
    assert set(office.locator("[data-proof]").evaluate_all("all => all.map(one => one.dataset.proof)")) == {
        "device",
        "card",
        "channel",
        "bank",
    }


def test_a_ticket_pays_one_ride_and_says_so_when_shown_again(bus: Page) -> None:
    show_ticket(bus, new_ride=False)
    assert show_ticket(bus, new_ride=True) == "green"

    assert show_ticket(bus, new_ride=False) == "red"

    assert bus.locator("#lamp").get_attribute("data-reason") == "already_paid"
    assert "پیش‌تر پرداخت شده" in bus.locator("#answer-sentence").inner_text()


@pytest.mark.parametrize(
    ("card", "reason"),
    [
        ("card-00004", "card_denied"),
        ("card-00005", "card_expired"),
        ("unissued-00001", "not_our_card"),
    ],
)
def test_a_refusal_says_why_in_both_languages(run: Run, bus: Page, card: str, reason: str) -> None:
    assert tap(bus, card) == "red"
    assert bus.locator("#lamp").get_attribute("data-reason") == reason
    persian = bus.locator("#answer-sentence").inner_text()

    bus.locator("a.language").click()
    bus.locator(f'#lamp[data-reason="{reason}"]').wait_for()

    assert bus.locator("html").get_attribute("dir") == "ltr"
    english = bus.locator("#answer-sentence").inner_text()
    assert re.search(r"[آ-ی]", persian)
    assert re.fullmatch(r"[ -~–’“”]+", english), english


def test_an_almost_empty_card_rides_until_its_money_ends(bus: Page) -> None:
    tap(bus, "card-00003")
    # At once it is the same tap to the bus; soon after it pays for another person.
    wait_for("the end of its money", lambda: tap(bus, "card-00003") == "red")
    assert bus.locator("#lamp").get_attribute("data-reason") == "insufficient_balance"


def test_the_service_day_is_for_those_who_signed_in(run: Run, page: Page) -> None:
    page.goto(run.address("/finance/day"))
    assert "/login" in page.url
    page.locator("#name").fill("finance")
    page.locator("#password").fill("not the password at all")
    page.locator("form button[type=submit]").click()
    page.wait_for_load_state()
    assert "/login" in page.url
    assert page.locator('[data-figure="taps"]').count() == 0


def test_the_bus_goes_on_while_the_ledger_is_dead_and_run_brings_it_back(run: Run, bus: Page) -> None:
    os.kill(run.child("ledger serve"), signal.SIGKILL)

    assert tap(bus, "card-00001") == "green"
    assert show_ticket(bus, new_ride=True) == "green"

    bus.locator('#unsent[data-value="2"]').wait_for()
    wait_for("the ledger's return", lambda: any("started again" in line for line in run.told))
    wait_for("its answer", lambda: answers(f"http://127.0.0.1:{run.port}/v1/health"))
    for _ in range(2):  # off and on: the bus need not sit out the pause it takes between attempts
        bus.locator("#uplink").click()
    bus.locator('#unsent[data-value="0"]').wait_for()
    assert any("SIGKILL" in line and "ledger.log" in line for line in run.told), run.told
    sign_in(run, bus)
    assert figure(bus, "trial-balance") == 0
    keep_picture(bus, "finance-day")


def test_the_api_explains_itself(run: Run, page: Page) -> None:
    page.goto(run.address("/docs"))

    text = page.locator("main").inner_text()
    assert "/v1/batches" in text
    assert "/v1/bundle" in text
