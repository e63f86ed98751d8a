"""A ledger's device API on loopback, over `MemoryLedger`, that can lose, repeat and delay its answers."""

from __future__ import annotations

import contextlib
import json
import socket
import threading
from collections.abc import Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import cast

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from fare.core.bundle import decode_bundle
from fare.core.claim_answer import ClaimAnswer, seal_claim_answer
from fare.core.device_request import HEADER, open_request
from fare.core.signed import BadSignature, split
from tests.readers.bus import DEVICE, Issuer, MemoryLedger


class LedgerServer(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, issuer: Issuer) -> None:
        super().__init__(("127.0.0.1", 0), _Api)
        self.ledger = MemoryLedger(issuer)
        self.bundle = issuer.bundle()
        self.claims: list[str] = []
        self.polls = 0
        self.refuse_poll = 0
        self.faults: list[str] = []  # for the next batches: lose | early | repeat | 429 | garbage | 500
        self.last_answer = b""
        self.claim_faults: list[str] = []  # for the next claims: unsealed | replayed | other-key
        self.last_sealed: str | None = None
        self.redemption = "granted"
        self.redeemed: list[bytes] = []
        self.answer_now = threading.Event()
        self.answer_now.set()
        self.connections: list[socket.socket] = []
        self.etags: list[str | None] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def die(self) -> None:
        """Stop as a killed process does: its open connections are gone as well."""
        self.shutdown()
        self.server_close()
        for connection in self.connections:
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def process_request(self, request: socket.socket, client_address: object) -> None:  # type: ignore[override]
        """Remember the connection."""
        self.connections.append(request)
        super().process_request(request, client_address)

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that was cut is part of the tests."""


class _Api(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    @property
    def home(self) -> LedgerServer:
        return cast("LedgerServer", self.server)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Quiet."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path == "/v1/claim":
            self.claim(json.loads(body))
        elif self.path.startswith("/v1/redemptions/"):
            self.redemption()
        elif self.path == "/v1/batches":
            assert self.headers["Content-Type"] == "application/cbor"
            assert self.headers["Content-Encoding"] == "zstd"
            self.batch(body)

    def claim(self, document: dict[str, object]) -> None:
        home = self.home
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(str(document["public_key"])))
        if home.claims and key != home.ledger.device_key:
            self.answer(409, json.dumps({"error": "claimed", "advice": "Make a new kit."}).encode())
            return
        home.claims.append(str(document["claim_code"]))
        assert document["device"] == DEVICE
        home.ledger.device_key = Ed25519PublicKey.from_public_bytes(
            bytes.fromhex(str(document["public_key"]))
        )
        if home.faults and home.faults[0] == "lose-claim":
            home.faults.pop(0)
            self.close_connection = True
            return
        sealed = self.sealed(
            bytes.fromhex(str(document["public_key"])), bytes.fromhex(str(document["nonce"]))
        )
        # The unsigned time is what somebody on the line would have the validator believe.
        self.answer(200, json.dumps({"device": DEVICE, "server_time_ms": 0, "sealed": sealed}).encode())

    def sealed(self, public_key: bytes, nonce: bytes) -> str | None:
        home = self.home
        key = home.ledger.issuer.bundle_key
        fault = home.claim_faults.pop(0) if home.claim_faults else ""
        if fault == "unsealed":
            return None
        if fault == "replayed":
            return home.last_sealed
        if fault == "other-key":
            key = home.ledger.issuer.ack_key
        answer = ClaimAnswer(DEVICE, public_key, nonce, home.ledger.now_ms)
        home.last_sealed = seal_claim_answer(answer, 1, key).hex()
        return home.last_sealed

    def redemption(self) -> None:
        home = self.home
        assert home.ledger.device_key is not None
        request = open_request(self.headers[HEADER], home.ledger.device_key)
        assert (request.device, request.method, request.path) == (DEVICE, "POST", self.path)
        home.redeemed.append(bytes.fromhex(self.path.rsplit("/", 1)[1]))
        home.answer_now.wait(10)
        reason = home.redemption
        self.answer(200, json.dumps({"granted": reason == "granted", "reason": reason}).encode())

    def batch(self, body: bytes) -> None:
        home = self.home
        fault = home.faults.pop(0) if home.faults else ""
        if fault == "early":  # cut before anything was taken in
            self.close_connection = True
            return
        if fault in ("429", "500"):
            self.answer(
                int(fault), json.dumps({"error": "busy", "advice": "Wait."}).encode(), {"Retry-After": "3"}
            )
            return
        repeated = home.last_answer
        home.last_answer = home.ledger.take(body)
        if fault == "lose":  # taken in, and nobody hears of it
            self.close_connection = True
        elif fault == "repeat" and repeated:
            self.answer(200, repeated)
        elif fault == "garbage":
            self.answer(200, b"\x00" * 40)
        else:
            self.answer(200, home.last_answer)

    def do_GET(self) -> None:
        home = self.home
        assert self.path == "/v1/bundle"
        assert home.ledger.device_key is not None
        if not home.claims:
            self.answer(401, b"{}")
            return
        try:
            request = open_request(self.headers[HEADER], home.ledger.device_key)
        except BadSignature:
            self.answer(401, b"{}")
            return
        assert (request.device, request.method, request.path) == (DEVICE, "GET", "/v1/bundle")
        home.polls += 1
        if home.refuse_poll:
            self.answer(home.refuse_poll, json.dumps({"error": "no", "advice": "See."}).encode())
            return
        version = decode_bundle(split(home.bundle)[0]).version
        etag = f'"{version.ledger_epoch.hex()}-{version.n}"'
        home.etags.append(self.headers.get("If-None-Match"))
        if self.headers.get("If-None-Match") == etag:
            self.answer(304, b"")
        else:
            self.answer(200, home.bundle, {"ETag": etag})

    def answer(self, status: int, body: bytes, more: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (more or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)


@contextmanager
def serving(issuer: Issuer) -> Generator[LedgerServer]:
    """The server, answering until the block ends."""
    server = LedgerServer(issuer)
    thread = threading.Thread(target=lambda: server.serve_forever(poll_interval=0.02), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
