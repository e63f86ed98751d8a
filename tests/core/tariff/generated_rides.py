"""Journeys over generated tariffs, drawn by hypothesis: taps at midnights, month ends, a tariff's limits."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, time, timedelta
from typing import Final

from hypothesis import strategies as st

from fare.core.tariff.card_state import not_on_card
from fare.core.tariff.context import HeldPass, TapContext, TapKind
from fare.core.tariff.model import (
    EMPTY,
    EVERY_LEG,
    LegRule,
    PassPeriod,
    PassStart,
    ProductPrice,
    TapOff,
    Tariff,
)
from fare.core.tariff.periods import service_day, service_day_start
from tests.core.tariff.generated import (
    AREAS,
    CATEGORIES,
    DAYS,
    MEDIA,
    PRODUCTS,
    ROUTES,
    STOPS,
    amounts,
    tariffs,
)

Draw = st.DrawFn
LAST_S: Final = 400 * 86_400
"""Later than anything here lasts."""


def held_passes(tariff: Tariff, since_s: int) -> tuple[HeldPass, ...]:
    """What a rider may hold of this tariff's passes, bought some days ago."""
    found: list[HeldPass] = []
    for each in tariff.passes:
        opened = each.start is PassStart.FIRST_USE or each.period is PassPeriod.UNLIMITED
        found.append(
            HeldPass(each.product_id, None if opened else since_s, rides=each.rides, key=3 + each.number)
        )
    return tuple(found)


def limits_of(tariff: Tariff) -> list[int]:
    """Every length of time in the tariff that a tap may fall on, or just beside."""
    limits = [each.seconds for each in tariff.windows] + [each.limit_s for each in tariff.transfer_rules]
    if tariff.tap_off is not None:
        rules = tariff.tap_off
        limits += [rules.close_after_s, rules.cancel_within_s, rules.auto_complete_within_s]
    return sorted({each for each in limits if each is not None and each > 0} | {tariff.pass_back_s})


@st.composite
def instants(draw: Draw, tariff: Tariff) -> list[int]:
    """Rising instants: around midnights and service days of odd dates, and at the tariff's own limits."""
    day = draw(st.sampled_from(DAYS)) + timedelta(days=draw(st.integers(-1, 1)))
    clock = draw(st.sampled_from((time(0), time(2, 30), time(4), time(7), time(9), time(16, 59), time(22))))
    at_s = int(datetime.combine(day, clock, tariff.zone).timestamp()) + draw(st.integers(-1, 1))
    found = [at_s]
    spans_of_tariff = limits_of(tariff)
    for _ in range(draw(st.integers(1, 9))):
        kind = draw(st.sampled_from(("limit", "limit", "short", "hours", "day", "days")))
        if kind == "limit":
            at_s = max(at_s, draw(st.sampled_from(found[-3:])) + draw(st.sampled_from(spans_of_tariff)))
            at_s += draw(st.integers(0, 1)) if at_s == found[-1] else draw(st.integers(-1, 1))
        elif kind == "short":
            at_s += draw(st.sampled_from((1, 4, 5, 6, 59, 600)))
        elif kind == "hours":
            at_s += draw(st.integers(1_000, 12_000))
        elif kind == "day":
            at_s = service_day_start(tariff, service_day(tariff, at_s) + 1) + draw(st.integers(-1, 1))
        else:
            at_s += draw(st.sampled_from((1, 2, 7, 27))) * 86_400
        found.append(max(at_s, found[-1]))
        at_s = found[-1]
    return found


@st.composite
def journeys(draw: Draw, tariff: Tariff, *, simple: bool = False) -> list[TapContext]:
    """One rider's taps in order of time; most tap-offs end the ride before. `simple`: alone, in service, and
    as a bus knows it: no trip, always a vehicle and a route, one tap in a second.
    """
    when = draw(instants(tariff))
    if simple:
        when = sorted(set(when))
    medium, category = draw(st.sampled_from(MEDIA)), draw(st.sampled_from((*CATEGORIES, None)))
    passes_held = held_passes(tariff, when[0] - 86_400) if draw(st.booleans()) else ()
    balance = None if simple else draw(st.sampled_from((None, None, 20_000, 500_000)))
    known = st.sampled_from(("1", "2", "5"))
    taps: list[TapContext] = []
    for at_s in when:
        last = taps[-1] if taps else None
        leaves = tariff.tap_off is not None and last is not None and draw(st.booleans())
        stop = draw(st.sampled_from(sorted(STOPS)))
        if leaves and last is not None and last.kind is TapKind.ON:
            off = replace(last, at_s=at_s, kind=TapKind.OFF, stop=stop, in_service=True)
            taps.append(replace(off, distance_m=draw(st.sampled_from((None, 0, 2_000, 2_001, 12_345)))))
            continue
        vehicle = draw(st.sampled_from(("v1", "v2", "v3") if simple else ("v1", "v2", None)))
        taps.append(
            TapContext(
                at_s,
                TapKind.OFF if not simple and draw(st.integers(1, 8)) == 1 else TapKind.ON,
                medium,
                category,
                route=draw(known if simple else st.sampled_from((*ROUTES, None))),
                stop=stop if draw(st.booleans()) or simple else None,
                area=None if simple else draw(st.sampled_from((None, *AREAS))),
                vehicle=vehicle,
                trip=None if simple else draw(st.sampled_from((None, "t1", "t2"))),
                distance_m=draw(st.sampled_from((None, 1_999, 9_000))),
                pax=1 if simple else draw(st.sampled_from((1, 1, 1, 2, 5))),
                in_service=simple or draw(st.integers(1, 8)) > 1,
                passes=passes_held,
                balance=balance,
            )
        )
    return taps


# --- tariffs and taps together ----------------------------------------------------------------------------

Ride = tuple[Tariff, list[TapContext]]


@st.composite
def rides(draw: Draw) -> Ride:
    """A tariff, and one rider's journey over it."""
    tariff = draw(tariffs())
    return tariff, draw(journeys(tariff))


@st.composite
def card_rides(draw: Draw) -> Ride:
    """A tariff of which a card carries everything, and a journey as buses see it."""
    tariff = draw(tariffs(on_card=True))
    while left_out := set(not_on_card(tariff)):
        tariff = replace(
            tariff,
            transfer_rules=() if "transfers" in left_out else tariff.transfer_rules,
            windows=tuple(each for each in tariff.windows if f"window:{each.window_id}" not in left_out),
            caps=tuple(each for each in tariff.caps if f"cap:{each.cap_id}" not in left_out),
            passes=tuple(each for each in tariff.passes if f"pass:{each.product_id}" not in left_out),
        )
    return tariff, draw(journeys(tariff, simple=True))


@st.composite
def rides_along_a_line(draw: Draw) -> Ride:
    """A tariff whose fares mostly grow with the way, riders tap off, and the journeys before."""
    tariff = draw(tariffs())
    close = replace(tariff.tap_off or TapOff(), close_after_s=None, covers=EVERY_LEG, cancel_within_s=None)
    tariff = replace(tariff, tap_off=close, default_products={EMPTY: "three"})
    if draw(st.booleans()):
        steps = sorted(draw(st.lists(amounts, min_size=3, max_size=3)))
        products = tuple(
            ProductPrice(each, each, amount) for each, amount in zip(PRODUCTS, steps, strict=False)
        )
        rules = tuple(
            LegRule("g", PRODUCTS[abs(start - end)], EMPTY, origin, destination)
            for start, origin in enumerate(AREAS)
            for end, destination in enumerate(AREAS)
        )
        tariff = replace(tariff, products=products, leg_rules=rules, passes=(), concessions=())
    else:
        rules = tuple(
            replace(each, to_area_id=EMPTY, to_timeframe_group_id=EMPTY) for each in tariff.leg_rules
        )
        tariff = replace(tariff, leg_rules=tuple(dict.fromkeys(rules)))
    return tariff, draw(journeys(tariff))
