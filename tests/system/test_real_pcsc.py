"""The ride through real PC/SC: pcscd, its virtual reader, and a validator that knows no difference."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from hardware.emulator.phone import VirtualPhone
from hardware.emulator.vpcd import VpcdTray
from tests.services.pcsc import PcscService
from tests.system.city import ADULT, ADULT_FARE_RIAL, BLANK, PHONE, STUDENT, Bus, City, wait_for

# One city, one worker: the tests share its processes.
pytestmark = pytest.mark.xdist_group("system-pcsc")


@pytest.fixture(scope="module")
def city(tmp_path_factory: pytest.TempPathFactory) -> Iterator[City]:
    with ExitStack() as stack:
        yield City(tmp_path_factory.mktemp("city"), stack)


def lay_on(bus: Bus, tray: VpcdTray, card: str) -> dict[str, Any]:
    """Lay a card on the reader by hand, as a rider does; what the validator showed for it."""
    before = bus.state()["number"]
    tray.place(card)
    try:
        wait_for("the validator's answer", lambda: bus.state()["number"] > before)
        return bus.state()["shown"]
    finally:
        tray.remove()


def test_a_card_rides_through_a_reader_named_like_any_other(city: City, pcsc_service: PcscService) -> None:
    bus = city.bus(1, reader=pcsc_service.reader_name)
    tray = VpcdTray(city.media, host=pcsc_service.host, port=pcsc_service.port)
    card = city.card()

    ridden = lay_on(bus, tray, card)
    refused = lay_on(bus, tray, BLANK)

    assert (ridden["lamp"], ridden["reason"]) == ("green", "ok")
    assert (refused["lamp"], refused["reason"]) == ("red", "not_our_card")
    assert city.spent_rial(card) == ADULT_FARE_RIAL
    bus.wait_until_sent()
    (ride,) = city.rides(city.serial(card))
    assert (ride.fare_rial, ride.owner_id, ride.proven_by) == (ADULT_FARE_RIAL, "owner-1", "tap")
    bus.close()


def test_the_page_lays_cards_on_the_real_reader(city: City, pcsc_service: PcscService) -> None:
    bus = city.bus(2, reader=f"virtual+pcsc@{pcsc_service.port}:{city.media}")

    shown = bus.tap(STUDENT)

    assert shown["lamp"] == "green"
    bus.wait_until_sent()
    assert [ride.device_id for ride in city.rides(city.serial(STUDENT))] == [2]
    bus.close()


def test_the_reader_works_again_when_pcscd_was_restarted(city: City, pcsc_service: PcscService) -> None:
    bus = city.bus(3, reader=pcsc_service.reader_name)
    tray = VpcdTray(city.media, host=pcsc_service.host, port=pcsc_service.port)
    before = city.spent_rial(ADULT)
    if pcsc_service.ours:
        pcsc_service.stop()
        wait_for("the validator to notice", lambda: bus.state()["problem"])
        code = VirtualPhone.load(city.media, PHONE).ticket_text(int(time.time()), 1)
        shown = bus.press("ticket", text=code)["shown"]
        assert shown["lamp"] == "green", "a phone's ticket needs no card reader"
        pcsc_service.start()
        wait_for("the reader to be back", lambda: not bus.state()["problem"])

    assert lay_on(bus, tray, ADULT)["lamp"] == "green"

    assert city.spent_rial(ADULT) == before + ADULT_FARE_RIAL
    bus.close()
