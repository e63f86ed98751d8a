"""What a rider does on the page, step by step; and what a test reads off it."""

from __future__ import annotations

import io

import zxingcpp
from PIL import Image, ImageOps
from playwright.sync_api import ConsoleMessage, Page, expect

from tests.web.rider_page.ledger import CODE, FakeLedger

MOBILE = "۰۹۱۴۱۲۳۴۵۶۷"


class Phone:
    """One browser page and the ledger behind it."""

    def __init__(self, page: Page, ledger: FakeLedger) -> None:
        self.page = page
        self.ledger = ledger
        self.faults: list[str] = []
        page.on("pageerror", lambda error: self.faults.append(str(error)))
        page.on("console", self._hear)

    def _hear(self, message: ConsoleMessage) -> None:
        # The browser itself reports each refused or unanswered request; the page has a sentence for those.
        if message.type == "error" and "Failed to load resource" not in message.text:
            self.faults.append(message.text)

    def open(self, address: str = "") -> None:
        """Open the page and wait until a view stands on it."""
        self.page.goto(self.ledger.address + address)
        self.page.wait_for_selector("html[data-ready=yes]")

    def ask_for_code(self) -> None:
        """Give the number; the page loads itself anew and asks for the code."""
        self.page.fill("#mobile", MOBILE)
        self.page.click("#send")
        self.page.wait_for_selector("html[data-ready=yes] #code")

    def enrol(self) -> None:
        """From nothing to the home view with a ticket."""
        self.open()
        self.ask_for_code()
        self.page.fill("#code", "۱۲۳۴۵۶")
        self.page.click("#enter")
        expect(self.page.locator("[data-figure=balance]")).to_be_visible()

    def speak(self, language: str) -> None:
        """Choose a language."""
        self.page.click("button#language")
        self.page.click(f"#language-{language}")
        self.page.wait_for_function("(language) => document.documentElement.lang === language", arg=language)

    def wait_until_offline_works(self) -> None:
        """The service worker has the page's files and holds the page."""
        self.page.wait_for_function("() => Boolean(navigator.serviceWorker.controller)")

    def show_code(self) -> None:
        """Press the big button; a code is drawn."""
        self.page.click("#show")
        self.wait_for_code()

    def wait_for_code(self) -> None:
        self.page.wait_for_selector("canvas.code[data-ts]")

    def picture(self) -> Image.Image:
        """A photograph of the code."""
        return Image.open(io.BytesIO(self.page.locator("canvas.code").screenshot()))

    def text(self) -> str:
        """What a scanner reads off the screen."""
        [found] = codes_in(self.picture())
        return found.text


def codes_in(picture: Image.Image) -> list[zxingcpp.Barcode]:
    """The QR codes in a picture; chance makes other kinds of bars now and then."""
    formats = zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCode)
    return list(zxingcpp.read_barcodes(picture, formats=formats))


def assert_drawn_well(picture: Image.Image) -> None:
    """Version 11 or 12, level M; every module the same whole number of pixels; four modules quiet around."""
    [found] = codes_in(picture)
    assert found.ec_level == "M"
    # The canvas has whole CSS pixels: a column or row may be white beside the code.
    [modules] = [modules for modules in (61, 65) if picture.width % (modules + 8) <= 1]
    module_px = picture.width // (modules + 8)
    begin, end = 4 * module_px, (4 + modules) * module_px
    assert ImageOps.invert(picture.convert("L")).getbbox() == (begin, begin, end, end)
    levels = picture.convert("L").getcolors() or []
    assert {level for _, level in levels} == {0, 255}, "an edge is blurred"


__all__ = ["CODE", "MOBILE", "Phone", "assert_drawn_well"]
