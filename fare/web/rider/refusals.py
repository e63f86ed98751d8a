"""Why the rider's page is refused something: the closed set of words it knows, and the status of each.

{"error": code, "retry_after_s"?: seconds}
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from typing import Final

from starlette.responses import JSONResponse

from fare.web.security import protect


class RiderError(StrEnum):
    """One word each; the page has a sentence for each in every language."""

    INVALID_MOBILE = "invalid_mobile"
    TOO_SOON = "too_soon"
    TOO_MANY = "too_many"
    WRONG_CODE = "wrong_code"
    EXPIRED_CODE = "expired_code"
    NO_TRIES_LEFT = "no_tries_left"
    NO_SENDER = "no_sender"
    BAD_KEY = "bad_key"
    BAD_PROOF = "bad_proof"
    SIGNED_OUT = "signed_out"
    PHONE_SUPERSEDED = "phone_superseded"
    PHONE_LOST = "phone_lost"
    PHONE_BLOCKED = "phone_blocked"
    PHONE_CONTESTED = "phone_contested"
    WALLET_CLOSED = "wallet_closed"
    NOT_DUE = "not_due"
    SHORT_OF_FUNDS = "short_of_funds"
    DAY_LIMIT = "day_limit"
    AMOUNT_OUT_OF_RANGE = "amount_out_of_range"
    NO_GATEWAY = "no_gateway"
    UNKNOWN_ORDER = "unknown_order"
    BUSY = "busy"
    NOT_FOUND = "not_found"
    MALFORMED = "malformed"


_STATUS: Final[Mapping[RiderError, int]] = {
    RiderError.INVALID_MOBILE: 422,
    RiderError.TOO_SOON: 429,
    RiderError.TOO_MANY: 429,
    RiderError.WRONG_CODE: 403,
    RiderError.EXPIRED_CODE: 403,
    RiderError.NO_TRIES_LEFT: 403,
    RiderError.NO_SENDER: 503,
    RiderError.BAD_KEY: 422,
    RiderError.BAD_PROOF: 403,
    RiderError.SIGNED_OUT: 401,
    RiderError.PHONE_SUPERSEDED: 403,
    RiderError.PHONE_LOST: 403,
    RiderError.PHONE_BLOCKED: 403,
    RiderError.PHONE_CONTESTED: 403,
    RiderError.WALLET_CLOSED: 403,
    RiderError.NOT_DUE: 409,
    RiderError.SHORT_OF_FUNDS: 409,
    RiderError.DAY_LIMIT: 409,
    RiderError.AMOUNT_OUT_OF_RANGE: 422,
    RiderError.NO_GATEWAY: 503,
    RiderError.UNKNOWN_ORDER: 404,
    RiderError.BUSY: 503,
    RiderError.NOT_FOUND: 404,
    RiderError.MALFORMED: 422,
}


class RiderRefused(Exception):
    """A refusal on its way to the page. Raised inside a transaction it would roll it back: return first."""

    def __init__(self, error: RiderError, retry_after_s: int | None = None) -> None:
        super().__init__(error.value)
        self.error = error
        self.retry_after_s = retry_after_s

    def answer(self) -> JSONResponse:
        """As the page reads it."""
        content: dict[str, object] = {"error": self.error.value}
        headers: dict[str, str] = {}
        if self.retry_after_s is not None:
            content["retry_after_s"] = self.retry_after_s
            headers["Retry-After"] = str(self.retry_after_s)
        response = JSONResponse(content, _STATUS[self.error], headers)
        protect(response)
        return response
