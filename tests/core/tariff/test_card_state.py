"""The seven bytes: what a card carries, a bus prices by as the ledger would; what it does not, is named."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from fare.core.card_record import RIDER_STATE_SIZE
from fare.core.errors import MalformedDocument
from fare.core.tariff.card_layout import amount_unit
from fare.core.tariff.card_state import from_card, from_wide, layout, mark, not_on_card, to_card, to_wide
from fare.core.tariff.context import HeldPass, TapContext, TapKind
from fare.core.tariff.model import (
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    Concession,
    DurationLimitType,
    JoinRule,
    LastTap,
    LegRule,
    LimitFrom,
    PassPeriod,
    PassProduct,
    PassStart,
    ProductPrice,
    Rounding,
    Selection,
    TapOff,
    TapOffCharge,
    Tariff,
    TransferRule,
    TransferType,
    TransferWindow,
    WindowAnchor,
    WindowPays,
)
from fare.core.tariff.pricing import price
from fare.core.tariff.state import (
    CapUse,
    Chain,
    JoinedLeg,
    LastBoarding,
    OpenJourney,
    PassUse,
    RiderState,
    WindowUse,
)
from fare.tariffs import open_tariff

MORNING: Final = 1_763_800_000
TODAY: Final = 739_577
CAR: Final = "bus-7"
FLAT: Final = Tariff(
    version=21,
    name="Test",
    currency="IRR",
    exponent=0,
    zone_name="Asia/Tehran",
    service_day_starts_s=4 * 3_600,
    products=(ProductPrice("one", "One", 30_000), ProductPrice("two", "Two", 45_000)),
    leg_rules=(LegRule("bus", "one", network_id="bus"), LegRule("tram", "two", network_id="tram")),
    routes={"5": "bus", "6": "bus", "9": "tram"},
)
WINDOW: Final = TransferWindow("w", "Window", 3_600, Boundary.EXCLUSIVE)
DAY_CAP: Final = Cap("day", "Day", CapPeriod.SERVICE_DAY, (CapLevel(120_000),))
TRAM: Final = Selection(networks=frozenset({"tram"}))
TRANSFER: Final = TransferRule(
    "bus", "bus", TransferType.FIRST_AND_TRANSFER, count=2, limit_s=5_400, boundary=Boundary.INCLUSIVE
)
AB: Final = replace(FLAT, stop_areas={"s-1": ("a",), "s-2": ("b",)}, area_ids=frozenset({"a", "b"}))

TARIFFS: Final = {
    "windows": replace(FLAT, windows=(replace(WINDOW, transfers=2),), caps=(DAY_CAP,)),
    "upgrades": replace(
        FLAT,
        windows=(
            replace(WINDOW, pays=WindowPays.DIFFERENCE, anchor=WindowAnchor.LAST_PAID, same_route=False),
        ),
        caps=(
            replace(DAY_CAP, levels=(CapLevel(60_000), CapLevel(90_000, TRAM)), last_tap=LastTap.WHOLE),
            replace(DAY_CAP, cap_id="three", period=CapPeriod.FROM_FIRST_USE, days=3),
        ),
    ),
    "transfers": replace(
        FLAT,
        transfer_rules=(
            TRANSFER,
            TransferRule("bus", "tram", TransferType.TRANSFER_ONLY, "two", limit_s=2_700),
        ),
        caps=(replace(DAY_CAP, period=CapPeriod.WEEK),),
    ),
    "journeys": replace(
        FLAT,
        transfer_rules=(TRANSFER, replace(TRANSFER, to_leg_group_id="", count=None, limit_s=900)),
        transfer_limit_from=LimitFrom.JOURNEY,
    ),
    "tap-off": replace(
        FLAT,
        tap_off=TapOff(covers=TRAM, cancel_within_s=300, auto_complete_within_s=1_800),
        windows=(WINDOW,),
        caps=(DAY_CAP,),
    ),
    "tap-off charge": replace(
        FLAT,
        tap_off=TapOff(charge=TapOffCharge.AT_TAP_OFF, close_after_s=7_200),
        transfer_rules=(replace(TRANSFER, limit_type=DurationLimitType.ARRIVAL_TO_DEPARTURE, limit_s=1_800),),
    ),
    "passes": replace(
        FLAT,
        passes=(
            PassProduct(
                "ten", "Ten", 3, PassPeriod.UNLIMITED, rides=10, covers=Selection(routes=frozenset({"5"}))
            ),
            PassProduct("two-days", "", 4, PassPeriod.DAYS, 2, PassStart.FIRST_USE, covers=TRAM),
        ),
        windows=(replace(WINDOW, seconds=None, ends_with_service_day=True, same_network=True),),
    ),
}
HELD: Final = (HeldPass("ten", rides=10, key=9), HeldPass("two-days", key=2))
Move = tuple[int, str, int, bool]
MOVES: Final = st.lists(
    st.tuples(
        st.one_of(st.integers(0, 30), st.integers(31, 9_000), st.integers(20_000, 400_000)),
        st.sampled_from(["5", "6", "9"]),
        st.integers(1, 3),
        st.booleans(),
    ),
    min_size=2,
    max_size=14,
)


def taps_of(tariff: Tariff, moves: list[Move]) -> list[TapContext]:
    """Taps in order of time; alightings only where this tariff knows any."""
    passes = HELD if tariff.passes else ()
    at_s, taps = MORNING, list[TapContext]()
    for gap_s, route, vehicle, alights in moves:
        at_s += gap_s
        if alights and taps and tariff.tap_off is not None:  # who leaves, leaves what was boarded
            taps.append(replace(taps[-1], at_s=at_s, kind=TapKind.OFF))
        else:
            taps.append(TapContext(at_s, route=route, vehicle=f"bus-{vehicle}", passes=passes))
    return taps


@pytest.mark.parametrize("name", TARIFFS)
@settings(max_examples=20)
@given(moves=MOVES)
@example(moves=[(0, "5", 1, False), (20, "5", 1, False), (900, "6", 2, False), (900, "9", 1, True)])
@example(moves=[(0, "5", 1, False), (600, "5", 1, False), (2_500, "9", 2, False)])
@example(moves=[(80_000, "5", number % 3, False) for number in range(13)])
@example(moves=[(4_000, "59"[number % 3 == 0], number % 3, False) for number in range(8)])
@example(moves=[(700, "569"[number % 3], number // 2 % 3, number % 2 == 1) for number in range(14)])
@example(moves=[(900, "5", number // 2, number % 2 == 1) for number in range(14)])
def test_a_bus_that_reads_the_card_prices_as_the_ledger_that_remembers_everything(
    name: str, moves: list[Move]
) -> None:
    tariff = TARIFFS[name]
    assert not_on_card(tariff) == []
    known, raw, written, debit = RiderState(), bytes(RIDER_STATE_SIZE), None, 0
    for tap in taps_of(tariff, moves):
        on_card = from_card(
            (tariff,),
            raw,
            MORNING if written is None else written.at_s,
            tap_of=None if written is None else _same(written),
            fare=debit,
            boarded=written is None or written.kind is TapKind.ON,
        )
        bus, after_bus = price(tariff, on_card, tap)
        ledger, after_ledger = price(tariff, known, tap)
        assert bus == ledger
        if after_ledger is not known:
            known, written, debit = after_ledger, tap, bus.amount
            raw = to_card(tariff, after_bus, tap.at_s)


def _same(tap: TapContext) -> Callable[[Tariff], TapContext]:
    return lambda _: tap


def read(tariff: Tariff, raw: bytes) -> RiderState:
    return from_card((tariff,), raw, MORNING)


def test_the_bytes_of_a_known_state() -> None:
    tariff = TARIFFS["windows"]
    state = RiderState(
        windows={"w": WindowUse(MORNING - 600, 0, used=1)}, caps={"day": CapUse(TODAY, 60_000, 0)}
    )
    raw = to_card(tariff, state, MORNING)
    # 21 % 15 + 1 = 7 marks the version. Window: 1 + 600 * 3 + 1 of 1 + 3601 * 3 values; cap: 60,000 / 15,000
    # times two levels, + 1 + 1.
    window, cap = 1 + 600 * 3 + 1, 1 + 4 * 2 + 1
    assert int.from_bytes(raw, "little") == 7 + 16 * (window + (1 + 3_601 * 3) * cap)
    assert raw.hex() == "27d11a00000000"
    assert read(tariff, raw) == state


def test_a_flat_fare_writes_nothing_and_the_record_itself_tells_the_last_boarding() -> None:
    assert to_card(FLAT, RiderState(last=LastBoarding(MORNING, CAR, None)), MORNING) == bytes(7)
    tap = TapContext(MORNING, vehicle=CAR)
    found = from_card((FLAT,), bytes(7), MORNING, tap_of=lambda _: tap)
    assert found == RiderState(last=LastBoarding(MORNING, CAR, None))
    assert from_card((FLAT,), bytes(7), MORNING) == RiderState(), "a desk's record is no boarding"
    left = from_card((FLAT,), bytes(7), MORNING, tap_of=lambda _: tap, boarded=False)
    assert left == RiderState(last=LastBoarding(MORNING, CAR, None, alighted=True))


def test_an_open_journey_is_told_by_the_record_of_its_tap_on() -> None:
    tariff = TARIFFS["tap-off"]
    tap = TapContext(MORNING, route="9", vehicle=CAR)
    state = RiderState(last=LastBoarding(MORNING, CAR, None), journey=OpenJourney(tap, 45_000))
    raw = to_card(tariff, state, MORNING)
    assert from_card((tariff,), raw, MORNING, tap_of=lambda _: tap, fare=45_000) == state
    assert from_card((tariff,), raw, MORNING).journey is None, "no tap, no journey"


def test_a_state_is_read_by_the_version_that_wrote_it() -> None:
    old = TARIFFS["windows"]
    new = replace(old, version=22, windows=(replace(WINDOW, window_id="other", seconds=60),))
    state = RiderState(caps={"day": CapUse(TODAY, 30_000, 0)}, windows={"w": WindowUse(MORNING, 0)})
    raw = to_card(old, state, MORNING)
    assert from_card((new, old), raw, MORNING) == state
    assert from_card((new,), raw, MORNING) == RiderState(), "nobody guesses"
    assert [mark(replace(old, version=each)) for each in (0, 14, 15, 16)] == [1, 15, 1, 2]


def test_bytes_that_the_tariff_cannot_have_written_tell_nothing() -> None:
    tariff = TARIFFS["windows"]
    beyond = (0xFFFFFFFFFFFF0 + mark(tariff)).to_bytes(7, "little")
    assert read(tariff, beyond) == RiderState()
    assert read(tariff, bytes(7)) == RiderState()
    with pytest.raises(MalformedDocument, match="7 bytes"):
        read(tariff, bytes(6))


@given(st.binary(min_size=7, max_size=7))
def test_any_seven_bytes_are_read_without_a_fault_and_say_the_same_when_written_again(raw: bytes) -> None:
    for tariff in TARIFFS.values():
        state = read(tariff, raw)
        assert read(tariff, to_card(tariff, state, MORNING)) == state


def test_what_cannot_be_told_exactly_is_not_told() -> None:
    tariff = TARIFFS["windows"]
    odd = {
        "half a unit": RiderState(caps={"day": CapUse(TODAY, 30_001, 0)}),
        "yesterday": RiderState(caps={"day": CapUse(TODAY - 1, 30_000, 0)}),
        "three together": RiderState(windows={"w": WindowUse(MORNING, 0, pax=3)}),
        "from the future": RiderState(windows={"w": WindowUse(MORNING + 5, 0)}),
        "another tariff's": RiderState(passes={"ten": PassUse(1, 1, MORNING)}),
    }
    for why, state in odd.items():
        assert read(tariff, to_card(tariff, state, MORNING)) == RiderState(), why
    full = read(tariff, to_card(tariff, RiderState(caps={"day": CapUse(TODAY, 999_000, 0)}), MORNING))
    assert full.caps["day"].spent == 120_000, "beyond a cap is a full cap"


def test_a_transfer_that_is_too_long_ago_stays_too_long_ago() -> None:
    tariff = TARIFFS["transfers"]
    old = Chain("bus", MORNING - 60, rule="bus>bus", count=9, since_on_s=MORNING - 50_000)
    found = read(tariff, to_card(tariff, RiderState(chain=old), MORNING)).chain
    assert found == replace(old, count=3, since_on_s=MORNING - 5_401)


def test_what_has_no_room_is_named() -> None:
    assert not_on_card(FLAT) == []
    month = replace(DAY_CAP, cap_id="month", period=CapPeriod.MONTH, levels=(CapLevel(10**15),))
    rolling = replace(DAY_CAP, cap_id="rolling", period=CapPeriod.ROLLING, days=7)
    tariff = replace(
        FLAT, windows=(WINDOW,), caps=(rolling, month, DAY_CAP), join_rules=(JoinRule("bus", "tram"),)
    )
    assert not_on_card(tariff) == ["cap:month", "cap:rolling", "joins"]
    assert [part.ref for part in layout(tariff).parts] == ["window:w", "cap:day"]
    assert layout(tariff).bits <= 56


def test_the_page_gives_the_bits_that_each_sample_tariff_uses() -> None:
    root = Path(__file__).parents[3]
    page = (root / "docs" / "card-layout.md").read_text(encoding="utf-8")
    for sample in ("urmia", "zones", "distance"):
        written = layout(open_tariff(root / "fare" / "tariffs" / "samples" / sample))
        assert written.left_out == ()
        assert f"| `{sample}` | {written.bits} |" in page


def test_amounts_are_counted_in_what_divides_all_of_them() -> None:
    assert amount_unit(FLAT) == 15_000
    assert amount_unit(replace(FLAT, caps=(replace(DAY_CAP, levels=(CapLevel(100_000),)),))) == 5_000
    percent = Concession("half", "Half", Selection(), percent=50, rounding=Rounding(500))
    assert amount_unit(replace(FLAT, concessions=(percent,))) == 500
    assert amount_unit(replace(FLAT, concessions=(percent,), rounding=Rounding(1_000))) == 1_000
    assert amount_unit(replace(FLAT, products=())) == 1


def test_every_field_of_the_state_is_on_the_card_or_is_named_here() -> None:
    """Whoever adds one decides whether a card carries it; docs/adr/0019-rider-state.md."""
    in_the_record: dict[Any, set[str]] = {
        RiderState: {"last"},
        LastBoarding: {"at_s", "vehicle", "alighted"},
        OpenJourney: {"tap", "charged"},
    }
    for_the_ledger: dict[Any, set[str]] = {
        RiderState: {"leg", "before_leg"},
        LastBoarding: {"trip"},
        OpenJourney: {"alone"},  # by trips, which no card tells
        Chain: {"pax"},  # of more than one person a card tells nothing
        WindowUse: {"pax"},
        CapUse: {"days"},
        PassUse: set(),
    }
    packed: dict[Any, set[str]] = {
        RiderState: {"chain", "windows", "caps", "passes", "journey"},
        Chain: {"group", "on_s", "off_s", "rule", "count", "since_on_s", "since_off_s", "first_fare"},
        WindowUse: {"since_s", "dearest", "used", "network", "route"},
        CapUse: {"period", "spent", "level"},
        PassUse: {"key", "used", "first_s"},
    }
    for kind, left in for_the_ledger.items():
        named = left | in_the_record.get(kind, set()) | packed.get(kind, set())
        assert {each.name for each in fields(kind)} == named, kind


def test_the_ledger_keeps_all_of_a_state() -> None:
    tap = TapContext(MORNING, medium="card", passes=HELD, area="a")
    before = RiderState(caps={"day": CapUse(TODAY, 30_000, 0)})
    tariff = replace(
        TARIFFS["tap-off"], caps=(DAY_CAP, replace(DAY_CAP, cap_id="r", period=CapPeriod.ROLLING))
    )
    state = RiderState(
        last=LastBoarding(MORNING, CAR, "trip-1"),
        chain=None,
        windows={"w": WindowUse(MORNING, 1, pax=4)},
        caps={"day": CapUse(TODAY, 30_001, 0), "r": CapUse(TODAY, 5, 0, ((TODAY, 5),))},
        passes={"ten": PassUse(99, 3, 5)},
        journey=OpenJourney(tap, 45_000),
        leg=JoinedLeg(tap, replace(tap, kind=TapKind.OFF), 5),
        before_leg=before,
    )
    assert from_wide(to_wide(tariff, state, MORNING)) == state
    ended = replace(state, journey=None)
    assert from_wide(to_wide(tariff, ended, MORNING + 7_200)).windows == {}, "what has ended is not kept"
    for broken in (b"", b"[]", b'{"last": {"at_s": "now"}}', b"\xff"):
        with pytest.raises(MalformedDocument, match="rider's state"):
            from_wide(broken)
