"""The service day as finance reads it: the values that a page shows and `mancard day` sums up. No logic.

Amounts are rial, as owners read them: credits to an owner, to commission and to suspense are positive.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime


@dataclass(frozen=True, slots=True)
class OwnerDay:
    """One owner's rides of the day. `gross = commission + suspense + net`.

    `late_rides` and `late_rial` are the part of these rides that came in after the day was sealed.
    """

    owner_id: str
    name: str
    rides: int
    gross_rial: int
    commission_rial: int
    suspense_rial: int
    net_rial: int
    late_rides: int = 0
    late_rial: int = 0


@dataclass(frozen=True, slots=True)
class ProofException:
    """What two records do not agree on, as its queue shows it; the id is `<proof>:<kind>:<subject>`."""

    exception_id: str
    kind: str
    subject: str
    amount_rial: int
    detail: str
    opened_at: datetime
    queue_role: str


@dataclass(frozen=True, slots=True)
class ProofState:
    """One of the four proofs for a day: how many records were compared, agreed, or stand in the queue.

    `waiting` records are neither: their other half is not due yet. One exception may concern many records.
    """

    checked: int
    matched: int
    exceptions: int
    items: Sequence[ProofException] = ()
    waiting: int = 0


@dataclass(frozen=True, slots=True)
class StreamState:
    """One validator's journal as the ledger sees it; `last_upload_at` is None before its first batch."""

    device_id: int
    vehicle_id: str | None
    owner_id: str | None
    last_upload_at: datetime | None
    acked_seq: int
    newest_seq: int
    quarantined: int = 0

    @property
    def unacknowledged(self) -> int:
        """Taps of the journal that the ledger knows of and has not acknowledged."""
        return self.newest_seq - self.acked_seq


@dataclass(frozen=True, slots=True)
class DayReport:
    """Everything about one service day, computed from the register and the journal at `computed_at`.

    `refusals`: reason -> count. `proofs`: device, card, channel, bank, in this order. `sealed_at` is None
    while the day is open. `clearing_rial` and `trial_balance_rial` are zero when the books are whole.
    `unassigned_rides` were on buses that had no owner then: their fares, `unassigned_rial`, wait in suspense.
    """

    service_day: date
    computed_at: datetime
    taps: int
    accepted: int
    refused: int
    unconfirmed: int
    refusals: Mapping[str, int]
    owners: Sequence[OwnerDay]
    clearing_rial: int
    trial_balance_rial: int
    proofs: Mapping[str, ProofState]
    streams: Sequence[StreamState] = ()
    sealed_at: datetime | None = None
    late_taps: int = 0
    damaged_entries: Sequence[str] = field(default=())
    unassigned_rides: int = 0
    unassigned_rial: int = 0
