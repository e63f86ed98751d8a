"""What the tariff asks of a card's tap, by the records that stood on the card: bus and ledger agree on it.

The purse is told to the tariff, since it may ask for it, but what a tap that was made costs is answered
whatever was in the purse. Pure: it reads no table and no clock.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from fare.collection.tap_time import AHEAD_MAX
from fare.collection.tariffs import Tariffs
from fare.core.boarding import Boarding, card_context, state_on_card
from fare.core.card_record import CardRecord
from fare.core.entitlement import CardEntitlement
from fare.core.tariff.context import Price, Rule, TapContext, TapKind
from fare.core.tariff.model import Tariff
from fare.core.tariff.pricing import price
from fare.core.tariff.state import RiderState
from fare.fleet import AssignmentTable


@dataclass(frozen=True, slots=True)
class CardTap:
    """One tap of a card: the records `before` and `written`, and what was in force after it.

    `device` made it at `at_s` (unix seconds); `spent_rial` is the chip's counter before.
    """

    before: CardRecord
    written: CardRecord
    in_force: CardEntitlement
    device: int
    at_s: int
    spent_rial: int

    def context(self, tariff: Tariff, vehicle: str | None, zone: ZoneInfo) -> TapContext:
        """The tap as this tariff sees it. `vehicle` is the one that the ledger has the device on."""
        kind = TapKind.OFF if self.written.alighting else TapKind.ON
        written = self.written
        boarding = Boarding(self.device, written.seq, self.at_s, written.line, written.area, vehicle, kind)
        return card_context(tariff, self.in_force, boarding, zone, self.spent_rial)

    def state(self, known: Tariffs, assignments: AssignmentTable, zone: ZoneInfo) -> RiderState:
        """What the card told of its past."""
        before = self.before
        vehicle = vehicle_at(assignments, before.validator, before.at_s)
        writers = known.writers(datetime.fromtimestamp(before.at_s, UTC))
        return state_on_card(writers, before, self.in_force, zone, self.at_s, vehicle)


def priced_at_s(told_s: int, at: datetime) -> int:
    """The time that a card's record is priced by: the bus's own, unless its clock was badly wrong.

    `at` is what the ledger takes for the tap's time. A few seconds would move taps over the end of a window
    that the bus saw open.
    """
    at_s = int(at.timestamp())
    return told_s if abs(told_s - at_s) <= AHEAD_MAX.total_seconds() else at_s


def vehicle_at(assignments: AssignmentTable, device: int, at_s: int) -> str | None:
    """The vehicle that a device was on; None where nobody knows."""
    place = assignments.at(device, datetime.fromtimestamp(at_s, UTC)) if device else None
    return None if place is None else place.vehicle_id


def price_made(tariff: Tariff, state: RiderState, tap: TapContext) -> tuple[Price, RiderState]:
    """The price of a tap that was made: an empty purse refused nobody any more."""
    asked, after = price(tariff, state, tap)
    if tap.balance is not None and any(step.rule is Rule.SHORT_PURSE for step in asked.steps):
        return price(tariff, state, replace(tap, balance=None))
    return asked, after
