"""What the tariff makes of a card's taps, told by nothing but the record that the tap before left on it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from fare.core import card_record, entitlement
from fare.core.boarding import Boarding
from fare.core.bundle import Bundle, DeviceConfiguration
from fare.core.card_record import CardRecord
from fare.core.decision import (
    DEFAULT_FARE,
    AlreadyPaid,
    CardView,
    Charge,
    Reason,
    Refused,
    decide_card,
)
from fare.core.entitlement import CardEntitlement, Pass
from fare.core.tap import BundleVersion
from fare.core.tariff.card_state import not_on_card
from fare.core.tariff.context import Rule, TapKind
from fare.core.tariff.model import (
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    Companions,
    FareProduct,
    LegRule,
    Overdraft,
    PassPeriod,
    PassProduct,
    SecondTap,
    TapOff,
    TapOffCharge,
    Tariff,
    TransferWindow,
    flat_tariff,
)

KEY = Ed25519PrivateKey.from_private_bytes(bytes(32))
UID, AID = bytes.fromhex("04a1b2c3d4e5f6"), bytes.fromhex("f54d43")
NOW_S = 1_795_305_600
TODAY = 2517
FARE, LOADED = 10_000, 100_000
FLAT = flat_tariff(1, "flat", {0: FareProduct("single", "single", FARE)})
HOUR = TransferWindow("hour", "an hour", 3_600, Boundary.EXCLUSIVE)
FRONT, BACK, OTHER, AFAR = 17, 18, 40, 50
NORTH, SOUTH = 1, 2


def a_card(**more: Any) -> CardEntitlement:
    plain = CardEntitlement(1, 1, AID, 7, UID, 2, LOADED, 0, 0, 0, 0, 9000, (), NOW_S - 100)
    return replace(plain, **more)


class Rider:
    """A card in memory, and a city of four doors: two of one bus, one of another, one in another area."""

    def __init__(self, *tariffs: tuple[int, Tariff], card: CardEntitlement | None = None) -> None:
        self.card = card or a_card()
        self.spent = 0
        self.record = card_record.first_record(NOW_S - 50)
        self.bundle = Bundle(
            BundleVersion(bytes(8), 1), NOW_S, "urmia", "Asia/Tehran", 14400, 1, tariffs, {}, {}, {},
            devices={
                FRONT: DeviceConfiguration(3, "3", NORTH, "bus-7"),
                BACK: DeviceConfiguration(3, "3", NORTH, "bus-7", exit=True),
                OTHER: DeviceConfiguration(4, "4", NORTH, "bus-8"),
                AFAR: DeviceConfiguration(3, "3", SOUTH, "bus-7", exit=True),
            },
        )  # fmt: skip

    def tap(self, at_s: int, door: int = FRONT) -> Charge | AlreadyPaid | Refused:
        place = self.bundle.devices[door]
        kind = TapKind.OFF if place.exit else TapKind.ON
        where = Boarding(door, 5, at_s, place.line, place.area, place.vehicle, kind)
        view = CardView(UID, AID, entitlement.sign(self.card, KEY), self.record, self.spent)
        decided = decide_card(view, where, self.bundle, {1: KEY.public_key()})
        if isinstance(decided, Charge):
            self.spent += decided.price.amount
            self.record = decided.record
        return decided

    def pays(self, at_s: int, door: int = FRONT) -> int:
        decided = self.tap(at_s, door)
        assert isinstance(decided, Charge), decided
        return decided.price.amount

    @property
    def last(self) -> CardRecord:
        return card_record.decode(self.record)


def test_a_second_tap_at_once_is_no_charge_and_later_a_companions() -> None:
    rider = Rider((0, FLAT))
    assert rider.pays(NOW_S) == FARE
    before = rider.record
    assert rider.tap(NOW_S + 4) == AlreadyPaid(Reason.PASS_BACK, 7, LOADED - FARE)
    assert rider.record == before
    assert rider.pays(NOW_S + 4, OTHER) == FARE, "another bus is another ride"
    assert rider.pays(NOW_S + 5) == FARE
    assert rider.pays(NOW_S + 10) == FARE


def test_a_city_may_take_the_second_tap_for_the_same_ride() -> None:
    once = replace(FLAT, companions=Companions(SecondTap.ALREADY_PAID))
    rider = Rider((0, once))
    assert rider.pays(NOW_S) == FARE
    assert rider.tap(NOW_S + 60) == AlreadyPaid(Reason.RIDE_PAID, 7, LOADED - FARE)
    assert rider.pays(NOW_S + 7_201) == FARE


def test_a_record_from_the_future_lets_nobody_ride_for_nothing() -> None:
    rider = Rider((0, replace(FLAT, windows=(HOUR,), companions=Companions(SecondTap.ALREADY_PAID))))
    assert rider.pays(NOW_S + 86_400) == FARE
    assert rider.pays(NOW_S) == FARE
    assert rider.pays(NOW_S - 10, OTHER) == 0, "a few seconds are two honest clocks"
    assert rider.last.at_s == NOW_S
    assert rider.tap(NOW_S - 11, OTHER) == AlreadyPaid(Reason.PASS_BACK, 7, LOADED - 2 * FARE)


def test_the_card_carries_a_transfer_to_the_next_bus_and_over_a_new_tariff() -> None:
    old = replace(FLAT, windows=(HOUR,))
    new = replace(flat_tariff(2, "new", {0: FareProduct("single", "single", 3 * FARE)}), windows=(HOUR,))
    rider = Rider((0, old), (NOW_S + 600, new))
    assert rider.pays(NOW_S) == FARE
    assert rider.pays(NOW_S + 3_599, OTHER) == 0, "opened under the tariff of before midnight"
    assert rider.pays(NOW_S + 3_600) == 3 * FARE
    stranger = Rider((NOW_S + 600, new))
    stranger.record, stranger.spent = rider.record[:25] + b"\xff" * 7, rider.spent
    assert stranger.pays(NOW_S + 9_000) == 3 * FARE, "a state that nobody here wrote tells nothing"


def test_a_cap_is_reached_on_the_card() -> None:
    cap = Cap("day", "a day", CapPeriod.SERVICE_DAY, (CapLevel(25_000),))
    rider = Rider((0, replace(FLAT, caps=(cap,))))
    paid = [rider.pays(NOW_S + 600 * n, (FRONT, OTHER)[n % 2]) for n in range(4)]
    assert paid == [10_000, 10_000, 5_000, 0]


def test_a_pass_of_so_many_rides_counts_them_on_the_card_and_ends() -> None:
    ten = PassProduct("ten", "ten rides", 6, PassPeriod.UNLIMITED, rides=3)
    card = a_card(passes=(Pass(6, TODAY - 1, TODAY + 300, rides=2),))
    rider = Rider((0, replace(FLAT, passes=(ten,))), card=card)
    assert [rider.pays(NOW_S + 600 * n, (FRONT, OTHER)[n % 2]) for n in range(3)] == [0, 0, FARE]
    rider.card = a_card(version=3, passes=(Pass(6, TODAY, TODAY + 300, rides=2),))
    assert rider.pays(NOW_S + 9_000) == 0, "the next one bought has its own count"


def test_rides_that_the_card_cannot_count_are_not_ridden() -> None:
    ten = PassProduct("ten", "ten rides", 6, PassPeriod.UNLIMITED, rides=3)
    month = PassProduct("month", "month", 4, PassPeriod.MONTH)
    card = a_card(passes=(Pass(6, TODAY, TODAY + 300),))
    rider = Rider((0, replace(FLAT, passes=(ten,))), card=card)
    paid = [rider.pays(NOW_S + 600 * n, (FRONT, OTHER)[n % 2]) for n in range(4)]
    assert paid == [0, 0, 0, FARE], "as many as the tariff says"
    crowded = replace(FLAT, passes=(ten,), windows=tuple(replace(HOUR, window_id=str(n)) for n in range(4)))
    assert "pass:ten" in not_on_card(crowded)
    assert Rider((0, crowded), card=card).pays(NOW_S) == FARE
    two_of_a_month = a_card(passes=(Pass(4, TODAY, TODAY + 30, rides=2),))
    assert Rider((0, replace(FLAT, passes=(month,))), card=two_of_a_month).pays(NOW_S) == FARE


def test_a_pass_rides_by_the_service_day_and_where_the_tariff_lets_it() -> None:
    month = PassProduct("month", "month", 4, PassPeriod.MONTH, boundary=Boundary.INCLUSIVE)
    late = replace(FLAT, passes=(month,), service_day_starts_s=4 * 3_600)
    # NOW_S is 03:30 in Tehran: still the service day before its date.
    for last_day, fare in ((TODAY, 0), (TODAY - 1, 0), (TODAY - 2, FARE)):
        rider = Rider((0, late), card=a_card(passes=(Pass(4, TODAY - 30, last_day),)))
        assert rider.pays(NOW_S) == fare
    ends_s = NOW_S - NOW_S % 1_800 + 1_800  # 04:00
    assert Rider((0, late), card=a_card(passes=(Pass(4, 1, TODAY - 1),))).pays(ends_s) == FARE


def zones(**more: Any) -> Tariff:
    """From the north: 10,000 within it, 30,000 to the south."""
    flat = flat_tariff(1, "zones", {0: FareProduct("near", "near", FARE)})
    far = replace(flat.products[0], product_id="far", amount=3 * FARE)
    return replace(
        flat,
        products=(*flat.products, far),
        leg_rules=(LegRule("g", "near", "", "n", "n"), LegRule("g", "far", "", "n", "s")),
        area_ids=frozenset({"n", "s"}),
        areas={NORTH: "n", SOUTH: "s"},
        tap_off=TapOff(**more),
    )


def test_tapping_off_gives_back_what_the_dearest_fare_took_too_much() -> None:
    rider = Rider((0, zones()))
    assert rider.pays(NOW_S) == 3 * FARE
    assert not rider.last.alighting
    off = rider.tap(NOW_S + 900, BACK)
    assert isinstance(off, Charge)
    assert (off.alighting, off.price.amount, off.price.adjustment) == (True, 0, -2 * FARE)
    assert (rider.last.alighting, rider.last.fare_rial) == (True, 0)
    assert rider.tap(NOW_S + 902, BACK) == AlreadyPaid(Reason.PASS_BACK, 7, LOADED - 3 * FARE)
    assert rider.pays(NOW_S + 2_000) == 3 * FARE
    far = rider.tap(NOW_S + 2_600, AFAR)
    assert isinstance(far, Charge)
    assert (far.price.amount, far.price.adjustment) == (0, 0)


def test_the_dearest_fare_must_be_on_the_card_before_its_ride() -> None:
    rider = Rider((0, zones()), card=a_card(loaded_total_rial=3 * FARE - 1))
    assert rider.tap(NOW_S) == Refused(Reason.INSUFFICIENT_BALANCE, 7, 3 * FARE - 1)


def test_who_pays_when_leaving_is_never_kept_in() -> None:
    rider = Rider((0, zones(charge=TapOffCharge.AT_TAP_OFF)), card=a_card(loaded_total_rial=3 * FARE))
    assert rider.pays(NOW_S) == 0
    rider.card = a_card(loaded_total_rial=FARE)
    assert rider.pays(NOW_S + 900, AFAR) == FARE, "what is there; the ledger settles the rest"


def test_a_leg_that_no_rule_prices_is_refused_or_flagged() -> None:
    unknown = replace(FLAT, leg_rules=())
    assert Rider((0, unknown)).tap(NOW_S) == Refused(Reason.FARE_UNKNOWN, 7, LOADED)
    charge = Rider((0, replace(unknown, default_products={"": "single"}))).tap(NOW_S)
    assert isinstance(charge, Charge)
    assert (charge.price.amount, charge.flags) == (FARE, (DEFAULT_FARE,))


def test_the_cards_own_overdraft_is_the_limit_and_the_tariff_may_ask_for_a_positive_purse() -> None:
    generous = a_card(loaded_total_rial=1, overdraft_rial=2 * FARE)
    plain = Rider((0, FLAT), card=generous)
    assert [plain.pays(NOW_S), plain.pays(NOW_S, OTHER)] == [FARE, FARE]
    strict = Rider((0, replace(FLAT, overdraft=Overdraft(0, only_from_positive=True))), card=generous)
    assert strict.pays(NOW_S) == FARE
    assert strict.tap(NOW_S, OTHER) == Refused(Reason.INSUFFICIENT_BALANCE, 7, 1 - FARE)


def test_the_reason_of_a_fare_is_told() -> None:
    rider = Rider((0, replace(FLAT, windows=(HOUR,))))
    rider.pays(NOW_S)
    transfer = rider.tap(NOW_S + 60, OTHER)
    assert isinstance(transfer, Charge)
    assert transfer.price.rule is Rule.WINDOW
