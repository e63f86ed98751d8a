"""A rider's browser without a screen: the page's API as a client meets it, and the key a phone would make.

What it signs is put together here a second time, from the contract, not with the product's own functions.
"""

from __future__ import annotations

import base64
from typing import Any

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256
from fastapi import FastAPI
from starlette.testclient import TestClient

from fare.riders import CodeNotSent
from hardware.emulator.phone import VirtualPhone

ORIGIN = "http://testserver"
MOBILE = "09121234567"


class Messages:
    """A CodeSender that keeps what it was given; while `broken`, nothing leaves."""

    def __init__(self) -> None:
        self.broken = False
        self.sent: list[tuple[str, str]] = []

    def send(self, mobile: str, text: str) -> None:
        if self.broken:
            raise CodeNotSent("The gateway of messages does not answer.")
        self.sent.append((mobile, text))

    def code_for(self, mobile: str) -> str:
        """The newest code sent to a number."""
        text = next(text for to, text in reversed(self.sent) if to == mobile)
        return "".join(c for c in text.splitlines()[0] if c.isdigit())


def b64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def unb64(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


class PhoneKey:
    """A fresh P-256 key of a phone."""

    def __init__(self) -> None:
        self.private = ec.generate_private_key(ec.SECP256R1())
        numbers = self.private.public_key().public_numbers()
        self.x, self.y = numbers.x.to_bytes(32, "big"), numbers.y.to_bytes(32, "big")

    @property
    def json(self) -> dict[str, str]:
        return {"x": b64(self.x), "y": b64(self.y)}

    def proof(self, challenge: str) -> str:
        signed = b"mancard phone key 1\x00" + unb64(challenge) + self.x + self.y
        r, s = decode_dss_signature(self.private.sign(signed, ec.ECDSA(SHA256())))
        return b64(r.to_bytes(32, "big") + s.to_bytes(32, "big"))


class Browser(TestClient):
    """One browser of one rider."""

    def __init__(self, app: FastAPI, messages: Messages, address: str = "203.0.113.7") -> None:
        super().__init__(
            app, client=(address, 40_000), headers={"Origin": ORIGIN}, raise_server_exceptions=True
        )
        self.messages = messages
        self.phone: VirtualPhone | None = None

    def say(self, path: str, body: dict[str, Any], **headers: str) -> tuple[int, dict[str, Any]]:
        """POST to the API: status and answer."""
        answer = self.post(f"/rider/api/{path}", json=body, headers=headers)
        assert answer.headers["cache-control"] == "no-store"
        assert answer.headers["content-type"] == "application/json"
        return answer.status_code, answer.json()

    def ask(self, path: str) -> tuple[int, dict[str, Any]]:
        """GET from the API."""
        answer = self.get(f"/rider/api/{path}")
        assert answer.headers["cache-control"] == "no-store"
        return answer.status_code, answer.json()

    def wants_code(self, mobile: str = MOBILE) -> str:
        """Ask for a code, which must work; returns the challenge."""
        status, told = self.say("code", {"mobile": mobile})
        assert status == 200, told
        return told["challenge"]

    def enrolment(self, challenge: str, mobile: str = MOBILE, key: PhoneKey | None = None) -> dict[str, Any]:
        """What an enrolment sends, with the code that was sent."""
        key = key or PhoneKey()
        return {
            "mobile": mobile,
            "code": self.messages.code_for(mobile),
            "key": key.json,
            "proof": key.proof(challenge),
            "keeps_key": True,
        }

    def enrol(self, mobile: str = MOBILE) -> dict[str, Any]:
        """Enrol, which must work; the account."""
        status, account = self.say("enrol", self.enrolment(self.wants_code(mobile), mobile))
        assert status == 200, account
        return account

    def wants_ticket(self, *, keeps_key: bool = True) -> tuple[int, dict[str, Any]]:
        """Ask for the next ticket with a fresh key."""
        _, account = self.ask("account")
        key = PhoneKey()
        body = {"key": key.json, "proof": key.proof(account["challenge"]), "keeps_key": keeps_key}
        status, told = self.say("ticket", body)
        if status == 200:
            self.phone = VirtualPhone(key.private)
            self.phone.hold(unb64(told["ticket"]["entitlement"]))
        return status, told

    def orders(self, amount_rial: int) -> tuple[str, str]:
        """Order a top-up: its id, and where to pay."""
        status, told = self.say("topup", {"amount_rial": amount_rial})
        assert status == 200, told
        return told["order_id"], told["redirect"]

    def tops_up(self, amount_rial: int) -> str:
        """Top up as a rider does, through the gateway's page and back."""
        order_id, redirect = self.orders(amount_rial)
        back = self.post(redirect, data={"button": "pay"}, follow_redirects=False)
        assert back.status_code == 303
        home = self.get(back.headers["location"], follow_redirects=False)
        assert home.headers["location"] == f"/rider/?topup={order_id}"
        assert self.ask(f"topup/{order_id}") == (200, {"state": "paid", "amount_rial": amount_rial})
        return order_id
