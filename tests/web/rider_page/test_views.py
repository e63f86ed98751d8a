"""Every view with a rider, a balance, twenty trips and an error on it: axe-core, sizes, contrast."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.web.rider_page.ledger import FakeLedger
from tests.web.rider_page.phone import Phone

AXE = Path(__file__).parents[2] / "vendor" / "axe" / "axe.min.js"
RUN_AXE = """() => axe.run(document, { resultTypes: ["violations"] })
  .then((found) => found.violations
  .filter(({ impact }) => impact === "serious" || impact === "critical")
  .map(({ id, impact, nodes }) => `${impact} ${id}: ${nodes.map((node) => node.html).join(" ")}`))"""

MEASURE = (Path(__file__).parent / "measure.js").read_text(encoding="utf-8").strip().removesuffix(";")


@pytest.fixture(params=["fa", "en"])
def language(request: pytest.FixtureRequest) -> str:
    return request.param


def check(page: Page, name: str, language: str, error: bool = False) -> None:
    """Everything that must hold of what is on the screen now."""
    if error:
        expect(page.locator(".problem").first).to_be_visible()
    page.evaluate("document.fonts.ready")
    if not page.evaluate("'axe' in window"):
        page.evaluate(AXE.read_text(encoding="utf-8"))
    assert page.evaluate(RUN_AXE) == [], name
    measured: dict[str, Any] = page.evaluate(MEASURE)
    assert measured["texts"] > 2, name
    assert (measured["small"], measured["faint"], measured["narrow"]) == ([], [], []), name
    assert (measured["wide"], measured["lang"], measured["heading"]) == (False, language, 1), name


def refused(ledger: FakeLedger, path: str, error: str, press: Callable[[], None]) -> None:
    ledger.scene.refuse[path] = error
    press()


def test_the_views_of_somebody_who_is_not_enrolled(phone: Phone, ledger: FakeLedger, language: str) -> None:
    page = phone.page
    phone.open()
    if language != "fa":
        phone.speak(language)
    check(page, "enrol", language)
    page.click("#send")
    check(page, "enrol, no number", language, error=True)
    page.click("#to-lost")
    check(page, "lost", language)
    page.fill("#mobile", "09141234567")
    refused(ledger, "code", "too_soon", lambda: page.click("#send"))
    check(page, "lost, too soon", language, error=True)
    expect(page.locator(".problem")).to_contain_text("۳" if language == "fa" else "3")
    ledger.scene.refuse.clear()
    page.click("#send")
    page.fill("#code", "۱۲۳۴۵۶")
    page.click("#enter")
    expect(page.locator("#to-start")).to_be_visible()
    check(page, "lost, reported", language)
    page.click("#to-start")
    phone.ask_for_code()
    check(page, "code form", language)
    expect(page.locator("#code")).to_be_focused()
    page.fill("#code", "999999")
    page.click("#enter")
    check(page, "code form, wrong code", language, error=True)
    page.click("button#language")
    check(page, "language", language)


def test_the_views_of_a_rider_with_twenty_trips(phone: Phone, ledger: FakeLedger, language: str) -> None:
    page = phone.page
    ledger.scene.rides = ledger.trips(43)
    ledger.scene.confirmed = False
    phone.enrol()
    if language != "fa":
        phone.speak(language)
    check(page, "home", language)
    refused(ledger, "account", "busy", lambda: page.click("#refresh"))
    check(page, "home, busy", language, error=True)
    ledger.scene.refuse.clear()
    phone.show_code()
    check(page, "code", language)
    page.click("#new-ride")
    check(page, "ask", language)
    page.click("#back")
    check(page, "home, riding", language)

    page.click("#to-trips-door")
    expect(page.locator(".trips li")).to_have_count(20)
    check(page, "trips", language)
    refused(ledger, "rides", "busy", lambda: page.click("#more-trips"))
    check(page, "trips, busy", language, error=True)
    ledger.scene.refuse.clear()
    page.click("#more-trips")
    expect(page.locator(".trips li")).to_have_count(40)
    page.click("#more-trips")
    expect(page.locator(".trips li")).to_have_count(43)
    expect(page.locator("#more-trips")).to_be_hidden()
    page.click("#back")

    page.click("#to-topup-door")
    check(page, "topup", language)
    refused(ledger, "topup", "no_gateway", lambda: page.click("#amount-500000"))
    check(page, "topup, no gateway", language, error=True)
    page.click("#back")
    page.click("#to-more-door")
    check(page, "more", language)
    page.click("#to-leave-door")
    refused(ledger, "sign-out", "busy", lambda: page.click("#leave"))
    check(page, "leave, busy", language, error=True)


def test_the_views_of_a_phone_in_trouble(phone: Phone, ledger: FakeLedger, language: str) -> None:
    page = phone.page
    phone.enrol()
    if language != "fa":
        phone.speak(language)
    ledger.scene.newer_phone = True
    page.click("#refresh")
    expect(page.locator("#mine")).to_be_visible()
    check(page, "other phone", language)
    refused(ledger, "phone/answer", "busy", lambda: page.click("#not-me"))
    check(page, "other phone, busy", language, error=True)
    ledger.scene.refuse.clear()
    page.click("#mine")
    expect(page.locator("#enrol-again")).to_be_visible()
    check(page, "superseded", language)
    assert ledger.scene.answers == [True]


def test_the_unreviewed_languages_stand_on_every_view_with_a_note(phone: Phone) -> None:
    phone.enrol()
    for language in ("azb", "ckb"):
        phone.speak(language)
        check(phone.page, language, language)
        assert phone.page.evaluate("document.documentElement.dir") == "rtl"
        expect(phone.page.locator("#foot")).to_contain_text("ترجمه بازبینی نشده")
    phone.speak("fa")
    expect(phone.page.locator("#foot")).to_be_empty()


@pytest.fixture
def small(phone: Phone) -> Page:
    """The screen of an old, small phone."""
    phone.page.set_viewport_size({"width": 320, "height": 568})
    return phone.page


def test_an_old_small_phone_scrolls_down_only_and_the_code_fits(phone: Phone, small: Page) -> None:
    phone.enrol()
    check(small, "small home", "fa")
    phone.show_code()
    box = small.locator("canvas.code").bounding_box()
    assert box is not None
    assert box["width"] >= 290
    assert box["x"] >= 0
    assert box["y"] + box["height"] <= 568, "the whole code is seen without scrolling"
    phone.text()


def test_the_checks_find_what_they_look_for(phone: Phone) -> None:
    phone.open()
    phone.page.evaluate(
        """() => {
          const bad = document.createElement("button");
          Object.assign(bad.style, { minHeight: "20px", width: "20px", padding: "0", fontSize: "12px" });
          const faint = document.createElement("p");
          faint.textContent = "faint";
          faint.style.color = "#bbb";
          faint.style.fontSize = "12px";
          document.getElementById("main").append(bad, faint);
        }"""
    )
    phone.page.evaluate(AXE.read_text(encoding="utf-8"))
    assert "button-name" in " ".join(phone.page.evaluate(RUN_AXE))
    # axe-core takes a font whose letters join for one of icons and passes over its contrast: hence our own.
    measured = phone.page.evaluate(MEASURE)
    assert [len(measured[each]) for each in ("small", "faint", "narrow")] == [1, 1, 1]
