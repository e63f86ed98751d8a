"""The desk's addresses: who may do what, how a job goes over them, and what they never tell."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient
from sqlalchemy import Engine

from fare.api import create_app
from fare.database.engine import read, write
from fare.desk.relay import IDLE, MAX_REPLY_BYTES
from fare.issuing import card_view, cards
from fare.keys import LedgerKeys
from fare.settings import LedgerSettings
from fare.staff import Role, create_account, hash_password
from tests.collection.bus import NOON, City
from tests.desk.build import SetClock, a_chip

PASSWORD = "a long password 123"
JOBS = "/v1/desk/jobs"
SESSION = "/v1/desk/session"
PEOPLE = {"omid": Role.CLERK, "ali": Role.OPERATOR, "sara": Role.ADMINISTRATOR}


@pytest.fixture(scope="module")
def password_hash() -> str:
    return hash_password(PASSWORD)


@pytest.fixture
def clock() -> SetClock:
    return SetClock()


@pytest.fixture
def city(sqlite_engine: Engine, tmp_path: Path, password_hash: str) -> City:
    settings = LedgerSettings(state_dir=tmp_path, database_url=str(sqlite_engine.url))
    founded = City.found(sqlite_engine, LedgerKeys.open(settings.keys_dir))
    with write(sqlite_engine) as session:
        for name, role in PEOPLE.items():
            create_account(session, name, role, password_hash, NOON)
    return founded


@pytest.fixture
def client(city: City, tmp_path: Path, clock: SetClock) -> Iterator[TestClient]:
    settings = LedgerSettings(state_dir=tmp_path, database_url=str(city.engine.url))
    with TestClient(create_app(settings, clock), raise_server_exceptions=False) as opened:
        yield opened


def sign_in(client: TestClient, login: str = "omid") -> dict[str, str]:
    answer = client.post(SESSION, json={"login": login, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    return {"Authorization": f"Bearer {answer.json()['token']}"}


def job(kind: str, number: int = 1, **more: Any) -> dict[str, Any]:
    return {"kind": kind, "request_id": f"{number:032x}", **more}


def driven(client: TestClient, who: dict[str, str], asked: dict[str, Any], chip: Any) -> dict[str, Any]:
    step = client.post(JOBS, json=asked, headers=who).json()
    while step["command"] is not None:
        reply = chip.transmit(bytes.fromhex(step["command"]))
        answer = {"step": step["step"], "reply": reply.hex()}
        step = client.post(f"{JOBS}/{step['job_id']}/answer", json=answer, headers=who).json()
    return step


def test_a_card_is_issued_loaded_and_inspected_step_by_step(client: TestClient, city: City) -> None:
    who, chip = sign_in(client), a_chip(1)
    done = driven(client, who, job("issue"), chip)
    assert (done["error"], done["result"]["serial"], done["result"]["tmc"]) == (None, 1, 1)
    chip.power(False)
    chip.power(True)
    loaded = driven(client, who, job("load", 2, serial=1, amount_rial=70_000, terminal="t-9"), chip)
    assert "written onto it" in loaded["sentences"][0]
    chip.power(False)
    chip.power(True)
    assert driven(client, who, job("inspect", 3), chip)["result"]["balance_rial"] == 70_000
    assert city.balance("psp_receivable:t-9") == 70_000
    report = client.post(
        "/v1/desk/report",
        json={"rows": [{"name": "1", "result": done["result"]}], "form": "html"},
        headers=who,
    )
    assert "omid" in report.json()["report"]


def test_a_load_that_is_asked_for_twice_is_one_load(client: TestClient, city: City) -> None:
    who, chip = sign_in(client), a_chip(1)
    driven(client, who, job("issue"), chip)
    asked = job("load", 2, serial=1, amount_rial=70_000, with_card=False)
    first = client.post(JOBS, json=asked, headers=who).json()
    assert client.post(JOBS, json=asked, headers=who).json() == first
    # Even by a desk that began anew, after the ledger has forgotten the job.
    assert client.delete(SESSION, headers=who).status_code == 204
    again = client.post(JOBS, json=asked, headers=sign_in(client)).json()
    assert again["result"]["order_id"] == first["result"]["order_id"]
    assert city.balance("stored_value:card:1") == -70_000


def test_nobody_works_without_signing_in(client: TestClient) -> None:
    for headers in ({}, {"Authorization": "Bearer x"}, {"Authorization": "Basic x"}):
        answer = client.post(JOBS, json=job("inspect"), headers=headers)
        assert (answer.status_code, answer.json()["error"]) == (401, "not_signed_in")
    answer = client.post(SESSION, json={"login": "omid", "password": "wrong"})
    assert (answer.status_code, answer.json()["error"]) == (401, "wrong_password")
    assert "wrong" not in answer.json()["advice"]


def test_a_session_ends_and_its_jobs_with_it(client: TestClient, clock: SetClock) -> None:
    who = sign_in(client)
    step = client.post(JOBS, json=job("inspect"), headers=who).json()
    assert client.delete(SESSION, headers=who).status_code == 204
    answer = client.post(f"{JOBS}/{step['job_id']}/answer", json={"step": 1, "reply": ""}, headers=who)
    assert answer.status_code == 401
    step = client.post(JOBS, json=job("inspect"), headers=sign_in(client)).json()
    who = sign_in(client)  # another session of the same person does not have that job
    answer = client.post(f"{JOBS}/{step['job_id']}/answer", json={"step": 1, "reply": ""}, headers=who)
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown_job")
    step = client.post(JOBS, json=job("inspect"), headers=who).json()
    clock.now += IDLE
    answer = client.post(f"{JOBS}/{step['job_id']}/answer", json={"step": 1, "reply": ""}, headers=who)
    assert (answer.status_code, answer.json()["error"]) == (404, "unknown_job")


def test_guessing_is_slowed_down(client: TestClient) -> None:
    guess = {"login": "omid", "password": "wrong"}
    answers = [client.post(SESSION, json=guess).status_code for _ in range(6)]
    assert answers == [401] * 5 + [429]
    assert client.post(SESSION, json={"login": "omid", "password": PASSWORD}).status_code == 429


def test_each_role_does_its_own(client: TestClient, city: City) -> None:
    answer = client.post(SESSION, json={"login": "sara", "password": PASSWORD})
    assert (answer.status_code, answer.json()["error"]) == (403, "no_right")
    assert city.rows("SELECT count(*) FROM identity_staff_session") == [(0,)]
    driven(client, sign_in(client), job("issue"), a_chip(1))
    operator = sign_in(client, "ali")
    for kind in ("issue", "inspect", "load", "replace", "roll"):
        answer = client.post(JOBS, json=job(kind, serial=1), headers=operator)
        assert (answer.status_code, answer.json()["error"]) == (403, "no_right"), kind
    done = client.post(JOBS, json=job("block", serial=1, with_card=False), headers=operator).json()
    assert done["result"]["blocked"]
    with read(city.engine) as session:
        assert card_view(session, 1).status == "denied"


def test_bad_requests_are_one_sentence(client: TestClient, city: City) -> None:
    who = sign_in(client)
    for asked, status in (
        ({"kind": "dance", "request_id": "0" * 32}, 422),
        (job("inspect") | {"request_id": "short"}, 422),
        (job("load"), 422),
        (job("load", serial=0), 422),
        (job("load", serial=1, amount_rial=2**40), 422),
        (job("load", serial=1, amount_rial=1, terminal="a b"), 422),
        (job("replace", serial=1, report_lost=True), 422),
        (job("issue", rider_category=256), 422),
    ):
        answer = client.post(JOBS, json=asked, headers=who)
        assert answer.status_code == status, asked
        assert set(answer.json()) == {"error", "advice"}
    step = client.post(JOBS, json=job("inspect"), headers=who).json()
    address = f"{JOBS}/{step['job_id']}/answer"
    for reply, status in (
        ({"step": 1, "reply": "9"}, 422),
        ({"step": 1, "reply": "zz"}, 422),
        ({"step": 1, "reply": "00" * (MAX_REPLY_BYTES + 1)}, 422),
        ({"step": 2, "reply": "9000"}, 409),
        ({"step": 0, "reply": "9000"}, 422),
    ):
        answer = client.post(address, json=reply, headers=who)
        assert answer.status_code == status, reply
        assert set(answer.json()) == {"error", "advice"}
    assert (
        client.post(f"{JOBS}/{'0' * 32}/answer", json={"step": 1, "reply": ""}, headers=who).status_code
        == 404
    )
    with read(city.engine) as session:
        assert cards(session) == []


def test_a_card_that_is_no_card_ends_the_job_in_a_sentence(client: TestClient) -> None:
    who = sign_in(client)

    class Nothing:
        def transmit(self, _apdu: bytes) -> bytes:
            return b"\x6a\x81"

    told = driven(client, who, job("issue"), Nothing())
    assert (told["error"], told["result"]) == ("not_a_card_of_this_system", None)
    assert "Classic" in told["sentences"][0]


def test_the_addresses_are_described(client: TestClient) -> None:
    page = client.get("/docs").text
    for told in (SESSION, JOBS, f"{JOBS}/{{job_id}}/answer", "request_id", "Credentials", "JobStep"):
        assert told in page
