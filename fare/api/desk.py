"""What a distant desk asks of the ledger: to sign in, and to run jobs step by step.

    POST   SESSION_PATH       {"login", "password"} -> {"token", ...}
    DELETE SESSION_PATH       Authorization: Bearer TOKEN
    POST   JOBS_PATH          a job -> its first step
    POST   JOBS_PATH/ID/answer   {"step", "reply"} -> the next step
    POST   REPORT_PATH        a batch's rows -> its report, to print and sign

A step is a command to lay before the card (hex), or the end: a result, or a failure in a sentence. Every key
stays here; see `fare.desk.relay` for the rules of steps. Statuses live in this module.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated, Any, Final, Literal

from fastapi import APIRouter, Depends, Header, Path, Response
from pydantic import AwareDatetime, BaseModel, Field
from starlette.requests import Request

from fare.api.context import Context
from fare.api.devices import REFUSED
from fare.api.errors import ApiError
from fare.core.errors import OperatorError
from fare.database.engine import read, write
from fare.desk import RIGHT_FOR, JobKind, JobRequest, begin, facts
from fare.desk.opening import desk_of
from fare.desk.relay import MAX_REPLY_BYTES, Relay, RelayRefusal, RelayRefused, Step
from fare.desk.report import MAX_ROWS, BatchReport
from fare.issuing.cards import ISSUING_TERMINAL
from fare.issuing.orders import MAX_LOAD_RIAL
from fare.staff import (
    LoginThrottle,
    SignedIn,
    close_session,
    may,
    member,
    open_session,
    password_hash_of,
    prolong,
    signed_in,
    verify_password,
)
from fare.staff.sessions import IDLE

SESSION_PATH: Final = "/v1/desk/session"
JOBS_PATH: Final = "/v1/desk/jobs"
REPORT_PATH: Final = "/v1/desk/report"
_BEARER: Final = "bearer "
_WAIT_S: Final = 60
_MAX_SERIAL: Final = 0xFFFF_FFFF

_REFUSALS: Final = {
    RelayRefusal.UNKNOWN_JOB: (404, "This job has ended: lay the card down again, nothing of it is lost."),
    RelayRefusal.OUT_OF_ORDER: (409, "The job is at another step: answer the newest one."),
    RelayRefusal.OTHER_REPLY: (409, "This step was answered otherwise before: begin the job anew."),
    RelayRefusal.TOO_MANY_JOBS: (429, "Too many jobs are open: finish one, or wait a minute."),
    RelayRefusal.REPLY_TOO_LONG: (413, "No card answers with so many bytes: check the reader."),
    RelayRefusal.OTHER_REQUEST: (409, "This request was made before with another content: make a new one."),
}


class Credentials(BaseModel):
    """A staff account's name and password."""

    login: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=1000, repr=False)


class DeskSession(BaseModel):
    """Signed in. `token` goes into every request; unused for `idle_s` seconds it ends."""

    token: str
    staff_id: str
    role: str
    idle_s: int


class Job(BaseModel):
    """A job. `request_id`: 32 hex digits of the desk's own choice; the same again is the same job.

    `serial` is the card it is about (of `replace`, the lost one); `with_card` says that a card lies on the
    reader. `amount_rial`, `terminal` and `reference` (of the payment) belong to `load`, `new_serial` and
    `report_lost` to `replace`.
    """

    kind: JobKind
    request_id: str = Field(pattern=r"^[0-9a-f]{32}$")
    serial: int | None = Field(default=None, ge=1, le=_MAX_SERIAL)
    with_card: bool = True
    rider_category: int = Field(default=0, ge=0, le=255)
    amount_rial: int = Field(default=0, ge=0, le=MAX_LOAD_RIAL)
    terminal: str = Field(default=ISSUING_TERMINAL, pattern=r"^[A-Za-z0-9._-]{1,40}$")
    reference: str | None = Field(default=None, min_length=1, max_length=100)
    new_serial: int | None = Field(default=None, ge=1, le=_MAX_SERIAL)
    report_lost: bool = False


class Answer(BaseModel):
    """A card's reply to a step, in hex: data and status. Empty when the card left the reader."""

    step: int = Field(ge=1, le=10_000)
    reply: str = Field(pattern=r"^(?:[0-9a-fA-F]{2})*$", max_length=2 * MAX_REPLY_BYTES)


class JobStep(BaseModel):
    """Where a job stands. `command`: lay this APDU (hex) before the card. Without one the job has ended:

    with `result` and its `sentences`, or with `error`, one word, and one sentence.
    """

    job_id: str
    step: int
    command: str | None
    result: dict[str, Any] | None
    error: str | None
    sentences: list[str]


class IssuedFacts(BaseModel):
    """What a card's `issue` resulted in."""

    serial: int = Field(ge=1, le=_MAX_SERIAL)
    uid: str = Field(pattern=r"^[0-9A-Fa-f]{14}$")
    chip: str = Field(max_length=60)
    key_version: int = Field(ge=0, le=255)
    tmc: int = Field(ge=0, le=_MAX_SERIAL)
    issued_at: AwareDatetime


class ReportRow(BaseModel):
    """One card of a batch: its result, or why there is none."""

    name: str = Field(max_length=100)
    result: IssuedFacts | None = None
    error: str | None = Field(default=None, max_length=60)
    sentence: str = Field(default="", max_length=600)


class Rows(BaseModel):
    """A batch as a desk did it. `form`: html or csv."""

    rows: list[ReportRow] = Field(max_length=MAX_ROWS)
    form: Literal["html", "csv"]


class Report(BaseModel):
    """A report's text."""

    report: str


@dataclass(frozen=True, slots=True)
class _Worker:
    """Who asks, and the name of the session: what its jobs are bound to."""

    who: SignedIn
    session: str
    token: str


def desk_routes(context: Context) -> APIRouter:
    """The addresses of the desk API, bound to one ledger."""
    router = APIRouter(tags=["desks"], responses=REFUSED)
    relay = Relay(context.clock)
    worker = _worker_of(context)
    _add_session(router, context, relay, worker)
    _add_jobs(router, context, relay, worker)
    return router


def _add_session(router: APIRouter, context: Context, relay: Relay, worker: Callable[..., _Worker]) -> None:
    throttle = LoginThrottle()

    @router.post(SESSION_PATH, summary="Sign a desk in with a staff account")
    def post_session(asked: Credentials, request: Request) -> DeskSession:
        now, person = context.clock(), asked.login.strip().lower()
        address = request.client.host if request.client else ""
        if not throttle.is_open(person, address, now):
            advice = "Too many tries: wait some minutes, and check name and password."
            raise ApiError(429, "too_many_tries", advice, {"Retry-After": str(_WAIT_S)})
        with read(context.engine) as session:
            stored = password_hash_of(session, person)
        # Outside any transaction: argon2id takes its time, and nobody should wait for a lock meanwhile.
        if not verify_password(stored, asked.password):
            throttle.failed(person, address, now)
            raise ApiError(401, "wrong_password", "Name and password do not fit: check both.")
        throttle.succeeded(person)
        with write(context.engine) as session:
            who = member(session, person)
            if who is None or not any(may(who.role, right) for right in RIGHT_FOR.values()):
                raise ApiError(403, "no_right", "This account may not work at a desk: ask an administrator.")
            token = open_session(session, person, now)
        return DeskSession(
            token=token, staff_id=who.staff_id, role=who.role, idle_s=int(IDLE.total_seconds())
        )

    @router.delete(SESSION_PATH, summary="Sign a desk out; its jobs end", status_code=204)
    def delete_session(at_work: _Worker = Depends(worker)) -> Response:
        relay.drop(at_work.session)
        with write(context.engine) as session:
            close_session(session, at_work.token)
        return Response(status_code=204)


def _add_jobs(router: APIRouter, context: Context, relay: Relay, worker: Callable[..., _Worker]) -> None:
    @router.post(JOBS_PATH, summary="Begin a job; the answer is its first step")
    def post_job(asked: Job, at_work: _Worker = Depends(worker)) -> JobStep:
        if not at_work.who.may(RIGHT_FOR[asked.kind]):
            raise ApiError(403, "no_right", f"Your account may not '{asked.kind}': ask somebody who may.")
        desk = desk_of(
            context.settings, context.keys, context.engine, context.clock, at_work.who.member.staff_id
        )
        said = json.dumps(asked.model_dump(), sort_keys=True).encode()
        try:
            step = relay.start(
                at_work.session,
                asked.request_id,
                said,
                lambda: begin(desk, _request(asked)),
                account=at_work.who.member.staff_id,
            )
        except OperatorError as fault:
            raise ApiError(422, "invalid_request", str(fault)) from None
        except RelayRefused as refused:
            raise _refused(refused) from None
        return _told(context, step)

    @router.post(f"{JOBS_PATH}/{{job_id}}/answer", summary="Hand over the card's reply to a step")
    def post_answer(
        job_id: Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")],
        answer: Answer,
        at_work: _Worker = Depends(worker),
    ) -> JobStep:
        try:
            step = relay.answer(at_work.session, job_id, answer.step, bytes.fromhex(answer.reply))
        except RelayRefused as refused:
            raise _refused(refused) from None
        return _told(context, step)

    @router.post(REPORT_PATH, summary="The report of a batch, to print and sign or for a spreadsheet")
    def post_report(asked: Rows, at_work: _Worker = Depends(worker)) -> Report:
        told = BatchReport(
            context.settings.city_name,
            at_work.who.member.staff_id,
            context.clock(),
            context.settings.zone_info,
            [row.model_dump(mode="json") for row in asked.rows],
        )
        return Report(report=told.html() if asked.form == "html" else told.csv())


def _worker_of(context: Context) -> Callable[..., _Worker]:
    """Who holds the token of a request. Raises ApiError 401."""

    def worker(authorization: Annotated[str, Header(max_length=200)] = "") -> _Worker:
        token = authorization[len(_BEARER) :] if authorization.lower().startswith(_BEARER) else ""
        now = context.clock()
        with read(context.engine) as session:
            who = signed_in(session, token, now) if token else None
        if who is None:
            advice = "Nobody is signed in, or the session has ended: sign in again."
            raise ApiError(401, "not_signed_in", advice, {"WWW-Authenticate": "Bearer"})
        if who.to_prolong:
            with write(context.engine) as session:
                prolong(session, token, now)
        return _Worker(who, hashlib.sha256(token.encode()).hexdigest(), token)

    return worker


def _request(asked: Job) -> JobRequest:
    # Without a payment's own reference the request's name stands for it: told twice, it is one load.
    reference = asked.reference or f"desk-{asked.request_id}"
    return JobRequest(
        kind=asked.kind,
        serial=asked.serial,
        with_card=asked.with_card,
        rider_category=asked.rider_category,
        amount_rial=asked.amount_rial,
        terminal=asked.terminal,
        reference=reference,
        new_serial=asked.new_serial,
        report_lost=asked.report_lost,
    )


def _told(context: Context, step: Step) -> JobStep:
    zone = context.settings.zone_info
    failed, outcome = step.failure, step.outcome
    sentences = outcome.sentences(zone) if outcome is not None else [failed.sentence] if failed else []
    return JobStep(
        job_id=step.job_id,
        step=step.number,
        command=None if step.command is None else step.command.hex(),
        result=None if outcome is None else facts(outcome),
        error=None if failed is None else failed.error,
        sentences=sentences,
    )


def _refused(refused: RelayRefused) -> ApiError:
    status, advice = _REFUSALS[refused.reason]
    return ApiError(status, refused.reason, advice)
