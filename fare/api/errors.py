"""How an error is told to a machine: a status, one word, and one sentence of advice. Never a traceback.

{ "error": "bad_signature", "advice": "The batch is not signed by this device's key: …" }
"""

from __future__ import annotations

from collections.abc import Mapping

from fastapi import FastAPI, Request
from fastapi.encoders import jsonable_encoder
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response

from fare.database.faults import DatabaseUnavailable
from fare.distribution import NoTariffInForce

MACHINE_PATHS = "/v1/"


class ErrorAnswer(BaseModel):
    """What every refused request is answered with."""

    error: str
    advice: str


class ApiError(Exception):
    """A refusal on its way to the client."""

    def __init__(
        self, status: int, error: str, advice: str, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(error)
        self.status = status
        self.error = error
        self.advice = advice
        self.headers = headers


def answer(status: int, error: str, advice: str, headers: Mapping[str, str] | None = None) -> JSONResponse:
    """An error as JSON."""
    content = jsonable_encoder(ErrorAnswer(error=error, advice=advice))
    return JSONResponse(content, status_code=status, headers=dict(headers or {}))


_ADVICE = {
    404: ("not_found", "There is nothing at this address: see /docs for the addresses that exist."),
    405: ("method_not_allowed", "This address does not take that method: see /docs."),
}


def install(app: FastAPI) -> None:
    """Tell every known error in the same way."""

    def refused(_request: Request, fault: Exception) -> Response:
        if not isinstance(fault, ApiError):
            raise fault
        return answer(fault.status, fault.error, fault.advice, fault.headers)

    def invalid(request: Request, fault: Exception) -> Response:
        if not isinstance(fault, RequestValidationError):
            raise fault
        first = fault.errors()[0]
        where = ".".join(str(part) for part in first["loc"])
        return answer(422, "invalid_request", f"{where}: {first['msg']}. See {request.base_url}docs.")

    def plain(_request: Request, fault: Exception) -> Response:
        if not isinstance(fault, HTTPException):
            raise fault
        error, advice = _ADVICE.get(fault.status_code, ("refused", str(fault.detail)))
        return answer(fault.status_code, error, advice, fault.headers)

    def database_away(_request: Request, _fault: Exception) -> Response:
        # The sentence names hosts and files: it is for the operator's log, not for whoever asks.
        advice = "The ledger's database does not answer now: keep everything and try again later."
        return answer(503, "database_unavailable", advice, {"Retry-After": "5"})

    def not_ready(_request: Request, _fault: Exception) -> Response:
        advice = "The ledger is not set up to answer this yet: keep everything and try again later."
        return answer(503, "not_ready", advice, {"Retry-After": "60"})

    app.add_exception_handler(ApiError, refused)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(HTTPException, plain)
    app.add_exception_handler(DatabaseUnavailable, database_away)
    app.add_exception_handler(NoTariffInForce, not_ready)
