"""Somebody on the office's or the bus's network, with the ledger's address and no key."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
import zstandard
from fastapi.testclient import TestClient
from starlette.types import Message, Receive, Scope, Send

from fare.api.limits import MAX_BODY_BYTES, BoundedBodies
from tests.api.conftest import client, clock, settings
from tests.attacks.test_hostile_bytes import BOMBS

__all__ = ["client", "clock", "settings"]

MIB = 1 << 20


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

    asyncio.run(_through(BoundedBodies(_gathers), endless, told))
    assert taken <= MAX_BODY_BYTES + 2 * 65_536
    assert told[0]["status"] == 413


def test_a_body_that_drips_is_ended() -> None:
    told: list[Message] = []

    async def dripping() -> Message:
        await asyncio.sleep(0.001)
        return {"type": "http.request", "body": b"a", "more_body": True}

    asyncio.run(_through(BoundedBodies(_gathers, within_s=0.05), dripping, told))
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

    asyncio.run(_through(BoundedBodies(slow, within_s=0.05), then_silent, told))
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
