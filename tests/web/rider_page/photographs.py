"""Photographs of every view, docs/images/rider-*.png: `.venv/bin/python -m tests.web.rider_page.photographs`.

A phone of 390 by 844 points at two pixels each, 64 colours; trips and money are made up by the stand-in.
"""

from __future__ import annotations

import io
from pathlib import Path

from PIL import Image
from playwright.sync_api import Page, sync_playwright

from tests.services.browser import ARGUMENTS
from tests.services.started import find_program
from tests.web.rider_page.ledger import FakeLedger
from tests.web.rider_page.phone import Phone

FOLDER = Path(__file__).parents[3] / "docs" / "images"
COLOURS = 64


def keep(page: Page, name: str) -> None:
    """One photograph, in few colours."""
    page.evaluate("document.fonts.ready")
    page.mouse.move(0, 0)
    page.evaluate("document.activeElement.blur()")
    seen = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
    few = seen.quantize(COLOURS, method=Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    few.save(FOLDER / f"rider-{name}.png", optimize=True)


def walk(phone: Phone, ledger: FakeLedger) -> None:
    """Through all views, as a rider would."""
    page = phone.page
    phone.open()
    keep(page, "enrol")
    phone.ask_for_code()
    keep(page, "one-time-code")
    page.fill("#code", "123456")
    page.click("#enter")
    page.wait_for_selector("[data-figure=balance]")
    keep(page, "home")
    page.click("#more-people")
    phone.show_code()
    keep(page, "code")
    page.click("#new-ride")
    keep(page, "new-ride")
    page.click("#back")
    ledger.scene.rides = ledger.trips(20)
    page.click("#to-trips-door")
    page.wait_for_selector(".trips li")
    keep(page, "trips")
    page.click("#back")
    page.click("#to-topup-door")
    keep(page, "topup")
    page.click("#back")
    page.click("#to-more-door")
    page.click("#to-lost-door")
    keep(page, "lost")
    page.click("#back")
    for language in ("en", "azb", "ckb"):
        phone.speak(language)
        keep(page, f"home-{language}")
    page.click("button#language")
    keep(page, "languages")
    page.click("#language-fa")
    ledger.scene.newer_phone = True
    page.click("#refresh")
    page.wait_for_selector("#mine")
    keep(page, "other-phone")


def main() -> None:
    """Take them all."""
    ledger = FakeLedger()
    with sync_playwright() as playwright:
        program = find_program("chromium", "chromium-browser", "google-chrome")
        browser = playwright.chromium.launch(executable_path=program, args=ARGUMENTS)
        context = browser.new_context(
            viewport={"width": 390, "height": 844},
            device_scale_factor=2,
            locale="fa-IR",
            timezone_id="Asia/Tehran",
            reduced_motion="reduce",
        )
        phone = Phone(context.new_page(), ledger)
        walk(phone, ledger)
        ledger.scene.newer_phone, ledger.scene.phone_state = False, "live"
        phone.open()
        phone.page.wait_for_selector("[data-figure=balance]")
        phone.wait_until_offline_works()
        context.set_offline(True)
        phone.open()
        keep(phone.page, "offline")
        browser.close()
    ledger.stop()


if __name__ == "__main__":
    main()
