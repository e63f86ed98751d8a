"""The way to the ledger over HTTP, with a switch that really cuts it. It decides nothing and never retries.

The addresses and what is said at them are in `fare.core.device_request`. An error answer is JSON
`{"error", "advice"}`. Cutting closes every open connection and makes the transport
refuse new ones, so all the code above meets a real outage.
"""

from __future__ import annotations

import json
import threading
from dataclasses import dataclass
from typing import Any, Final, Protocol, cast

import httpx2
import zstandard
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core.bundle import MAX_BUNDLE_BYTES
from fare.core.claim_answer import NONCE_BYTES
from fare.core.device_request import (
    BATCHES_PATH,
    BUNDLE_PATH,
    CLAIM_PATH,
    CONTENT_TYPE,
    HEADER,
    DeviceRequest,
    redemption_path,
    sign_request,
)
from fare.core.proof.refusal import TicketRefusal
from readers.ports import Clock, RandomBytes

CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 30.0
REDEMPTION_TIMEOUT_S: Final = 2.0
REDEMPTION_TIMEOUT: Final = httpx2.Timeout(REDEMPTION_TIMEOUT_S, connect=1.0)
OK: Final = 200
NOT_MODIFIED: Final = 304
MAX_RETRY_AFTER_S: Final = 3600
MAX_ANSWER_BYTES: Final = MAX_BUNDLE_BYTES + 1024


_NOT_GRANTED: Final = {
    "already_redeemed": TicketRefusal.ALREADY_PAID,
    "not_valid": TicketRefusal.EXPIRED,
    "other_vehicle": TicketRefusal.WRONG_VEHICLE,
    "unknown_ticket": TicketRefusal.DENYLISTED,
}
"""What the ledger says of a paper ticket that is not granted, as its holder is told."""


class UplinkDown(Exception):
    """The ledger was not reached, or its answer was lost: nothing is known of what it did."""


class LedgerRefused(Exception):
    """The ledger answered, and not with success. `retry_after_s` is what it asked for, if it did."""

    def __init__(self, status: int, error: str, advice: str, retry_after_s: float | None) -> None:
        super().__init__(f"The ledger answered {status} ({error}). {advice}".strip())
        self.status = status
        self.error = error
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class SealedAnswer:
    """The ledger's answer to a claim, an envelope that nobody has opened yet, and the claim's own nonce."""

    nonce: bytes
    envelope: bytes


class Uplink(Protocol):
    """What the synchroniser needs of a way to the ledger."""

    def claim(self, claim_code: str, public_key: bytes) -> SealedAnswer:
        """Enrol this device; the answer, unopened. Raises UplinkDown or LedgerRefused."""
        ...

    def send_batch(self, envelope: bytes) -> bytes:
        """Hand over a batch; the acknowledgement's envelope. Raises UplinkDown or LedgerRefused."""
        ...

    def fetch_bundle(self, etag: str | None) -> bytes | None:
        """The bundle's envelope, None when `etag` is still the newest. Raises UplinkDown or LedgerRefused."""
        ...


class SwitchedTransport(httpx2.BaseTransport):
    """An HTTP transport that can be cut and restored by another thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inner: httpx2.HTTPTransport | None = httpx2.HTTPTransport(trust_env=False)

    @property
    def is_cut(self) -> bool:
        """Whether the line is cut now."""
        return self._inner is None

    def cut(self) -> None:
        """Close all connections, with whatever is under way on them, and refuse new ones."""
        with self._lock:
            inner, self._inner = self._inner, None
        if inner is not None:
            inner.close()

    def restore(self) -> None:
        """Allow connections again."""
        with self._lock:
            if self._inner is None:
                self._inner = httpx2.HTTPTransport(trust_env=False)

    def handle_request(self, request: httpx2.Request) -> httpx2.Response:
        """Pass a request on, or fail as a dead line does; an answer that the cut overtook is lost."""
        inner = self._inner
        if inner is None:
            raise httpx2.ConnectError("the uplink is cut", request=request)
        response = inner.handle_request(request)
        response.read()
        if self._inner is not inner:
            raise httpx2.ReadError("the uplink was cut", request=request)
        return response

    def close(self) -> None:
        """Close for good."""
        self.cut()


@dataclass(frozen=True, slots=True)
class DeviceIdentity:
    """Who speaks: the device's number and its Ed25519 key."""

    device: int
    key: Ed25519PrivateKey


class HttpUplink:
    """The Uplink over HTTP, for one device. Thread-safe."""

    def __init__(
        self, ledger_url: str, identity: DeviceIdentity, clock: Clock, random_bytes: RandomBytes
    ) -> None:
        self._identity = identity
        self._clock = clock
        self._random_bytes = random_bytes
        self._transport = SwitchedTransport()
        self._compressor = zstandard.ZstdCompressor(level=10)
        self._client = httpx2.Client(
            base_url=ledger_url.rstrip("/"),
            transport=self._transport,
            timeout=httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            trust_env=False,
        )

    @property
    def is_cut(self) -> bool:
        """Whether the switch is open."""
        return self._transport.is_cut

    def cut(self) -> None:
        """Cut the line now."""
        self._transport.cut()

    def restore(self) -> None:
        """Close the switch again."""
        self._transport.restore()

    def close(self) -> None:
        """Give all connections back."""
        self._client.close()

    def claim(self, claim_code: str, public_key: bytes) -> SealedAnswer:
        """See Uplink."""
        nonce = self._random_bytes(NONCE_BYTES)
        body = {
            "device": self._identity.device,
            "claim_code": claim_code,
            "public_key": public_key.hex(),
            "nonce": nonce.hex(),
        }
        answer = self._ask("POST", CLAIM_PATH, content=json.dumps(body).encode(), kind="application/json")
        try:
            return SealedAnswer(nonce, bytes.fromhex(answer.json()["sealed"]))
        except (ValueError, KeyError, TypeError) as fault:
            raise UplinkDown("the ledger's answer to the claim is not understood") from fault

    def send_batch(self, envelope: bytes) -> bytes:
        """See Uplink."""
        body = self._compressor.compress(envelope)
        headers = {"Content-Encoding": "zstd"}
        return self._ask("POST", BATCHES_PATH, content=body, kind=CONTENT_TYPE, more=headers).content

    def fetch_bundle(self, etag: str | None) -> bytes | None:
        """See Uplink."""
        headers = {HEADER: self._signed("GET", BUNDLE_PATH)}
        if etag is not None:
            headers["If-None-Match"] = f'"{etag}"'
        answer = self._ask("GET", BUNDLE_PATH, more=headers)
        return None if answer.status_code == NOT_MODIFIED else answer.content

    def redeem(self, cti: bytes) -> TicketRefusal | None:
        """The `Redeem` of this line: a rider waits at the door, so it gives up soon."""
        path = redemption_path(cti)
        headers = {HEADER: self._signed("POST", path)}
        try:
            answer = self._ask("POST", path, more=headers, timeout=REDEMPTION_TIMEOUT)
            told = answer.json()
            return None if told["granted"] is True else _NOT_GRANTED[told["reason"]]
        except (UplinkDown, LedgerRefused, ValueError, KeyError, TypeError):
            return TicketRefusal.NEEDS_LINE

    def _signed(self, method: str, path: str) -> str:
        nonce = self._random_bytes(16)
        request = DeviceRequest(self._identity.device, self._clock.wall_ms(), method, path, nonce)
        return sign_request(request, self._identity.key)

    def _ask(
        self,
        method: str,
        path: str,
        *,
        content: bytes | None = None,
        kind: str | None = None,
        more: dict[str, str] | None = None,
        timeout: httpx2.Timeout | None = None,
    ) -> httpx2.Response:
        headers = dict(more or {})
        if kind is not None:
            headers["Content-Type"] = kind
        try:
            answer = self._client.request(
                method, path, content=content, headers=headers, timeout=timeout or self._client.timeout
            )
        except (httpx2.HTTPError, httpx2.StreamError, RuntimeError, OSError) as fault:
            # RuntimeError and StreamError: the cut closed the pool under a request that was on its way.
            raise UplinkDown("the ledger is not reached: taps wait here and are sent when it is") from fault
        if len(answer.content) > MAX_ANSWER_BYTES:
            raise UplinkDown("the ledger's answer is larger than any document of ours")
        if answer.status_code in (OK, NOT_MODIFIED):
            return answer
        raise _refusal(answer)


def _refusal(answer: httpx2.Response) -> LedgerRefused:
    try:
        document: Any = answer.json()
    except ValueError:
        document = None
    fields = cast("dict[str, object]", document) if isinstance(document, dict) else {}
    error, advice = fields.get("error", "no reason given"), fields.get("advice", "")
    return LedgerRefused(answer.status_code, str(error)[:200], str(advice)[:400], _retry_after_s(answer))


def _retry_after_s(answer: httpx2.Response) -> float | None:
    """The header's seconds, bounded; its date form would need the clock that may be wrong."""
    text = answer.headers.get("Retry-After", "")
    return float(min(int(text), MAX_RETRY_AFTER_S)) if text.isascii() and text.isdigit() else None
