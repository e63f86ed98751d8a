"""Jobs that a distant desk drives step by step: the conversation stays here, the desk lays down APDUs.

    start   -> step 1 with a command, or the end
    answer  step n with the card's reply -> step n + 1, or the end

A step whose answer got lost is asked for again with the same reply and answered the same; any other reply to
it, and any other step, is refused. A job belongs to the session that began it. Limits: so many jobs of a
session and in all, steps of a job, bytes of a reply, and seconds without a sign of the desk. A dropped job
loses nothing: see `fare.desk.jobs`. Kept in memory alone, as session keys must be.
"""

from __future__ import annotations

import hashlib
import hmac
import secrets
import threading
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from fare.core.desfire.application import Conversation
from fare.database.faults import DatabaseUnavailable
from fare.desk.outcomes import Outcome
from fare.desk.requests import FAULTS, Failure, failure_of

IDLE: Final = timedelta(seconds=60)
MAX_JOBS_OF_A_SESSION: Final = 4
MAX_JOBS_OF_AN_ACCOUNT: Final = 16
MAX_JOBS: Final = 128
MAX_STEPS: Final = 300
"""A personalisation has some 50; with every frame doubled it still fits."""
MAX_REPLY_BYTES: Final = 258
_ID_BYTES: Final = 16
_DATABASE_AWAY: Final = "The ledger's database does not answer now: lay the card down again later."


class RelayRefusal(StrEnum):
    """Why a step was not taken. The job, if there is one, stands as it was."""

    UNKNOWN_JOB = "unknown_job"
    OUT_OF_ORDER = "out_of_order"
    OTHER_REPLY = "other_reply"
    TOO_MANY_JOBS = "too_many_jobs"
    REPLY_TOO_LONG = "reply_too_long"
    OTHER_REQUEST = "other_request"


class RelayRefused(Exception):
    """A step that was not taken: `reason` says why."""

    def __init__(self, reason: RelayRefusal) -> None:
        self.reason = reason
        super().__init__(reason)


@dataclass(frozen=True, slots=True)
class Step:
    """Where a job stands: one of `command` (lay this before the card), `outcome` and `failure` is set."""

    job_id: str
    number: int
    command: bytes | None
    outcome: Outcome | None
    failure: Failure | None


class _Job:
    """One conversation under way, and the last step that was told of it."""

    def __init__(
        self, job_id: str, conversation: Conversation[Outcome], asked: bytes, account: str, now: datetime
    ) -> None:
        self.account = account
        self.lock = threading.Lock()
        self.last_heard_at = now
        self.asked = asked
        self._conversation = conversation
        self._answered = b""
        self._id = job_id
        self._closed = False
        self.step = Step(job_id, 0, None, None, None)

    def begin(self) -> Step:
        """Take the first step, once."""
        if self.step.number == 0:
            self._advance(None)
        return self.step

    def answer(self, number: int, reply: bytes) -> Step:
        """The step after the card's reply to step `number`."""
        if self._closed:
            raise RelayRefused(RelayRefusal.UNKNOWN_JOB)
        digest = hashlib.sha256(reply).digest()
        if number == self.step.number - 1 and number:
            if not hmac.compare_digest(digest, self._answered):
                raise RelayRefused(RelayRefusal.OTHER_REPLY)
            return self.step
        if number != self.step.number or self.step.command is None:
            raise RelayRefused(RelayRefusal.OUT_OF_ORDER)
        self._answered = digest
        self._advance(reply)
        return self.step

    def close(self) -> None:
        """End the conversation: its session keys go with it."""
        self._closed = True
        self._conversation.close()

    def _advance(self, reply: bytes | None) -> None:
        number = self.step.number + 1
        try:
            if number > MAX_STEPS:
                self.close()
                failure = Failure("too_many_steps", "The job took too many steps: lay the card down again.")
                self.step = Step(self._id, number, None, None, failure)
                return
            command = next(self._conversation) if reply is None else self._conversation.send(reply)
            self.step = Step(self._id, number, command, None, None)
        except StopIteration as end:
            self.step = Step(self._id, number, None, end.value, None)
        except DatabaseUnavailable:
            # Its own sentence names hosts and files: that is for the operator, not for a desk.
            failure = Failure("database_unavailable", _DATABASE_AWAY)
            self.step = Step(self._id, number, None, None, failure)
        except FAULTS as fault:
            self.step = Step(self._id, number, None, None, failure_of(fault))


class Relay:
    """All jobs under way, by owner: the session that began them. Thread-safe."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._jobs: dict[tuple[str, str], _Job] = {}

    def start(
        self,
        owner: str,
        request_id: str,
        asked: bytes,
        make: Callable[[], Conversation[Outcome]],
        *,
        account: str = "",
    ) -> Step:
        """Begin a job. The same `request_id` again, with the same `asked`, is the same job.

        `request_id` is the desk's own choice; `asked` is what it asked for, in one form; `account` is who
        signed in, however often. `make` may raise
        what a job raises; then there is no job. Raises RelayRefused: too_many_jobs, other_request.
        """
        now = self._clock()
        job_id = hashlib.sha256(f"{owner}\0{request_id}".encode()).hexdigest()[: 2 * _ID_BYTES]
        with self._lock:
            self._forget_idle(now)
            job = self._jobs.get((owner, job_id))
            if job is None:
                self._make_room(owner, account)
                job = self._jobs[owner, job_id] = _Job(job_id, make(), asked, account, now)
        if not hmac.compare_digest(job.asked, asked):
            raise RelayRefused(RelayRefusal.OTHER_REQUEST)
        with job.lock:
            job.last_heard_at = now
            return self._unless_broken(owner, job, job.begin)

    def answer(self, owner: str, job_id: str, number: int, reply: bytes) -> Step:
        """Hand over the card's reply to a step; an empty one says that the card left.

        Raises RelayRefused: unknown_job, out_of_order, other_reply, reply_too_long.
        """
        if len(reply) > MAX_REPLY_BYTES:
            raise RelayRefused(RelayRefusal.REPLY_TOO_LONG)
        now = self._clock()
        with self._lock:
            self._forget_idle(now)
            job = self._jobs.get((owner, job_id))
        if job is None:
            raise RelayRefused(RelayRefusal.UNKNOWN_JOB)
        with job.lock:
            job.last_heard_at = now
            return self._unless_broken(owner, job, lambda: job.answer(number, reply))

    def drop(self, owner: str) -> None:
        """End all jobs of a session."""
        with self._lock:
            dropped = [self._jobs.pop(key) for key in list(self._jobs) if key[0] == owner]
        for job in dropped:
            with job.lock:
                job.close()

    def __len__(self) -> int:
        """How many jobs are kept."""
        return len(self._jobs)

    def _unless_broken(self, owner: str, job: _Job, take: Callable[[], Step]) -> Step:
        try:
            return take()
        except RelayRefused:
            raise
        except Exception:
            # A fault of our own has ended the conversation: nobody may go on with what is left of it.
            with self._lock:
                self._jobs.pop((owner, job.step.job_id), None)
            raise

    def _make_room(self, owner: str, account: str) -> None:
        """Finished jobs are kept for a repeated question only as long as there is room."""
        of_session = [key for key in self._jobs if key[0] == owner]
        of_account = [key for key, job in self._jobs.items() if account and job.account == account]
        for kept, limit in (
            (of_session, MAX_JOBS_OF_A_SESSION),
            (of_account, MAX_JOBS_OF_AN_ACCOUNT),
            (list(self._jobs), MAX_JOBS),
        ):
            if len(kept) >= limit:
                finished = next((key for key in kept if self._jobs[key].step.command is None), None)
                if finished is None:
                    raise RelayRefused(RelayRefusal.TOO_MANY_JOBS)
                self._jobs.pop(finished, None)

    def _forget_idle(self, now: datetime) -> None:
        for key, job in list(self._jobs.items()):
            # A job that is being advanced just now is not idle, whatever its clock says.
            if now - job.last_heard_at >= IDLE and job.lock.acquire(blocking=False):
                try:
                    del self._jobs[key]
                    job.close()
                finally:
                    job.lock.release()


def new_request_id() -> str:
    """A name for one request, which nobody else has chosen."""
    return secrets.token_hex(_ID_BYTES)
