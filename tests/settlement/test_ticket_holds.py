"""Rides that arrive after their ticket's hold was given back are paid, and somebody pays for them."""

from __future__ import annotations

from datetime import timedelta

from sqlalchemy import Engine, text
from sqlmodel import Session

from fare.database.engine import write
from fare.issuing import (
    confirm_paid,
    issue_ticket_entitlement,
    release_expired_holds,
    request_load,
    wallet_balance,
)
from fare.ledger import accounts, post
from fare.reconciliation.audit import audit
from hardware.city.corruption import _without_triggers
from hardware.emulator.phone import VirtualPhone
from tests.collection.bus import EVENING, FARE_RIAL, NOON, City
from tests.reconciliation.test_audit import reseal
from tests.settlement.build import DAY, MORNING, next_morning, seal


def wallet_and_hold(city: City, phone: VirtualPhone) -> tuple[str, str]:
    """(wallet, the hold's account) of the phone's ticket."""
    ((cti, wallet),) = city.rows(
        "SELECT cti, wallet_id FROM ledger_ticket_entitlement WHERE raw = :raw", raw=phone.entitlement
    )
    return wallet, accounts.holds(bytes(cti))


def top_up(city: City, wallet_id: str, rial: int) -> None:
    with write(city.engine) as session:
        order = request_load(session, "wallet", wallet_id, rial, "web", "t-1", NOON)
        confirm_paid(session, city.keys, order, f"psp-{order}", NOON)


def nightly(session: Session, days: int = 3) -> dict[bytes, int]:
    return release_expired_holds(session, MORNING + timedelta(days=days))


def test_late_rides_are_covered_from_the_wallet(city: City) -> None:
    online, offline = city.bus(1), city.bus(2)
    phone = city.phone(5)
    wallet_id, hold = wallet_and_hold(city, phone)
    online.scan(phone, 1)
    online.send()
    offline.scan(phone, 2, NOON + timedelta(hours=1))
    offline.scan(phone, 3, NOON + timedelta(hours=2))
    with write(city.engine) as session:
        # One ride is taken in and not sealed: its part stays.
        assert list(nightly(session).values()) == [4 * FARE_RIAL]
        assert wallet_balance(session, wallet_id) == 4 * FARE_RIAL
    assert city.session(audit).findings == ()
    seal(city)
    assert city.balance(hold) == 0
    offline.send(EVENING + timedelta(days=4))
    seal(city, at=next_morning(5))
    assert city.balance(hold) == 0
    assert city.session(lambda session: wallet_balance(session, wallet_id)) == 2 * FARE_RIAL
    assert city.balance("owner_payable:o-1") + city.balance("commission_revenue") == -3 * FARE_RIAL
    assert city.rows("SELECT service_day FROM ledger_entry WHERE cause_kind = 'cover'") in (
        [(DAY.isoformat(),)],
        [(DAY,)],
    )
    assert city.session(audit).findings == ()
    seal(city, at=next_morning(6))
    assert city.balance(hold) == 0


def test_what_a_wallet_cannot_cover_stays_in_sight_until_money_comes(city: City) -> None:
    offline = city.bus(1)
    phone = city.phone(2)
    wallet_id, hold = wallet_and_hold(city, phone)
    offline.scan(phone, 1)
    with write(city.engine) as session:
        nightly(session)
        # The rider has what came back held anew: nothing is left for the ride that is on its way.
        x, y = VirtualPhone.new().public_key_xy
        issue_ticket_entitlement(
            session, city.keys, wallet_id, x, bool(y[-1] & 1), 2, FARE_RIAL, MORNING, timedelta(hours=72)
        )
    offline.send(EVENING + timedelta(days=4))
    seal(city, at=next_morning(5))
    assert city.balance(hold) == FARE_RIAL
    found = city.session(audit).findings
    assert [(finding.subject, finding.amount_rial) for finding in found] == [(hold, -FARE_RIAL)]
    top_up(city, wallet_id, FARE_RIAL + 1)
    offline.scan(phone, 2, NOON + timedelta(hours=1))
    offline.send(EVENING + timedelta(days=5))
    seal(city, at=next_morning(6))
    assert city.balance(hold) == FARE_RIAL - 1, "as far as the money reaches"
    assert city.session(lambda session: wallet_balance(session, wallet_id)) == 0


def test_the_audit_names_what_was_given_back_or_covered_by_a_careful_hand(
    city: City, owner_engine: Engine
) -> None:
    online, offline = city.bus(1), city.bus(2)
    phone = city.phone(4)
    online.scan(phone, 1)
    online.send()
    seal(city)
    with write(city.engine) as session:
        nightly(session)
    offline.scan(phone, 2, NOON + timedelta(hours=1))
    offline.send(EVENING + timedelta(days=4))
    seal(city, at=next_morning(5))
    assert city.session(audit).findings == ()
    edited: set[str] = set()
    with owner_engine.begin() as connection:
        for kind in ("release", "cover"):
            one = text("SELECT entry_id FROM ledger_entry WHERE cause_kind = :k")
            entry = str(connection.execute(one, {"k": kind}).scalar_one())
            double = text("UPDATE ledger_posting SET amount_rial = amount_rial * 2 WHERE entry_id = :e")
            with _without_triggers(connection, "ledger_posting"):
                connection.execute(double, {"e": entry})
            reseal(connection, entry)
            edited.add(f"entry {entry}")
    assert edited <= {finding.subject for finding in city.session(audit).findings}


def test_the_audit_names_what_was_given_back_or_covered_without_a_cause(city: City) -> None:
    wallet_id, hold = wallet_and_hold(city, city.phone(3))
    wallet, cti = accounts.stored_value("wallet", wallet_id), hold.removeprefix("holds:")
    invented = {f"release:{cti}": FARE_RIAL, f"cover:{cti}:{FARE_RIAL}": -FARE_RIAL}
    with write(city.engine) as session:
        for entry, rial in invented.items():
            kind, _, name = entry.partition(":")
            post(session, kind, name, NOON.date(), "invented", {hold: rial, wallet: -rial}, NOON)
    found = {finding.subject for finding in city.session(audit).findings}
    assert found == {f"entry {entry}" for entry in invented}
