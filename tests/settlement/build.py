"""A service day for tests of settlement and reconciliation: rides through collection, as buses bring them."""

from __future__ import annotations

import csv
import io
from datetime import date, datetime, timedelta

from fare.database.engine import write
from fare.issuing import confirm_paid, request_load
from fare.settlement import (
    OwnerPayment,
    OwnerStatement,
    SealReport,
    instruct_payments,
    make_statements,
    seal_day,
)
from tests.collection.bus import NOON, Bus, City, RidersCard

DAY = date(2026, 11, 22)
NEXT_DAY = DAY + timedelta(days=1)
MORNING = datetime.fromisoformat("2026-11-23T05:00:00+03:30")
"""The morning after: the day is over, and the banks have booked."""
TERMINAL = "t-1"


def next_morning(days: int = 1) -> datetime:
    """The same hour some days later."""
    return MORNING + timedelta(days=days)


def loaded_card(city: City, amount_rial: int = 200_000) -> tuple[RidersCard, bytes]:
    """A card, and the entitlement that waits to be written to it."""
    card = city.card()
    return card, card.load(city, amount_rial)


def rode(
    city: City, bus: Bus, rides: int = 1, *, at: datetime = NOON, amount_rial: int = 200_000
) -> RidersCard:
    """A loaded card that rode this bus some times, ten minutes apart; the bus has not uploaded."""
    card, load = loaded_card(city, amount_rial)
    for number in range(rides):
        bus.ride(card, at + timedelta(minutes=10 * number), deliver=load if number == 0 else None)
    return card


def seal(city: City, day: date = DAY, at: datetime = MORNING) -> SealReport:
    """Seal a day in a transaction of its own."""
    with write(city.engine) as session:
        return seal_day(session, day, at, city.keys)


def state(city: City, day: date = DAY, at: datetime = MORNING) -> list[OwnerStatement]:
    """Issue a day's statements."""
    with write(city.engine) as session:
        return make_statements(session, day, at)


def pay(city: City, day: date = DAY, at: datetime = MORNING) -> list[OwnerPayment]:
    """Instruct a day's payments."""
    with write(city.engine) as session:
        return instruct_payments(session, day, at)


def paid_order(city: City, card: RidersCard, amount_rial: int, reference: str, at: datetime = NOON) -> str:
    """A top-up that was paid; its order's id."""
    with write(city.engine) as session:
        order = request_load(session, "card", str(card.serial), amount_rial, "web", TERMINAL, at)
        confirm_paid(session, city.keys, order, reference, at)
        return order


def psp_report(city: City, *, without: str = "", extra: list[tuple[str, int]] | None = None) -> str:
    """What a PSP reports of these tests' payments: all of the ledger's orders, and what is asked for."""
    rows = city.rows(
        "SELECT psp_reference, terminal, amount_rial, paid_day FROM ledger_order WHERE state <> 'requested'"
        " ORDER BY psp_reference"
    )
    lines = [(ref, terminal, rial, str(day)) for ref, terminal, rial, day in rows if ref != without]
    lines += [(ref, TERMINAL, rial, DAY.isoformat()) for ref, rial in extra or []]
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["psp_reference", "terminal", "amount_rial", "paid_day", "deposit_reference"])
    for ref, terminal, rial, day in lines:
        writer.writerow([ref, terminal, rial, day, f"DEP-{terminal}-{day}"])
    return out.getvalue()


def deposited(report: str, booked: date = NEXT_DAY) -> list[tuple[date, int, str, str]]:
    """The bank's bookings of a PSP report's deposits."""
    sums: dict[str, int] = {}
    for row in csv.DictReader(io.StringIO(report)):
        sums[row["deposit_reference"]] = sums.get(row["deposit_reference"], 0) + int(row["amount_rial"])
    return [(booked, rial, reference, "deposit") for reference, rial in sums.items()]


def statement(*bookings: tuple[date, int, str, str]) -> str:
    """A bank's statement in the default profile."""
    out = io.StringIO()
    writer = csv.writer(out)
    writer.writerow(["booked_day", "amount_rial", "reference", "text"])
    for day, rial, reference, text in bookings:
        writer.writerow([day.isoformat(), rial, reference, text])
    return out.getvalue()
