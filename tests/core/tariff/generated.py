"""Whole tariffs and journeys over them, drawn by hypothesis: every table of the model, taps at its limits.

The world is small, so that rules meet: three areas in a row, two networks, three rider categories and media.
Amounts are multiples of 500, so that what they come to can be told apart from what rounding does.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from typing import Any, Final, TypeVar

from hypothesis import strategies as st

from fare.core.calendar import Calendar
from fare.core.tariff.model import (
    EMPTY,
    EVERY_LEG,
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    Companions,
    Concession,
    Direction,
    DistanceBand,
    DistanceFare,
    DurationLimitType,
    FareTime,
    FreeDays,
    IncompleteFare,
    JoinRule,
    LastTap,
    LegRule,
    LimitFrom,
    OutOfService,
    Overdraft,
    PassPeriod,
    PassProduct,
    PassStart,
    ProductPrice,
    RiderCategory,
    Rounding,
    SecondTap,
    Selection,
    Service,
    Shortfall,
    ShortPurse,
    TapOff,
    TapOffCharge,
    Tariff,
    Timeframe,
    TransferRule,
    TransferType,
    TransferWindow,
    WindowAnchor,
    WindowPays,
)

T = TypeVar("T")
Draw = st.DrawFn

AREAS: Final = ("north", "middle", "south")
STOPS: Final = {"n1": ("north",), "m1": ("middle",), "s1": ("south",), "nm": ("north", "middle"), "far": ()}
ROUTES: Final = {"1": "bus", "2": "bus", "5": "rail", "9": EMPTY}
NETWORKS: Final = ("bus", "rail")
PRODUCTS: Final = ("one", "two", "three", "four")
CATEGORIES: Final = ("adult", "student", "senior")
MEDIA: Final = ("card", "phone", "cash")
TIMEFRAMES: Final = {
    "peak": (Timeframe(7 * 3_600, 9 * 3_600, "work"), Timeframe(16 * 3_600, 18 * 3_600, "work")),
    "night": (Timeframe(22 * 3_600, 86_400, "all"),),
}
SERVICES: Final = {
    "work": Service((True, True, True, False, False, True, True), 730_000, 750_000),
    "all": Service((True,) * 7, 730_000, 750_000),
}
DAYS: Final = (
    date(2025, 3, 20),  # 30 Esfand 1403, the last of a Jalali leap year
    date(2025, 3, 30),  # clocks go forward in Europe
    date(2025, 10, 26),  # and back
    date(2024, 2, 29),
    date(2025, 4, 20),  # 31 Farvardin 1404
    date(2025, 9, 22),  # 31 Shahrivar 1404
    date(2025, 12, 31),
)


def sometimes(draw: Draw, strategy: st.SearchStrategy[T], otherwise: T, one_in: int = 2) -> T:
    """A value of the strategy once in a while."""
    return draw(strategy) if draw(st.integers(1, one_in)) == 1 else otherwise


amounts = st.integers(0, 60).map(lambda each: each * 500)
limits = st.integers(1, 200).map(lambda each: each * 500)
boundaries = st.sampled_from(Boundary)
roundings = st.builds(Rounding, st.sampled_from([500, 1_000]), st.sampled_from(Direction))
spans = st.sampled_from([300, 1_800, 3_600, 5_400])


def some(*values: str) -> st.SearchStrategy[frozenset[str]]:
    """One or two of these."""
    return st.sets(st.sampled_from(values), min_size=1, max_size=2).map(frozenset)


@st.composite
def selections(draw: Draw, *, of_legs: bool = True) -> Selection:
    """Mostly every leg; else one or two conditions. `of_legs` False: none on groups and products."""
    kinds: dict[str, st.SearchStrategy[Any]] = {
        "networks": some(*NETWORKS),
        "routes": some("1", "2", "5"),
        "from_areas": some(*AREAS),
        "to_areas": some(*AREAS),
        "areas": some(*AREAS),
        "rider_categories": some(*CATEGORIES),
        "media": some(*MEDIA),
        "timeframes": some(*TIMEFRAMES),
        "weekdays": st.sets(st.integers(0, 6), min_size=1, max_size=4).map(frozenset),
    }
    if of_legs:
        kinds |= {"leg_groups": some("g", "h"), "products": some(*PRODUCTS)}
    if draw(st.booleans()):
        return EVERY_LEG
    names = draw(st.lists(st.sampled_from(sorted(kinds)), min_size=1, max_size=2, unique=True))
    return Selection(**{name: draw(kinds[name]) for name in names})


@st.composite
def prices(draw: Draw) -> tuple[ProductPrice, ...]:
    """Every product for anybody with anything, and some rows for a category, a medium, or both."""
    rows = [ProductPrice(product, product, draw(amounts)) for product in PRODUCTS]
    for _ in range(draw(st.integers(0, 3))):
        category = draw(st.sampled_from((EMPTY, *CATEGORIES)))
        medium = draw(st.sampled_from((EMPTY, *MEDIA)))
        rows.append(ProductPrice(draw(st.sampled_from(PRODUCTS)), "special", draw(amounts), category, medium))
    unique = {(row.product_id, row.rider_category_id, row.fare_media_id): row for row in rows[::-1]}
    return tuple(replace(row, name=row.product_id) for row in unique.values())[::-1]


@st.composite
def leg_rules(draw: Draw, *, priority: bool, destinations: bool) -> tuple[LegRule, ...]:
    """One to eight rules; with priorities one of them matches everything."""
    rule = st.builds(
        LegRule,
        st.sampled_from(("g", "h", EMPTY)),
        st.sampled_from(PRODUCTS),
        st.sampled_from((EMPTY, *NETWORKS)),
        st.sampled_from((EMPTY, *AREAS)),
        st.sampled_from((EMPTY, *AREAS) if destinations else (EMPTY,)),
        st.sampled_from((EMPTY, EMPTY, EMPTY, *TIMEFRAMES)),
        st.sampled_from((EMPTY, EMPTY, EMPTY, *TIMEFRAMES) if destinations else (EMPTY,)),
        st.integers(0, 3) if priority else st.just(0),
    )
    rules = draw(st.lists(rule, min_size=1, max_size=8))
    if priority or draw(st.booleans()):
        rules.append(LegRule("g", "one"))
    unique = {replace(each, priority=0): each for each in rules}
    return tuple(unique.values())


@st.composite
def transfer_rules(draw: Draw) -> tuple[TransferRule, ...]:
    """Up to three; a pair of groups has one type, as the reference's key asks for."""
    found: list[TransferRule] = []
    for _ in range(draw(st.integers(1, 3))):
        first, second = draw(st.sampled_from((EMPTY, "g", "h"))), draw(st.sampled_from((EMPTY, "g", "h")))
        same = first == second
        found.append(
            TransferRule(
                first,
                second,
                draw(st.sampled_from(TransferType)),
                draw(st.sampled_from((EMPTY, *PRODUCTS))),
                draw(st.sampled_from((-1, 1, 2))) if same else None,
                limit_s := draw(st.none() | spans),
                draw(st.sampled_from(DurationLimitType)) if limit_s else DurationLimitType(1),
            )
        )
    return tuple({(each.from_leg_group_id, each.to_leg_group_id): each for each in found}.values())


@st.composite
def windows(draw: Draw) -> tuple[TransferWindow, ...]:
    """One or two."""
    found: list[TransferWindow] = []
    for number in range(draw(st.integers(1, 2))):
        pays = draw(st.sampled_from(WindowPays))
        found.append(
            TransferWindow(
                f"window-{number}",
                f"window-{number}",
                draw(st.none() | spans),
                draw(boundaries),
                draw(selections()),
                draw(st.sampled_from(WindowAnchor)),
                pays,
                percent=draw(st.sampled_from((0, 25, 50))) if pays is WindowPays.PERCENT else 0,
                amount=draw(amounts) if pays is WindowPays.AMOUNT else 0,
                rounding=draw(roundings) if pays is WindowPays.PERCENT else Rounding(),
                transfers=draw(st.sampled_from((-1, 1, 2))),
                same_network=draw(st.booleans()),
                same_route=draw(st.booleans()),
                needs_balance=draw(st.booleans()),
                ended_by_other_legs=draw(st.booleans()),
                ends_with_service_day=draw(st.booleans()),
            )
        )
    return tuple(found)


@st.composite
def caps(draw: Draw, *, rolling: bool = True) -> tuple[Cap, ...]:
    """One or two, some with levels."""
    found: list[Cap] = []
    kinds = [each for each in CapPeriod if rolling or each is not CapPeriod.ROLLING]
    for number in range(draw(st.integers(1, 2))):
        period = draw(st.sampled_from(kinds))
        levels = [CapLevel(draw(limits))]
        if draw(st.integers(1, 3)) == 1:
            levels = [
                CapLevel(draw(limits), Selection(networks=frozenset({network}))) for network in NETWORKS
            ]
        counts_days = period in (CapPeriod.ROLLING, CapPeriod.FROM_FIRST_USE)
        found.append(
            Cap(
                f"cap-{number}",
                f"cap-{number}",
                period,
                tuple(levels),
                draw(selections()),
                draw(st.integers(2, 4)) if counts_days else 1,
                draw(st.sampled_from(LastTap)),
            )
        )
    return tuple(found)


@st.composite
def passes(draw: Draw) -> tuple[PassProduct, ...]:
    """A period pass, a carnet, or both."""
    period = draw(st.sampled_from(PassPeriod))
    starts = [PassStart.PURCHASE, PassStart.FIRST_USE]
    starts += [PassStart.CALENDAR] if period in (PassPeriod.WEEK, PassPeriod.MONTH) else []
    time_pass = PassProduct(
        "pass", "pass", 1, period, 2 if period is PassPeriod.DAYS else 1, draw(st.sampled_from(starts)),
        covers=draw(selections(of_legs=False)), boundary=draw(boundaries),
    )  # fmt: skip
    carnet = PassProduct("carnet", "carnet", 2, PassPeriod.UNLIMITED, rides=draw(st.integers(1, 3)))
    return draw(st.sampled_from([(time_pass,), (carnet,), (time_pass, carnet)]))


@st.composite
def concessions(draw: Draw) -> tuple[Concession, ...]:
    """One or two: a percentage or another product, some for a time only."""
    found: list[Concession] = []
    for number in range(draw(st.integers(1, 2))):
        by_percent = draw(st.booleans())
        first = sometimes(draw, st.sampled_from([each.toordinal() for each in DAYS]), None, 3)
        found.append(
            Concession(
                f"concession-{number}",
                f"concession-{number}",
                draw(selections()),
                draw(st.sampled_from((0, 33, 50, 100))) if by_percent else None,
                EMPTY if by_percent else draw(st.sampled_from(PRODUCTS)),
                draw(roundings) if by_percent else Rounding(),
                first,
                None if first is None else first + draw(st.integers(0, 30)),
            )
        )
    return tuple(found)


@st.composite
def distance_fares(draw: Draw) -> tuple[DistanceFare, ...]:
    """Bands in rising order of price, or so much for each kilometre."""
    percents = sometimes(draw, st.just({"senior": 50}), {}, 3)
    if draw(st.booleans()):
        steps = sorted(draw(st.lists(amounts, min_size=3, max_size=3)))
        bands = tuple(
            DistanceBand(up_to_m, amount) for up_to_m, amount in zip((2_000, 8_000, None), steps, strict=True)
        )
        return (
            DistanceFare("distance", "distance", draw(selections()), bands, draw(boundaries),
                         rounding=draw(roundings), percents=percents),
        )  # fmt: skip
    base = draw(amounts)
    return (
        DistanceFare(
            "distance", "distance", draw(selections()), base=base, per_km=draw(st.integers(0, 7)) * 500,
            free_m=draw(st.sampled_from((0, 1_500))), minimum=draw(amounts),
            maximum=90_000, rounding=draw(roundings), percents=percents,
        ),
    )  # fmt: skip


@st.composite
def tap_offs(draw: Draw) -> TapOff:
    """Both ways of charging, each kind of incomplete journey."""
    incomplete = draw(st.sampled_from(IncompleteFare))
    return TapOff(
        Selection(networks=draw(some(*NETWORKS))) if draw(st.booleans()) else EVERY_LEG,
        draw(st.sampled_from(TapOffCharge)),
        incomplete,
        draw(amounts) if incomplete is IncompleteFare.AMOUNT else 0,
        draw(st.none() | spans),
        draw(st.sampled_from((None, -1, 180))),
        draw(st.none() | spans),
        draw(st.sampled_from(FareTime)),
    )


@st.composite
def tariffs(draw: Draw, *, on_card: bool = False) -> Tariff:
    """A whole tariff. `on_card`: one whose state a card may be able to carry."""
    jalali = draw(st.booleans())
    tap_off = sometimes(draw, tap_offs(), None)
    priority = draw(st.booleans())
    held = sometimes(draw, passes(), ())
    rules = draw(leg_rules(priority=priority, destinations=tap_off is not None))
    if held and draw(st.booleans()):
        rules = (*rules, *(replace(rules[0], fare_product_id=each.product_id) for each in held))
    loads = draw(st.booleans())
    return Tariff(
        version=draw(st.integers(0, 40)),
        name="generated",
        currency="IRR",
        exponent=0,
        zone_name=draw(st.sampled_from(("Asia/Tehran", "Europe/Berlin"))),
        calendar=Calendar.JALALI if jalali else Calendar.GREGORIAN,
        service_day_starts_s=draw(st.sampled_from((0, 9_000, 14_400))),
        week_starts=5 if jalali else draw(st.sampled_from((0, 5))),
        products=(
            *draw(prices()),
            *(ProductPrice(each.product_id, each.product_id, 400_000) for each in held),
        ),
        rider_categories=tuple(
            RiderCategory(each, each, number, number == 0, EMPTY if number != 1 else "adult")
            for number, each in enumerate(CATEGORIES)
        ),
        media={each: each for each in MEDIA},
        leg_rules=rules,
        uses_priority=priority,
        join_rules=()
        if tap_off is None or on_card
        else sometimes(draw, st.just((JoinRule("bus", "bus"), JoinRule("bus", "rail", "m1", "m1"))), (), 3),
        transfer_rules=sometimes(draw, transfer_rules(), ()),
        transfer_limit_from=draw(st.sampled_from(LimitFrom)),
        timeframes=TIMEFRAMES,
        services=SERVICES,
        routes=ROUTES,
        stop_areas=STOPS,
        area_ids=frozenset(AREAS),
        default_products=draw(st.sampled_from(({}, {EMPTY: "three"}, {"9": "four", "rail": "two"}))),
        rounding=sometimes(draw, roundings, Rounding(), 3),
        windows=sometimes(draw, windows(), ()),
        caps=sometimes(draw, caps(rolling=not on_card), ()),
        passes=held,
        concessions=sometimes(draw, concessions(), ()),
        distance_fares=sometimes(draw, distance_fares(), (), 3),
        tap_off=tap_off,
        pass_back_s=draw(st.sampled_from((0, 5, 5, 60))),
        companions=Companions(
            draw(st.sampled_from(SecondTap)), draw(st.sampled_from((EMPTY, "adult"))), 4,
            draw(st.booleans()), draw(st.booleans()),
        ),
        out_of_service=draw(st.sampled_from(OutOfService)),
        overdraft=Overdraft(draw(st.sampled_from((0, 5_000))), draw(st.booleans())),
        shortfall=Shortfall(ShortPurse.LOAD if loads else ShortPurse.REFUSE, 2 if loads else 0),
        free_days=sometimes(
            draw,
            st.builds(
                FreeDays, st.just("holiday"), st.just(frozenset(each.toordinal() for each in DAYS[:2])),
                covers=selections(),
            ).map(lambda each: (each,)),
            (),
            3,
        ),
    )  # fmt: skip
