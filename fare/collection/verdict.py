"""One tap of a batch as it will stand in the register, while it is judged. It judges nothing."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, datetime

from fare.collection.chain import RawTap
from fare.collection.facts import Facts
from fare.collection.rides import KnownCommit, RideKey, TapSource
from fare.collection.words import ProofState
from fare.core.tap import Tap


@dataclass(slots=True)
class Verdict:
    """One tap as it will stand in the register. Filled in while the batch is judged.

    `not_before` is a time before which it cannot have been, by the device's earlier uploads; `disputes` the
    ride on another bus whose ticket it shows too.
    """

    raw: RawTap
    tap: Tap
    tapped_at: datetime
    service_day: date
    state: ProofState = ProofState.NONE
    flags: list[str] = field(default_factory=list[str])
    key: RideKey | None = None
    not_before: datetime | None = None
    disputes: RideKey | None = None

    @property
    def source(self) -> TapSource:
        """Which tap this is."""
        return TapSource(self.tap.device, self.tap.journal_id, self.tap.seq)

    def reject(self, flag: str) -> None:
        """Its proof does not hold, and this is why."""
        self.state = ProofState.BAD
        self.flags.append(flag)


def same_vehicle(verdict: Verdict, ride: KnownCommit, facts: Facts) -> bool:
    """Whether the bus of this tap is the one that the ride was on."""
    if ride.source.device == verdict.tap.device:
        return True
    here = facts.assignments.at(verdict.tap.device, verdict.tapped_at)
    return here is not None and here.vehicle_id == ride.vehicle_id
