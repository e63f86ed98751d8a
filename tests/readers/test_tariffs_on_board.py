"""The tariff at the door: changing over by itself, what a second tap means, doors where riders leave."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from fare.core import card_record
from fare.core.bundle import DeviceConfiguration
from fare.core.errors import MalformedDocument
from fare.core.signed import BUNDLE, canonical, decode_canonical, open_envelope, seal
from fare.core.tap import Outcome
from fare.core.tariff.context import Rule
from fare.core.tariff.model import (
    Boundary,
    FareProduct,
    LegRule,
    OutOfService,
    TapOff,
    Tariff,
    TransferWindow,
    flat_tariff,
)
from hardware.emulator.faults import Fault, FaultKind
from readers.shown import Lamp
from readers.web.words import tariff_text
from tests.readers.bus import DEVICE, FARE_RIAL, LOADED_RIAL, Bus, Issuer, ManualClock, open_bus

HOUR = TransferWindow("hour", "an hour", 3_600, Boundary.EXCLUSIVE)
FLAT = flat_tariff(1, "flat", {0: FareProduct("single", "single", FARE_RIAL)})
DEARER = flat_tariff(2, "new year", {0: FareProduct("single", "single", 2 * FARE_RIAL)})
MIDNIGHT_S = int(datetime(2026, 11, 20, tzinfo=ZoneInfo("Asia/Tehran")).timestamp())
PLACE = DeviceConfiguration(12, "خط ۱۲", 1, "bus-7")
EXIT = DEVICE + 1
DOORS = {DEVICE: PLACE, EXIT: replace(PLACE, exit=True), DEVICE + 2: replace(PLACE, vehicle="bus-8")}


def zones() -> Tariff:
    """10,000 toman anywhere, 5,000 for who stays in the zone where they boarded."""
    far = replace(FLAT.products[0], product_id="far", amount=2 * FARE_RIAL)
    return replace(
        FLAT,
        products=(*FLAT.products, far),
        leg_rules=(LegRule("g", "single", "", "n", "n"), LegRule("g", "far", "", "n", "s")),
        area_ids=frozenset({"n", "s"}),
        areas={1: "n", 2: "s"},
        tap_off=TapOff(),
    )


class City:
    """Buses of one bundle and one clock, without any line to a ledger."""

    def __init__(self, issuer: Issuer, cards: Path, folder: Path, *tariffs: tuple[int, Tariff]) -> None:
        self.issuer, self.cards, self.folder = issuer, cards, folder
        self.clock = ManualClock(MIDNIGHT_S - 60)
        self.bundle = issuer.bundle(tariffs=tariffs, devices=DOORS)
        self.open: list[Bus] = []

    def bus(self, device: int = DEVICE) -> Bus:
        made = open_bus(
            self.issuer, self.cards, self.folder / str(device), clock=self.clock, bundle=self.bundle,
            device=device,
        )  # fmt: skip
        self.open.append(made)
        return made


@pytest.fixture
def city(issuer: Issuer, cards: Path, tmp_path: Path) -> Iterator[City]:
    made = City(issuer, cards, tmp_path)
    yield made
    for bus in made.open:
        bus.process.stop()


def with_tariffs(city: City, *tariffs: tuple[int, Tariff]) -> City:
    city.bundle = city.issuer.bundle(tariffs=tariffs, devices=DOORS)
    return city


def test_a_bus_without_a_line_changes_over_at_midnight_by_itself(city: City) -> None:
    window = {"windows": (HOUR,)}
    with_tariffs(city, (0, replace(FLAT, **window)), (MIDNIGHT_S, replace(DEARER, **window)))
    bus, other = city.bus(), city.bus(DEVICE + 2)
    city.issuer.make_card(city.cards, "two", 1002)
    assert bus.tap("one").fare_rial == FARE_RIAL
    loaded = bus.process.bundles.current
    assert loaded is not None
    assert tariff_text(loaded.bundle, MIDNIGHT_S - 1, "fa") == "نسخهٔ ۱؛ نسخهٔ ۲ از ۱۴۰۵/۰۸/۲۹ ۰۰:۰۰"
    city.clock.pass_s(59)
    assert bus.tap("two").fare_rial == FARE_RIAL
    city.clock.pass_s(1)
    city.issuer.make_card(city.cards, "three", 1003)
    assert bus.tap("three").fare_rial == 2 * FARE_RIAL
    transfer = other.tap("one")
    assert (transfer.lamp, transfer.fare_rial, transfer.rule) == (Lamp.GREEN, 0, Rule.WINDOW)
    assert [tap.tariff_version for tap in bus.journalled()] == [1, 1, 2]
    assert [tap.tariff_version for tap in other.journalled()] == [2]
    assert tariff_text(loaded.bundle, MIDNIGHT_S, "en") == "Version 2"


def test_a_second_tap_at_once_is_green_takes_nothing_and_is_told(city: City) -> None:
    bus = with_tariffs(city, (0, FLAT)).bus()
    bus.tap("one")
    city.clock.pass_s(2)
    again = bus.tap("one")
    assert (again.lamp, again.reason, again.fare_rial) == (Lamp.GREEN, "pass_back", 0)
    assert again.balance_rial == LOADED_RIAL - FARE_RIAL
    ride, second = bus.journalled()
    assert (second.outcome, second.reason, second.fare_rial) == (Outcome.REFUSED, "pass_back", 0)
    assert ride.card is not None
    assert second.card is not None
    assert (second.card.record_written, second.card.record_read) == (None, ride.card.record_written)
    city.clock.pass_s(5)
    assert bus.tap("one").fare_rial == FARE_RIAL, "a companion"
    assert bus.spent("one") == 2 * FARE_RIAL


def test_a_rider_taps_off_where_riders_leave(city: City) -> None:
    with_tariffs(city, (0, zones()))
    front, back = city.bus(), city.bus(EXIT)
    on = front.tap("one")
    assert (on.fare_rial, on.rule) == (2 * FARE_RIAL, Rule.MAXIMUM)
    city.clock.pass_s(600)
    off = back.tap("one")
    assert (off.lamp, off.reason, off.fare_rial) == (Lamp.GREEN, "alighted", 0)
    (tap,) = back.journalled()
    assert (tap.outcome, tap.reason) == (Outcome.ACCEPTED, "ok")
    assert tap.card is not None
    assert tap.card.record_written is not None
    assert card_record.decode(tap.card.record_written).alighting
    assert city.issuer.proof_verifies(tap)
    city.clock.pass_s(2)
    assert back.tap("one").reason == "pass_back"
    ticket = back.process.scan(city.issuer.phone(now_s=MIDNIGHT_S).ticket_text(MIDNIGHT_S + 542, 1))
    assert (ticket.lamp, ticket.reason) == (Lamp.RED, "exit_door")


def test_a_torn_tap_off_is_completed_as_one(city: City) -> None:
    with_tariffs(city, (0, zones()))
    front, back = city.bus(), city.bus(EXIT)
    front.tap("one")
    city.clock.pass_s(600)
    back.reader.faults.arm(Fault(FaultKind.CUT_AFTER, ins=0xC7))
    assert back.tap("one").lamp is Lamp.AMBER
    again = back.tap("one")
    assert (again.recovered, again.reason, again.lamp) == (True, "alighted", Lamp.GREEN)
    assert back.spent("one") == 2 * FARE_RIAL


def test_the_line_has_no_fare_or_only_its_default(city: City) -> None:
    unknown = replace(FLAT, leg_rules=())
    with_tariffs(city, (0, unknown), (MIDNIGHT_S, replace(unknown, default_products={"": "single"})))
    bus = city.bus()
    refused = bus.tap("one")
    assert (refused.lamp, refused.reason) == (Lamp.RED, "fare_unknown")
    phone = city.issuer.phone(now_s=MIDNIGHT_S - 60)
    assert bus.process.scan(phone.ticket_text(MIDNIGHT_S - 60, 1)).reason == "fare_unknown"
    city.clock.pass_s(60)
    assert bus.tap("one").fare_rial == FARE_RIAL
    assert bus.process.scan(phone.ticket_text(MIDNIGHT_S, 2)).fare_rial == FARE_RIAL
    flagged = ["default_fare" in tap.flags for tap in bus.journalled()]
    assert flagged == [False, False, True, True]


def test_out_of_service_the_tariff_says_whether_riders_ride_free(city: City) -> None:
    free = replace(DEARER, out_of_service=OutOfService.RIDE_FREE)
    bus = with_tariffs(city, (0, FLAT), (MIDNIGHT_S, free)).bus()
    bus.disk.free = 0
    assert (bus.tap("one").lamp, bus.tap("one").reason) == (Lamp.RED, "out_of_service")
    city.clock.pass_s(60)
    assert (bus.tap("one").lamp, bus.tap("one").reason) == (Lamp.GREEN, "ride_free")
    assert bus.journalled() == []
    assert bus.spent("one") == 0


def test_a_bundle_of_the_format_before_says_what_to_do_and_stops_nothing(city: City, tmp_path: Path) -> None:
    bus = with_tariffs(city, (0, FLAT)).bus()
    trusted = {1: city.issuer.bundle_key.public_key()}
    document = decode_canonical(open_envelope(BUNDLE, city.bundle, trusted))
    assert isinstance(document, dict)
    older = seal(BUNDLE, canonical({**document, "format": 1, "n": 9}), 1, city.issuer.bundle_key)
    with pytest.raises(MalformedDocument, match="format 1, older than what this software reads: update"):
        bus.process.bundles.offer(older)
    assert bus.tap("one").lamp is Lamp.GREEN
    # What an older software kept is not read either: such a bus asks for the next bundle first.
    bus.process.journal.store_bundle(older)
    bus.process.stop()
    city.open.remove(bus)
    again = open_bus(city.issuer, city.cards, tmp_path / str(DEVICE), clock=city.clock, bundle=city.bundle)
    assert again.tap("one").lamp is Lamp.GREEN
    again.process.stop()
