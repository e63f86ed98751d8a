"""What goes into `price()` and what comes out of it: the tap, and the price with its reasons. Values only."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class TapKind(StrEnum):
    """Boarding, or alighting where riders tap off."""

    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class HeldPass:
    """A pass that the rider holds. Unix seconds, the end exclusive; None is open.

    `rides`: how many it had when it was written on the medium, None unlimited; what was used since is counted
    in the rider's state under `key`, which tells one pass from the next.
    """

    product_id: str
    from_s: int | None = None
    until_s: int | None = None
    rides: int | None = None
    key: int = 0


@dataclass(frozen=True, slots=True)
class TapContext:
    """One tap as the tariff sees it. Ids are the tariff's; None is not known. `at_s` is unix seconds.

    `rider_category` None is the default one, and a concession that has lapsed (`category_valid` False) falls
    back. `area` is where the tap was, beside the areas of `stop`. `distance_m`: what was travelled, at
    tap-off; or what is going to be, at a tap-on. `balance` is the purse before the tap, in minor units, None
    where it is not known; `overdraft` how far below zero this very medium may go, None where the tariff's own
    limit holds. `pax` counts the rider too.
    """

    at_s: int
    kind: TapKind = TapKind.ON
    medium: str | None = None
    rider_category: str | None = None
    category_valid: bool = True
    route: str | None = None
    stop: str | None = None
    area: str | None = None
    vehicle: str | None = None
    trip: str | None = None
    distance_m: int | None = None
    pax: int = 1
    in_service: bool = True
    passes: tuple[HeldPass, ...] = ()
    balance: int | None = None
    overdraft: int | None = None


class Rule(StrEnum):
    """Which rule decided about an amount. A price's steps are told in this order."""

    FARE = "fare"
    DEFAULT_FARE = "default_fare"
    UNKNOWN_FARE = "unknown_fare"
    DISTANCE = "distance"
    CONCESSION = "concession"
    MAXIMUM = "maximum"
    INCOMPLETE = "incomplete"
    CANCELLED = "cancelled"
    COMPLETED = "completed"
    JOINED = "joined"
    TRANSFER = "transfer"
    WINDOW = "window"
    FREE_DAY = "free_day"
    OUT_OF_SERVICE = "out_of_service"
    ANOTHER_DOOR = "another_door"
    PASS_BACK = "pass_back"  # noqa: S105 - a word of public transport, no password
    ALREADY_PAID = "already_paid"
    COMPANIONS = "companions"
    TOO_MANY = "too_many"
    PASS = "pass"  # noqa: S105 - the same
    MULTI_RIDE = "multi_ride"
    CAP = "cap"
    SHORT_PURSE = "short_purse"
    LOADED = "loaded"
    ALIGHTED = "alighted"


@dataclass(frozen=True, slots=True)
class Step:
    """One reason: `rule`, the id of what applied (product, window, cap ...), and the amount after it."""

    rule: Rule
    ref: str
    amount: int


@dataclass(frozen=True, slots=True)
class Price:
    """What a tap costs, and why. Minor units.

    `amount`: what the medium is charged now, never negative. `adjustment`: what the ledger settles for this
    tap's journey at once, negative in the rider's favour. `earlier`: the same for the journey that was still
    open and that this tap closed, with `earlier_steps`. `fare`: what was due before passes, caps and the
    purse. `rides_used`: rides taken off a multi-ride pass. `boards`: whether the rider may ride. `fee`: what
    a forced load cost, within `amount`; `loaded`: what it brought from outside the purse, the fee included.
    """

    amount: int
    product_id: str | None
    steps: tuple[Step, ...] = ()
    adjustment: int = 0
    fare: int = 0
    earlier: int = 0
    earlier_steps: tuple[Step, ...] = ()
    rides_used: int = 0
    pass_product_id: str | None = None
    boards: bool = True
    fee: int = 0
    loaded: int = 0

    @property
    def rule(self) -> Rule:
        """The rule that decided last."""
        return self.steps[-1].rule if self.steps else Rule.FARE

    @property
    def known(self) -> bool:
        """False when no rule of the tariff prices the leg: then `amount` says nothing."""
        return all(step.rule is not Rule.UNKNOWN_FARE for step in self.steps)

    @property
    def flagged(self) -> bool:
        """Whether the fare is only the line's default: finance should look at it."""
        return any(step.rule is Rule.DEFAULT_FARE for step in self.steps)
