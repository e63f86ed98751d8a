"""The sandbox payment provider itself: a PaymentGateway over a file of its own. It takes no money at all.

Its record is `sandbox-gateway.jsonl` in the state folder, one JSON line an event, only ever appended to and
on the disk before it is acted on:

    {"event": "begun", "authority", "order_id", "amount_rial", "return_url", "at"}
    {"event": "paid", "authority", "reference", "at"}      {"event": "cancelled", "authority", "at"}

It knows nothing of the ledger, as a real provider would not. Its pages are `fare.web.sandbox_gateway`.
"""

from __future__ import annotations

import csv
import fcntl
import io
import json
import os
import secrets
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any, Final, cast
from urllib.parse import urljoin
from zoneinfo import ZoneInfo

from fare.issuing.gateway import GatewayUnavailable

STATE_FILE: Final = "sandbox-gateway.jsonl"
TERMINAL: Final = "sandbox-web"
PATH: Final = "/sandbox-gateway"
PAYABLE_FOR: Final = timedelta(minutes=30)
_AUTHORITY_BYTES: Final = 16
_REFERENCE_BYTES: Final = 8
_BEGUN, _PAID, _CANCELLED = "begun", "paid", "cancelled"
_REPORT_COLUMNS: Final = ("psp_reference", "terminal", "amount_rial", "paid_day", "deposit_reference")

_Append = Callable[[dict[str, object]], None]


@dataclass(frozen=True, slots=True)
class SandboxPayment:
    """One announced payment: `reference` and `ended_at` once it was paid, `ended_at` alone if cancelled."""

    authority: str
    order_id: str
    amount_rial: int
    return_url: str
    begun_at: datetime
    reference: str | None = None
    ended_at: datetime | None = None


class SandboxGateway:
    """A `fare.issuing.gateway.PaymentGateway`. Safe for threads and for several processes on one folder."""

    def __init__(self, folder: Path, clock: Callable[[], datetime]) -> None:
        self._file = folder / STATE_FILE
        self._clock = clock
        self._lock = threading.Lock()
        self._read_bytes = 0
        self._payments: dict[str, SandboxPayment] = {}
        self._authorities: dict[str, str] = {}

    @property
    def terminal(self) -> str:
        """See PaymentGateway."""
        return TERMINAL

    def begin(self, order_id: str, amount_rial: int, return_url: str) -> str:
        """See PaymentGateway. The same order again has the same page."""
        with self._record() as append:
            if order_id not in self._authorities:
                append(
                    {
                        "event": _BEGUN,
                        "authority": secrets.token_hex(_AUTHORITY_BYTES),
                        "order_id": order_id,
                        "amount_rial": amount_rial,
                        "return_url": return_url,
                    }
                )
            return urljoin(return_url, f"{PATH}/{self._authorities[order_id]}")

    def authority_of(self, order_id: str) -> str | None:
        """See PaymentGateway."""
        with self._record():
            return self._authorities.get(order_id)

    def verify(self, authority: str, amount_rial: int) -> str | None:
        """See PaymentGateway."""
        payment = self.payment(authority)
        return payment.reference if payment is not None and payment.amount_rial == amount_rial else None

    def has_failed(self, authority: str) -> bool:
        """See PaymentGateway."""
        payment = self.payment(authority)
        return payment is not None and payment.reference is None and not self.is_payable(payment)

    def payment(self, authority: str) -> SandboxPayment | None:
        """One payment as it stands now."""
        with self._record():
            return self._payments.get(authority)

    def is_payable(self, payment: SandboxPayment) -> bool:
        """Whether its page still has buttons."""
        return payment.ended_at is None and self._clock() < payment.begun_at + PAYABLE_FOR

    def end(self, authority: str, *, paid: bool) -> SandboxPayment | None:
        """A button was pressed. Only the first press counts; None for a payment that is not there."""
        with self._record() as append:
            payment = self._payments.get(authority)
            if payment is not None and self.is_payable(payment):
                event: dict[str, object] = {"event": _PAID if paid else _CANCELLED, "authority": authority}
                append(event | {"reference": f"SBX-{secrets.token_hex(_REFERENCE_BYTES)}"} if paid else event)
            return self._payments.get(authority)

    def report(self, day: date, zone: ZoneInfo) -> str:
        """What was paid on a calendar day of the city, as CSV of the profile `psp-csv`."""
        with self._record():
            payments = list(self._payments.values())
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow(_REPORT_COLUMNS)
        deposit = f"DEP-{TERMINAL}-{day:%Y%m%d}"
        for paid in payments:
            at = paid.ended_at
            if paid.reference is not None and at is not None and at.astimezone(zone).date() == day:
                writer.writerow([paid.reference, TERMINAL, paid.amount_rial, day.isoformat(), deposit])
        return out.getvalue()

    @contextmanager
    def _record(self) -> Generator[_Append]:
        """The record, caught up with, and this process's alone meanwhile. Yields how to append to it."""
        try:
            with self._lock:
                # Not buffered: what was appended is read back by position.
                handle = os.open(self._file, os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
                try:
                    fcntl.flock(handle, fcntl.LOCK_EX)
                    self._catch_up(handle)
                    yield lambda event: self._append(handle, event)
                finally:
                    os.close(handle)
        except OSError as fault:
            raise GatewayUnavailable(
                f"The sandbox's record {self._file} cannot be used ({fault.strerror})."
            ) from fault

    def _append(self, handle: int, event: dict[str, object]) -> None:
        line = json.dumps(event | {"at": self._clock().isoformat()}, ensure_ascii=False).encode() + b"\n"
        size = os.fstat(handle).st_size
        torn = size > 0 and os.pread(handle, 1, size - 1) != b"\n"
        os.write(handle, b"\n" + line if torn else line)
        os.fsync(handle)
        self._catch_up(handle)

    def _catch_up(self, handle: int) -> None:
        """Take in what was appended since the last look, by whatever process. Half a line is not there."""
        fresh = os.pread(handle, os.fstat(handle).st_size - self._read_bytes, self._read_bytes)
        whole = fresh[: fresh.rfind(b"\n") + 1]
        for line in whole.splitlines():
            self._take_in(line)
        self._read_bytes += len(whole)

    def _take_in(self, line: bytes) -> None:
        try:
            event = cast("dict[str, Any]", json.loads(line))
            authority, at = str(event["authority"]), datetime.fromisoformat(event["at"])
            if event["event"] == _BEGUN:
                order_id, amount_rial = str(event["order_id"]), int(event["amount_rial"])
                payment = SandboxPayment(authority, order_id, amount_rial, str(event["return_url"]), at)
                self._authorities[order_id] = authority
            else:
                payment = replace(self._payments[authority], ended_at=at, reference=event.get("reference"))
            self._payments[authority] = payment
        except (ValueError, KeyError, TypeError):
            return  # a line that a crash tore: nobody was answered with it
