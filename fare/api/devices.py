"""What validators ask of the ledger: to enrol, for the bundle, leave for a paper ticket, to hand over taps.

The addresses and what is said at them are in `fare.core.device_request`. Statuses live here; the rules are in
`fare.collection`, `fare.distribution` and `fare.fleet`.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Annotated, Any, Final

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from fastapi import APIRouter, Depends, Header, Path, Response
from pydantic import BaseModel, Field
from sqlmodel import Session

from fare.api.body import envelope_body
from fare.api.context import Context
from fare.api.errors import ApiError, ErrorAnswer
from fare.api.throttle import Throttle
from fare.collection import BatchRefusal, RedemptionAnswer, redeem, take_in
from fare.core.claim_answer import ClaimAnswer, seal_claim_answer
from fare.core.device_request import (
    BATCHES_PATH,
    BUNDLE_PATH,
    CLAIM_PATH,
    CONTENT_TYPE,
    HEADER,
    MAX_SKEW_MS,
    REDEMPTIONS_PATH,
    claimed_device,
    open_request,
    redemption_path,
)
from fare.core.errors import MalformedDocument
from fare.core.identifiers import MAX_DEVICE_ID
from fare.core.signed import BadSignature
from fare.database.engine import read, write
from fare.distribution import current_bundle, unchanged_bundle
from fare.fleet import ClaimRefusal, claim, device_public_key

CLAIMS_A_MINUTE: Final = 5

REFUSED: Final[dict[int | str, dict[str, Any]]] = {"4XX": {"model": ErrorAnswer, "description": "Refused"}}

_STATUS: Final = {
    BatchRefusal.TOO_LARGE: 413,
    BatchRefusal.NOT_A_BATCH: 400,
    BatchRefusal.UNKNOWN_DEVICE: 401,
    BatchRefusal.BAD_SIGNATURE: 401,
    BatchRefusal.DAMAGED_BATCH: 422,
}
_CLAIM_ADVICE: Final = {
    ClaimRefusal.WRONG_CODE: (403, "This code does not fit this device: ask the fleet office for a new kit."),
    ClaimRefusal.CODE_EXPIRED: (403, "This code is older than a day: ask the fleet office for a new kit."),
    ClaimRefusal.ALREADY_CLAIMED: (
        409,
        "This code was used with another key: revoke the device and enrol anew.",
    ),
    ClaimRefusal.BAD_KEY: (422, "The key is not an Ed25519 public key: update the validator's software."),
}


class Claim(BaseModel):
    """A device's enrolment: its number, the single-use code of its kit, its Ed25519 public key in hex, and 16
    fresh random bytes in hex, which the answer brings back signed.
    """

    device: int = Field(ge=1, le=MAX_DEVICE_ID)
    claim_code: str = Field(min_length=1, max_length=64)
    public_key: str = Field(pattern=r"^[0-9a-fA-F]{64}$")
    nonce: str = Field(pattern=r"^[0-9a-fA-F]{32}$")


class Claimed(BaseModel):
    """The device is enrolled. `sealed`: an MCC1 envelope in hex, the server's time signed for this nonce."""

    device: int
    sealed: str


class Redemption(BaseModel):
    """Whether the bus may take this paper ticket; `reason` is one word."""

    granted: bool
    reason: RedemptionAnswer


def device_routes(context: Context) -> APIRouter:
    """The addresses of the device API, bound to one ledger."""
    router = APIRouter(tags=["devices"], responses=REFUSED)
    claims = Throttle(CLAIMS_A_MINUTE, timedelta(minutes=1))

    @router.post(CLAIM_PATH, summary="Enrol a validator with the single-use code of its kit")
    def post_claim(asked: Claim) -> Claimed:
        now = context.clock()
        wait_s = claims.wait_s(asked.device, now)
        if wait_s:
            advice = "Too many tries for this device: wait, and check the code in its kit."
            raise ApiError(429, "too_many_tries", advice, {"Retry-After": str(wait_s)})
        with write(context.engine) as session:
            refusal = claim(session, asked.device, asked.claim_code, bytes.fromhex(asked.public_key), now)
        if refusal is not None:
            status, advice = _CLAIM_ADVICE[refusal]
            raise ApiError(status, refusal, advice)
        return Claimed(device=asked.device, sealed=_sealed(context, asked, now))

    @router.get(
        BUNDLE_PATH,
        summary="The signed bundle, unless the validator has the newest",
        response_class=Response,
        responses={
            200: {"description": "An MCD1 envelope; its version is the ETag", "content": {CONTENT_TYPE: {}}},
            304: {"description": "If-None-Match names the newest"},
        },
    )
    def get_bundle(
        mancard_request: Annotated[str, Header(alias=HEADER, description="A signed MCR1 envelope")],
        if_none_match: Annotated[str | None, Header()] = None,
    ) -> Response:
        now = context.clock()
        with read(context.engine) as session:
            _authenticate(session, mancard_request, now, "GET", BUNDLE_PATH)
            found = unchanged_bundle(session, context.keys, context.settings, now)
        if found is None:
            # Only the first poll after a change needs a writer.
            with write(context.engine) as session:
                found = current_bundle(session, context.keys, context.settings, now)
        version, envelope = found
        tag = f'"{version.etag}"'
        held = (if_none_match or "").strip().removeprefix("W/")
        if tag in {held, f'"{held}"'}:
            return Response(status_code=304, headers={"ETag": tag})
        return Response(envelope, media_type=CONTENT_TYPE, headers={"ETag": tag})

    @router.post(
        f"{REDEMPTIONS_PATH}/{{cti}}",
        summary="Leave to take a paper ticket for any vehicle; the same device may ask again",
    )
    def post_redemption(
        cti: Annotated[
            str, Path(pattern=r"^[0-9a-f]{16}$", description="The ticket's alias, 8 bytes in hex")
        ],
        mancard_request: Annotated[str, Header(alias=HEADER, description="A signed MCR1 envelope")],
    ) -> Redemption:
        now, alias = context.clock(), bytes.fromhex(cti)
        with write(context.engine) as session:
            device = _authenticate(session, mancard_request, now, "POST", redemption_path(alias))
            answer = redeem(session, alias, device, now)
        return Redemption(granted=answer is RedemptionAnswer.GRANTED, reason=answer)

    @router.post(
        BATCHES_PATH,
        summary="Hand over a signed batch of taps; the answer comes when it is durable",
        response_class=Response,
        responses={200: {"description": "An MCA1 envelope", "content": {CONTENT_TYPE: {}}}},
        openapi_extra={"requestBody": {"required": True, "content": {CONTENT_TYPE: {}}}},
    )
    def post_batch(body: Annotated[bytes, Depends(envelope_body)]) -> Response:
        settings = context.settings
        with write(context.engine) as session:
            taken = take_in(
                session,
                context.keys,
                body,
                context.clock(),
                settings.zone_info,
                settings.day_starts_at,
            )
        # The transaction has ended here: only what is durable is acknowledged.
        if isinstance(taken, BatchRefusal):
            raise ApiError(_STATUS[taken], taken, taken.advice)
        return Response(taken, media_type=CONTENT_TYPE)

    return router


def _sealed(context: Context, asked: Claim, now: datetime) -> str:
    """What tells the device the time: in the clear, anybody on its line could set its clock."""
    answer = ClaimAnswer(
        asked.device, bytes.fromhex(asked.public_key), bytes.fromhex(asked.nonce), _unix_ms(now)
    )
    return seal_claim_answer(answer, context.keys.bundle.kid, context.keys.bundle.private).hex()


def _authenticate(session: Session, header: str, now: datetime, method: str, path: str) -> int:
    """The enrolled, unrevoked device that signed this request. Raises ApiError 400, 401 or 403."""
    try:
        device = device_public_key(session, claimed_device(header))
        if device is None:
            raise ApiError(
                401, "unknown_device", "This device has not enrolled here: claim it with its code first."
            )
        request = open_request(header, Ed25519PublicKey.from_public_bytes(device.public_key))
    except MalformedDocument as fault:
        raise ApiError(400, "bad_request_header", f"{HEADER}: {fault}.") from None
    except BadSignature:
        advice = "The request is not signed by this device's key: restore its state folder or enrol anew."
        raise ApiError(401, "bad_signature", advice) from None
    if (request.device, request.method, request.path) != (device.device_id, method, path):
        raise ApiError(401, "wrong_request", "The request was signed for another address.")
    if abs(request.at_ms - _unix_ms(now)) > MAX_SKEW_MS:
        advice = "The device's clock is more than 10 minutes off: upload a batch, its answer tells the time."
        raise ApiError(401, "clock_off", advice)
    if device.revoked_at is not None:
        advice = "This device was revoked: its journal is still taken in, and it gets nothing new."
        raise ApiError(403, "device_revoked", advice)
    return device.device_id


def _unix_ms(at: datetime) -> int:
    return int(at.timestamp() * 1000)
