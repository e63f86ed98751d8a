"""What a validator gets from the ledger over HTTP: enrolment, bundle, acknowledgements, refusals."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from fastapi.testclient import TestClient
from httpx2 import Response

from fare.core.bundle import open_bundle
from fare.core.claim_answer import open_claim_answer
from fare.core.device_request import HEADER, DeviceRequest, redemption_path, sign_request
from fare.core.signed import BadSignature
from fare.database.engine import write
from fare.fleet import create_device, revoke
from tests.api.conftest import SetClock
from tests.collection.bus import EVENING, FARE_RIAL, Bus, City, drawn

CBOR = {"Content-Type": "application/cbor"}
ZSTD = {**CBOR, "Content-Encoding": "zstd"}


def upload(client: TestClient, envelope: bytes) -> Response:
    return client.post("/v1/batches", content=zstandard.compress(envelope), headers=ZSTD)


def asked(
    bus: Bus,
    at: datetime = EVENING,
    *,
    method: str = "GET",
    path: str = "/v1/bundle",
    device: int | None = None,
) -> dict[str, str]:
    request = DeviceRequest(device or bus.device, int(at.timestamp() * 1000), method, path, drawn(16))
    return {HEADER: sign_request(request, bus.key)}


def test_a_batch_is_durable_before_its_answer(client: TestClient, city: City) -> None:
    bus = city.bus(1)
    card = city.card()
    bus.ride(card, deliver=card.load(city, 100_000))
    answer = upload(client, bus.batch())
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/cbor"
    assert city.open(answer.content).acked_seq == 1
    assert [r[4] for r in city.rides()] == [FARE_RIAL]
    plain = client.post("/v1/batches", content=bus.batch(), headers=CBOR)
    assert city.open(plain.content) == city.open(answer.content)


def test_refused_uploads_say_what_is_wrong(client: TestClient, city: City) -> None:
    bus = city.bus(1)
    bus.write()
    stranger = Ed25519PrivateKey.from_private_bytes(drawn(32))
    expected = [
        (upload(client, b"nonsense"), 400, "not_a_batch"),
        (upload(client, replace(bus, device=9).batch()), 401, "unknown_device"),
        (upload(client, replace(bus, key=stranger).batch()), 401, "bad_signature"),
        (upload(client, bus.batch(head_hash=bytes(32))), 422, "damaged_batch"),
        (client.post("/v1/batches", content=b"{}", headers={"Content-Type": "application/json"}), 415,
         "unsupported_media_type"),
        (client.post("/v1/batches", content=b"x", headers={**CBOR, "Content-Encoding": "gzip"}), 415,
         "unsupported_encoding"),
        (client.post("/v1/batches", content=b"not zstd", headers=ZSTD), 400, "damaged_body"),
        (client.post("/v1/batches", content=bytes(2 << 20), headers=CBOR), 413, "too_large"),
        (client.get("/v1/nothing"), 404, "not_found"),
        (client.get("/v1/batches"), 405, "method_not_allowed"),
        (client.get("/v1/bundle"), 422, "invalid_request"),
        (client.post("/v1/claim", json={"device": 0}), 422, "invalid_request"),
    ]  # fmt: skip
    for answer, status, error in expected:
        assert (answer.status_code, answer.json()["error"]) == (status, error)
        assert answer.json()["advice"].endswith(".")
    # The damaged batch is kept although it was refused.
    assert city.rows("SELECT reason FROM travel_quarantine") == [("damaged_batch",)]


def test_a_small_body_that_unpacks_to_gigabytes_is_refused(client: TestClient) -> None:
    bomb = zstandard.ZstdCompressor(level=19).compress(bytes(64 << 20))
    assert len(bomb) < 20_000
    answer = client.post("/v1/batches", content=bomb, headers=ZSTD)
    assert (answer.status_code, answer.json()["error"]) == (413, "too_large")
    wide = zstandard.ZstdCompressor(
        compression_params=zstandard.ZstdCompressionParameters(window_log=27)
    ).compressobj()
    frame = wide.compress(bytes(1 << 20)) + wide.flush()
    assert client.post("/v1/batches", content=frame, headers=ZSTD).status_code == 400


def test_the_bundle_is_sent_once_for_each_version(client: TestClient, city: City) -> None:
    bus = city.bus(1)
    first = client.get("/v1/bundle", headers=asked(bus))
    assert first.status_code == 200
    signer = city.keys.bundle
    bundle = open_bundle(first.content, {signer.kid: signer.public})
    assert bundle.devices[1].vehicle == "v-1"
    assert first.headers["etag"] == f'"{city.keys.ledger_epoch.hex()}-{bundle.version.n}"'
    for tag in (first.headers["etag"], first.headers["etag"].strip('"')):
        same = client.get("/v1/bundle", headers={**asked(bus), "If-None-Match": tag})
        assert (same.status_code, same.content) == (304, b"")
    card = city.card()
    card.load(city, 50_000)
    newer = client.get("/v1/bundle", headers={**asked(bus), "If-None-Match": first.headers["etag"]})
    assert newer.status_code == 200
    assert card.serial in open_bundle(newer.content, {signer.kid: signer.public}).entitlements


def test_only_an_enrolled_device_gets_the_bundle(client: TestClient, city: City) -> None:
    bus = city.bus(1)
    stranger = replace(bus, key=Ed25519PrivateKey.from_private_bytes(drawn(32)))
    late = EVENING - timedelta(minutes=11)
    assert _refusal(client, {HEADER: "?"}) == (400, "bad_request_header")
    assert _refusal(client, {HEADER: "A" * 2000}) == (400, "bad_request_header")
    assert _refusal(client, asked(stranger)) == (401, "bad_signature")
    assert _refusal(client, asked(bus, device=8)) == (401, "unknown_device")
    assert _refusal(client, asked(bus, path="/v1/batches")) == (401, "wrong_request")
    assert _refusal(client, asked(bus, late)) == (401, "clock_off")
    with write(city.engine) as session:
        revoke(session, 1, EVENING)
    assert _refusal(client, asked(bus)) == (403, "device_revoked")
    # What it had journalled is still taken in.
    bus.write()
    assert upload(client, bus.batch()).status_code == 200


def _refusal(client: TestClient, headers: dict[str, str]) -> tuple[int, str]:
    answer = client.get("/v1/bundle", headers=headers)
    return answer.status_code, answer.json()["error"]


def test_a_paper_ticket_is_redeemed_for_one_device(client: TestClient, city: City) -> None:
    bus, other = city.bus(1), city.bus(2)
    paper = city.paper(None)

    def redeem(asker: Bus, path: str = "") -> Response:
        path = path or redemption_path(paper.cti)
        return client.post(path, headers=asked(asker, method="POST", path=redemption_path(paper.cti)))

    assert redeem(bus).json() == {"granted": True, "reason": "granted"}
    assert redeem(bus).json()["granted"], "it lost its power before it heard the answer"
    assert redeem(other).json() == {"granted": False, "reason": "already_redeemed"}
    # A signature for one ticket redeems no other, and a poll's none at all.
    another = city.paper(None)
    assert redeem(bus, redemption_path(another.cti)).status_code == 401
    assert client.post(redemption_path(another.cti), headers=asked(bus)).status_code == 401
    assert redeem(bus, "/v1/redemptions/NOHEX").status_code == 422
    with write(city.engine) as session:
        revoke(session, 1, EVENING)
    assert redeem(bus).status_code == 403


def test_a_claim_enrols_a_device_once(client: TestClient, city: City, clock: SetClock) -> None:
    with write(city.engine) as session:
        code = create_device(session, 5, EVENING)
    key = Ed25519PrivateKey.from_private_bytes(drawn(32))
    public, nonce = key.public_key().public_bytes_raw(), drawn(16)
    claim = {"device": 5, "claim_code": code, "public_key": public.hex(), "nonce": nonce.hex()}
    wrong = client.post("/v1/claim", json={**claim, "claim_code": "0" * 32})
    assert (wrong.status_code, wrong.json()["error"]) == (403, "wrong_code")
    answer = client.post("/v1/claim", json=claim)
    assert answer.status_code == 200
    assert set(answer.json()) == {"device", "sealed"}, "no time that nobody signed"
    sealed, bundle = bytes.fromhex(answer.json()["sealed"]), city.keys.bundle
    told = open_claim_answer(sealed, {bundle.kid: bundle.public}, 5, public, nonce)
    assert told == int(EVENING.timestamp() * 1000)
    with pytest.raises(BadSignature):
        open_claim_answer(sealed, {bundle.kid: bundle.public}, 5, public, drawn(16))
    other = {**claim, "public_key": drawn(32).hex()}
    assert client.post("/v1/claim", json=other).status_code == 409
    clock.now += timedelta(minutes=2)
    assert client.post("/v1/claim", json=claim).status_code == 200


def test_claims_of_one_device_are_slowed_down(client: TestClient, city: City, clock: SetClock) -> None:
    guess = {"device": 5, "claim_code": "0" * 32, "public_key": "00" * 32, "nonce": "00" * 16}
    answers = [client.post("/v1/claim", json=guess) for _ in range(6)]
    assert [a.status_code for a in answers] == [403] * 5 + [429]
    assert 1 <= int(answers[-1].headers["retry-after"]) <= 61
    assert client.post("/v1/claim", json={**guess, "device": 6}).status_code == 403
    clock.now += timedelta(seconds=61)
    assert client.post("/v1/claim", json=guess).status_code == 403


def test_health_and_docs_answer_without_help_from_elsewhere(client: TestClient) -> None:
    assert client.get("/v1/health").json() == {
        "status": "ok",
        "server_time_ms": int(EVENING.timestamp() * 1000),
    }
    page = client.get("/docs")
    assert page.status_code == 200
    for address in ("/v1/batches", "/v1/bundle", "/v1/claim", "/v1/health"):
        assert address in page.text
    assert "<script" not in page.text
    assert "://" not in page.text
    assert "default-src 'none'" in page.headers["content-security-policy"]
    assert client.get("/docs/style.css").headers["content-type"].startswith("text/css")
    assert client.get("/openapi.json").status_code == 200


@pytest.mark.parametrize("path", ["/v1/batches", "/v1/health"])
def test_a_fault_is_a_sentence_with_a_reference(
    client: TestClient, city: City, monkeypatch: pytest.MonkeyPatch, settings, path: str
) -> None:
    from fare.api import devices, health

    def fault(*_: object, **__: object) -> None:
        raise RuntimeError("a secret detail")

    monkeypatch.setattr(devices, "take_in", fault)
    monkeypatch.setattr(health, "text", fault)
    bus = city.bus(1)
    bus.write()
    answer = upload(client, bus.batch()) if path == "/v1/batches" else client.get(path)
    assert (answer.status_code, answer.json()["error"]) == (500, "internal_fault")
    assert "secret" not in answer.text
    assert "Traceback" not in answer.text
    reference = answer.json()["advice"].split()[-1].rstrip(".")
    log = settings.state_dir / "faults.log"
    assert reference in log.read_text()
    assert "a secret detail" in log.read_text()
    assert log.stat().st_mode & 0o077 == 0
