"""Two doors of one bus: in process and over a real gateway they answer alike."""

from __future__ import annotations

import threading

import pytest

from readers.shown import Lamp
from readers.vehicle_memory.in_process import SharedInProcess
from readers.vehicle_memory.redis import gateway_at
from tests.readers.bus import NOW_S, Bus
from tests.readers.vehicle_memory.conftest import OTHER_DOOR, Doors, Gateway, MakeDoors


@pytest.fixture(params=["in_process", "redis"])
def doors(request: pytest.FixtureRequest, make_doors: MakeDoors) -> Doors:
    if request.param == "in_process":
        return make_doors(SharedInProcess().door)
    gateway: Gateway = request.getfixturevalue("gateway")
    return make_doors(gateway_at(gateway.url))


def test_a_ride_is_paid_once_on_a_bus_with_two_doors(doors: Doors) -> None:
    front, back = doors.open(), doors.open(OTHER_DOOR)
    phone = doors.issuer.phone(max_taps=9)
    text = phone.ticket_text(NOW_S, 1)
    assert front.process.scan(text).lamp is Lamp.GREEN
    assert back.process.scan(text).reason == "already_paid"
    # A party that overlaps is refused whole, and takes nothing.
    assert back.process.scan(phone.ticket_text(NOW_S, 2, 3)).lamp is Lamp.GREEN
    assert front.process.scan(phone.ticket_text(NOW_S, 4, 2)).reason == "already_paid"
    assert front.process.scan(phone.ticket_text(NOW_S, 5)).lamp is Lamp.GREEN
    flags = [tap.flags for door in (front, back) for tap in door.journalled() if tap.ticket]
    assert flags == [(), (), ()]


def test_while_a_door_has_told_nothing_yet_nobody_can_be_sure(doors: Doors) -> None:
    front = doors.open()
    assert front.process.scan(doors.issuer.phone().ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    assert front.journalled()[-1].flags == ("replay_not_shared",)
    doors.open(OTHER_DOOR)
    assert front.process.scan(doors.issuer.phone().ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    assert front.journalled()[-1].flags == ()


def test_two_doors_in_one_instant_take_a_ride_once(doors: Doors) -> None:
    front, back = doors.open(), doors.open(OTHER_DOOR)
    doors.step(front)
    phones = [doors.issuer.phone(max_taps=9) for _ in range(20)]
    together = threading.Barrier(2)
    shown: dict[int, list[str]] = {}

    def rides(door: Bus, ctr: int) -> None:
        # The parties overlap in one ride, so all of one is taken or all of the other.
        texts = [phone.ticket_text(NOW_S, ctr, 3) for phone in phones]
        said = shown[ctr] = []
        for text in texts:
            together.wait(10)
            said.append(door.process.scan(text).reason)

    threads = [threading.Thread(target=rides, args=(door, ctr)) for door, ctr in ((front, 1), (back, 3))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(30)
    assert [sorted(pair) for pair in zip(shown[1], shown[3], strict=True)] == [["already_paid", "ok"]] * len(
        phones
    )


def test_another_bus_shares_nothing(doors: Doors) -> None:
    front, elsewhere = doors.open(), doors.open(OTHER_DOOR + 1)
    text = doors.issuer.phone().ticket_text(NOW_S, 1)
    assert front.process.scan(text).lamp is Lamp.GREEN
    assert elsewhere.process.scan(text).lamp is Lamp.GREEN


def test_while_the_time_is_not_known_a_ticket_rides_once_on_the_bus(doors: Doors) -> None:
    front, back = doors.open(), doors.open(OTHER_DOOR)
    doors.clock.synchronised = False
    phone, other = doors.issuer.phone(), doors.issuer.phone()
    assert front.process.scan(phone.ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    assert back.process.scan(phone.ticket_text(NOW_S, 2)).reason == "already_paid"
    assert back.process.scan(other.ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    assert back.journalled()[-1].flags == ("clock_unsynchronised",)


def test_a_door_that_lost_power_between_claim_and_journal_finishes_its_own_claim(
    doors: Doors, monkeypatch: pytest.MonkeyPatch
) -> None:
    front, back = doors.open(), doors.open(OTHER_DOOR)
    doors.step(front)
    phone = doors.issuer.phone()

    class PowerCut(BaseException):
        pass

    def cut(*_: object) -> None:
        raise PowerCut

    with monkeypatch.context() as patch:
        patch.setattr(front.process.journal, "write_tap", cut)
        with pytest.raises(PowerCut):
            front.process.scan(phone.ticket_text(NOW_S, 1))
    front.process.stop()
    front = doors.open()
    assert front.journalled() == []
    assert back.process.scan(phone.ticket_text(NOW_S, 1)).reason == "already_paid"
    assert front.process.scan(phone.ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
    assert front.process.scan(phone.ticket_text(NOW_S, 1)).reason == "already_paid"
    # A door whose journal was lost is another claimant: what the old one took stays taken.
    front.process.stop()
    for path in front.process.journal.path.parent.glob("journal.db*"):
        path.unlink()
    assert doors.open().process.scan(phone.ticket_text(NOW_S, 1)).reason == "already_paid"


def test_without_anything_shared_a_bus_with_two_doors_takes_the_ride_and_says_so(
    make_doors: MakeDoors,
) -> None:
    doors = make_doors(None)
    front, alone = doors.open(), doors.open(OTHER_DOOR + 1)
    for door, flags in ((front, ("replay_not_shared",)), (alone, ())):
        assert door.process.scan(doors.issuer.phone().ticket_text(NOW_S, 1)).lamp is Lamp.GREEN
        assert door.journalled()[-1].flags == flags
