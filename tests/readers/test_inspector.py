"""Inspecting: paid, not paid or cannot tell, and nothing anywhere is changed by asking."""

from __future__ import annotations

from pathlib import Path

import pytest

from fare.core.bundle import DeviceConfiguration
from fare.core.inspection import Inspected
from readers.inspection_switch import FORGOTTEN_S, InspectionSwitch
from readers.process import ValidatorProcess
from readers.shown import Lamp, Shown
from readers.vehicle_memory.in_process import SharedInProcess
from tests.readers.bus import DEVICE, NOW_S, Bus, Issuer, open_bus
from tests.readers.chips import Presented, chip_with

OTHER_DOOR, HANDHELD, ELSEWHERE = DEVICE + 1, DEVICE + 2, DEVICE + 3
PAID, NOT_PAID, CANNOT_TELL = Inspected.PAID, Inspected.NOT_PAID, Inspected.CANNOT_TELL


def place(vehicle: str) -> DeviceConfiguration:
    return DeviceConfiguration(12, "خط ۱۲", 3, vehicle)


def told(shown: Shown) -> tuple[Inspected | None, str, int | None]:
    assert (shown.fare_rial, shown.balance_rial, shown.seq) == (0, None, None)
    return shown.inspected, shown.reason, shown.minutes_left


def everything(bus: Bus) -> tuple[object, ...]:
    """All that an inspection must leave as it was: the journal's rows, the cards' files."""
    journal = bus.process.journal
    cards = [path.read_bytes() for path in sorted(bus.folder.glob("*.card.json"))]
    return journal.next_seq, journal.open_intent_seq, journal.kept_rides(0), cards


def inspecting(bus: Bus) -> ValidatorProcess:
    bus.process.inspection.turn(on=True)
    return bus.process


def test_a_card_is_read_and_nothing_more(bus: Bus, issuer: Issuer) -> None:
    issuer.make_card(bus.folder, "other", 1002)
    assert bus.tap("one").lamp is Lamp.GREEN
    before = everything(bus)
    inspecting(bus)
    assert told(bus.tap("one")) == (PAID, "ride_here", 90)
    bus.clock.pass_s(30 * 60 + 1)
    inspecting(bus)
    assert told(bus.tap("one")) == (PAID, "ride_here", 59)
    shown = bus.tap("other")
    assert (shown.lamp, told(shown)) == (Lamp.RED, (NOT_PAID, "no_ride_here", None))
    bus.clock.pass_s(60 * 60)
    inspecting(bus)
    assert told(bus.tap("one")) == (NOT_PAID, "ride_too_long_ago", None)
    assert everything(bus) == before
    assert bus.spent("one") == 50_000


def test_the_card_is_sent_no_command_that_could_change_it(bus: Bus, issuer: Issuer) -> None:
    chip = chip_with(issuer, 1001)
    sent: list[int] = []

    def listen(apdu: bytes) -> bytes:
        sent.append(apdu[1])
        return chip.transmit(apdu)

    assert bus.process._validator.inspect_card(Presented(listen)).inspected is NOT_PAID
    assert sent[0] == 0xCA
    # Commit, Debit, Credit, WriteRecord, WriteData in their old and new forms.
    assert not {0xC7, 0xDC, 0x0C, 0x1C, 0x8B, 0x3B, 0x8D, 0x3D} & set(sent)


def test_cards_that_cannot_be_read(bus: Bus) -> None:
    look = bus.process._validator.inspect_card
    assert told(look(Presented(lambda _: b""))) == (CANNOT_TELL, "held_too_short", None)
    assert told(look(Presented(lambda _: b"\x6a\x82"))) == (NOT_PAID, "not_our_card", None)
    assert bus.journalled() == []


def test_a_blocked_card_may_have_paid_and_the_inspector_is_told_both(bus: Bus, issuer: Issuer) -> None:
    bus.tap("one")
    bus.process.bundles.offer(issuer.bundle(2, denied_cards=frozenset({1001})))
    inspecting(bus)
    shown = bus.tap("one")
    assert (shown.inspected, shown.denied) == (PAID, True)


def test_a_ticket_is_looked_up_and_its_ride_is_not_claimed(bus: Bus) -> None:
    phone, other = bus.issuer.phone(), bus.issuer.phone()
    bus.process.scan(phone.ticket_text(NOW_S, 1, 2))
    bus.clock.pass_s(600)
    before = everything(bus)
    process = inspecting(bus)
    now_s = NOW_S + 600
    shown = process.scan(phone.ticket_text(now_s, 1, 2))
    assert (shown.lamp, told(shown), shown.pax) == (Lamp.GREEN, (PAID, "ride_here", 80), 2)
    assert told(process.scan(phone.ticket_text(now_s, 1, 3))) == (NOT_PAID, "fewer_paid", None)
    for _ in range(2):
        assert told(process.scan(other.ticket_text(now_s, 1))) == (NOT_PAID, "no_ride_here", None)
    assert told(process.scan(phone.ticket_text(now_s - 100, 1))) == (CANNOT_TELL, "stale", None)
    for text in ("WIFI:S:home;;", "MC1:A", "سلام", "x" * 10_000):
        assert process.scan(text).inspected is NOT_PAID
    assert everything(bus) == before
    process.inspection.turn(on=False)
    assert process.scan(other.ticket_text(now_s, 1)).seq is not None


def test_while_the_time_is_not_known_nobody_is_accused(bus: Bus) -> None:
    phone = bus.issuer.phone()
    bus.process.scan(phone.ticket_text(NOW_S, 1))
    bus.tap("one")
    bus.clock.synchronised = False
    process = inspecting(bus)
    assert told(process.scan(phone.ticket_text(NOW_S, 1))) == (CANNOT_TELL, "time_not_known", None)
    assert told(bus.tap("one")) == (CANNOT_TELL, "time_not_known", None)


def test_with_several_doors_and_nothing_shared_not_found_is_cannot_tell(
    issuer: Issuer, cards: Path, tmp_path: Path
) -> None:
    bundle = issuer.bundle(devices={DEVICE: place("bus-7"), OTHER_DOOR: place("bus-7")})
    bus = open_bus(issuer, cards, tmp_path / "state", bundle=bundle)
    phone = issuer.phone()
    bus.process.scan(phone.ticket_text(NOW_S, 1))
    process = inspecting(bus)
    unknown = process.scan(issuer.phone().ticket_text(NOW_S, 1))
    assert (unknown.lamp, told(unknown)) == (Lamp.AMBER, (CANNOT_TELL, "doors_not_reached", None))
    assert told(process.scan(phone.ticket_text(NOW_S, 1))) == (PAID, "ride_here", 90)
    process.stop()


def test_an_inspectors_handheld_asks_the_doors_of_the_bus_it_is_taken_to(
    issuer: Issuer, cards: Path, tmp_path: Path
) -> None:
    devices = {DEVICE: "bus-7", OTHER_DOOR: "bus-7", HANDHELD: "inspectors", ELSEWHERE: "bus-8"}
    bundle = issuer.bundle(devices={device: place(name) for device, name in devices.items()})
    shared = SharedInProcess()
    doors = [
        open_bus(
            issuer,
            cards,
            tmp_path / f"{device}",
            bundle=bundle,
            device=device,
            share=shared.door,
            inspect_vehicle="bus-7" if device == HANDHELD else None,
        )
        for device in devices
    ]
    front, back, handheld, elsewhere = doors
    phone = issuer.phone()
    assert told(handheld.process.scan(phone.ticket_text(NOW_S, 1)))[0] is CANNOT_TELL
    for door in (front, back):
        assert door.process.shared is not None
        door.process.shared.step()
    assert told(handheld.process.scan(phone.ticket_text(NOW_S, 1)))[0] is NOT_PAID
    back.process.scan(phone.ticket_text(NOW_S, 1))
    back.tap("one")
    assert told(handheld.process.scan(phone.ticket_text(NOW_S, 1)))[0] is PAID
    assert told(handheld.tap("one"))[0] is PAID
    assert told(inspecting(elsewhere).scan(phone.ticket_text(NOW_S, 1)))[0] is NOT_PAID
    assert told(elsewhere.tap("one"))[0] is NOT_PAID
    assert handheld.journalled() == []
    for door in doors:
        door.process.stop()


def test_a_validator_that_knows_no_bus_accuses_nobody(issuer: Issuer, cards: Path, tmp_path: Path) -> None:
    for devices in ({}, {DEVICE: place("bus-7")}):
        bus = open_bus(
            issuer,
            cards,
            tmp_path / f"state-{len(devices)}",
            bundle=issuer.bundle(devices=devices),
            inspect_vehicle="a bus that is misspelt" if devices else None,
        )
        bus.process.inspection.turn(on=True)
        assert told(bus.tap("one")) == (CANNOT_TELL, "out_of_service", None)
        assert told(bus.process.scan(issuer.phone().ticket_text(NOW_S, 1)))[0] is CANNOT_TELL
        bus.process.stop()


def test_a_door_that_was_left_inspecting_sells_again_by_itself(bus: Bus) -> None:
    process = inspecting(bus)
    for _ in range(3):
        bus.clock.pass_s(FORGOTTEN_S - 1)
        assert bus.tap("one").inspected is NOT_PAID  # in use: not forgotten
    bus.clock.pass_s(FORGOTTEN_S + 1)
    assert not process.inspection.is_on()
    assert bus.tap("one").seq == 1
    handheld = InspectionSwitch(bus.clock, always=True)
    handheld.turn(on=False)
    bus.clock.pass_s(FORGOTTEN_S + 1)
    assert handheld.is_on()


@pytest.mark.parametrize("window_s", [60, 7200])
def test_how_long_a_fare_rides_is_a_setting(
    issuer: Issuer, cards: Path, tmp_path: Path, window_s: int
) -> None:
    bus = open_bus(issuer, cards, tmp_path / "state", inspection_window_s=window_s)
    bus.tap("one")
    bus.clock.pass_s(100)
    inspecting(bus)
    assert bus.tap("one").inspected is (PAID if window_s > 100 else NOT_PAID)
    bus.process.stop()
