"""The tariff pages: from an upload over a comparison on real rides and a second person to the buses."""

from __future__ import annotations

import io
import json
import re
import threading
import zipfile
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import pytest
from fastapi import FastAPI
from playwright.sync_api import Page, expect
from sqlalchemy import Engine
from sqlmodel import Session

from fare.collection.models import Ride
from fare.core.tariff.model import FareProduct, flat_tariff
from fare.database.engine import read, write
from fare.distribution import current_tariff, tariff_history
from fare.network.models import Line
from fare.tariffs.drafts import DraftView, drafts
from fare.tariffs.drafts import draft as draft_of
from fare.tariffs.effects import effect_on
from fare.tariffs.publishing import publication_requests
from fare.web import tariffs, tariffs_comparing
from fare.web.tariffs_start import BadStart, read_start
from tests.staff.people import PASSWORD
from tests.tariffs.published import publish
from tests.web.client import Clock, Visitor
from tests.web.reports import NOW
from tests.web.test_in_a_browser import Ledger

SAMPLE = Path(__file__).parents[2] / "fare" / "tariffs" / "samples" / "urmia"
AXE = Path(__file__).parents[1] / "vendor" / "axe" / "axe.min.js"
TEHRAN = ZoneInfo("Asia/Tehran")
SOON_MS = 20_000
_DRAFT = re.compile(r"/tariffs/drafts/(\w+)$")
_REQUEST = re.compile(r"/tariffs/requests/(\w+)$")


def zipped(**changed: bytes) -> bytes:
    """The sample as a zip; `fare_products=b"…"` writes another fare_products.txt."""
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w") as archive:
        for file in SAMPLE.iterdir():
            if file.suffix in {".txt", ".toml"}:
                archive.writestr(file.name, changed.get(file.stem, file.read_bytes()))
    return out.getvalue()


@pytest.fixture
def city(engine: Engine, visitor: Visitor) -> Engine:
    """A flat tariff in force, two lines, and a rider who changed buses yesterday."""
    assert visitor is not None
    at = NOW - timedelta(days=1)
    with write(engine) as session:
        publish(
            session, flat_tariff(1, "یکسان", {0: FareProduct("a", "a", 30_000)}), NOW - timedelta(days=90)
        )
        for line in (5, 6):
            session.add(
                Line(
                    line=line, route_id=f"r-{line}", agency_name="", short_name=str(line), long_name="دانشگاه"
                )
            )
        for counter in (1, 2):
            session.add(
                Ride(
                    medium_kind="card", medium_ref="1", counter=counter, device_id=1, journal_id=bytes(16),
                    seq=counter, service_day=at.date(), boarded_at=at + timedelta(minutes=20 * counter),
                    line=4 + counter, vehicle_id=f"bus-{counter}", fare_rial=30_000, owner_rial=30_000,
                    commission_rial=0, suspense_rial=0, entry_id="x", proven_by="tap", proof=bytes(12),
                )
            )  # fmt: skip
    return engine


def post(
    visitor: Visitor,
    path: str,
    fields: Mapping[str, str] | None = None,
    file: bytes | None = None,
    **more: Any,
) -> Any:
    """Send a form of the tariff pages as its browser would."""
    data = {"csrf": visitor.csrf("/tariffs")} | dict(fields or {})
    files = None if file is None else {"file": (more.pop("name", "urmia.zip"), file)}
    return visitor.post(path, data=data, files=files, follow_redirects=False)


def upload(visitor: Visitor, content: bytes) -> str:
    """Upload a zip; the draft's address."""
    answer = post(visitor, "/tariffs/drafts", file=content)
    assert answer.status_code == 303
    assert _DRAFT.search(answer.headers["location"])
    return str(answer.headers["location"])


def test_from_an_upload_over_two_people_to_the_buses(visitor: Visitor, city: Engine) -> None:
    draft = upload(visitor.sign_in("sara"), zipped())
    page = visitor.get(draft).text
    assert "۳٬۵۰۰ تومان" in page, "the tariff in sentences, in the reader's unit"
    asked = post(visitor, f"{draft}/request", {"day": "۱۴۰۶/۰۱/۰۱", "time": "۴:۰۰", "accept": "yes"})
    assert _REQUEST.search(asked.headers["location"]), asked.text
    request = asked.headers["location"]
    page = visitor.get(request).text
    assert 'name="sha256"' not in page, "who asked is offered no button"

    visitor.post("/logout", data={"csrf": visitor.csrf("/tariffs")})
    page = visitor.sign_in("reza").get("/approvals").text
    assert f'href="{request}"' in page
    page = visitor.get(request).text
    looked_at = re.search(r'name="sha256" value="(\w+)"', page)
    assert looked_at is not None
    assert "۳٬۵۰۰ تومان" in page
    assert post(visitor, request, {"sha256": "00" * 32}).status_code == 409
    through_approvals = post(
        visitor, request.replace("tariffs/requests", "approvals"), {"sha256": looked_at[1]}
    )
    assert through_approvals.headers["location"] == request, "a tariff is allowed where it can be read"
    with read(city) as session:
        assert len(tariff_history(session)) == 1
    assert post(visitor, request, {"sha256": looked_at[1]}).headers["location"] == request
    with read(city) as session:
        new_year = datetime(2027, 3, 21, 4, tzinfo=TEHRAN)
        assert current_tariff(session, new_year).version == 2
        assert current_tariff(session, new_year - timedelta(seconds=1)).version == 1
        assert current_tariff(session, new_year).lines == {5: "r-5", 6: "r-6"}
    assert "۱۴۰۶/۰۱/۰۱ ۰۴:۰۰:۰۰" in visitor.get("/tariffs").text
    assert post(visitor, request, {"sha256": looked_at[1]}).status_code == 409, "once"


def test_a_tariff_that_another_replaces_before_it_starts_is_shown_as_withdrawn(
    visitor: Visitor, city: Engine
) -> None:
    coming = NOW + timedelta(days=7)
    with write(city) as session:
        for version in (2, 3):
            publish(session, flat_tariff(version, "یکسان", {0: FareProduct("a", "a", 30_000)}), coming)
    visitor.sign_in("sara")
    page = visitor.get("/tariffs").text
    rows = {each: page.partition(f'data-version="{each}"')[2].partition("</tr>")[0] for each in (2, 3)}
    assert "پس گرفته شده: نسخهٔ ۳" in rows[2]
    assert "منتشر شده" not in rows[2]
    assert "منتشر شده" in rows[3]


def test_who_asked_cannot_allow_and_one_who_reads_cannot_ask(visitor: Visitor, city: Engine) -> None:
    draft = upload(visitor.sign_in("sara"), zipped())
    request = post(
        visitor, f"{draft}/request", {"day": "2027-03-21", "time": "04:00", "accept": "yes"}
    ).headers["location"]
    with read(city) as session:
        looked_at = publication_requests(session)[0].looked_at.hex()
    answer = post(visitor, request, {"sha256": looked_at})
    assert answer.status_code == 409
    visitor.post("/logout", data={"csrf": visitor.csrf("/tariffs")})
    visitor.sign_in("nima")
    for path in ("/tariffs", draft, request, f"/tariffs/try?tariff=draft:{draft.rpartition('/')[2]}"):
        page = visitor.get(path)
        assert page.status_code == 200, path
        assert 'action="/tariffs/drafts' not in page.text, "an auditor is offered no change"
    for path, fields in (
        ("/tariffs/drafts", {}), (f"{draft}/discard", {}), (f"{draft}/compare", {"days": "7"}),
        (f"{draft}/request", {"day": "2027-03-21", "time": "04:00"}), (request, {"sha256": looked_at}),
    ):  # fmt: skip
        token = re.search(r'name="csrf" value="([^"]+)"', visitor.get("/tariffs").text)
        assert token is not None
        answer = visitor.post(path, data={"csrf": token[1], **fields}, follow_redirects=False)
        assert answer.status_code == 403, path
    visitor.post("/logout", data={"csrf": token[1]})
    for name in ("kian", "omid", "bahram", "ada", "tara"):
        visitor.sign_in(name)
        assert visitor.get("/tariffs").status_code == 403
        assert visitor.get(draft).status_code == 403
        assert "/tariffs" not in visitor.get("/").text
        visitor.post("/logout", data={"csrf": visitor.csrf("/")})
    assert visitor.get(draft, follow_redirects=False).headers["location"].startswith("/login")


def test_a_faulty_folder_is_kept_with_a_table_of_its_faults(visitor: Visitor, city: Engine) -> None:
    rules = b"leg_group_id,network_id,fare_product_id\nbus,,single\nbus,,<b>bold</b>\n"
    draft = upload(visitor.sign_in("sara"), zipped(fare_leg_rules=rules))
    page = visitor.get(draft).text
    assert 'fare_leg_rules.txt</code></th><td class="figure">۳</td>' in page
    assert "آن را به \u2068fare_products.txt\u2069 اضافه کنید یا اینجا تصحیح کنید" in page
    visitor.get(f"{draft}?language=en")
    english = visitor.get(draft).text
    assert 'fare_leg_rules.txt</code></th><td class="figure">3</td>' in english
    assert "add it to fare_products.txt or correct it here" in english
    visitor.get(f"{draft}?language=fa")
    assert "&lt;b&gt;bold" in page
    assert "<b>bold" not in page
    assert "/request" not in page
    assert post(visitor, f"{draft}/request", {"day": "2027-03-21", "time": "04:00"}).status_code == 404
    assert visitor.get(f"/tariffs/try?tariff=draft:{draft.rpartition('/')[2]}").status_code == 404
    assert post(visitor, "/tariffs/drafts", file=b"").status_code == 422
    upload(visitor, b"no zip")
    with read(city) as session:
        found = [draft_of(session, each.draft_id) for each in drafts(session)]
        assert [each is not None and each.tariff is None for each in found] == [True, True]
    assert post(visitor, f"{draft}/discard").headers["location"] == "/tariffs"
    assert visitor.get(draft).status_code == 404


def test_what_the_city_cannot_run_is_said_before_anybody_is_asked(visitor: Visitor, city: Engine) -> None:
    toml = (SAMPLE / "mancard.toml").read_bytes().replace(b'"04:00"', b'"03:00"')
    draft = upload(visitor.sign_in("sara"), zipped(mancard=toml))
    assert "service_day_starts = &#34;04:00&#34;" in visitor.get(draft).text
    fields = {"day": "2027-03-21", "time": "04:00", "accept": "yes"}
    assert post(visitor, f"{draft}/request", fields).status_code == 422
    good = upload(visitor, zipped())
    for wrong in ({"day": "1406/13/01"}, {"time": "25:00"}, {"day": "2020-01-01"}):
        answer = post(visitor, f"{good}/request", fields | wrong)
        assert answer.status_code == 422, wrong
        assert 'role="alert"' in answer.text
    with read(city) as session:
        assert publication_requests(session) == []


def test_a_rider_is_tried_with_reasons(visitor: Visitor, city: Engine) -> None:
    which = "draft:" + upload(visitor.sign_in("sara"), zipped()).rpartition("/")[2]
    filled = {
        "tariff": which, "day": "۱۴۰۵/۰۹/۰۱", "category": "student", "medium": "card",
        "time1": "۷:۳۰", "route1": "r-5", "vehicle1": "a", "time2": "08:29", "route2": "r-6", "vehicle2": "b",
    }  # fmt: skip
    page = visitor.get("/tariffs/try", params=filled).text
    assert "روی هم ۱٬۷۵۰ تومان" in page
    assert page.count("۰۸:۲۹:۰۰") == 1
    visitor.get("/tariffs?language=en&unit=rial")
    page = visitor.get("/tariffs/try", params=filled | {"time2": "08:31"}).text
    assert "35,000 rial in all" in page
    for wrong in ({"day": "x"}, {"time1": "7"}, {"time1": "07:30+02:00"}, {"balance": "much"}):
        assert 'role="alert"' in visitor.get("/tariffs/try", params=filled | wrong).text, wrong
    assert visitor.get("/tariffs/try?tariff=draft:none").status_code == 404
    assert visitor.get("/tariffs/try?tariff=version:1").status_code == 200

    case = {
        "id": "<i>",
        "rider_category": "student",
        "fare_media": "card",
        "taps": [{"at": "2026-11-22T08:00:00+03:30"}],
    }
    answer = post(
        visitor, "/tariffs/cases", {"tariff": which}, json.dumps({"cases": [case]}).encode(), name="c.json"
    )
    assert "17,500 rial" in answer.text
    assert "&lt;i&gt;" in answer.text
    refused = post(visitor, "/tariffs/cases", {"tariff": which}, b"{", name="c.json")
    assert (refused.status_code, "no JSON" in refused.text) == (422, True)
    assert city is not None


def test_forms_of_other_sites_do_nothing(visitor: Visitor, city: Engine) -> None:
    draft = upload(visitor.sign_in("sara"), zipped())
    for path in (
        "/tariffs/drafts",
        f"{draft}/discard",
        f"{draft}/compare",
        f"{draft}/request",
        "/tariffs/cases",
    ):
        assert post(visitor, path, {"csrf": "guess"}).status_code == 403, path
    with read(city) as session:
        assert len(drafts(session)) == 1


@pytest.mark.parametrize(
    ("day", "at", "expected"),
    [
        ("1406/01/01", "۰۴:۰۰", datetime(2027, 3, 21, 0, 30, tzinfo=UTC)),
        ("2027-03-21", "4:00", datetime(2027, 3, 21, 0, 30, tzinfo=UTC)),
        ("2021-03-22", "00:30", None),  # Tehran's clock went from 00:00 to 01:00
        (
            "2021-09-21",
            "23:30",
            datetime(2021, 9, 21, 19, 0, tzinfo=UTC),
        ),  # and back: twice, the first is meant
        ("1406/01/32", "04:00", None),
        ("1406/01/01", "04:00+03:30", None),
        ("1406/01/01", "", None),
    ],
)
def test_a_start_is_an_instant_of_the_citys_clock(day: str, at: str, expected: datetime | None) -> None:
    if expected is None:
        with pytest.raises(BadStart):
            read_start(day, at, TEHRAN)
    else:
        assert read_start(day, at, TEHRAN) == expected


def test_a_comparison_that_ends_while_the_page_is_read_is_still_shown(
    visitor: Visitor, city: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert city is not None
    address = upload(visitor.sign_in("sara"), zipped())
    may_go_on = threading.Event()

    def slowly(*given: Any) -> Any:
        may_go_on.wait(20)
        return effect_on(*given)

    def ends_meanwhile(session: Session, draft_id: str) -> DraftView | None:
        found = draft_of(session, draft_id)
        may_go_on.set()
        for each in threading.enumerate():
            if each.name.endswith("(_run)"):
                each.join(20)
        return found

    monkeypatch.setattr(tariffs_comparing, "effect_on", slowly)
    post(visitor, f"{address}/compare", {"days": "30"})
    monkeypatch.setattr(tariffs, "draft", ends_meanwhile)
    assert "<progress" in visitor.get(address).text, "what it read is from before: it asks again"
    assert "data-figure" in visitor.get(address).text


@pytest.fixture
def ledger(app: FastAPI) -> Iterator[Ledger]:
    running = Ledger(app)
    yield running
    running.stop()


def grave(page: Page) -> list[Any]:
    """What axe finds on the page."""
    page.evaluate(AXE.read_text(encoding="utf-8"))
    return page.evaluate("axe.run().then(found => found.violations.map(each => each.id))")


@pytest.mark.usefixtures("clock")
def test_a_draft_is_compared_on_real_rides_and_asked_for_with_the_keyboard(
    page: Page, ledger: Ledger, city: Engine, clock: Clock, tmp_path: Path
) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    folder = tmp_path / "urmia.zip"
    folder.write_bytes(zipped())
    page.goto(ledger.address("/login?next=/tariffs"))
    page.fill("#name", "sara")
    page.fill("#password", PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(ledger.address("/tariffs"))
    assert grave(page) == []
    page.set_input_files("#file", str(folder))
    page.focus("section[aria-labelledby=upload] button")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("کرایهٔ نمونهٔ ارومیه ۱۴۰۵")
    page.focus("#days")
    page.keyboard.press("Enter")
    # Two rides at 30,000 become one fare of 35,000 with a free transfer.
    expect(page.locator("[data-figure=revenue]")).to_contain_text("۲٬۵۰۰", timeout=SOON_MS)
    expect(page.locator("[data-figure=less]")).to_have_text("۱")
    expect(page.locator("svg .plot-less")).to_have_count(5)
    assert grave(page) == []
    page.set_viewport_size({"width": 320, "height": 640})
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    page.focus("#time")
    page.keyboard.press("Enter")
    page.wait_for_url(_REQUEST)
    assert grave(page) == []
    with read(city) as session:
        [asked] = publication_requests(session)
    assert asked.effect is not None, "the second person sees what it does"
    assert asked.starts_at > clock.now
    assert said == []
