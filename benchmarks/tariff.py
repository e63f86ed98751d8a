"""Pricing a tap, by small and large tariffs, and loading a tariff's compiled form as a bus does.

A price's floor is its own result: the same `Price` and `RiderState` built as values, with nothing decided. A
thousand rules are compared with nine, on the same taps. The compiled form's floor is its CBOR, decoded alone;
how long a bus may take for it has a limit of its own.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final, TypeVar

import cbor2

import fare.tariffs
from benchmarks.measuring import MILLISECONDS, Effort, Measured, compare_cpu, compare_rate
from fare.core.signed import canonical, decode_canonical
from fare.core.tariff.context import TapContext, TapKind
from fare.core.tariff.document import from_document
from fare.core.tariff.model import (
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    FareProduct,
    LegRule,
    ProductPrice,
    TapOff,
    Tariff,
    TransferWindow,
    WindowPays,
    flat_tariff,
)
from fare.core.tariff.pricing import price
from fare.core.tariff.state import RiderState
from fare.tariffs import open_tariff

T = TypeVar("T")

_SAMPLES: Final = Path(fare.tariffs.__file__).parent / "samples"
_FEED: Final = Path(__file__).parent.parent / "tests/core/tariff/loading/data/gtfs-transcollines/feed.zip"
_START_S: Final = 1_779_000_000
_DAY_S: Final = 86_400
_LOAD_MS: Final = 50
_FEW: Final = 3
_MANY: Final = 32
_PAIRS: Final = 8_190
_FLOOR: Final = "the same prices and states built as values"


def measure(effort: Effort) -> list[Measured]:
    """Prices a second, the price of many rules, and the time to load."""
    feed = open_tariff(_FEED)
    flat = flat_tariff(1, "flat", {0: FareProduct("adult", "adult", 35_000)})
    zones = open_tariff(_SAMPLES / "zones")
    rates = (
        ("flat", "a flat fare", flat, _boardings()),
        ("zones", "zones with tap-off, a window and caps", zones, _zone_rides()),
        ("feed", "a real feed (Transcollines)", feed, _feed_rides(feed)),
    )
    lines = [_rate(name, what, tariff, taps, effort) for name, what, tariff, taps in rates]
    lines += [_many_rules(None, "boarding", effort), _many_rules(TapOff(), "tap-on and tap-off", effort)]
    what = f"a real feed, {len(feed.leg_rules)} leg rules"
    lines += _loading("feed", what, feed, _feed_rides(feed)[0], effort, _LOAD_MS)
    grid = _grid(91, TapOff())
    grid = replace(grid, leg_rules=grid.leg_rules[:_PAIRS], products=grid.products[:_PAIRS])
    what = f"{_PAIRS:,} fares from stop to stop"
    lines += _loading("pairs", what, grid, _grid_rides(tap_off=True)[0], effort, None)
    return lines


def _rate(name: str, what: str, tariff: Tariff, taps: Sequence[TapContext], effort: Effort) -> Measured:
    found = _priced(tariff, taps)
    if not all(one.boards for one, _ in found):
        raise ValueError(f"the benchmark's taps are not all priced by {name}")
    rebuild = [_builder(part) for pair in found for part in pair]

    def floor() -> None:
        for build in rebuild:
            build()

    return compare_rate(
        f"price-{name}", f"pricing {len(taps)} taps: {what}", lambda: _priced(tariff, taps), floor, _FLOOR,
        None, effort, len(taps),
    )  # fmt: skip


def _priced(tariff: Tariff, taps: Sequence[TapContext]) -> list[Any]:
    state, found = RiderState(), list[Any]()
    for tap in taps:
        one = price(tariff, state, tap)
        state = one[1]
        found.append(one)
    return found


def _builder(value: T) -> Callable[[], T]:
    kind, parts = type(value), [getattr(value, each.name) for each in fields(value)]  # type: ignore[arg-type]
    return lambda: kind(*parts)


def _many_rules(tap_off: TapOff | None, what: str, effort: Effort) -> Measured:
    few, many = _grid(_FEW, tap_off), _grid(_MANY, tap_off)
    taps = _grid_rides(tap_off=tap_off is not None)
    return compare_cpu(
        f"rules-{'off' if tap_off else 'on'}",
        f"pricing {len(taps)} taps by {len(many.leg_rules):,} leg rules, {what}",
        lambda: _priced(many, taps),
        lambda: _priced(few, taps),
        f"the same taps by {len(few.leg_rules)} leg rules",
        1.2,
        effort,
    )


def _loading(
    name: str, what: str, tariff: Tariff, first: TapContext, effort: Effort, most_ms: int | None
) -> list[Measured]:
    raw = canonical(tariff.to_document())

    def ours() -> None:
        price(from_document(decode_canonical(raw)), RiderState(), first)

    line = compare_cpu(
        f"load-{name}", f"loading {what} ({len(raw) / 1000:,.0f} kB), up to the first price", ours,
        lambda: cbor2.loads(raw), "its CBOR decoded alone", None, Effort(max(12, effort.rounds // 8), 1),
    )  # fmt: skip
    limit = Measured(
        f"load-{name}-ms",
        "the same, as a bus waits for it: CPU",
        MILLISECONDS,
        line.ours / 1000,
        most=most_ms,
    )
    return [line, limit]


def _boardings() -> list[TapContext]:
    return [TapContext(_START_S + 40_000 * each, vehicle=f"v{each % 7}") for each in range(40)]


def _journey(at_s: int, vehicle: str, start: str, end: str) -> list[TapContext]:
    on = TapContext(at_s, stop=start, vehicle=vehicle)
    return [on, replace(on, at_s=at_s + 900, kind=TapKind.OFF, stop=end)]


def _zone_rides() -> list[TapContext]:
    ends = (("c1", "m1"), ("m1", "o1"), ("o1", "c1"), ("c1", "c1"))
    found: list[TapContext] = []
    for each in range(20):
        start, end = ends[each % 4]
        found += _journey(_START_S + _DAY_S * (each // 4) + 4_000 * (each % 4), f"v{each % 7}", start, end)
    return found


def _feed_rides(feed: Tariff) -> list[TapContext]:
    """A ride by each leg rule, from a stop of its first area to one of its last, until there are twenty."""
    stop_in = {areas[0]: stop for stop, areas in sorted(feed.stop_areas.items())}
    route_of = {network: route for route, network in sorted(feed.routes.items())}
    found: list[TapContext] = []
    for each in range(20):
        rule = feed.leg_rules[each % len(feed.leg_rules)]
        on, off = _journey(
            _START_S + 30_000 * each, f"v{each % 7}", stop_in[rule.from_area_id], stop_in[rule.to_area_id]
        )
        found += [replace(tap, route=route_of[rule.network_id]) for tap in (on, off)]
    return found


def _grid(side: int, tap_off: TapOff | None) -> Tariff:
    """A fare from each of `side` stops to each, with a window and a cap."""
    pairs = [(start, end) for start in range(side) for end in range(side)]
    return Tariff(
        version=1,
        name="grid",
        currency="IRR",
        exponent=0,
        zone_name="Asia/Tehran",
        products=tuple(ProductPrice(f"{a}-{b}", "", 10_000 + 100 * abs(a - b)) for a, b in pairs),
        leg_rules=tuple(LegRule("g", f"{a}-{b}", "", str(a), str(b)) for a, b in pairs)
        if tap_off is not None
        else tuple(LegRule("g", f"{a}-{b}", str(a), str(b)) for a, b in pairs),
        routes={str(each): str(each) for each in range(side)},
        stop_areas={str(each): (str(each),) for each in range(side)},
        tap_off=tap_off,
        windows=(TransferWindow("w", "", 3_600, Boundary.INCLUSIVE, pays=WindowPays.DIFFERENCE),),
        caps=(Cap("day", "", CapPeriod.SERVICE_DAY, (CapLevel(90_000),)),),
    )


def _grid_rides(*, tap_off: bool) -> list[TapContext]:
    found: list[TapContext] = []
    for each in range(20):
        at_s, vehicle = _START_S + 30_000 * each, f"v{each % 7}"
        start, end = str(each % _FEW), str((each + 1) % _FEW)
        if tap_off:
            found += _journey(at_s, vehicle, start, end)
        else:
            found.append(TapContext(at_s, stop=start, route=end, vehicle=vehicle))
    return found
