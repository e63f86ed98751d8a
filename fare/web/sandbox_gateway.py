"""The pages of the sandbox payment provider: two buttons instead of a bank. They tell the ledger nothing.

    GET, POST /sandbox-gateway/AUTHORITY           what is to be paid, and the two buttons
    GET       /sandbox-gateway/report/DAY.csv      for finance: what was paid, for `mancard reconcile psp`

Mounted only with MANCARD_PAYMENT_GATEWAY=sandbox. Whoever has an authority (128 random bits) may press a
button of its page, as at a real provider; whether anything was paid, the ledger asks for itself.
"""

from __future__ import annotations

from typing import Annotated, Final

from fastapi import APIRouter, Form
from starlette.requests import Request
from starlette.responses import HTMLResponse, PlainTextResponse, RedirectResponse, Response

from fare.core.money import amount_in_words, format_amount
from fare.issuing.sandbox_payments import PATH, SandboxGateway, SandboxPayment
from fare.staff import Right
from fare.web.console import Console
from fare.web.day import typed_day
from fare.web.security import from_own_page, protect

_BUTTONS: Final = {"pay": True, "cancel": False}


def routes(console: Console, gateway: SandboxGateway) -> APIRouter:
    """The provider's pages; the console only draws them and knows who may have the report."""
    router = APIRouter(prefix=PATH, include_in_schema=False)

    @router.get("/report/{text}.csv")
    def report(request: Request, text: str) -> Response:
        who = console.visitor(request)
        if who is None:
            return console.to_sign_in(request)
        if not who.may(Right.READ_DAY):
            return console.refuse(request, who, 403, "refusal.role")
        day = typed_day(text)
        if day is None:
            return console.refuse(request, who, 404, "refusal.no_date")
        return protect(PlainTextResponse(gateway.report(day, console.zone), media_type="text/csv"))

    @router.get("/{authority}")
    def page(authority: str) -> Response:
        return _page(console, gateway, gateway.payment(authority))

    @router.post("/{authority}")
    def press(request: Request, authority: str, button: Annotated[str, Form(max_length=20)] = "") -> Response:
        pressed = _BUTTONS.get(button) if from_own_page(request) else None
        payment = None if pressed is None else gateway.end(authority, paid=pressed)
        if payment is None:
            return _page(console, gateway, None)
        return protect(RedirectResponse(payment.return_url, 303))

    return router


def _page(console: Console, gateway: SandboxGateway, payment: SandboxPayment | None) -> Response:
    body = console.templates.get_template("sandbox_payment.html").render(
        payment=payment,
        is_payable=payment is not None and gateway.is_payable(payment),
        city_name=console.settings.city_name,
        format_amount=format_amount,
        amount_in_words=amount_in_words,
    )
    return protect(HTMLResponse(body, 404 if payment is None else 200))
