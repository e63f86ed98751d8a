"""Tariffs that remember, and a bus that goes by what a card tells it: for tests of pricing anew.

The bus here prices with `price()` as validators do, and reads and writes the card's seven bytes.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

from sqlmodel import Session

from fare.collection.tariffs import tariffs
from fare.core import card_record, entitlement
from fare.core.boarding import Boarding, card_context, state_on_card
from fare.core.tap import Tap
from fare.core.tariff.card_state import to_card
from fare.core.tariff.context import TapKind
from fare.core.tariff.model import (
    Boundary,
    Cap,
    CapLevel,
    CapPeriod,
    Tariff,
    TransferWindow,
)
from fare.core.tariff.pricing import price
from fare.core.tariff.state import RiderState
from fare.database.engine import read, write
from tests.collection.bus import NOON, ZONE, Bus, City, RidersCard
from tests.tariffs.published import publish

HOUR_FREE = TransferWindow("hour", "One hour", 3_600, Boundary.INCLUSIVE)
VERSION = 2


def day_cap(rial: int) -> Cap:
    """At most so much a day."""
    return Cap("day", "Day", CapPeriod.SERVICE_DAY, (CapLevel(rial),))


def remember(city: City, **changes: object) -> Tariff:
    """Put the city's flat tariff with these changes in force, as version 2."""
    with write(city.engine) as session:
        flat = tariffs(session).of_version(1)
        assert flat is not None
        tariff = replace(flat, version=VERSION, name="remembering", **changes)  # type: ignore[arg-type]
        publish(session, tariff, NOON - timedelta(days=20))
    return tariff


def pay(
    bus: Bus,
    card: RidersCard,
    at: datetime = NOON,
    *,
    leaves: RiderState | None = None,
    kind: TapKind = TapKind.ON,
    deliver: bytes | None = None,
) -> Tap:
    """A whole tap as a validator makes it; `leaves` is what the card tells from then on,
    instead of the truth.
    """

    def places(session: Session) -> tuple[Tariff, Tariff]:
        known = tariffs(session)
        flat, now = known.of_version(1), known.of_version(VERSION)
        assert flat is not None
        assert now is not None
        return now, flat

    with read(bus.city.engine) as session:
        tariff, flat = places(session)
    opened = bus._open(card)
    last = card_record.decode(opened.newest_record)
    in_force = entitlement.decode(deliver or opened.entitlement)
    at_s = int(at.timestamp())
    boarding = Boarding(bus.device, bus.next_seq, at_s, 7, 0, f"v-{bus.device}", kind)
    there = f"v-{last.validator}" if last.validator else None
    told = state_on_card((tariff, flat), last, in_force, ZONE, at_s, there)
    context = card_context(tariff, in_force, boarding, ZONE, opened.spent)
    cost, after = price(tariff, told, context)
    assert cost.boards, cost
    left = after if leaves is None else leaves
    record = {"rider_state": to_card(tariff, left, at_s), "alighting": kind is TapKind.OFF}
    return bus.ride(card, at, fare_rial=cost.amount, deliver=deliver, record=record, tariff_version=VERSION)
