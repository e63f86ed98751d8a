from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from fare.core.calendar import Calendar
from fare.core.tariff.context import HeldPass
from fare.core.tariff.model import (
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    PassPeriod,
    PassProduct,
    PassStart,
    Tariff,
)
from fare.core.tariff.periods import (
    cap_period,
    local_time,
    month_start,
    pass_bounds,
    pass_is_valid,
    service_day,
    service_day_start,
    week_start,
)
from fare.core.tariff.state import CapUse, PassUse

TEHRAN = Tariff(
    1, "Test", "IRR", 0, "Asia/Tehran", Calendar.JALALI, service_day_starts_s=4 * 3_600, week_starts=5
)
LONDON = Tariff(1, "Test", "GBP", 2, "Europe/London", service_day_starts_s=90 * 60)
ZONES = ("Asia/Tehran", "Europe/London", "America/Havana", "Australia/Lord_Howe", "Africa/Casablanca", "UTC")


def at(text: str, zone: str = "Asia/Tehran") -> int:
    return int(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).timestamp())


def ordinal(text: str) -> int:
    return date.fromisoformat(text).toordinal()


def test_a_service_day_is_named_by_the_date_on_which_it_began() -> None:
    assert service_day(TEHRAN, at("2026-11-22T03:59:59")) == ordinal("2026-11-21")
    assert service_day(TEHRAN, at("2026-11-22T04:00:00")) == ordinal("2026-11-22")
    assert local_time(TEHRAN, at("2026-11-22T03:59:59")) == (ordinal("2026-11-22"), 4 * 3_600 - 1)


@given(st.integers(0, 2_000_000_000), st.sampled_from(ZONES), st.integers(0, 86_399))
def test_every_instant_lies_between_the_start_of_its_service_day_and_of_the_next(
    at_s: int, zone: str, starts_s: int
) -> None:
    tariff = replace(LONDON, zone_name=zone, service_day_starts_s=starts_s)
    day = service_day(tariff, at_s)
    assert service_day_start(tariff, day) <= at_s < service_day_start(tariff, day + 1)


@given(st.integers(0, 2_000_000_000), st.sampled_from(ZONES))
def test_local_time_is_what_a_clock_on_the_wall_shows(at_s: int, zone: str) -> None:
    wall = datetime.fromtimestamp(at_s, UTC).astimezone(ZoneInfo(zone))
    shown = (wall.toordinal(), wall.hour * 3_600 + wall.minute * 60 + wall.second)
    assert local_time(replace(LONDON, zone_name=zone), at_s) == shown


def test_a_week_begins_on_the_tariffs_first_day_of_the_week() -> None:
    sunday = ordinal("2026-11-22")
    assert week_start(TEHRAN, sunday) == ordinal("2026-11-21")  # Saturday
    assert week_start(LONDON, sunday) == ordinal("2026-11-16")  # Monday


def test_months_are_counted_in_the_tariffs_calendar() -> None:
    day = ordinal("2026-11-22")  # 1 Azar 1405
    assert month_start(TEHRAN, day) == day
    assert month_start(TEHRAN, day - 1) == ordinal("2026-10-23")
    assert month_start(TEHRAN, day, later=4) == ordinal("2027-03-21")
    assert month_start(LONDON, day) == ordinal("2026-11-01")
    assert month_start(LONDON, day, later=2) == ordinal("2027-01-01")


def test_each_cap_counts_in_its_own_period() -> None:
    now = at("2026-11-25T10:00")
    today = ordinal("2026-11-25")

    def began(period: CapPeriod, use: CapUse | None = None) -> int:
        return cap_period(TEHRAN, Cap("c", "c", period, (CapLevel(1),), days=3), now, use)

    assert began(CapPeriod.SERVICE_DAY) == today
    assert began(CapPeriod.WEEK) == ordinal("2026-11-21")
    assert began(CapPeriod.MONTH) == ordinal("2026-11-22")
    assert began(CapPeriod.ROLLING) == today - 2
    assert began(CapPeriod.FROM_FIRST_USE) == today
    assert began(CapPeriod.FROM_FIRST_USE, CapUse(today - 2, 5)) == today - 2
    assert began(CapPeriod.FROM_FIRST_USE, CapUse(today - 3, 5)) == today


def test_passes_end_where_their_length_says() -> None:
    bought = at("2026-11-25T10:00")
    month = PassProduct("m", "m", 1, PassPeriod.MONTH)
    cases = {
        month: ("2026-11-25T04:00", "2026-12-25T04:00"),  # 4 Azar to 4 Dey
        replace(month, start=PassStart.CALENDAR): ("2026-11-22T04:00", "2026-12-22T04:00"),
        replace(month, period=PassPeriod.WEEK): ("2026-11-25T04:00", "2026-12-02T04:00"),
        replace(month, period=PassPeriod.WEEK, start=PassStart.CALENDAR): (
            "2026-11-21T04:00",
            "2026-11-28T04:00",
        ),
        replace(month, period=PassPeriod.DAYS, length=3): ("2026-11-25T04:00", "2026-11-28T04:00"),
        replace(month, period=PassPeriod.HOURS, length=24): ("2026-11-25T10:00", "2026-11-26T10:00"),
    }
    for product, (first, end) in cases.items():
        assert pass_bounds(TEHRAN, product, bought) == (at(first), at(end)), product
    assert pass_bounds(TEHRAN, replace(month, period=PassPeriod.UNLIMITED), bought) == (bought, None)


def test_a_month_from_its_last_day_ends_with_the_shorter_month() -> None:
    month = PassProduct("m", "m", 1, PassPeriod.MONTH)
    _, end = pass_bounds(LONDON, month, at("2026-01-31T12:00", "Europe/London"))
    assert end == at("2026-03-01T01:30", "Europe/London")


def test_a_pass_is_valid_within_its_written_bounds_by_its_own_boundary() -> None:
    held = HeldPass("d", from_s=100, until_s=200)
    open_ended = PassProduct("d", "d", 1, PassPeriod.UNLIMITED)
    inclusive = replace(open_ended, boundary=Boundary.INCLUSIVE)
    for product, valid_at_the_end in ((None, False), (open_ended, False), (inclusive, True)):
        valid = [pass_is_valid(TEHRAN, product, held, None, at_s) for at_s in (99, 100, 199, 200, 201)]
        assert valid == [False, True, True, valid_at_the_end, False]


def test_a_pass_from_its_first_ride_lasts_from_then_on() -> None:
    product = PassProduct("h", "h", 1, PassPeriod.HOURS, length=2, start=PassStart.FIRST_USE)
    first = at("2026-11-25T10:00")
    held, use = HeldPass("h", key=7), PassUse(7, 0, first)
    assert pass_is_valid(TEHRAN, product, held, None, first)
    assert pass_is_valid(TEHRAN, product, held, use, first + 7_199)
    assert not pass_is_valid(TEHRAN, product, held, use, first + 7_200)
    inclusive = replace(product, boundary=Boundary.INCLUSIVE)
    assert pass_is_valid(TEHRAN, inclusive, held, use, first + 7_200)
    assert not pass_is_valid(TEHRAN, inclusive, held, use, first + 7_201)
    another = PassUse(8, 0, first)
    assert pass_is_valid(TEHRAN, product, held, another, first + 9_999), "of another pass"
