from __future__ import annotations

import os
import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest
import uvicorn
from fastapi import APIRouter, FastAPI
from starlette.requests import Request
from starlette.responses import Response
from starlette.testclient import TestClient

from fare.api import create_app
from fare.settings import LedgerSettings
from fare.web.rider.shell import FOLDER, Assets
from tests.collection.bus import FARE_RIAL, City
from tests.web.rider.browser import MOBILE, PhoneKey

SCRIPT = "export const words = 'کد';\n" * 200


@pytest.fixture
def files(tmp_path: Path) -> Path:
    folder = tmp_path / "static"
    (folder / "vendor").mkdir(parents=True)
    (folder / "app.js").write_text(SCRIPT, encoding="utf-8")
    (folder / "vendor" / "font.woff2").write_bytes(bytes(range(256)))
    (folder / ".secret").write_text("hidden")
    (tmp_path / "outside.txt").write_text("outside")
    (folder / "link.txt").symlink_to(tmp_path / "outside.txt")
    return folder


@pytest.fixture
def reader(files: Path) -> TestClient:
    assets, app, router = Assets(files), FastAPI(), APIRouter()

    @router.get("/{name:path}")
    def file(request: Request, name: str) -> Response:
        return assets.answer(request, name)

    app.include_router(router)
    return TestClient(app)


def test_text_is_compressed_once_and_the_browser_asks_whether_it_changed(
    reader: TestClient, files: Path
) -> None:
    plain = reader.get("/app.js", headers={"Accept-Encoding": "identity"})
    assert (plain.text, plain.headers["content-type"]) == (SCRIPT, "text/javascript; charset=utf-8")
    zipped = reader.get("/app.js", headers={"Accept-Encoding": "br, gzip;q=0.8"})
    assert (zipped.text, zipped.headers["content-encoding"]) == (SCRIPT, "gzip")
    assert int(zipped.headers["content-length"]) < len(SCRIPT) / 20
    assert plain.headers["etag"] != zipped.headers["etag"], "two encodings are two representations"
    for answer in (plain, zipped):
        assert (answer.headers["vary"], answer.headers["cache-control"]) == ("Accept-Encoding", "no-cache")
        assert not answer.headers["etag"].startswith("W/")
        assert "worker-src 'self'; manifest-src 'self'" in answer.headers["content-security-policy"]
    same = {"Accept-Encoding": "gzip", "If-None-Match": f'"x", {zipped.headers["etag"]}'}
    assert (reader.get("/app.js", headers=same).status_code, reader.get("/app.js", headers=same).text) == (
        304,
        "",
    )
    assert "content-encoding" not in reader.get("/app.js", headers={"Accept-Encoding": "gzip;q=0"}).headers
    state = (files / "app.js").stat()
    (files / "app.js").write_text(SCRIPT.replace("کد", "رد"), encoding="utf-8")
    os.utime(files / "app.js", ns=(state.st_atime_ns, state.st_mtime_ns + 1))
    assert reader.get("/app.js", headers=same).status_code == 200


def test_a_font_is_sent_as_it_is(reader: TestClient) -> None:
    font = reader.get("/vendor/font.woff2")
    assert (font.content, font.headers["content-type"]) == (bytes(range(256)), "font/woff2")
    assert "content-encoding" not in font.headers
    assert "vary" not in font.headers


@pytest.mark.parametrize(
    "name",
    ["%2e%2e/outside.txt", "vendor/%2e%2e/%2e%2e/outside.txt", "link.txt", ".secret", "vendor", "a%00b", "x"],
)
def test_only_our_own_files_are_sent(reader: TestClient, name: str) -> None:
    assert (reader.get(f"/{name}").status_code, reader.get(f"/{name}").json()) == (
        404,
        {"error": "not_found"},
    )


class Served:
    """The whole ledger under real uvicorn."""

    def __init__(self, settings: LedgerSettings) -> None:
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.address = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        config = uvicorn.Config(create_app(settings), log_level="warning", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()


@pytest.fixture
def served(city: City, database_url: str, settings: LedgerSettings) -> Iterator[Served]:
    assert city is not None
    running = Served(settings.model_copy(update={"database_url": database_url}))
    yield running
    running.stop()


def test_a_rider_enrols_tops_up_and_gets_a_ticket_from_the_real_server(
    served: Served, capfd: pytest.CaptureFixture[str]
) -> None:
    with httpx2.Client(base_url=served.address, headers={"Origin": served.address}, trust_env=False) as rider:
        sent = rider.post("/rider/api/code", json={"mobile": MOBILE})
        assert sent.status_code == 200
        told = next(line for line in capfd.readouterr().out.splitlines() if line.startswith("one-time code"))
        assert told.startswith(f"one-time code for {MOBILE}: ")
        key = PhoneKey()
        enrolment = {"mobile": MOBILE, "code": told[-6:], "key": key.json, "keeps_key": True}
        enrolment["proof"] = key.proof(sent.json()["challenge"])
        account = rider.post("/rider/api/enrol", json=enrolment)
        assert (account.status_code, account.json()["no_ticket_reason"]) == (200, "short_of_funds")
        assert "content-encoding" not in account.headers
        order = rider.post("/rider/api/topup", json={"amount_rial": 10 * FARE_RIAL}).json()
        back = rider.post(order["redirect"], data={"button": "pay"})
        assert (back.status_code, back.headers["location"]) == (
            303,
            f"{served.address}/rider/topup/{order['order_id']}",
        )
        assert rider.get(back.headers["location"]).headers["location"] == f"/rider/?topup={order['order_id']}"
        fresh = PhoneKey()
        proof = fresh.proof(rider.get("/rider/api/account").json()["challenge"])
        ticket = rider.post("/rider/api/ticket", json={"key": fresh.json, "proof": proof, "keeps_key": True})
        assert ticket.json()["ticket"]["max_taps"] == 10
        assert rider.get("/rider").headers["location"] == "/rider/"


def test_every_file_of_the_page_is_sent_with_the_pages_headers(served: Served) -> None:
    paths = [f"static/{path.relative_to(FOLDER / 'static')}" for path in (FOLDER / "static").rglob("*.*")]
    with httpx2.Client(base_url=f"{served.address}/rider/", trust_env=False) as rider:
        shell, worker, manifest = (rider.get(name) for name in ("", "sw.js", "manifest.webmanifest"))
        assert shell.headers["content-type"] == "text/html; charset=utf-8"
        assert worker.headers["service-worker-allowed"] == "/rider/"
        assert worker.headers["content-type"].startswith("text/javascript")
        assert manifest.headers["content-type"] == "application/manifest+json"
        answers = [shell, worker, manifest, *(rider.get(path) for path in paths)]
    for answer in answers:
        assert answer.status_code == 200, answer.url
        assert answer.headers["cache-control"] == "no-cache"
        assert answer.headers["x-content-type-options"] == "nosniff"
        assert "default-src 'none'" in answer.headers["content-security-policy"]
