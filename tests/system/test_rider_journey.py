"""A rider's first evening: enrol in a real browser, top up, go offline, ride; and what a copied code buys.

The ledger and three validators are processes of their own. A scanner is a folder of pictures: what it gets
are screenshots of the page.
"""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from tests.system.city import ADULT_FARE_RIAL, Bus, City, wait_for

if TYPE_CHECKING:
    from playwright.sync_api import Page

MOBILE = "09140000001"
STALE_AFTER_S = 60
FRONT, BACK, OTHER_BUS = 1, 2, 3


class Line:
    """The buses of this test, and what each one's scanner sees."""

    def __init__(self, city: City, views: Path, gateway_url: str) -> None:
        self.city = city
        self._views = views
        self._seen = 0
        doors = ["--gateway", gateway_url]
        self.front = self._bus(FRONT, *doors)
        self.back = self._bus(BACK, *doors)
        self.other_bus = self._bus(OTHER_BUS)
        for door in (self.front, self.back):
            wait_for("the doors to share their memory", lambda d=door: d.state()["gateway"])

    def _bus(self, number: int, *options: str) -> Bus:
        (self._views / str(number)).mkdir()
        return self.city.bus(number, None, "--scanner", f"frames:{self._views / str(number)}", *options)

    def scan(self, bus: Bus, picture: bytes) -> dict[str, Any]:
        """Hold a picture before a bus's scanner; what is shown then."""
        before = bus.state()["number"]
        self._seen += 1
        folder = self._views / str(bus.number)
        making = folder / ".making"
        making.write_bytes(picture)
        making.rename(folder / f"{self._seen:03d}.png")
        wait_for("the scanner to read the picture", lambda: bus.state()["number"] > before)
        return bus.state()["shown"]


@pytest.fixture(scope="module")
def line(tmp_path_factory: pytest.TempPathFactory, redis_port: int) -> Iterator[Line]:
    views = tmp_path_factory.mktemp("views")
    with ExitStack() as stack:
        city = City(
            tmp_path_factory.mktemp("city"),
            stack,
            MANCARD_CODE_SENDER="sandbox",
            MANCARD_PAYMENT_GATEWAY="sandbox",
        )
        city.move_device(BACK, FRONT)
        # A number of its own: the fixtures of single tests empty theirs.
        yield Line(city, views, f"redis://127.0.0.1:{redis_port}/40")


def one_time_code(city: City, mobile: str) -> str:
    """The newest code that the sandbox sender printed for a number."""
    log = city.state / "ledger.log"
    return wait_for(
        "the one-time code", lambda: (re.findall(rf"{mobile}: (\d{{6}})", log.read_text()) or [None])[-1]
    )


def test_a_rider_enrols_tops_up_and_rides_without_a_network(line: Line, page: Page) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{line.city.ledger_url}/rider/")
    page.locator("#mobile").fill("۰۹۱۴ ۰۰۰ ۰۰۰۱")
    page.locator("#send").click()
    page.locator("#code").fill(one_time_code(line.city, MOBILE))
    page.locator("#enter").click()

    page.locator("#to-topup").click()
    page.locator("#amount-500000").click()
    page.get_by_role("button", name="Pay").click()
    page.locator(".outcome.done").wait_for()
    page.locator("#to-home").click()
    page.locator("#show").wait_for()
    page.evaluate("navigator.serviceWorker.ready.then(() => true)")

    page.context.set_offline(True)
    page.reload()
    page.locator("#show").click()
    page.locator("canvas.code[data-ts]").wait_for()
    picture, taken_at = page.screenshot(), time.monotonic()
    ridden = line.scan(line.front, picture)
    assert (ridden["lamp"], ridden["reason"]) == ("green", "ok"), ridden

    at_the_second_door = line.scan(line.back, picture)
    assert (at_the_second_door["lamp"], at_the_second_door["reason"]) == ("red", "already_paid")

    page.goto("about:blank")  # the phone is put away: a minute of drawing would be for nobody
    wait_for("the picture to grow old", lambda: time.monotonic() - taken_at > STALE_AFTER_S, 90)
    copied = line.scan(line.other_bus, picture)
    assert (copied["lamp"], copied["reason"]) == ("red", "stale"), "a bus that never saw it"

    page.context.set_offline(False)
    line.front.wait_until_sent()
    (ride,) = [ride for ride in line.city.rides() if ride.medium_kind == "ticket"]
    assert (ride.counter, ride.fare_rial) == (1, ADULT_FARE_RIAL)
    page.goto(f"{line.city.ledger_url}/rider/#trips")
    assert "۳٬۵۰۰" in page.locator("#main li").first.inner_text()
