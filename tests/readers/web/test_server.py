"""The validator's page over real HTTP: its buttons, its languages, and who may press them."""

from __future__ import annotations

import base64
import http.client
import io
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import httpx2
import pytest
import qrcode
from PIL import Image

from fare.core.errors import OperatorError
from hardware.emulator.phone import VirtualPhone
from hardware.emulator.reader import InProcessReader
from readers.addresses import Equipment
from readers.phones import FolderPhones
from readers.process import ValidatorOptions, ValidatorProcess, compose
from readers.scanners.opening import open_scanner
from readers.scanners.serving import ScannerThreads
from readers.vehicle_memory.port import Claimant
from readers.vehicle_memory.redis import gateway_at
from readers.vehicle_memory.vehicle import NO_VEHICLE
from readers.web.controls import worst_problem
from readers.web.server import WebFace
from tests.readers.bus import NOW_S, Disk, Issuer, ManualClock


class Page:
    """A browser's view of the page, without the browser."""

    def __init__(self, url: str) -> None:
        self.client = httpx2.Client(base_url=url, trust_env=False)
        self.html = self.client.get("/bus").text
        found = re.search(r'name="mancard-token" content="([^"]+)"', self.html)
        assert found is not None
        self.token = found[1]

    def press(self, path: str, body: object, **headers: str) -> httpx2.Response:
        return self.client.post(path, json=body, headers={"X-Mancard-Token": self.token, **headers})

    def done(self, path: str, body: object) -> dict[str, Any]:
        answer = self.press(path, body)
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def face(issuer: Issuer, cards: Path, tmp_path: Path) -> Iterator[WebFace]:
    reader = InProcessReader(cards)
    issuer.phone().save(cards, "phone-1")
    equipment = Equipment(reader, reader, FolderPhones(cards, VirtualPhone.load))
    options = ValidatorOptions(tmp_path / "state")
    process = compose(issuer.kit(), equipment, options, clock=ManualClock(), storage=Disk())
    process.bundles.offer(issuer.bundle())
    face = WebFace(process, "127.0.0.1", 0)
    process.start()
    face.start()
    yield face
    face.stop()
    process.stop()


@pytest.fixture
def page(face: WebFace) -> Iterator[Page]:
    page = Page(face.url)
    yield page
    page.client.close()


def test_a_card_is_tapped_and_the_answer_is_said_in_words(page: Page) -> None:
    state = page.done("/bus/tap", {"card": "one"})
    shown = state["shown"]
    assert (shown["lamp"], shown["reason"], state["number"]) == ("green", "ok", 1)
    assert [figure["value"] for figure in shown["figures"]] == ["۵٬۰۰۰ تومان", "۴۵٬۰۰۰ تومان"]
    assert shown["figures"][1]["words"] == "چهل و پنج هزار تومان"
    assert state["unsent"] == 1
    assert state["line_name"] == "خط ۱۲"
    english = page.client.get("/bus/state?lang=en").json()["shown"]
    assert english["figures"][1]["words"] == "forty-five thousand toman"


def test_a_phone_is_shown_twice_and_then_begins_a_new_ride(page: Page) -> None:
    show = {"phone": "phone-1", "new_ride": False}
    assert page.done("/bus/ticket", show)["shown"]["lamp"] == "green"
    assert page.done("/bus/ticket", show)["shown"]["reason"] == "already_paid"
    assert page.done("/bus/ticket", show | {"new_ride": True})["shown"]["lamp"] == "green"


def test_any_text_may_be_scanned(page: Page) -> None:
    shown = page.done("/bus/ticket", {"text": "  سلام "})["shown"]
    assert (shown["lamp"], shown["reason"]) == ("red", "not_a_ticket")


def picture_of(*texts: str) -> str:
    """A PNG with a code for each text, in base64."""
    codes = [qrcode.make(text).get_image() for text in texts]
    paper = Image.new("L", (sum(code.width for code in codes) + 10, 900), 255)
    left = 0
    for code in codes:
        paper.paste(code, (left, 0))
        left += code.width
    file = io.BytesIO()
    paper.save(file, "PNG")
    return base64.b64encode(file.getvalue()).decode()


def test_a_picture_of_a_ticket_is_scanned(page: Page, issuer: Issuer) -> None:
    text = issuer.phone().ticket_text(NOW_S, 1)
    assert page.done("/bus/ticket", {"picture": picture_of(text)})["shown"]["lamp"] == "green"
    persian = page.client.get("/static/texts/fa.json").json()["not_possible"]
    for wrong, said, reason in (
        (picture_of(), "no code", "no_code"),
        (picture_of("one", "two"), "2 codes", "several_codes"),
        ("AAAA", "no whole PNG", "no_picture"),
        ("%%%", "whole", "no_picture"),
    ):
        answer = page.press("/bus/ticket", {"picture": wrong})
        assert (answer.status_code, said in answer.json()["error"]) == (409, True), answer.text
        assert answer.json()["reason"] == reason
        assert persian[reason]


def test_the_inspectors_switch_looks_and_sells_nothing(page: Page, face: WebFace) -> None:
    assert page.done("/bus/inspect", {"on": True})["inspecting"] is True
    shown = page.done("/bus/tap", {"card": "one"})["shown"]
    assert (shown["title"], shown["lamp"], shown["figures"]) == ("پرداخت نشده", "red", [])
    assert face._server.process.journal.next_seq == 1
    state = page.done("/bus/inspect", {"on": False})
    assert (state["inspecting"], state["only_inspects"]) == (False, False)
    assert page.done("/bus/tap", {"card": "one"})["shown"]["lamp"] == "green"
    face._server.process.inspection.always = True
    assert page.press("/bus/inspect", {"on": False}).status_code == 409


def test_the_page_tells_which_scanners_and_which_gateway_are_there(page: Page, face: WebFace) -> None:
    state = page.client.get("/bus/state").json()
    assert (state["scanners"], state["gateway"]) == ([], None)
    process = face._server.process
    process.scanners = ScannerThreads([open_scanner("serial:/dev/serial/by-id/none")], process.scan)
    process.shared = gateway_at("redis://:hunter-two@127.0.0.1:9/0")(
        Claimant(7, bytes(16)), lambda: (), lambda: NO_VEHICLE
    )
    process.shared.step()
    state = page.client.get("/bus/state").json()
    assert state["scanners"] == [{"name": "serial:/dev/serial/by-id/none", "works": True}]
    assert state["gateway"] is False
    assert "gateway 127.0.0.1:9/0 is not reached" in state["problem"]
    assert state["problem_reason"] == "gateway"
    assert "hunter-two" not in page.client.get("/bus/state").text


def test_each_kind_of_problem_is_named_and_the_worst_comes_first() -> None:
    process = SimpleNamespace(reader_problem="", problem="", scanner_problem="", shared=None)
    process.synchroniser = SimpleNamespace(status=SimpleNamespace(problem=""))

    def told() -> tuple[str, str]:
        return worst_problem(cast("ValidatorProcess", process))

    assert told() == ("", "")
    process.synchroniser.status.problem = "The ledger does not answer."
    assert told() == ("uplink", "The ledger does not answer.")
    process.shared = SimpleNamespace(problem="the gateway is not reached")
    assert told() == ("gateway", "The gateway is not reached.")
    process.scanner_problem = "The scanner was lost."
    assert told() == ("scanner", "The scanner was lost.")
    process.problem = "The keys cannot be read."
    assert told() == ("keys", "The keys cannot be read.")
    process.problem = process.reader_problem = "The reader was unplugged."
    assert told() == ("reader", "The reader was unplugged.")


def test_the_switch_cuts_the_real_uplink(page: Page, face: WebFace) -> None:
    assert page.done("/bus/uplink", {"connected": False})["uplink_cut"] is True
    assert face._server.process.uplink.is_cut
    assert page.done("/bus/tap", {"card": "one"})["shown"]["lamp"] == "green"
    assert page.done("/bus/uplink", {"connected": True})["uplink_cut"] is False


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/bus/tap", {"card": "none"}),
        ("/bus/tap", {"card": "../one"}),
        ("/bus/tap", {}),
        ("/bus/ticket", {"phone": "nobody"}),
        ("/bus/ticket", {}),
        ("/bus/uplink", {"connected": "yes"}),
        ("/bus/uplink", []),
        ("/bus/inspect", {"on": 1}),
    ],
)
def test_what_cannot_be_done_is_a_sentence(page: Page, path: str, body: object) -> None:
    answer = page.press(path, body)
    assert answer.status_code == 409
    assert answer.json()["error"].endswith(".") or "no phone" in answer.json()["error"]


def test_a_card_held_by_another_reader_is_a_sentence(page: Page, cards: Path) -> None:
    elsewhere = InProcessReader(cards)
    elsewhere.place("one")
    answer = page.press("/bus/tap", {"card": "one"})
    elsewhere.remove()
    assert answer.status_code == 409
    assert answer.json()["error"]


def test_no_other_page_can_press_its_buttons(page: Page, face: WebFace) -> None:
    body = {"connected": False}
    own = f"http://127.0.0.1:{face.port}"
    assert page.press("/bus/uplink", body, **{"X-Mancard-Token": "guess"}).status_code == 403
    assert page.press("/bus/uplink", body, Origin="http://evil.example").status_code == 403
    assert page.press("/bus/uplink", body, Origin="null").status_code == 403
    form = {"Content-Type": "application/x-www-form-urlencoded", "X-Mancard-Token": page.token}
    assert page.client.post("/bus/uplink", content=b"{}", headers=form).status_code == 403
    for host in ("evil.example", f"evil.example:{face.port}"):
        assert page.client.get("/bus", headers={"Host": host}).status_code == 421
        assert page.press("/bus/uplink", body, Host=host).status_code == 421
    assert not face._server.process.uplink.is_cut
    assert page.press("/bus/uplink", body, Origin=own).status_code == 200


def test_every_answer_carries_the_policy_and_the_page_has_no_inline_script(page: Page) -> None:
    for path in ("/bus", "/bus/state", "/static/bus.js", "/nothing"):
        policy = page.client.get(path).headers["Content-Security-Policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    assert re.findall(r"<script(?![^>]*\ssrc=)", page.html) == []
    assert re.findall(r"\s(?:on\w+|style)=", page.html) == []


def test_persian_first_right_to_left_with_an_english_switch(page: Page) -> None:
    assert '<html lang="fa" dir="rtl">' in page.html
    assert 'href="/bus?lang=en"' in page.html
    assert '<html lang="en" dir="ltr">' in page.client.get("/bus?lang=en").text
    assert "$" not in page.html


def test_what_the_page_loads_is_there(page: Page) -> None:
    css = page.client.get("/static/bus.css").text
    wanted = set(re.findall(r'(?:src|href)="(/static/[^"]+)"', page.html)) | set(
        re.findall(r'url\("([^"]+)"\)', css)
    )
    assert len(wanted) == 4
    for path in [*wanted, "/static/texts/fa.json", "/static/texts/en.json"]:
        assert page.client.get(path).status_code == 200, path
    assert page.client.get("/static/../server.py").status_code == 404
    assert page.client.get("/", follow_redirects=False).headers["Location"] == "/bus"


def test_a_body_without_end_is_refused(face: WebFace, page: Page) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", face.port)
    connection.request("POST", "/bus/tap", body=b"x" * 20_000, headers={"X-Mancard-Token": page.token})
    assert connection.getresponse().status == 413
    connection.close()
    garbage = {"X-Mancard-Token": page.token, "Content-Type": "application/json"}
    assert page.client.post("/bus/tap", content=b"{", headers=garbage).status_code == 400


def test_a_taken_port_is_one_sentence(face: WebFace) -> None:
    with pytest.raises(OperatorError, match=f"Port {face.port} of 127.0.0.1 is in use"):
        WebFace(face._server.process, "127.0.0.1", face.port)


def test_the_state_says_nothing_secret(page: Page) -> None:
    page.done("/bus/tap", {"card": "one"})
    state = json.dumps(page.client.get("/bus/state").json(), ensure_ascii=False)
    assert "1001" not in state.replace("کارت 1001", "")
    assert page.token not in state
