"""Somebody on the office's or the bus's network, with the ledger's address and no key."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
import zstandard
from fastapi.testclient import TestClient
from sqlalchemy import text
from sqlmodel import Session
from starlette.types import Message, Receive, Scope, Send

from fare.api.faults import FaultsToSentences
from fare.api.limits import MAX_BODY_BYTES, BoundedBodies
from fare.database.engine import write
from fare.fleet import create_device
from fare.settings import LedgerSettings
from tests.api.conftest import city, client, clock, settings
from tests.attacks.test_hostile_bytes import BOMBS
from tests.collection.bus import EVENING, City, drawn

__all__ = ["city", "client", "clock", "settings"]

MIB = 1 << 20


def run(work: Coroutine[Any, Any, object]) -> None:
    """Run on a thread of its own: a browser test in the same process leaves its loop in this one."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        thread.submit(asyncio.run, work).result()


def unannounced_body(total: int) -> Iterator[bytes]:
    for _ in range(total // 65_536):
        yield b"a" * 65_536


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/v1/claim", "application/json"),
        ("/login", "application/x-www-form-urlencoded"),
        ("/logout", "application/x-www-form-urlencoded"),
        ("/approvals/x", "application/x-www-form-urlencoded"),
        ("/v1/batches", "application/cbor"),
    ],
)
def test_no_address_takes_more_than_a_batch(client: TestClient, path: str, kind: str) -> None:
    headers = {"Content-Type": kind}
    announced = client.post(path, content=b"a" * (MAX_BODY_BYTES + 1), headers=headers)
    assert announced.status_code == 413
    assert announced.json()["error"] == "too_large"
    unannounced = client.post(path, content=unannounced_body(4 * MIB), headers=headers)
    assert unannounced.status_code in {400, 413}


def test_an_announced_length_that_is_no_number_is_refused(client: TestClient) -> None:
    for length in ("-1", "1e9", "9" * 400, "٣"):
        headers = {"Content-Type": "application/json", "Content-Length": length}
        answer = client.post(
            "/v1/claim", content=b"{}", headers=[(k.encode(), v.encode()) for k, v in headers.items()]
        )
        assert answer.status_code == 413, length


def test_reading_stops_at_the_limit() -> None:
    """Whatever the application does with a body, no more than the limit is ever taken from the network."""
    taken = 0
    told: list[Message] = []

    async def endless() -> Message:
        nonlocal taken
        taken += 65_536
        return {"type": "http.request", "body": b"a" * 65_536, "more_body": True}

    run(_through(BoundedBodies(_gathers), endless, told))
    assert taken <= MAX_BODY_BYTES + 2 * 65_536
    assert told[0]["status"] == 413


def test_a_body_that_drips_is_ended() -> None:
    told: list[Message] = []

    async def dripping() -> Message:
        await asyncio.sleep(0.001)
        return {"type": "http.request", "body": b"a", "more_body": True}

    run(_through(BoundedBodies(_gathers, within_s=0.05), dripping, told))
    assert told[0]["status"] == 408


def test_waiting_for_an_answer_has_no_limit() -> None:
    """The body is whole: what is listened to afterwards is only whether the client is still there."""
    told: list[Message] = []
    bodies = iter([{"type": "http.request", "body": b"a", "more_body": False}])

    async def then_silent() -> Message:
        for message in bodies:
            return message
        await asyncio.sleep(0.1)
        return {"type": "http.disconnect"}

    async def slow(_scope: Scope, receive: Receive, send: Send) -> None:
        await receive()
        await receive()
        await send({"type": "http.response.start", "status": 200, "headers": []})

    run(_through(BoundedBodies(slow, within_s=0.05), then_silent, told))
    assert told[0]["status"] == 200


async def _gathers(_scope: Scope, receive: Receive, send: Send) -> None:
    while (await receive()).get("more_body"):
        pass
    await send({"type": "http.response.start", "status": 200, "headers": []})


async def _through(app: Any, receive: Receive, told: list[Message]) -> None:
    async def send(message: Message) -> None:
        told.append(message)

    await app({"type": "http", "method": "POST", "path": "/", "headers": []}, receive, send)


@pytest.mark.parametrize("bomb", BOMBS.values(), ids=BOMBS.keys())
def test_no_upload_of_a_stranger_is_a_fault(client: TestClient, bomb: bytes) -> None:
    headers = {"Content-Type": "application/cbor", "Content-Encoding": "zstd"}
    answer = client.post("/v1/batches", content=zstandard.compress(bomb), headers=headers)
    assert (answer.status_code, answer.json()["error"]) == (400, "not_a_batch")


# --- what a stranger may set, guess and learn -------------------------------------------------------------


def test_a_claim_sets_nothing_but_the_key(client: TestClient, city: City) -> None:
    with write(city.engine) as session:
        code = create_device(session, 5, EVENING)
    more = {"revoked_at": None, "enrolled_at": "2020-01-01T00:00:00Z", "owner_id": "o-1", "role": "finance"}
    claim = {"device": 5, "claim_code": code, "public_key": "ab" * 32, "nonce": "00" * 16, **more}
    client.post("/v1/claim", json=claim)
    rows = city.rows("SELECT device_id, enrolled_at FROM travel_device WHERE public_key IS NOT NULL")
    assert all("2020" not in str(row) for row in rows)
    assert city.rows("SELECT count(*) FROM travel_device_assignment") == [(0,)]


def test_codes_cannot_be_guessed(client: TestClient, city: City) -> None:
    with write(city.engine) as session:
        create_device(session, 5, EVENING)
    answers = [
        client.post(
            "/v1/claim",
            json={"device": 5, "claim_code": f"{n:032x}", "public_key": "ab" * 32, "nonce": "00" * 16},
        )
        for n in range(50)
    ]
    told = [answer.status_code for answer in answers]
    assert told.count(403) <= 5
    assert set(told) == {403, 429}
    assert int(answers[-1].headers["Retry-After"]) >= 1


@pytest.mark.parametrize(
    "onward",
    [
        "//evil.example",
        "/\\evil.example",
        "https://evil.example",
        "/%2f/evil.example",
        "javascript:alert(1)",
        "/\n/x",
    ],
)
def test_signing_in_leads_to_this_site_alone(client: TestClient, onward: str) -> None:
    page = client.get("/login", params={"next": onward})
    assert "evil.example" not in page.text
    assert "javascript:" not in page.text


def test_a_page_of_money_is_shown_to_nobody_who_is_not_signed_in(client: TestClient) -> None:
    for path in ("/", "/finance/day", "/finance/day/2026-11-22", "/approvals"):
        answer = client.get(path, follow_redirects=False)
        assert (answer.status_code, answer.headers["location"].partition("?")[0]) == (303, "/login")
    assert client.get("/finance/day/2026-11-22/figures").status_code == 401
    for forged in ("", "x", "' OR 1=1 --", "A" * 5_000):
        client.cookies.set("mancard_session", forged)
        assert client.get("/finance/day", follow_redirects=False).status_code == 303


def test_a_fault_is_logged_on_lines_of_its_own_and_without_what_was_worked_on(
    client: TestClient, city: City, settings: LedgerSettings, monkeypatch: pytest.MonkeyPatch
) -> None:
    table = "nowhere" if city.engine.dialect.name == "postgresql" else "ledger_owner"
    secret = drawn(16).hex()

    def breaks(session: Session, *_: object) -> None:
        session.connection().execute(text(f"INSERT INTO {table} (owner_id) VALUES (:id)"), {"id": secret})

    monkeypatch.setattr("fare.api.devices.claim", breaks)
    claim = {"device": 5, "claim_code": secret, "public_key": "ab" * 32, "nonce": "00" * 16}
    answer = client.post("/v1/claim", json=claim)
    assert answer.status_code == 500
    assert table not in answer.text
    logged = (settings.state_dir / "faults.log").read_text()
    assert table in logged
    assert secret not in logged


def test_a_path_writes_no_line_of_its_own_into_the_log(tmp_path: Path) -> None:
    async def breaks(_scope: Scope, _receive: Receive, _send: Send) -> None:
        raise RuntimeError("broken")

    told: list[Message] = []

    async def send(message: Message) -> None:
        told.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    app = FaultsToSentences(breaks, folder=tmp_path, clock=lambda: EVENING)
    scope = {"type": "http", "method": "GET", "path": "/x\n2026-11-22 00000000 forged", "headers": []}
    run(app(scope, receive, send))
    assert told[0]["status"] == 500
    assert not [
        line for line in (tmp_path / "faults.log").read_text().splitlines() if line.endswith("forged")
    ]
