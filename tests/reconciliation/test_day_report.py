"""The day's report is worked out from rows, and reading it writes nothing."""

from __future__ import annotations

from datetime import timedelta

from fare.database.engine import read
from fare.reconciliation import day_report
from fare.reconciliation.report import DayReport
from tests.collection.bus import EVENING, FARE_RIAL, NOON, OWNER_RIAL, ZONE, City
from tests.reconciliation.build import PROOFS, close, proofs
from tests.settlement.build import DAY, MORNING, next_morning, rode, seal


def report(city: City, at=MORNING) -> DayReport:
    with read(city.engine) as session:
        return day_report(session, DAY, at, ZONE)


def test_an_empty_day(city: City) -> None:
    empty = report(city)
    assert (empty.taps, empty.owners, empty.clearing_rial, empty.trial_balance_rial) == (0, (), 0, 0)
    assert tuple(empty.proofs) == PROOFS
    assert empty.sealed_at is None


def test_a_closed_day_with_a_late_ride_and_a_bus_without_owner(city: City) -> None:
    bus, other, lost = city.bus(1), city.bus(2, "o-2"), city.bus(3, assigned=False)
    rode(city, bus, 2)
    bus.write(reason="denied")
    bus.write(reason="denied")
    bus.write()
    rode(city, other, 1)
    rode(city, lost, 1)
    for each in (bus, other, lost):
        each.send()
    close(city)
    rode(city, other, 2)
    other.send(EVENING + timedelta(days=1))
    told = report(city, next_morning())
    assert (told.taps, told.accepted, told.refused, told.unconfirmed) == (9, 6, 3, 0)
    assert told.refusals == {"denied": 2, "not_our_card": 1}
    first, second = told.owners
    assert (first.owner_id, first.rides, first.net_rial, first.late_rides) == ("o-1", 2, 2 * OWNER_RIAL, 0)
    assert (second.owner_id, second.rides, second.net_rial) == ("o-2", 3, 3 * OWNER_RIAL)
    assert (second.late_rides, second.late_rial, told.late_taps) == (2, 2 * OWNER_RIAL, 2)
    assert (told.unassigned_rides, told.unassigned_rial) == (1, FARE_RIAL)
    for owner in told.owners:
        assert owner.gross_rial == owner.commission_rial + owner.suspense_rial + owner.net_rial
    assert (told.clearing_rial, told.trial_balance_rial) == (2 * FARE_RIAL, 0)
    assert told.sealed_at == MORNING
    assert [(s.device_id, s.owner_id, s.unacknowledged) for s in told.streams] == [
        (1, "o-1", 0),
        (2, "o-2", 0),
        (3, None, 0),
    ]
    seal(city, at=next_morning())
    assert report(city, next_morning()).clearing_rial == 0


def test_the_report_shows_the_queues_own_age(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 4, amount_rial=50_000)
    bus.send()
    close(city)
    opened = proofs(city)["card"].items[0].opened_at
    shown = report(city, next_morning()).proofs["card"]
    assert [(item.kind, item.opened_at) for item in shown.items] == [("beyond_funds", opened)]
    assert opened == MORNING


def test_a_tap_in_the_night_belongs_to_the_day_before(city: City) -> None:
    bus = city.bus(1)
    bus.write(NOON.replace(hour=23))
    bus.send(NOON + timedelta(hours=16))
    assert report(city).taps == 1
