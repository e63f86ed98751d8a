"""The laws of the tariff, on generated tariffs and journeys.

`TARIFF_EXAMPLES=2000` looks longer than a test run should.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from random import Random
from types import FrameType
from typing import Any, Final

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from fare.core.card_record import RIDER_STATE_SIZE
from fare.core.signed import canonical, decode_canonical
from fare.core.tariff.card_state import from_card, from_wide, not_on_card, to_card, to_wide
from fare.core.tariff.context import Price, Rule, TapContext, TapKind
from fare.core.tariff.document import from_document
from fare.core.tariff.fares import leg_of
from fare.core.tariff.history import price_history
from fare.core.tariff.journeys import dearest
from fare.core.tariff.loading import monotone
from fare.core.tariff.loading.monotony import Orders
from fare.core.tariff.model import (
    EVERY_LEG,
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    LastTap,
    LegRule,
    ProductPrice,
    TapOff,
    Tariff,
    TransferRule,
    TransferType,
    TransferWindow,
    WindowPays,
)
from fare.core.tariff.pricing import close, price
from fare.core.tariff.reaching import reachable
from fare.core.tariff.riding import ride as ride_of
from fare.core.tariff.state import RiderState
from tests.core.tariff.cities import costs, networks, off, on, rules_told, zones
from tests.core.tariff.generated import AREAS, NETWORKS
from tests.core.tariff.generated_rides import LAST_S, Ride, card_rides, rides, rides_along_a_line

EXAMPLES: Final = int(os.environ.get("TARIFF_EXAMPLES", "25"))
LAWS: Final = settings(max_examples=EXAMPLES)
ALONG: Final[Orders] = {(network, tuple((area,) for area in AREAS)): "1" for network in (*NETWORKS, "")}


def dues(tariff: Tariff, taps: Sequence[TapContext]) -> list[int]:
    """What each tap comes to in the end."""
    priced, _ = price_history(lambda _: tariff, taps, taps[-1].at_s + LAST_S)
    return [each.price.amount + each.adjustment for each in priced]


def state_after(tariff: Tariff, taps: Sequence[TapContext]) -> RiderState:
    return price_history(lambda _: tariff, taps)[1]


def told(tariff: Tariff, taps: Sequence[TapContext]) -> list[str]:
    """Taps with all that is said of them; which of two equal taps is which nobody can say."""
    priced, state = price_history(lambda _: tariff, taps, max(tap.at_s for tap in taps) + LAST_S)
    return [*sorted(repr((one.tap, one.price, one.adjustment)) for one in priced), repr(state)]


@LAWS
@given(rides())
def test_any_tap_has_a_price_and_no_charge_is_below_zero(ride: Ride) -> None:
    tariff, taps = ride
    state, total = RiderState(), 0
    for tap in taps:
        found, state = price(tariff, state, tap)
        assert found.steps, "a price says why"
        assert found.amount >= found.fee >= 0
        assert found.boards or found.amount == 0, "who may not ride pays nothing"
        assert tap.kind is TapKind.ON or found.boards, "nobody is kept from leaving"
        total += found.amount + found.adjustment + found.earlier
        assert from_wide(to_wide(tariff, state, tap.at_s)).journey == state.journey
    ended, state = close(tariff, state, taps[-1].at_s + LAST_S)
    assert state.journey is None
    assert total + (0 if ended is None else ended.adjustment) >= 0, "nobody earns money by riding"


@LAWS
@given(rides(), st.randoms(use_true_random=False))
def test_the_order_of_delivery_changes_nothing(ride: Ride, chance: Random) -> None:
    tariff, taps = ride
    mixed = taps[:]
    chance.shuffle(mixed)
    assert told(tariff, mixed) == told(tariff, taps)


@LAWS
@given(rides(), st.data())
def test_a_tap_that_is_told_twice_costs_once(ride: Ride, data: st.DataObject) -> None:
    tariff, taps = replace(ride[0], pass_back_s=5), ride[1]
    assume(len({tap.at_s for tap in taps}) == len(taps))
    known = [number for number, tap in enumerate(taps) if tap.vehicle is not None]
    assume(known)
    twice = data.draw(st.sampled_from(known))
    again = [*taps[: twice + 1], *taps[twice:]]
    assert sum(dues(tariff, again)) == sum(dues(tariff, taps))
    assert state_after(tariff, again) == state_after(tariff, taps)


@LAWS
@given(rides())
def test_what_was_priced_before_leaves_no_trace_in_the_tariff(ride: Ride) -> None:
    """The indexes and memories that a tariff gathers never change a price."""
    tariff, taps = ride
    state = RiderState()
    for tap in taps:
        warm = price(tariff, state, tap)
        assert price(replace(tariff), state, tap) == warm
        state = warm[1]


@LAWS
@given(rides(), st.sampled_from(("1", "2", "5", "9")), st.sampled_from((1, 6, 61, 1_700)))
def test_a_change_of_route_on_the_same_vehicle_and_trip_is_no_transfer(
    ride: Ride, route: str, later_s: int
) -> None:
    tariff, taps = ride
    state = state_after(tariff, taps[:-1])
    first = replace(taps[-1], kind=TapKind.ON, vehicle="v9", trip="t9", in_service=True, balance=None)
    boarded, state = price(tariff, state, first)
    assume(boarded.boards)
    again = replace(first, at_s=first.at_s + later_s, route=route)
    found, after = price(tariff, state, again)
    reduced = {Rule.TRANSFER, Rule.WINDOW}
    assert not reduced & {step.rule for step in found.steps}
    if tariff.tap_off is None:
        assert found.rule is not Rule.FARE or not found.boards, "a companion, paid already, or pass-back"
        assert after.chain in (state.chain, None)
        assert {*after.windows.items()} <= {*state.windows.items()}


@LAWS
@given(rides())
def test_no_cap_makes_any_journey_dearer(ride: Ride) -> None:
    """Whenever it ends, the rider has paid at most what the tariff without its caps asks for."""
    tariff, taps = ride
    taps = [replace(tap, balance=None) for tap in taps]
    cap = Cap("more", "more", CapPeriod.WEEK, (CapLevel(30_000),))
    tariff = replace(tariff, caps=tariff.caps or (cap,))
    free = replace(tariff, caps=())
    for end in {len(taps), 1 + len(taps) // 2}:
        assert sum(dues(tariff, taps[:end])) <= sum(dues(free, taps[:end]))


@LAWS
@given(rides(), st.sampled_from(CapPeriod), st.integers(1, 60), st.data())
def test_under_a_cap_a_cheaper_ride_never_makes_the_whole_dearer(
    ride: Ride, period: CapPeriod, limit: int, data: st.DataObject
) -> None:
    """Of a cap for every leg whose last tap is partial. One that lets the last tap pay whole cannot promise
    it: who is just below such a cap pays one more whole fare.
    """
    tariff, taps = ride
    days = 3 if period in (CapPeriod.ROLLING, CapPeriod.FROM_FIRST_USE) else 1
    cap = Cap("all", "all", period, (CapLevel(limit * 500),), EVERY_LEG, days, LastTap.PARTIAL)
    plain = replace(
        tariff, caps=(cap,), windows=(), transfer_rules=(), tap_off=None, join_rules=(), companions=
        replace(tariff.companions, count_to_caps=True), distance_fares=(), concessions=(),
    )  # fmt: skip
    taps = [replace(tap, balance=None, passes=()) for tap in taps]
    chosen = data.draw(st.sampled_from(taps))
    reduced = replace(
        plain, products=tuple(replace(each, amount=each.amount // 3) for each in plain.products)
    )
    priced, _ = price_history(lambda tap: reduced if tap is chosen else plain, taps)
    assert sum(one.price.amount for one in priced) <= sum(dues(plain, taps))


@LAWS
@given(rides_along_a_line(), st.sampled_from((30, 3_600, 100_000)), st.integers(0, 1))
def test_travelling_further_never_costs_less_where_the_tariff_is_monotone(
    ride: Ride, later_s: int, start: int
) -> None:
    tariff, before = ride
    assume(monotone(tariff, ALONG))
    state = state_after(tariff, before)
    on = replace(
        before[-1], at_s=before[-1].at_s + later_s, kind=TapKind.ON, stop="n1", area=None, distance_m=None,
        vehicle="v7", trip="t7", in_service=True, balance=None,
    )  # fmt: skip
    boarded, aboard = price(tariff, state, on)
    assume(boarded.boards and aboard.journey is not None)
    paid: list[int] = []
    for place, (stop, distance_m) in enumerate((("n1", 1_000), ("m1", 2_000), ("s1", 12_000))[start:]):
        off = replace(
            on, at_s=on.at_s + 300 * (place + 1), kind=TapKind.OFF, stop=stop, distance_m=distance_m
        )
        left, _ = price(tariff, aboard, off)
        assert left.known
        paid.append(boarded.amount + left.amount + left.adjustment)
    assert paid == sorted(paid)


@LAWS
@given(card_rides())
def test_a_bus_that_reads_cards_agrees_with_the_ledger_to_the_rial(ride: Ride) -> None:
    """The bus knows the record before (its tap and debit) and seven bytes; the ledger knows all taps."""
    tariff, taps = ride
    assert not_on_card(tariff) == []
    raw, written, debit, charged = bytes(RIDER_STATE_SIZE), None, 0, list[Price]()
    for tap in taps:
        on_card = _on_card(tariff, raw, written, debit, tap)
        found, after = price(tariff, on_card, tap)
        charged.append(found)
        if after is not on_card and found.boards:
            raw, written, debit = to_card(tariff, after, tap.at_s), tap, found.amount
    priced, _ = price_history(lambda _: tariff, taps[::-1])
    assert [one.price for one in priced[::-1]] == charged


def _on_card(
    tariff: Tariff, raw: bytes, written: TapContext | None, debit: int, tap: TapContext
) -> RiderState:
    at_s = tap.at_s if written is None else written.at_s
    tap_of: Callable[[Tariff], TapContext] | None = None if written is None else lambda _: written
    boarded = written is None or written.kind is TapKind.ON
    return from_card((tariff,), raw, at_s, tap_of=tap_of, fare=debit, boarded=boarded)


@LAWS
@given(rides())
def test_what_a_tap_on_is_charged_is_the_dearest_of_all_that_it_may_come_to(ride: Ride) -> None:
    """However few of them are looked at."""
    tariff, taps = replace(ride[0], tap_off=ride[0].tap_off or TapOff()), ride[1]
    state = RiderState()
    for tap in taps:
        if tap.kind is TapKind.ON and state.journey is None:
            leg = leg_of(tariff, tap)
            # Where a limit ends with the arrival, the transfer may come to nothing.
            hoped, without = (
                [
                    one.due
                    for rules in reachable(tariff, leg).kinds
                    if (one := ride_of(tariff, before, leg, rules))
                ]
                for before in (state, replace(state, chain=None))
            )
            found = dearest(tariff, state, leg)
            if hoped:
                assert found is not None
                assert max(hoped) <= found.due <= max(*hoped, *without)
        _, state = price(tariff, state, tap)


@LAWS
@given(rides())
def test_the_compiled_form_is_the_tariff(ride: Ride) -> None:
    tariff, taps = ride
    raw = canonical(tariff.to_document())
    read = from_document(decode_canonical(raw))
    assert read == tariff
    assert canonical(read.to_document()) == raw
    assert dues(read, taps) == dues(tariff, taps)


# --- a thousand rules cost what ten cost --------------------------------------------------------------------


def grid(side: int, **more: Any) -> Tariff:
    """A leg rule and a product from each of `side` areas to each."""
    pairs = [(start, end) for start in range(side) for end in range(side)]
    return Tariff(
        version=1,
        name="grid",
        currency="IRR",
        exponent=0,
        zone_name="Asia/Tehran",
        products=tuple(ProductPrice(f"{a}-{b}", "", 10_000 + 100 * abs(a - b)) for a, b in pairs),
        leg_rules=tuple(LegRule("g", f"{a}-{b}", "", str(a), str(b)) for a, b in pairs),
        stop_areas={str(each): (str(each),) for each in range(side)},
        **more,
    )


REMEMBERING: Final[dict[str, dict[str, Any]]] = {
    "plain": {},
    "priority": {"uses_priority": True},
    "windows and caps": {
        "windows": (TransferWindow("w", "", 3_600, Boundary.INCLUSIVE, pays=WindowPays.DIFFERENCE),),
        "caps": (Cap("day", "", CapPeriod.SERVICE_DAY, (CapLevel(90_000),)),),
    },
    "transfers": {
        "transfer_rules": (TransferRule("g", "g", TransferType.FIRST_AND_TRANSFER, "", -1, 5_400),)
    },
}
MORNING_S: Final = 1_763_800_000


def ridden(day: int, exits: bool) -> list[TapContext]:
    """Three legs of one day over the first areas of any grid."""
    start_s = MORNING_S + day * 86_400
    taps: list[TapContext] = []
    for number, (here, there) in enumerate((("0", "1"), ("1", "2"), ("2", "0"))):
        on = TapContext(start_s + 1_500 * number, stop=here, vehicle=f"v{number}")
        taps.append(on)
        if exits:
            taps.append(replace(on, at_s=on.at_s + 600, kind=TapKind.OFF, stop=there))
    return taps


def operations(tariff: Tariff, taps: Sequence[TapContext]) -> int:
    """How many bytecode instructions pricing these taps takes."""
    count = 0

    def traced(frame: FrameType, event: str, _: object) -> Any:
        nonlocal count
        frame.f_trace_opcodes = True
        count += event == "opcode"
        return traced

    state, before = RiderState(), sys.gettrace()
    sys.settrace(traced)
    try:
        for tap in taps:
            _, state = price(tariff, state, tap)
    finally:
        sys.settrace(before)
    return count


def test_a_tap_costs_the_same_with_a_thousand_rules_as_with_ten() -> None:
    for name, more in REMEMBERING.items():
        for tap_off in (None, TapOff()):
            cost: list[int] = []
            for side in (3, 32):
                tariff, exits = grid(side, tap_off=tap_off, **more), tap_off is not None
                operations(tariff, ridden(0, exits))  # the first day makes the indexes
                cost.append(operations(tariff, ridden(1, exits)))
            assert cost[1] <= cost[0] * 1.05, (name, tap_off, cost)


# --- what the laws have found -----------------------------------------------------------------------------


def test_a_change_of_route_is_no_transfer_where_riders_tap_off_either() -> None:
    free = TransferWindow("w", "", 3_600, Boundary.INCLUSIVE)
    tariff = networks({"1": 300, "2": 200}, windows=(free,), tap_off=TapOff())
    taps = (
        on(0, "1", vehicle="v", trip="t"), off(9, vehicle="v", trip="t"),
        on(10, "2", vehicle="v", trip="t"), off(20, vehicle="v", trip="t"),
        on(30, "2", vehicle="v", trip="t"),
    )  # fmt: skip
    assert costs(tariff, *taps, until_minute=3_000) == [300, 0, 200, 0, 200]


def test_who_is_refused_elsewhere_may_still_end_the_journey_that_is_open() -> None:
    tariff = zones({"12": 35, "13": 50}, tap_off=TapOff())
    taps = (on(0, stop="1"), on(5, stop="3"), off(9, stop="2"))
    assert costs(tariff, *taps) == [50, 0, -15]
    assert rules_told(tariff, *taps) == ["maximum", "unknown_fare", "fare"]
