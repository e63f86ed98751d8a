"""What a rider sees after a tap: one value, shown by lamp, screen and web page alike. It decides nothing."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from fare.core.inspection import Inspected
from fare.core.tariff.context import Rule


class Lamp(StrEnum):
    """Green: ride. Red: do not. Amber: present the same medium again, nothing is decided yet."""

    GREEN = "green"
    RED = "red"
    AMBER = "amber"


class ShownMedium(StrEnum):
    """What was presented."""

    CARD = "card"
    PHONE = "phone"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Shown:
    """One answer. `reason` is a Reason or TicketRefusal word; the texts have a sentence for each.

    `fare_rial` is what this ride costs (0 when refused). `balance_rial` is the card's after the tap, None
    where it is not known; `rides_left` is a phone ticket's. `recovered` tells that an earlier torn tap
    was completed now, without a second debit; `on_pass` that a pass covers the ride; `rule` names the rule of
    the tariff that decided the fare last, None where no fare was asked. `seq` is the tap's
    number in the journal, None when nothing was written.

    `inspected` is the answer to an inspector, None to a rider; then `reason` may also be an InspectionReason,
    `minutes_left` how long the fare still rides, `pax` for how many it is paid, and `denied` tells that the
    medium is blocked by now.
    """

    lamp: Lamp
    reason: str
    medium: ShownMedium
    at_ms: int
    fare_rial: int = 0
    balance_rial: int | None = None
    rides_left: int | None = None
    pax: int = 1
    line_name: str = ""
    recovered: bool = False
    on_pass: bool = False
    seq: int | None = None
    inspected: Inspected | None = None
    minutes_left: int | None = None
    denied: bool = False
    rule: Rule | None = None
