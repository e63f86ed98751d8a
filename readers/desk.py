"""The bridge from a reader at a counter to the ledger: it signs in, lays down APDUs, and sends replies back.

It holds no key of any card and no session key: the conversation with the card lives in the ledger
(`fare.api.desk`). Each reply carries its step, so a lost answer is asked for again. A job that breaks off
here loses nothing: lay the card down again. Plain HTTP is spoken on this machine alone.
"""

from __future__ import annotations

import contextlib
import secrets
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self, cast
from urllib.parse import urlsplit

import httpx2

from fare.core.errors import OperatorError
from readers.counter import Transmit
from readers.kit import is_loopback

SESSION_PATH: Final = "/v1/desk/session"
JOBS_PATH: Final = "/v1/desk/jobs"
REPORT_PATH: Final = "/v1/desk/report"
CONNECT_TIMEOUT_S: Final = 5.0
ANSWER_TIMEOUT_S: Final = 30.0
TRIES: Final = 3
PAUSE_S: Final = 0.3
"""Before a request is made again: a line that comes back takes that long at least."""
NO_CONTENT: Final = 204
MAX_STEPS: Final = 400
_REQUEST_ID_BYTES: Final = 16
_AWAY: Final = "The ledger does not answer: check the line and --server, then lay the card down again."


@dataclass(frozen=True, slots=True)
class DeskEnded:
    """How a job ended at the ledger: with `result`, or with `error`, one word. An `Ended` of the counter."""

    result: Mapping[str, Any] | None
    error: str | None
    sentences: Sequence[str]


def checked_server(url: str) -> str:
    """The ledger's address; OperatorError unless it is https, or on this machine."""
    try:
        parts = urlsplit(url)
        host = parts.hostname or ""
        _ = parts.port
    except ValueError:
        host, parts = "", urlsplit("")
    if not host or parts.scheme not in ("https", "http"):
        raise OperatorError("The ledger's address is not one: write it as https://HOST.")
    if parts.scheme == "http" and not is_loopback(host):
        raise OperatorError("A password and cards' bytes never travel in the open: use https://.")
    return url.rstrip("/")


class DeskClient:
    """One signed-in desk. Used by one thread; the connection is kept open between steps."""

    def __init__(self, server: str, transport: httpx2.BaseTransport | None = None) -> None:
        self._http = httpx2.Client(
            base_url=checked_server(server),
            transport=transport,
            timeout=httpx2.Timeout(ANSWER_TIMEOUT_S, connect=CONNECT_TIMEOUT_S),
            trust_env=False,
        )

    def sign_in(self, login: str, password: str) -> str:
        """Sign in with a staff account; its name as the ledger writes it. Raises OperatorError."""
        told = self._ask("POST", SESSION_PATH, {"login": login, "password": password})
        self._http.headers["Authorization"] = f"Bearer {told['token']}"
        return str(told["staff_id"])

    def close(self) -> None:
        """Sign out, if it still can, and give the connection back."""
        if "Authorization" in self._http.headers:
            with contextlib.suppress(OperatorError):
                self._ask("DELETE", SESSION_PATH, None)
        self._http.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def run(self, job: Mapping[str, Any], transmit: Transmit | None) -> DeskEnded:
        """Run one job; `transmit` lays an APDU before the card, None where no card is at hand.

        Raises OperatorError when the ledger refuses the job, or is lost on the way.
        """
        request = {
            **job,
            "with_card": transmit is not None,
            "request_id": secrets.token_hex(_REQUEST_ID_BYTES),
        }
        step = self._ask("POST", JOBS_PATH, request)
        for _ in range(MAX_STEPS):
            command = step.get("command")
            if command is None:
                return _ended(step)
            if transmit is None:
                break
            reply = transmit(_bytes(command))
            answer = {"step": step["step"], "reply": reply.hex()}
            step = self._ask("POST", f"{JOBS_PATH}/{step['job_id']}/answer", answer)
        raise OperatorError("The ledger asks for more of this card than any job needs: begin anew.")

    def report(self, rows: Sequence[Mapping[str, Any]], form: str) -> str:
        """A batch's report as the ledger prints it: `form` is html or csv."""
        return str(self._ask("POST", REPORT_PATH, {"rows": list(rows), "form": form})["report"])

    def _ask(self, method: str, path: str, body: Mapping[str, Any] | None) -> dict[str, Any]:
        """One request, asked again where its answer got lost: every one of them may be repeated."""
        for already in range(TRIES):
            time.sleep(PAUSE_S * already)
            try:
                answer = self._http.request(method, path, json=body)
            except (httpx2.HTTPError, httpx2.StreamError, OSError):
                continue
            return _document(answer)
        raise OperatorError(_AWAY)


def _document(answer: httpx2.Response) -> dict[str, Any]:
    if answer.status_code == NO_CONTENT:
        return {}
    try:
        document: Any = answer.json()
    except ValueError:
        document = None
    fields = cast("dict[str, Any]", document) if isinstance(document, dict) else {}
    if not answer.is_success:
        advice = str(fields.get("advice", ""))[:400]
        raise OperatorError(advice or f"The ledger refused ({answer.status_code}): check --server.")
    if not fields:
        raise OperatorError("What answers at --server is no Mancard ledger: check the address.")
    return fields


def _ended(step: Mapping[str, Any]) -> DeskEnded:
    error = step.get("error")
    return DeskEnded(
        result=step.get("result"),
        error=None if error is None else str(error),
        sentences=[str(sentence) for sentence in step.get("sentences", [])],
    )


def _bytes(command: object) -> bytes:
    try:
        return bytes.fromhex(str(command))
    except ValueError:
        raise OperatorError("What answers at --server is no Mancard ledger: check the address.") from None
