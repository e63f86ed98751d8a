"""What the tariff remembers of a rider between two taps. Values only; `fare.core.tariff.card_state` packs
them.

Everything is keyed by ids of the tariff, so a state outlives a change of tariff: what the newer tariff still
knows goes on, the rest is forgotten. States are canonical: `pricing` drops what has ended before it looks, so
two states that mean the same are equal. While a journey is open (`journey`), all the rest is as it was before
its tap-on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from fare.core.tariff.context import TapContext


@dataclass(frozen=True, slots=True)
class LastBoarding:
    """The last boarding: unix seconds, vehicle and trip. Tells pass-back and companions from transfers.

    `alighted`: the rider has tapped off since, at `at_s`; who boards the same vehicle again is no companion.
    """

    at_s: int
    vehicle: str | None
    trip: str | None
    alighted: bool = False


@dataclass(frozen=True, slots=True)
class Chain:
    """The legs that GTFS transfer rules have joined so far.

    `group`: leg group of the last leg. `rule`: index key "from>to" of the rule that applied last, empty
    before the first. `count`: how often in a row. `since_on_s`, `since_off_s`: departure and arrival of the
    first leg that this rule matched; `on_s`, `off_s`: those of the last leg. `first_fare`: what the first leg
    cost (type 2). `pax`: how many boarded it together. `off_s` None: not known.
    """

    group: str
    on_s: int
    off_s: int | None = None
    rule: str = ""
    count: int = 0
    since_on_s: int = 0
    since_off_s: int | None = None
    first_fare: int = 0
    pax: int = 1


@dataclass(frozen=True, slots=True)
class WindowUse:
    """An open transfer window: `dearest` fare so far, `pax` who boarded together, transfers `used`."""

    since_s: int
    dearest: int
    pax: int = 1
    used: int = 0
    network: str = ""
    route: str = ""


@dataclass(frozen=True, slots=True)
class CapUse:
    """What counts to a cap in the period that began on `period` (ordinal of a local date).

    `level`: index of the highest level met. `days`: of a rolling cap, (service day, amount), oldest first.
    """

    period: int
    spent: int
    level: int = -1
    days: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class PassUse:
    """Rides `used` of a pass (`HeldPass.key`), and when it was first used.

    One for each product: of several such passes that a rider holds, the one that is being used up.
    """

    key: int
    used: int
    first_s: int


@dataclass(frozen=True, slots=True)
class OpenJourney:
    """A journey that waits for its tap-off: its tap-on, and what that was charged.

    `alone`: it began on the very vehicle and trip that the rider was on before, so that it is no transfer.
    """

    tap: TapContext
    charged: int
    alone: bool = False


@dataclass(frozen=True, slots=True)
class JoinedLeg:
    """The last complete leg, kept while join rules may still make it one with the next."""

    on: TapContext
    off: TapContext
    due: int


@dataclass(frozen=True, slots=True)
class RiderState:
    """All of it; `RiderState()` knows nothing of the rider.

    `before_leg`: the state before `leg`, for joining.
    """

    last: LastBoarding | None = None
    chain: Chain | None = None
    windows: Mapping[str, WindowUse] = field(default_factory=dict[str, WindowUse])
    caps: Mapping[str, CapUse] = field(default_factory=dict[str, CapUse])
    passes: Mapping[str, PassUse] = field(default_factory=dict[str, PassUse])
    journey: OpenJourney | None = None
    leg: JoinedLeg | None = None
    before_leg: RiderState | None = None
