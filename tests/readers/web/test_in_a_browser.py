"""The bus's page in a real browser: the inspector's switch, a picture of a ticket, targets for a thumb."""

from __future__ import annotations

import io
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import qrcode

from hardware.emulator.reader import InProcessReader
from readers.addresses import Equipment
from readers.process import ValidatorOptions, compose
from readers.web.server import WebFace
from readers.web.words import LOCALES, texts
from tests.readers.bus import NOW_S, Disk, Issuer, ManualClock

if TYPE_CHECKING:
    from playwright.sync_api import Page


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def face(issuer: Issuer, cards: Path, tmp_path: Path, clock: ManualClock) -> Iterator[WebFace]:
    reader = InProcessReader(cards)
    equipment = Equipment(reader, reader)
    process = compose(
        issuer.kit(), equipment, ValidatorOptions(tmp_path / "state"), clock=clock, storage=Disk()
    )
    process.bundles.offer(issuer.bundle())
    face = WebFace(process, "127.0.0.1", 0)
    process.start()
    face.start()
    yield face
    face.stop()
    process.stop()


def test_an_inspector_switches_over_looks_and_switches_back(
    page: Page, face: WebFace, clock: ManualClock
) -> None:
    page.goto(f"{face.url}/bus")
    page.click("#tap")
    page.wait_for_selector(".lamp.green")
    clock.pass_s(25 * 60)
    page.click("#inspection")
    page.wait_for_selector("#mode:not([hidden])")
    page.wait_for_selector(".lamp.idle")  # the answer from before is put away
    page.click("#tap")
    page.wait_for_selector(".lamp.green")
    assert page.inner_text("#answer-title") == "پرداخت شده"
    assert "۶۵" in page.inner_text("#figures")
    page.click("#inspection")
    page.wait_for_selector("#mode", state="hidden")
    assert face._server.process.journal.next_seq == 2


def test_a_picture_of_a_ticket_is_chosen_and_scanned(page: Page, face: WebFace, issuer: Issuer) -> None:
    picture = io.BytesIO()
    qrcode.make(issuer.phone().ticket_text(NOW_S, 1)).save(picture, "PNG")
    page.goto(f"{face.url}/bus?lang=en")
    page.wait_for_selector(".choice")
    page.set_input_files(
        "#picture", {"name": "ticket.png", "mimeType": "image/png", "buffer": picture.getvalue()}
    )
    page.click("#picture-form button")
    page.wait_for_selector(".lamp.green")
    assert page.inner_text("#answer-title") == "Welcome aboard"


def test_a_problem_is_said_in_the_pages_language_with_its_detail_beside_it(
    page: Page, face: WebFace, monkeypatch: pytest.MonkeyPatch
) -> None:
    detail = "There is no scanner at /dev/serial/by-id/one: plug it in."
    monkeypatch.setattr("readers.web.controls.worst_problem", lambda process: ("scanner", detail))
    for lang in LOCALES:
        page.goto(f"{face.url}/bus?lang={lang}")
        page.wait_for_selector("#problem")
        said = texts(lang)
        assert page.inner_text("#problem-text") == f"{said['problem']}: {said['problems']['scanner']}"
        assert page.inner_text("#problem-detail") == detail
        assert page.get_attribute("#problem-detail", "dir") == "ltr"


def test_every_target_is_large_enough_for_a_thumb(page: Page, face: WebFace) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    page.goto(f"{face.url}/bus")
    page.wait_for_selector(".choice")
    small = page.evaluate(
        """() => [...document.querySelectorAll("a, button, .choice, textarea, input[type=file]")]
            .map((target) => [target.id || target.className, target.getBoundingClientRect()])
            .filter(([, box]) => box.height < 48 || box.width < 48)
            .map(([name, box]) => `${name}: ${box.width} x ${box.height}`)"""
    )
    assert small == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
