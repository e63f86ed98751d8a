"""What people read of a tariff and of a price: wording that a rider or finance decides by is pinned."""

from __future__ import annotations

import string
from dataclasses import replace
from datetime import date

import pytest

from fare.core.calendar import Calendar
from fare.core.tariff.context import Price, Rule, Step
from fare.core.tariff.model import (
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    CardTerms,
    Concession,
    Direction,
    DistanceBand,
    DistanceFare,
    FreeDays,
    JoinRule,
    LegRule,
    Overdraft,
    PassPeriod,
    PassProduct,
    PassStart,
    ProductPrice,
    RiderCategory,
    Rounding,
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
from fare.core.tariff.naming import Speech
from fare.core.tariff.sentences import Topic, explain, sentences, topic_title
from fare.core.tariff.telling_fares import MOST_FARES
from fare.core.tariff.words_en import WORDS as ENGLISH
from fare.core.tariff.words_fa import WORDS as PERSIAN

WINDOW = TransferWindow("w", "Transfer", 3_600, Boundary.EXCLUSIVE)
URMIA = Tariff(
    version=1,
    name="Urmia",
    currency="IRR",
    exponent=0,
    zone_name="Asia/Tehran",
    calendar=Calendar.JALALI,
    week_starts=5,
    products=(
        ProductPrice("single", "Single", 35_000, "adult", "card"),
        ProductPrice("single", "Single", 17_500, "senior", "card"),
    ),
    rider_categories=(RiderCategory("adult", "adult", 0, True), RiderCategory("senior", "senior", 1)),
    media={"card": "card"},
    leg_rules=(LegRule("g", "single", network_id="line-5"),),
    routes={"5": "line-5"},
    windows=(WINDOW,),
)
OUTAOUAIS = Tariff(
    version=1,
    name="Transcollines",
    currency="CAD",
    exponent=2,
    zone_name="America/Toronto",
    products=(ProductPrice("PS-500", "PS-500", 500), ProductPrice("PS-2000", "PS-2000", 2_000)),
    leg_rules=(
        LegRule("1", "PS-500", "REG", "GAT", "COL"),
        LegRule("2", "PS-500", "REG", "COL", "GAT"),
        LegRule("3", "PS-500", "REG", "COL", "COL"),
        LegRule("4", "PS-500", "REG", "PNT", "PNT"),
        LegRule("5", "PS-2000", "REG", "GAT", "PNT"),
    ),
    names={"area:GAT": "Gatineau", "area:COL": "Collines", "area:PNT": "Pontiac"},
)


def told(tariff: Tariff, topic: Topic, locale: str = "en") -> list[str]:
    assert locale in ("en", "fa")
    return [each.text for each in sentences(tariff, "fa" if locale == "fa" else "en") if each.topic is topic]


def test_a_fare_reads_as_finance_would_say_it() -> None:
    assert told(URMIA, Topic.FARES) == [
        "Line 5, adult, card: 35,000 rial; a second bus within 60 minutes is free.",
        "Line 5, senior, card: 17,500 rial; a second bus within 60 minutes is free.",
    ]
    assert told(URMIA, Topic.FARES, "fa")[0] == (
        "خط ۵، adult، کارت: ۳۵٬۰۰۰ ریال؛ اتوبوس دوم تا ۶۰ دقیقه رایگان است."
    )
    in_toman = sentences(URMIA, "fa", "toman")[0]
    assert "۳٬۵۰۰ تومان" in in_toman.text
    assert (in_toman.ref, in_toman.topic) == ("product:single", Topic.FARES)
    assert topic_title(Topic.FARES, "fa", URMIA) == "کرایه‌ها"


def test_a_feeds_areas_are_told_by_name_and_both_ways_at_once() -> None:
    assert told(OUTAOUAIS, Topic.FARES) == [
        "Network REG, within Collines or Pontiac: 5.00 CAD.",
        "Network REG, between Collines and Gatineau: 5.00 CAD.",
        "Network REG, from Gatineau to Pontiac: 20.00 CAD.",
    ]
    assert told(OUTAOUAIS, Topic.FARES, "fa")[2] == "شبکهٔ REG، از Gatineau به Pontiac: ۲۰٫۰۰ دلار کانادا."


def test_an_empty_area_means_the_others_only_without_priorities() -> None:
    rules = (LegRule("1", "PS-500", from_area_id="GAT"), LegRule("2", "PS-2000"))
    assert told(replace(OUTAOUAIS, leg_rules=rules), Topic.FARES) == [
        "From Gatineau: 5.00 CAD.",
        "Every line, from elsewhere: 20.00 CAD.",
    ]
    with_priority = replace(OUTAOUAIS, leg_rules=rules, uses_priority=True)
    assert told(with_priority, Topic.FARES) == ["From Gatineau: 5.00 CAD.", "Every line: 20.00 CAD."]


def test_a_very_long_tariff_says_how_much_it_leaves_out() -> None:
    rules = tuple(LegRule("g", f"p-{number}") for number in range(MOST_FARES + 7))
    products = tuple(ProductPrice(f"p-{number}", "P", number) for number in range(MOST_FARES + 7))
    texts = told(replace(OUTAOUAIS, leg_rules=rules, products=products), Topic.FARES)
    assert len(texts) == MOST_FARES + 1
    assert texts[-1] == "7 more rules are not told here: see the tariff's files."


def test_every_part_of_a_tariff_is_told() -> None:
    seniors = Selection(rider_categories=frozenset({"senior"}))
    day = date(2027, 4, 2).toordinal()  # 13 Farvardin 1406
    full = replace(
        URMIA,
        products=(*URMIA.products, ProductPrice("month", "Month", 900_000)),
        service_day_starts_s=4 * 3_600,
        rounding=Rounding(500, Direction.DOWN),
        default_products={"": "single"},
        timeframes={
            "peak": (Timeframe(25_200, 36_000, "week"),),
            "ever": (Timeframe(0, 86_400, "all"),),
        },
        services={
            "week": Service((True,) * 5 + (False, False), 1, 9**6),
            "all": Service((True,) * 7, 1, 9**6),
        },
        join_rules=(JoinRule("line-5", "line-5"),),
        windows=(
            replace(WINDOW, transfers=1, pays=WindowPays.AMOUNT, amount=5_000, covers=seniors),
            replace(
                WINDOW, window_id="d", seconds=None, pays=WindowPays.DIFFERENCE, anchor=WindowAnchor.LAST_PAID
            ),
        ),
        transfer_rules=(TransferRule("g", "", TransferType.FIRST_AND_TRANSFER, count=2, limit_s=5_400),),
        caps=(
            Cap("week", "Week", CapPeriod.WEEK, (CapLevel(300_000),)),
            Cap("day", "Day", CapPeriod.ROLLING, (CapLevel(50_000), CapLevel(70_000, seniors)), days=7),
        ),
        passes=(
            PassProduct("month", "Month", 1, PassPeriod.MONTH, start=PassStart.CALENDAR),
            PassProduct("ten", "Ten rides", 2, PassPeriod.DAYS, 30, PassStart.FIRST_USE, rides=10),
        ),
        concessions=(Concession("half", "Half fare", seniors, percent=50, last_day=day),),
        distance_fares=(
            DistanceFare("d", "Rail", Selection(routes=frozenset({"9"})), base=500, per_km=200, free_m=2_000),
            DistanceFare("b", "Ferry", Selection(networks=frozenset({"sea"})), (DistanceBand(1_500, 10),)),
        ),
        tap_off=TapOff(charge=TapOffCharge.AT_TAP_OFF, cancel_within_s=-1, close_after_s=7_200),
        overdraft=Overdraft(35_000),
        shortfall=Shortfall(ShortPurse.LOAD, 2),
        free_days=(FreeDays("Nature day", frozenset({day, day + 365})),),
        card=CardTerms(300_000, 22_000, life_days=365),
    )
    found = {topic: told(full, topic) for topic in Topic}
    expected = {
        Topic.FARES: [
            "Fares are rounded down to whole 500 rial.",
            "Every line: “Single”, where no rule fits; such rides are marked for finance.",
            "Two legs, in line 5 and then in line 5, count as one journey"
            " when changing at the same stop or station, within 30 minutes of alighting.",
        ],
        Topic.TIMES: [
            "“ever” is all day, every day.",
            "“peak” is 07:00 to 10:00 on Monday, Tuesday, Wednesday, Thursday and Friday.",
            "The service day begins at 04:00.",
        ],
        Topic.DISTANCE: [
            "Rail on line 9: 500 rial and 200 rial for each kilometre beyond 2 km.",
            "Ferry in network sea: up to 1,500 m 10 rial.",
        ],
        Topic.CONCESSIONS: ["Half fare for senior: 50% of the fare is paid, until 1406/01/13."],
        Topic.TRANSFERS: [
            "A further boarding within 60 minutes for senior costs 5,000 rial, once.",
            "A further boarding after a paid one costs only what a dearer fare is above the one paid,"
            " counted from the latest boarding that cost money.",
            "Changing from “g” to any leg, if the next departure is within 90 minutes of the first,"
            " (at most 2 times) is free.",
        ],
        Topic.CAPS: [
            "“Week”: nobody pays more than 300,000 rial a week (from Saturday).",
            "“Day”: nobody pays more in 7 running days than 50,000 rial or 70,000 rial for senior,"
            " by the highest that was ridden.",
        ],
        Topic.PASSES: [
            "“Month”, 900,000 rial: rides are free in the calendar month.",
            "“Ten rides”, not for sale here: 10 rides for 30 days from the first ride.",
        ],
        Topic.TAP_OFF: [
            "Riders tap on and off: the fare is charged at tap-off.",
            "An open journey is closed after 120 minutes.",
            "Tapping on and off at the same stop costs nothing.",
        ],
        Topic.PAYMENT: [
            "One ride may take the balance down to 35,000 rial below zero.",
            "What a balance lacks is loaded at once, with a fee of 2%.",
        ],
        Topic.FREE_DAYS: ["Nature day: rides are free on 01/13 of every year."],
        Topic.CARD: [
            "The card costs a deposit of 300,000 rial, which comes back with it.",
            "Giving a card back costs 22,000 rial of its balance.",
            "A card is valid for 365 days.",
        ],
        Topic.COMPANIONS: ["A second tap on the same vehicle within 5 seconds is not charged."],
    }
    for topic, texts in expected.items():
        for text in texts:
            assert text in found[topic], found[topic]
    persian = [each.text for each in sentences(full, "fa")]
    assert len(persian) == sum(map(len, found.values()))
    assert not [text for text in persian if any(digit in text for digit in string.digits)], "Persian digits"


def test_both_languages_say_the_same_things_with_the_same_parts() -> None:
    def parts(text: str) -> set[str]:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name}

    assert PERSIAN.keys() == ENGLISH.keys()
    assert [word for word in ENGLISH if parts(ENGLISH[word]) != parts(PERSIAN[word])] == []


@pytest.mark.parametrize("rule", list(Rule))
def test_every_rule_can_be_explained(rule: Rule) -> None:
    for amount in (0, 35_000):
        for locale in ("en", "fa"):
            text = explain(URMIA, [Step(rule, "single", amount)], "fa" if locale == "fa" else "en")
            assert text.endswith(".")
            assert "{" not in text


def test_a_price_is_explained_in_the_order_in_which_it_was_made() -> None:
    tariff = replace(URMIA, caps=(Cap("day", "Day cap", CapPeriod.SERVICE_DAY, (CapLevel(50_000),)),))
    paid = Step(Rule.FARE, "single", 35_000)
    cases = {
        "The fare of “Single” is 35,000 rial.": (paid,),
        "The fare of “Single” is 35,000 rial; a transfer within 60 minutes is free.": (
            paid,
            Step(Rule.WINDOW, "w", 0),
        ),
        "The fare of “Single” is 35,000 rial; “Day cap” leaves 15,000 rial to pay.": (
            paid,
            Step(Rule.CAP, "day", 15_000),
        ),
        "The journey had no second tap in time, and nothing more is charged.": (
            Step(Rule.INCOMPLETE, "", 0),
        ),
        "Nothing is charged.": (),
    }
    for sentence, steps in cases.items():
        assert explain(tariff, steps, "en") == sentence
        assert explain(tariff, Price(0, None, steps), "en") == sentence
    assert explain(tariff, cases["The fare of “Single” is 35,000 rial."], "fa", "toman") == (
        "کرایهٔ «Single» ۳٬۵۰۰ تومان است."
    )


def test_amounts_durations_and_days_are_said_as_people_say_them() -> None:
    yen = Speech(replace(OUTAOUAIS, currency="JPY", exponent=0), "en")
    assert [yen.money(500), Speech(OUTAOUAIS, "en").money(-205)] == ["500 JPY", "-2.05 CAD"]
    english = Speech(URMIA, "en")
    lengths = {60: "one minute", 5_400: "90 minutes", 10_800: "3 hours", 86_400: "one day", 61: "61 seconds"}
    assert {seconds: english.duration(seconds) for seconds in lengths} == lengths
    day = date(2026, 11, 22).toordinal()
    assert [Speech(URMIA, "fa").day(day), english.day(day)] == ["۱۴۰۵/۰۹/۰۱", "1405/09/01"]
    assert [Speech(OUTAOUAIS, "fa").day(day), Speech(OUTAOUAIS, "en").day(day)] == [
        "۲۰۲۶-۱۱-۲۲",
        "2026-11-22",
    ]
    many = english.listed([str(number) for number in range(20)])
    assert many == "0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, and 8 more"


def test_a_name_that_reads_the_other_way_is_kept_in_one_piece() -> None:
    """Persian names in an English sentence, and the reverse; names in ASCII alone stay as they are."""
    persian = replace(URMIA, products=(ProductPrice("single", "بلیت تک‌سفره", 35_000),))
    price = (Step(Rule.FARE, "single", 35_000),)
    assert explain(persian, price, "en") == "The fare of “\u2068بلیت تک‌سفره\u2069” is 35,000 rial."
    assert "\u2068" not in explain(persian, price, "fa")
    assert {Speech(persian, "fa").own("Single (2)"), Speech(persian, "en").own("Single (2)")} == {
        "Single (2)"
    }
    assert Speech(persian, "fa").own("Métro") == "\u2068Métro\u2069"
