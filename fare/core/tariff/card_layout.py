"""Which of a rider's state a tariff writes on a card, and how each part of it becomes one small number.

A `Part` is a transfer chain, a window, a cap or a pass. It turns what the state knows of it into digits of
known sizes, and back. A part that is not there, or that its digits cannot tell exactly, is written as absent:
the card then knows less than the ledger, and never something else. It chooses no order and writes no bytes:
that is `fare.core.tariff.card_state`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import gcd, prod
from typing import Final, Protocol

from fare.core.entitlement import UNLIMITED_RIDES
from fare.core.tariff.model import (
    EMPTY,
    Cap,
    CapPeriod,
    LimitFrom,
    PassPeriod,
    PassProduct,
    PassStart,
    Tariff,
    TransferType,
    TransferWindow,
    WindowPays,
)
from fare.core.tariff.periods import cap_period, service_day, service_day_start
from fare.core.tariff.state import CapUse, Chain, PassUse, RiderState, WindowUse
from fare.core.tariff.transfers import key_of

MOST_RIDES: Final = UNLIMITED_RIDES - 1
"""A pass on a card has no more rides."""
PASS_KEYS: Final = 64
"""How many passes of one product a card tells apart."""
_HOUR_S: Final = 3_600
_LONGEST_DAYS: Final = {PassPeriod.DAYS: 1, PassPeriod.WEEK: 7, PassPeriod.MONTH: 31}


@dataclass(slots=True)
class Found:
    """What the parts of one card told."""

    chain: Chain | None = None
    windows: dict[str, WindowUse] = field(default_factory=dict[str, WindowUse])
    caps: dict[str, CapUse] = field(default_factory=dict[str, CapUse])
    passes: dict[str, PassUse] = field(default_factory=dict[str, PassUse])
    journey: bool = False


class Part(Protocol):
    """One element of the state.

    `ref` names it: "cap:day"; `sizes`: how many values each of its digits has.
    """

    @property
    def ref(self) -> str: ...

    @property
    def sizes(self) -> tuple[int, ...]: ...

    def digits(self, state: RiderState, at_s: int) -> tuple[int, ...] | None:
        """The digits of what a state knows at `at_s`, None where it knows nothing of this part.

        A digit beyond its size, or below zero, says that the part cannot be told exactly.
        """
        ...

    def restore(self, digits: tuple[int, ...], at_s: int, found: Found) -> None:
        """Add to `found` what the digits tell."""
        ...


def room(part: Part) -> int:
    """How many values a part has, absent included."""
    return 1 + prod(part.sizes)


@dataclass(frozen=True, slots=True)
class JourneyPart:
    """An open journey. Its tap and what it was charged are in the record itself."""

    ref: str = "tap_off"
    sizes: tuple[int, ...] = ()

    def digits(self, state: RiderState, at_s: int) -> tuple[int, ...] | None:
        """Present, for a journey that began with this very record."""
        return () if state.journey is not None and state.journey.tap.at_s == at_s else None

    def restore(self, digits: tuple[int, ...], at_s: int, found: Found) -> None:
        """A journey is open."""
        found.journey = True


@dataclass(frozen=True, slots=True)
class ChainPart:
    """The GTFS transfers so far. Digits: group, rule, count, first fare, alighted, one to four ages.

    An age of `longest_s` + 1 is "too long ago" for every rule. Instants that no rule of the tariff measures
    from are not written: arrivals unless a limit is measured from them, those of the last leg unless another
    rule than the one before may begin there.
    """

    groups: tuple[str, ...]
    rules: tuple[str, ...]
    most: int
    unit: int
    dearest: int
    longest_s: int
    departures: bool
    arrivals: bool
    last_leg: bool
    ref: str = "transfers"

    @property
    def sizes(self) -> tuple[int, ...]:
        ages = (self.departures + self.arrivals) * (1 + self.last_leg)
        return (
            len(self.groups),
            len(self.rules),
            self.most + 2 if self.most else 1,
            self.dearest // self.unit + 1,
            1 + self.arrivals,
            *(self.longest_s + 2,) * ages,
        )

    def digits(self, state: RiderState, at_s: int) -> tuple[int, ...] | None:
        """Group, rule, count, first fare, alighted and ages."""
        chain = state.chain
        if chain is None or chain.pax != 1 or chain.group not in self.groups or chain.rule not in self.rules:
            return None
        off_s = chain.on_s if chain.off_s is None else chain.off_s
        since_on_s, since_off_s = chain.on_s, off_s
        if chain.rule:
            since_on_s = chain.since_on_s
            since_off_s = since_on_s if chain.since_off_s is None else chain.since_off_s
        instants = [since_on_s] * self.departures + [since_off_s] * self.arrivals
        if self.last_leg:
            instants += [chain.on_s] * self.departures + [off_s] * self.arrivals
        first_fare = _in_units(chain.first_fare, self.unit) if self.dearest else 0
        count = min(chain.count, self.most + 1) if self.most else 0
        return (
            self.groups.index(chain.group),
            self.rules.index(chain.rule),
            count,
            first_fare,
            int(self.arrivals and chain.off_s is not None),
            *(min(at_s - instant, self.longest_s + 1) for instant in instants),
        )

    def restore(self, digits: tuple[int, ...], at_s: int, found: Found) -> None:
        """The chain, instants that no rule measures from standing at the nearest that one does."""
        group, rule, count, first_fare, alighted, *ages = digits
        instants = iter([at_s - age for age in ages])
        since_on_s = next(instants) if self.departures else None
        since_off_s = next(instants) if self.arrivals else None
        on_s = (since_on_s if not rule else at_s) if self.departures else None
        off_s = (since_off_s if not rule else at_s) if self.arrivals else None
        if self.last_leg:
            on_s = next(instants) if self.departures else None
            off_s = next(instants) if self.arrivals else None
        since_on_s = _first(since_on_s, since_off_s, at_s)
        found.chain = Chain(
            group=self.groups[group],
            on_s=_first(on_s, off_s, at_s),
            off_s=off_s if alighted else None,
            rule=self.rules[rule],
            count=count if self.most else int(rule > 0),
            since_on_s=since_on_s,
            since_off_s=since_off_s if alighted or rule else None,
            first_fare=first_fare * self.unit,
        )


@dataclass(frozen=True, slots=True)
class WindowPart:
    """An open transfer window.

    Digits: age, dearest fare, transfers used, network, route: those that matter.
    """

    window: TransferWindow
    unit: int
    dearest: int
    networks: tuple[str, ...]
    routes: tuple[str, ...]

    @property
    def ref(self) -> str:
        return f"window:{self.window.window_id}"

    @property
    def sizes(self) -> tuple[int, ...]:
        seconds, transfers = self.window.seconds, self.window.transfers
        return (
            1 if seconds is None else seconds + 1,
            self.dearest // self.unit + 1,
            max(transfers, 0) + 1,
            len(self.networks),
            len(self.routes),
        )

    def digits(self, state: RiderState, at_s: int) -> tuple[int, ...] | None:
        """Age, dearest, used, network and route."""
        use = state.windows.get(self.window.window_id)
        if use is None or use.pax != 1:
            return None
        network = use.network if len(self.networks) > 1 else EMPTY
        route = use.route if len(self.routes) > 1 else EMPTY
        if network not in self.networks or route not in self.routes:
            return None
        return (
            0 if self.window.seconds is None else at_s - use.since_s,
            _in_units(use.dearest, self.unit) if self.dearest else 0,
            min(use.used, max(self.window.transfers, 0)),
            self.networks.index(network),
            self.routes.index(route),
        )

    def restore(self, digits: tuple[int, ...], at_s: int, found: Found) -> None:
        """The window's use; of one without an end, when it began does not matter."""
        age_s, dearest, used, network, route = digits
        found.windows[self.window.window_id] = WindowUse(
            since_s=at_s - age_s,
            dearest=dearest * self.unit,
            used=used,
            network=self.networks[network],
            route=self.routes[route],
        )


@dataclass(frozen=True, slots=True)
class CapPart:
    """What counts to a cap in the period of the record's own time. Digits: spent, level, day of first use."""

    tariff: Tariff = field(repr=False)
    cap: Cap
    unit: int

    @property
    def ref(self) -> str:
        return f"cap:{self.cap.cap_id}"

    @property
    def limit(self) -> int:
        """The highest amount of the cap: who has spent more has reached it as well."""
        return max((level.amount for level in self.cap.levels), default=0)

    @property
    def sizes(self) -> tuple[int, ...]:
        first_use = self.cap.days if self.cap.period is CapPeriod.FROM_FIRST_USE else 1
        return self.limit // self.unit + 1, len(self.cap.levels) + 1, first_use

    def digits(self, state: RiderState, at_s: int) -> tuple[int, ...] | None:
        """Spent, level + 1, and how many days ago the period began."""
        use = state.caps.get(self.cap.cap_id)
        if use is None or use.days:
            return None
        began = cap_period(self.tariff, self.cap, at_s, use)
        if began != use.period:
            return None
        ago = service_day(self.tariff, at_s) - began if self.cap.period is CapPeriod.FROM_FIRST_USE else 0
        return _in_units(min(use.spent, self.limit), self.unit), use.level + 1, ago

    def restore(self, digits: tuple[int, ...], at_s: int, found: Found) -> None:
        """The cap's use in the period that holds `at_s`."""
        spent, level, ago = digits
        period = cap_period(self.tariff, self.cap, at_s)
        found.caps[self.cap.cap_id] = CapUse(period - ago, spent * self.unit, level - 1)


@dataclass(frozen=True, slots=True)
class PassPart:
    """Use of a pass. Digits: key, rides used, and the age of its first use in seconds or in service days."""

    tariff: Tariff = field(repr=False)
    product: PassProduct

    @property
    def ref(self) -> str:
        return f"pass:{self.product.product_id}"

    @property
    def longest(self) -> int:
        """How old a first use can be in a valid pass, in seconds or days; 0 where it does not matter."""
        if self.product.start is not PassStart.FIRST_USE or self.product.period is PassPeriod.UNLIMITED:
            return 0
        if self.product.period is PassPeriod.HOURS:
            return self.product.length * _HOUR_S + 1
        return _LONGEST_DAYS[self.product.period] * self.product.length

    @property
    def sizes(self) -> tuple[int, ...]:
        rides = 0 if self.product.rides is None else MOST_RIDES
        return PASS_KEYS, rides + 1, self.longest + 1

    def digits(self, state: RiderState, at_s: int) -> tuple[int, ...] | None:
        """Key, used and age. A first use that is too long ago stays too long ago."""
        use = state.passes.get(self.product.product_id)
        if use is None:
            return None
        used = 0 if self.product.rides is None else use.used
        return use.key, used, min(self._age(use.first_s, at_s), self.longest)

    def restore(self, digits: tuple[int, ...], at_s: int, found: Found) -> None:
        """The pass's use; where only days count, its first use stands at the day's beginning."""
        key, used, age = digits
        first_s = at_s - age
        if self.product.period is not PassPeriod.HOURS and self.longest:
            first_s = service_day_start(self.tariff, service_day(self.tariff, at_s) - age)
        found.passes[self.product.product_id] = PassUse(key, used, first_s)

    def _age(self, first_s: int, at_s: int) -> int:
        if not self.longest:
            return 0
        if self.product.period is PassPeriod.HOURS:
            return at_s - first_s
        return service_day(self.tariff, at_s) - service_day(self.tariff, first_s)


def chain_part(tariff: Tariff, unit: int) -> ChainPart:
    """What a tariff with transfer rules must remember of a chain."""
    rules = tariff.transfer_rules
    keys = sorted({key_of(each) for each in rules})
    limited = [each for each in rules if each.limit_s is not None]
    arrivals = any(each.limit_type.from_arrival for each in limited)
    departures = any(not each.limit_type.from_arrival for each in limited)
    keeps_first = any(each.transfer_type is TransferType.TRANSFER_ONLY for each in rules)
    return ChainPart(
        groups=tuple(sorted({EMPTY, *(each.leg_group_id for each in tariff.leg_rules)})),
        rules=(EMPTY, *keys),
        most=max((each.count for each in rules if each.count is not None and each.count > 0), default=0),
        unit=unit,
        dearest=tariff.max_fare_rial if keeps_first else 0,
        longest_s=max((each.limit_s for each in limited if each.limit_s is not None), default=0),
        departures=departures,
        arrivals=arrivals,
        last_leg=len(keys) > 1 and tariff.transfer_limit_from is LimitFrom.RULE,
    )


def window_part(tariff: Tariff, window: TransferWindow, unit: int) -> WindowPart:
    """What must be remembered of one window."""
    networks = {*tariff.routes.values(), *(each.network_id for each in tariff.leg_rules), EMPTY}
    return WindowPart(
        window=window,
        unit=unit,
        dearest=tariff.max_fare_rial if window.pays is WindowPays.DIFFERENCE else 0,
        networks=tuple(sorted(networks)) if window.same_network else (EMPTY,),
        routes=(EMPTY,) if window.same_route else tuple(sorted({EMPTY, *tariff.routes})),
    )


def amount_unit(tariff: Tariff) -> int:
    """The greatest amount of which everything a rider can be charged is a multiple, at least 1."""
    return gcd(*_amounts(tariff)) or 1


def _amounts(tariff: Tariff) -> Iterator[int]:
    yield from (level.amount for cap in tariff.caps for level in cap.levels)
    for window in tariff.windows:
        if window.pays is WindowPays.AMOUNT:
            yield window.amount
        elif window.pays is WindowPays.PERCENT:
            yield window.rounding.unit
    if tariff.tap_off is not None:
        yield tariff.tap_off.incomplete_amount
    if tariff.rounding.unit > 1:
        yield tariff.rounding.unit  # every fare is rounded to it in the end
        return
    yield from (each.amount for each in tariff.products)
    for distance in tariff.distance_fares:
        yield from (band.amount for band in distance.bands)
        if distance.percents or not distance.bands:
            yield distance.rounding.unit
    for concession in tariff.concessions:
        if concession.percent is not None:
            yield concession.rounding.unit


def _in_units(amount: int, unit: int) -> int:
    """Whole units, or -1, which no digit can be, for what is none."""
    return amount // unit if amount % unit == 0 else -1


def _first(*instants: int | None) -> int:
    return next(each for each in instants if each is not None)
