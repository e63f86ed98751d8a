"""A phone held still before the scanner stays green; one that is shown again is told that it has paid."""

from __future__ import annotations

import pytest

from readers.shown import Lamp
from tests.readers.bus import NOW_S, Bus


def lamps(bus: Bus) -> tuple[int, str]:
    showing = bus.process.display.now()
    assert showing.shown is not None
    return showing.number, showing.shown.reason


def test_the_next_frames_of_a_ride_just_let_on_change_nothing(bus: Bus) -> None:
    phone, seen = bus.issuer.phone(), bus.process._scanned
    for second in range(0, 10, 2):
        seen(phone.ticket_text(NOW_S + second, 1))
        bus.clock.pass_s(2)
    assert lamps(bus) == (1, "ok")
    bus.clock.pass_s(1)
    seen(phone.ticket_text(NOW_S + 11, 1))  # nobody stands there for so long
    assert lamps(bus) == (2, "already_paid")
    assert [tap.reason for tap in bus.journalled()] == ["ok", "already_paid"]


@pytest.mark.parametrize("between", ["gone", "another ride", "another phone", "another text"])
def test_what_is_shown_anew_is_answered_anew(bus: Bus, between: str) -> None:
    phone, seen = bus.issuer.phone(), bus.process._scanned
    seen(phone.ticket_text(NOW_S, 1))
    match between:
        case "gone":
            bus.clock.pass_s(3.5)
        case "another ride":
            seen(phone.ticket_text(NOW_S, 2))
        case "another phone":
            seen(bus.issuer.phone().ticket_text(NOW_S, 1))
        case _:
            seen("https://example.org")
    seen(phone.ticket_text(NOW_S + 3, 1))
    assert lamps(bus)[1] == "already_paid"


def test_a_refused_ticket_and_an_inspected_one_are_answered_each_time(bus: Bus) -> None:
    phone, seen = bus.issuer.phone(), bus.process._scanned
    bus.process.inspection.turn(on=True)
    seen(phone.ticket_text(NOW_S, 1))
    assert lamps(bus) == (1, "no_ride_here")
    bus.process.inspection.turn(on=False)
    seen(phone.ticket_text(NOW_S, 1))
    shown = bus.process.display.now().shown
    assert shown is not None
    assert (shown.lamp, bus.process.display.now().number) == (Lamp.GREEN, 2)
