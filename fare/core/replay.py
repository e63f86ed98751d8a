"""Which rides of tickets were already paid: the replay memory of one door.

A ride is (cti, counter), never a ticket's bytes; a ticket for `pax` people claims `ctr .. ctr + pax - 1`, and
two tickets whose ranges overlap are one conflict. It never reads a clock and never writes to disk: the
validator persists each claim in its journal and rebuilds the memory from those rows. Its size is bounded by
what the ledger signs: only a verified ticket may be remembered, until it can no longer pass.
"""

from __future__ import annotations

import heapq
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from fare.core.proof.issued import CLOCK_SKEW_S

CLAIM_GRACE_S: Final = 3 * CLOCK_SKEW_S
"""How long after its entitlement has expired a ride may still be shown, by the clock of whoever remembers it.

A frame of the last second is fresh one skew longer, and two doors that both find it fresh may be two apart.
"""


@dataclass(frozen=True, slots=True)
class RideClaim:
    """The rides `first .. last` (both included) of one entitlement."""

    cti: bytes
    first: int
    last: int

    def overlaps(self, other: RideClaim) -> bool:
        """At least one ride is claimed by both: somebody pays once, and the rest is a conflict."""
        return self.cti == other.cti and self.first <= other.last and other.first <= self.last


def claims(cti: bytes, ctr: int, pax: int) -> RideClaim:
    """What a ticket claims. `ValueError` for a counter or a party that no ticket can carry."""
    if not (1 <= ctr <= 255 and 1 <= pax <= 9):
        raise ValueError("a claim needs a counter of 1 to 255 and 1 to 9 people")
    return RideClaim(cti, ctr, ctr + pax - 1)


class ReplayMemory:
    """Rides paid at this door, and those that the other doors of the vehicle told it. Not thread-safe."""

    def __init__(self) -> None:
        self._paid: dict[bytes, int] = {}  # cti -> bit n set: ride n is paid
        self._expiries: list[tuple[int, bytes]] = []  # heap; one item per cti and expiry

    @classmethod
    def from_rows(cls, rows: Iterable[tuple[bytes, int, int, int]]) -> ReplayMemory:
        """Rebuilt from journal rows `(cti, ctr, pax, expires_at_s)`, in any order, repeats included."""
        memory = cls()
        for cti, ctr, pax, expires_at_s in rows:
            if not memory.remember(cti, ctr, pax, expires_at_s):
                memory._paid[cti] |= _bits(claims(cti, ctr, pax))  # a conflict still marks all it claimed
        return memory

    def remember(self, cti: bytes, ctr: int, pax: int, expires_at_s: int) -> bool:
        """Claim the rides; False: at least one is already paid, and nothing was changed."""
        wanted = _bits(claims(cti, ctr, pax))
        paid = self._paid.get(cti, 0)
        if paid & wanted:
            return False
        if paid == 0:
            heapq.heappush(self._expiries, (expires_at_s, cti))
        self._paid[cti] = paid | wanted
        return True

    def paid(self, cti: bytes, ctr: int, pax: int) -> bool:
        """Whether any of these rides is paid, without claiming them: for an inspector."""
        return bool(self._paid.get(cti, 0) & _bits(claims(cti, ctr, pax)))

    def knows(self, cti: bytes) -> bool:
        """Whether any ride of this entitlement is paid: the limit while the time is not known."""
        return cti in self._paid

    def forget_expired(self, now_s: int) -> int:
        """Drop what cannot pass any more; returns how many entitlements. For a synchronised clock only."""
        forgotten = 0
        while self._expiries and self._expiries[0][0] + CLAIM_GRACE_S < now_s:
            _, cti = heapq.heappop(self._expiries)
            del self._paid[cti]
            forgotten += 1
        return forgotten

    def __len__(self) -> int:
        """Number of entitlements remembered."""
        return len(self._paid)


def _bits(claim: RideClaim) -> int:
    return ((1 << (claim.last - claim.first + 1)) - 1) << claim.first
