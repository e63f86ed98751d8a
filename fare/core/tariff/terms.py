"""What Fares v2 lacks: the tables of `mancard.toml` (docs/tariff.md) as values, each boundary written out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from fare.core.tariff.gtfs import (
    EMPTY,
    EVERY_LEG,
    TO_ONE_UNIT,
    Boundary,
    Rounding,
    Selection,
)


class WindowPays(StrEnum):
    """What a boarding inside a transfer window costs."""

    NOTHING = "nothing"
    DIFFERENCE = "difference"
    PERCENT = "percent"
    AMOUNT = "amount"


class WindowAnchor(StrEnum):
    """From when a window is measured: the first boarding, each one anew, each that cost money, or each
    tap-off.
    """

    FIRST = "first"
    LAST = "last"
    LAST_PAID = "last_paid"
    LAST_EXIT = "last_exit"


@dataclass(frozen=True, slots=True)
class TransferWindow:
    """A `[[windows]]` table: after a paid boarding, further ones cost less for `seconds` (None: no end).

    `transfers` -1 is unlimited. PERCENT pays `percent` of the fare, AMOUNT pays `amount`. DIFFERENCE pays
    what the dearest fare so far in the window does not cover. The same vehicle and trip is never a transfer.
    `covers`: legs that ride in the window, and open it unless `opened_by` says which do; a leg outside leaves
    it as it is, or ends it where `ended_by_other_legs`. LAST_EXIT where nobody taps off: the boarding.
    """

    window_id: str
    name: str
    seconds: int | None
    boundary: Boundary
    covers: Selection = EVERY_LEG
    anchor: WindowAnchor = WindowAnchor.FIRST
    pays: WindowPays = WindowPays.NOTHING
    percent: int = 0
    amount: int = 0
    rounding: Rounding = TO_ONE_UNIT
    transfers: int = -1
    same_network: bool = False
    same_route: bool = True
    needs_balance: bool = False
    ended_by_other_legs: bool = False
    ends_with_service_day: bool = False
    opened_by: Selection | None = None


class CapPeriod(StrEnum):
    """Over which time a cap counts. Days are service days; the week begins on `Tariff.week_starts`.

    ROLLING: this service day and the N-1 before. FROM_FIRST_USE: N service days from the first fare on.
    """

    SERVICE_DAY = "service_day"
    WEEK = "week"
    MONTH = "month"
    ROLLING = "rolling"
    FROM_FIRST_USE = "from_first_use"


class LastTap(StrEnum):
    """The tap that reaches a cap: pays what is left, or its whole fare while the cap is not reached."""

    PARTIAL = "partial"
    WHOLE = "whole"


@dataclass(frozen=True, slots=True)
class CapLevel:
    """How much a rider pays at most, once a leg of `covers` was ridden in the period."""

    amount: int
    covers: Selection = EVERY_LEG


@dataclass(frozen=True, slots=True)
class Cap:
    """A `[[caps]]` table.

    Fares of legs in `covers` add up; the highest level met in the period is the limit.
    """

    cap_id: str
    name: str
    period: CapPeriod
    levels: tuple[CapLevel, ...]
    covers: Selection = EVERY_LEG
    days: int = 1
    last_tap: LastTap = LastTap.PARTIAL


class PassStart(StrEnum):
    """When a pass begins: on the day it is bought for, with its first ride, or with the calendar's period."""

    PURCHASE = "purchase"
    FIRST_USE = "first_use"
    CALENDAR = "calendar"


class PassPeriod(StrEnum):
    """How a pass's length is counted. HOURS from the minute on; the others in whole service days."""

    HOURS = "hours"
    DAYS = "days"
    WEEK = "week"
    MONTH = "month"
    UNLIMITED = "unlimited"


@dataclass(frozen=True, slots=True)
class PassProduct:
    """A `[[passes]]` table: a product that pays for legs instead of the purse.

    `number` is the product on the card; `length` counts periods; `rides` None is unlimited. `boundary` is
    that of `valid_until`.
    """

    product_id: str
    name: str
    number: int
    period: PassPeriod
    length: int = 1
    start: PassStart = PassStart.PURCHASE
    rides: int | None = None
    covers: Selection = EVERY_LEG
    boundary: Boundary = Boundary.EXCLUSIVE


@dataclass(frozen=True, slots=True)
class Concession:
    """A `[[concessions]]` table: `percent` of the fare is paid, or `fare_product_id` replaces the product.

    `first_day`, `last_day`: local dates as ordinals, both inclusive; None is open.
    """

    concession_id: str
    name: str
    covers: Selection
    percent: int | None = None
    fare_product_id: str = EMPTY
    rounding: Rounding = TO_ONE_UNIT
    first_day: int | None = None
    last_day: int | None = None


@dataclass(frozen=True, slots=True)
class DistanceBand:
    """Up to `up_to_m` metres (None: any distance) a leg costs `amount`."""

    up_to_m: int | None
    amount: int


@dataclass(frozen=True, slots=True)
class DistanceFare:
    """A `[[distance]]` table: legs of `covers` cost by their length instead of their product's amount.

    Bands in rising order, or else `base` plus `per_km` for every kilometre beyond `free_m`, rounded, at least
    `minimum` and at most `maximum`. `percents` scales the result by rider category (100 where it names none).
    """

    distance_id: str
    name: str
    covers: Selection
    bands: tuple[DistanceBand, ...] = ()
    boundary: Boundary = Boundary.INCLUSIVE
    base: int = 0
    per_km: int = 0
    free_m: int = 0
    minimum: int = 0
    maximum: int | None = None
    rounding: Rounding = TO_ONE_UNIT
    percents: Mapping[str, int] = field(default_factory=dict[str, int])


class TapOffCharge(StrEnum):
    """When a journey is charged: at tap-on the dearest fare and the rest back, or at tap-off."""

    AT_TAP_ON = "at_tap_on"
    AT_TAP_OFF = "at_tap_off"


class IncompleteFare(StrEnum):
    """What a journey costs whose other end is not known."""

    MAXIMUM = "maximum"
    AMOUNT = "amount"
    NOTHING = "nothing"


class FareTime(StrEnum):
    """Which tap decides timeframes, caps and passes of a journey."""

    ON = "on"
    OFF = "off"


@dataclass(frozen=True, slots=True)
class TapOff:
    """The `[tap_off]` table: on which legs riders tap off, and what happens to a journey with one end.

    `close_after_s`: an open journey is incomplete that long after tap-on (None: at the end of the service
    day). `cancel_within_s`: on and off at the same stop within it cost nothing; None: never; -1: always.
    `auto_complete_within_s`: a journey left open ends where the next one begins, if that comes within it.
    """

    covers: Selection = EVERY_LEG
    charge: TapOffCharge = TapOffCharge.AT_TAP_ON
    incomplete: IncompleteFare = IncompleteFare.MAXIMUM
    incomplete_amount: int = 0
    close_after_s: int | None = None
    cancel_within_s: int | None = None
    auto_complete_within_s: int | None = None
    fare_time: FareTime = FareTime.ON


class SecondTap(StrEnum):
    """What a second tap on the same vehicle and trip means, once the pass-back interval is over."""

    COMPANION = "companion"
    ALREADY_PAID = "already_paid"


@dataclass(frozen=True, slots=True)
class Companions:
    """The `[companions]` table.

    Companions pay as `rider_category_id` (empty: the category that the rider's own falls back to).
    `most`: persons on one medium at once, the rider included. `count_to_caps`: their fares count to the
    rider's caps. `transfer`: they ride in the rider's windows, as many as boarded with the rider before.
    """

    second_tap: SecondTap = SecondTap.COMPANION
    rider_category_id: str = EMPTY
    most: int = 10
    count_to_caps: bool = False
    transfer: bool = True


USUAL_COMPANIONS = Companions()


class OutOfService(StrEnum):
    """What a rider does at a validator that is out of service."""

    RIDE_FREE = "ride_free"
    PAY_ON_ANOTHER_DOOR = "pay_on_another_door"


@dataclass(frozen=True, slots=True)
class Overdraft:
    """The `[overdraft]` table: how far below zero one ride may take the purse, and from where.

    `only_from_positive`: a purse at or below zero pays for nothing.
    """

    amount: int = 0
    only_from_positive: bool = False


NO_OVERDRAFT = Overdraft()


class ShortPurse(StrEnum):
    """What happens when the purse does not cover a fare."""

    REFUSE = "refuse"
    LOAD = "load"


@dataclass(frozen=True, slots=True)
class Shortfall:
    """The `[shortfall]` table: refuse, or load exactly what is missing, with a fee of `fee_percent` of it."""

    action: ShortPurse = ShortPurse.REFUSE
    fee_percent: int = 0
    rounding: Rounding = TO_ONE_UNIT


SHORT_IS_REFUSED = Shortfall()


@dataclass(frozen=True, slots=True)
class FreeDays:
    """A `[[free_days]]` table: on these local dates (ordinals), or days of this service, legs are free."""

    name: str
    days: frozenset[int] = frozenset()
    service_id: str = EMPTY
    covers: Selection = EVERY_LEG


@dataclass(frozen=True, slots=True)
class CardTerms:
    """The `[card]` table: what the card itself costs, and what comes back with it.

    `life_days` None: no expiry.
    """

    deposit: int = 0
    refund_fee: int = 0
    refund_deposit: bool = True
    life_days: int | None = None


NO_CARD_TERMS = CardTerms()


class LimitFrom(StrEnum):
    """Where a GTFS transfer's duration is measured from when different rules follow each other."""

    RULE = "rule"
    JOURNEY = "journey"
