"""A ledger that stands in for the real one behind the rider's page: the same API, answers that a test sets.

The page's files are the real ones, served by the real routes; entitlements are signed as the ledger signs
them. It keeps no money and no database.
"""

from __future__ import annotations

import base64
import secrets
import socket
import threading
import time
from dataclasses import dataclass, field
from typing import Any, Final

import uvicorn
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from fastapi import FastAPI
from starlette.middleware.base import RequestResponseEndpoint
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.staticfiles import StaticFiles
from starlette.types import Message, Receive, Send
from starlette.types import Scope as AsgiScope

from fare.core.money import Locale, amount_in_words
from fare.core.proof.mc1 import EntitlementClaims, sign_entitlement
from fare.core.proof.possession import PhoneKey, check_possession
from fare.web.console import STATIC_FOLDER
from fare.web.rider import shell

KID: Final = b"\x02"
CODE: Final = "123456"
MAX_FARE_RIAL: Final = 35_000
LANGUAGES: Final[tuple[Locale, ...]] = ("fa", "en", "azb", "ckb")
DAY_S: Final = 86_400


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@dataclass
class Scene:
    """What the ledger answers. A test changes it while the page is open."""

    balance_rial: int = 875_000
    held_rial: int = 350_000
    max_taps: int = 10
    life_s: int = 3 * DAY_S
    clock_ahead_s: int = 0
    signed_in: bool = False
    keeps_key: bool | None = None
    again_after_s: int = 60
    ticket: dict[str, Any] | None = None
    refresh_due: bool = True
    no_ticket_reason: str | None = None
    phone_state: str = "live"
    confirmed: bool = True
    newer_phone: bool = False
    rides: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    topup_state: str = "paid"
    refuse: dict[str, str] = field(default_factory=dict[str, str])
    """Path of the API -> error that it answers with."""
    answers: list[bool] = field(default_factory=list[bool])
    issued: int = 0
    asked: list[str] = field(default_factory=list[str])
    worker: str | None = None
    """Another service worker than the page's own."""
    sent_bytes: int = 0
    """Heads and bodies of all answers, as they went over the line."""


_STATUS: Final = {"signed_out": 401, "busy": 503, "wrong_code": 403, "too_soon": 429, "short_of_funds": 409}


class FakeLedger:
    """The server. `scene` is what it answers; `address` is where the page is."""

    def __init__(self) -> None:
        self.scene = Scene()
        self._issuer = Ed25519PrivateKey.generate()
        self._challenge = b""
        self._inner = self._app()
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.origin = f"http://127.0.0.1:{self._socket.getsockname()[1]}"
        self.address = f"{self.origin}/rider/"
        self._server = uvicorn.Server(
            uvicorn.Config(self._weighed, interface="asgi3", log_level="warning", ws="none")
        )
        self._thread = threading.Thread(target=self._server.run, args=([self._socket],), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._server.should_exit = True
        self._thread.join()
        self._socket.close()

    @property
    def channel_keys(self) -> dict[bytes, Ed25519PublicKey]:
        return {KID: self._issuer.public_key()}

    async def _weighed(self, scope: AsgiScope, receive: Receive, send: Send) -> None:
        async def weighing(message: Message) -> None:
            headers = message.get("headers", ())
            self.scene.sent_bytes += sum(len(name) + len(value) + 4 for name, value in headers)
            self.scene.sent_bytes += len(message.get("body", b""))
            await send(message)

        await self._inner(scope, receive, weighing)

    def now_s(self) -> int:
        return int(time.time()) + self.scene.clock_ahead_s

    def trips(self, count: int) -> list[dict[str, Any]]:
        """Trips of the last days, the newest first; some with companions, one under review."""
        lines = (("7", "دانشگاه – میدان ولایت فقیه"), ("12", "بازار – ترمینال"), ("21", "گلمان"))
        return [
            {
                "at_ms": (self.now_s() - 5_400 - place * 31_000) * 1000,
                "line": lines[place % 3][0],
                "line_name": lines[place % 3][1],
                "pax": 2 if place % 5 == 3 else 1,
                "fare_rial": 35_000 * (2 if place % 5 == 3 else 1),
                "disputed": place == 2,
            }
            for place in range(count)
        ]

    def _fresh_challenge(self) -> str:
        self._challenge = secrets.token_bytes(16)
        return b64(self._challenge)

    def account(self) -> dict[str, Any]:
        scene, now_ms = self.scene, self.now_s() * 1000
        total_rial = scene.balance_rial + scene.held_rial
        return {
            "server_time_ms": int(time.time() * 1000) + scene.clock_ahead_s * 1000,
            "challenge": self._fresh_challenge(),
            "mobile_masked": "0914***4567",
            "city_name": "ارومیه",
            "max_fare_rial": MAX_FARE_RIAL,
            "balance_rial": scene.balance_rial,
            "held_rial": scene.held_rial,
            "balance_words": {
                each: amount_in_words(total_rial, unit="toman", locale=each) for each in LANGUAGES
            },
            "phone": {
                "state": scene.phone_state,
                "confirmed": scene.confirmed,
                "day_limit_rial": None if scene.confirmed else 4 * MAX_FARE_RIAL,
                "enrolled_at_ms": now_ms - 86_400_000,
            },
            "newer_phone": {"enrolled_at_ms": now_ms - 1_200_000} if scene.newer_phone else None,
            "ticket": scene.ticket,
            "refresh_due": scene.refresh_due,
            "no_ticket_reason": scene.no_ticket_reason,
        }

    def issue(self, key: PhoneKey) -> None:
        """Sign a ticket for this key; it is not due again."""
        scene, now_s = self.scene, self.now_s()
        lives_s = scene.life_s if key.keeps_keys else 7200
        cti = secrets.token_bytes(8)
        claims = EntitlementClaims(
            now_s + lives_s, now_s, cti, key.public_x, key.y_odd, 0, scene.max_taps, MAX_FARE_RIAL
        )
        scene.ticket = {
            "entitlement": b64(sign_entitlement(claims, self._issuer, KID)),
            "cti": cti.hex(),
            "issued_at_ms": now_s * 1000,
            "expires_at_ms": (now_s + lives_s) * 1000,
            "max_taps": scene.max_taps,
            "max_fare_rial": MAX_FARE_RIAL,
            "rides_taken_in": 0,
            "reissue": False,
        }
        scene.issued += 1
        scene.refresh_due = False

    def _key(self, body: dict[str, Any]) -> PhoneKey | None:
        key = PhoneKey(unb64(body["key"]["x"]), unb64(body["key"]["y"]), body["keeps_key"])
        return key if check_possession(self._challenge, key, unb64(body["proof"])) else None

    def _app(self) -> FastAPI:
        app = FastAPI(docs_url=None, redoc_url=None)

        @app.middleware("http")
        async def another_worker(request: Request, call_next: RequestResponseEndpoint) -> Response:
            if request.url.path == "/rider/sw.js" and self.scene.worker is not None:
                return Response(self.scene.worker, media_type="text/javascript")
            return await call_next(request)

        app.include_router(shell.routes())
        app.mount("/static", StaticFiles(directory=STATIC_FOLDER), name="static")

        @app.post("/rider/api/{path:path}")
        async def post(path: str, request: Request) -> Response:
            body = await request.json()
            return self._answer(path, body)

        @app.get("/rider/api/{path:path}")
        def get(path: str, request: Request) -> Response:
            return self._answer(path, dict(request.query_params))

        @app.get("/sandbox-gateway/{order}")
        def gateway(order: str) -> Response:
            page = f'<!doctype html><title>bank</title><a id="pay" href="/rider/?topup={order}">pay</a>'
            return HTMLResponse(page)

        return app

    def _answer(self, path: str, body: dict[str, Any]) -> Response:
        self.scene.asked.append(path)
        error = self.scene.refuse.get(path)
        if error is None and path not in ("code", "enrol", "lost") and not self.scene.signed_in:
            error = "signed_out"
        told = error or getattr(self, f"_{path.split('/', maxsplit=1)[0].replace('-', '_')}")(body)
        if isinstance(told, str):
            wait = {"retry_after_s": 150} if told in ("too_soon", "too_many") else {}
            return JSONResponse({"error": told, **wait}, _STATUS.get(told, 403))
        return JSONResponse(told, headers={"Cache-Control": "no-store"})

    def _code(self, _body: dict[str, Any]) -> Any:
        return {
            "challenge": self._fresh_challenge(),
            "valid_s": 120,
            "again_after_s": self.scene.again_after_s,
            "sandbox": True,
        }

    def _enrol(self, body: dict[str, Any]) -> Any:
        if body["code"] != CODE:
            return "wrong_code"
        key = self._key(body)
        if key is None:
            return "bad_proof"
        self.scene.keeps_key, self.scene.signed_in = key.keeps_keys, True
        if self.scene.refresh_due:
            self.issue(key)
        return self.account()

    def _lost(self, body: dict[str, Any]) -> Any:
        return {"denied_tickets": 1} if body["code"] == CODE else "wrong_code"

    def _account(self, _body: dict[str, Any]) -> Any:
        return self.account()

    def _ticket(self, body: dict[str, Any]) -> Any:
        key = self._key(body)
        if key is None:
            return "bad_proof"
        self.issue(key)
        return self.account()

    def _rides(self, body: dict[str, Any]) -> Any:
        start = int(body.get("before", 0))
        page = self.scene.rides[start : start + 20]
        more = start + 20 < len(self.scene.rides)
        return {"rides": page, "next": str(start + 20) if more else None}

    def _topup(self, body: dict[str, Any]) -> Any:
        if "amount_rial" in body:
            self.scene.balance_rial += body["amount_rial"]
            return {"order_id": "a1", "redirect": "/sandbox-gateway/a1"}
        return {"state": self.scene.topup_state, "amount_rial": 500_000}

    def _phone(self, body: dict[str, Any]) -> Any:
        self.scene.answers.append(body["mine"])
        self.scene.newer_phone = False
        self.scene.phone_state = "superseded" if body["mine"] else "live"
        return self.account()

    def _sign_out(self, _body: dict[str, Any]) -> Any:
        self.scene.signed_in = False
        return {}
