"""What a door asks before it lights green, and what the doors of one vehicle share. No I/O.

A door's own journal is the truth about its own rides; what the doors share may vanish at any moment without
losing a rial. Then rides are accepted and flagged, and what two doors charged twice is found by the ledger.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final, Protocol

from fare.core.inspection import RideFound
from fare.core.proof.issued import CLOCK_SKEW_S, ENTITLEMENT_MAX_LIFE_S
from fare.core.replay import CLAIM_GRACE_S, RideClaim

CLAIM_LIFE_S: Final = ENTITLEMENT_MAX_LIFE_S + CLAIM_GRACE_S + 2 * CLOCK_SKEW_S
"""A claim is never kept longer than an entitlement may be shown, from two skews before its issue on."""


class ClaimAnswer(StrEnum):
    """FRESH: no door of the vehicle took this ride. NOT_REACHED: not all of them could be asked."""

    FRESH = "fresh"
    ALREADY_PAID = "already_paid"
    NOT_REACHED = "not_reached"


@dataclass(frozen=True, slots=True)
class KeptRide:
    """An accepted ticket as the journal keeps it; times in unix seconds."""

    claim: RideClaim
    expires_at_s: int
    at_s: int


@dataclass(frozen=True, slots=True)
class Claimant:
    """Who claims: a device with this very journal. A door whose journal was lost is another claimant."""

    device: int
    journal_id: bytes

    @property
    def word(self) -> str:
        """As the doors write it for each other: one word without a space."""
        return f"{self.device}-{self.journal_id.hex()}"


class SharedRides(Protocol):
    """One door's way to what the doors of its vehicle share. Thread-safe, and raises nothing."""

    @property
    def reached(self) -> bool:
        """Whether it answers now and knows all rides of this door."""
        ...

    @property
    def problem(self) -> str:
        """Why it does not, as a sentence for whoever repairs it; empty while it does."""
        ...

    def claim(
        self, claim: RideClaim, expires_at_s: int, at_s: int, *, one_per_ticket: bool = False
    ) -> ClaimAnswer:
        """Claim all rides or none. What this door itself claimed before is its own to finish.

        `one_per_ticket`: any ride of the same ticket at another door counts; for an unsynchronised clock.
        """
        ...

    def found(self, claim: RideClaim) -> tuple[RideFound, ...]:
        """What the other doors claimed of these rides, in order, for an inspector. Claims nothing."""
        ...

    def kept(self, ride: KeptRide) -> None:
        """The journal has a ride now whose claim was not heard: tell the others when they can hear."""
        ...

    def step(self) -> bool:
        """Look whether it answers and knows this door's rides, and tell it if not; whether all is well."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


JournalledRides = Callable[[], Iterable[KeptRide]]
"""The rides that this door's journal keeps, read anew at each call."""
