from __future__ import annotations

import hashlib
import json
import re
import time
from contextlib import suppress

from PIL import Image
from playwright.sync_api import BrowserContext, Page, expect
from playwright.sync_api import Error as PlaywrightError

from fare.web.console import STATIC_FOLDER
from fare.web.rider.shell import FOLDER
from tests.web.rider_page.ledger import FakeLedger
from tests.web.rider_page.phone import Phone

WORKER = (FOLDER / "static" / "sw.js").read_text(encoding="utf-8")
NOT_IN_THE_SHELL = {
    "sw.js",
    "icon-512.png",
    "icon-maskable-512.png",
    "vendor/README.md",
    "vendor/lean-qr.LICENSE.txt",
}
MOST_BYTES = 300_000


def shell_files() -> list[str]:
    """The addresses that the service worker keeps."""
    listed = re.search(r"const FILES = \[(.*?)\];", WORKER, re.DOTALL)
    assert listed is not None
    return re.findall(r'"([^"]+)"', listed[1])


def content_of(address: str) -> bytes:
    if address == "/rider/":
        return (FOLDER / "templates" / "rider.html").read_bytes()
    if address.startswith("/static/"):
        return (STATIC_FOLDER / address.removeprefix("/static/")).read_bytes()
    if address == "/rider/manifest.webmanifest":
        return (FOLDER / "static" / "manifest.webmanifest").read_bytes()
    return (FOLDER / address.removeprefix("/rider/")).read_bytes()


def test_the_service_worker_names_the_content_of_its_files() -> None:
    whole = hashlib.sha256()
    for address in shell_files():
        whole.update(address.encode() + b"\0" + hashlib.sha256(content_of(address)).digest())
    version = whole.hexdigest()[:16]
    assert f'const SHELL = "{version}";' in WORKER, (
        f'write const SHELL = "{version}"; into sw.js: a file has changed'
    )


def test_the_service_worker_keeps_every_file_of_the_page() -> None:
    own = {
        path.relative_to(FOLDER / "static").as_posix()
        for path in (FOLDER / "static").rglob("*")
        if path.is_file()
    }
    kept = {address.removeprefix("/rider/static/") for address in shell_files()}
    assert own - NOT_IN_THE_SHELL - {"manifest.webmanifest"} <= kept
    texts = {f"/rider/texts/{path.name}" for path in (FOLDER / "texts").iterdir()}
    assert texts <= set(shell_files())


def test_the_first_visit_is_light_and_asks_nobody_else(
    phone: Phone, context: BrowserContext, ledger: FakeLedger
) -> None:
    asked: list[str] = []
    context.on("request", lambda request: asked.append(request.url))
    phone.enrol()
    phone.wait_until_offline_works()
    phone.show_code()
    assert 20_000 < ledger.scene.sent_bytes <= MOST_BYTES
    assert {address for address in asked if not address.startswith(f"{ledger.origin}/")} == set()
    assert any(address.endswith("/rider/static/app.js") for address in asked), "nothing was watched"


def test_the_api_is_never_kept(phone: Phone) -> None:
    phone.enrol()
    phone.wait_until_offline_works()
    phone.open()
    expect(phone.page.locator("[data-figure=balance]")).to_be_visible()
    kept = """async () => {
      const found = [];
      for (const name of await caches.keys())
        for (const { url } of await (await caches.open(name)).keys()) found.push(new URL(url).pathname);
      return found;
    }"""
    addresses = phone.page.evaluate(kept)
    assert sorted(addresses) == sorted(shell_files())
    assert not any("/api/" in address for address in addresses)


def until(page: Page, script: str, expected: object) -> None:
    """Ask until the promise brings what is expected; the page may load itself anew meanwhile."""
    found: object = None
    deadline = time.monotonic() + 20
    while found != expected:
        assert time.monotonic() < deadline, f"{found}, not {expected}"
        with suppress(PlaywrightError):
            found = page.evaluate(script)


NAMES = "caches.keys().then((names) => names.map((name) => name.split('-').slice(2, -1).join()).sort())"
"""Of each kept whole: what was put before its version, "" for the page's own."""


def wait_with_newer_files(phone: Phone, ledger: FakeLedger, word: str) -> None:
    """The browser has fetched a newer worker with its files; it waits, for a page is in use."""
    ledger.scene.worker = WORKER.replace("const SHELL = ", f'const SHELL = "{word}-" + ')
    phone.page.evaluate("navigator.serviceWorker.getRegistration().then((each) => each.update())")
    waiting = "navigator.serviceWorker.getRegistration().then((each) => Boolean(each.waiting))"
    until(phone.page, waiting, True)


def assert_taken_up_whole(phone: Phone, word: str) -> None:
    until(phone.page, NAMES, [word])
    phone.page.wait_for_selector("html[data-ready=yes] [data-figure=balance]")
    assert phone.faults == []


def test_new_files_are_taken_up_whole_when_the_page_is_opened(
    phone: Phone, context: BrowserContext, ledger: FakeLedger
) -> None:
    phone.enrol()
    phone.wait_until_offline_works()
    wait_with_newer_files(phone, ledger, "newer")
    phone.show_code()
    assert phone.page.evaluate(NAMES) == ["", "newer"], "the page in use keeps the files that it began with"
    phone.open()
    assert_taken_up_whole(phone, "newer")

    wait_with_newer_files(phone, ledger, "newest")
    phone.show_code()
    assert phone.page.evaluate(NAMES) == ["newer", "newest"], "as before"
    phone.page.close()
    # No page is left, so the browser changes the worker by itself. The next page is opened when it has: with
    # a debugger in its workers, as here, a browser loses requests that come in the midst of it.
    bank = context.new_page()
    bank.goto(f"{ledger.origin}/sandbox-gateway/a1")
    until(bank, NAMES, ["newest"])
    again = Phone(context.new_page(), ledger)
    again.open()
    assert_taken_up_whole(again, "newest")


def test_a_page_loaded_past_its_worker_is_soon_held_by_it(phone: Phone, context: BrowserContext) -> None:
    phone.enrol()
    phone.wait_until_offline_works()
    began = "(performance.getEntriesByType('navigation')[0].workerStart > 0)"
    phone.open()
    assert phone.page.evaluate(began)
    context.new_cdp_session(phone.page).send("Page.reload", {"ignoreCache": True})
    until(phone.page, began, False)
    phone.wait_until_offline_works()
    context.set_offline(True)
    phone.speak("en")
    expect(phone.page.locator("h1")).not_to_be_empty()


def test_it_can_be_installed() -> None:
    manifest = json.loads((FOLDER / "static" / "manifest.webmanifest").read_text(encoding="utf-8"))
    assert (manifest["start_url"], manifest["scope"], manifest["display"]) == (
        "/rider/",
        "/rider/",
        "standalone",
    )
    assert (manifest["lang"], manifest["dir"]) == ("fa", "rtl")
    for each in manifest["icons"]:
        with Image.open(FOLDER / each["src"].removeprefix("/rider/")) as drawn:
            assert f"{drawn.width}x{drawn.height}" == each["sizes"]
    assert {each["purpose"] for each in manifest["icons"]} == {"any", "maskable"}


def test_the_font_has_the_letters_of_all_four_languages(phone: Phone) -> None:
    phone.open()
    # A glyph that is missing is drawn by the fallback, whatever that is: then both of these widths change.
    widths = """async (letters) => {
      await document.fonts.load('40px Vazirmatn', letters);
      const pen = document.createElement("canvas").getContext("2d");
      const width = (otherwise, letter) => {
        pen.font = `40px Vazirmatn, ${otherwise}`;
        return pen.measureText(letter).width;
      };
      return [...letters].filter((each) => width("serif", each) !== width("monospace", each));
    }"""
    assert phone.page.evaluate(widths, "ڕڵێۆەۇگڤؤۊکیپچژئۀةھ۰۱۲۳۴۵۶۷۸۹٬٫") == []
