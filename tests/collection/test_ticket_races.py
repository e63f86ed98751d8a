"""Two buses bring one ticket in one instant, on a real PostgreSQL with a connection each."""

from __future__ import annotations

import threading
import time

import pytest
from sqlalchemy import Engine, text

from fare.collection import take_in
from fare.database.engine import read, write
from tests.collection.bus import EVENING, FARE_RIAL, ZONE, City


def wait_for_a_lock(engine: Engine, other: threading.Thread) -> None:
    """Until somebody waits for a row of ours, or the other is through without waiting."""
    deadline = time.monotonic() + 20
    while other.is_alive() and time.monotonic() < deadline:
        with read(engine) as session:
            waiting = text(
                "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
                " AND wait_event_type = 'Lock'"
            )
            if session.connection().execute(waiting).scalar():
                return


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_overlapping_claims_in_one_instant_are_paid_once(city: City) -> None:
    """Companions make the claims overlap under different names, so no key of a ride keeps them apart."""
    first, second = city.bus(1, "o-1"), city.bus(2, "o-2")
    phone = city.phone()
    first.scan(phone, 1, pax=3)
    second.scan(phone, 3)
    other = threading.Thread(target=second.send)
    with write(city.engine) as session:
        assert isinstance(take_in(session, city.keys, first.batch(), EVENING, ZONE), bytes)
        other.start()
        wait_for_a_lock(city.engine, other)
        # Only now is the first batch committed.
    other.join()
    assert [(ride[1], ride[2], ride[4]) for ride in city.rides()] == [(1, 1, 3 * FARE_RIAL)]
    assert city.taps() == [(1, 1, "valid", "disputed"), (2, 1, "conflict", "signed_twice")]
    assert city.balance("clearing:2026-11-22") == 3 * FARE_RIAL
    assert city.balance("suspense:device:1") == -3 * FARE_RIAL
    assert city.balance("owner_payable:o-1") == city.balance("owner_payable:o-2") == 0
