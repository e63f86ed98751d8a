"""Paying owners: once, to an IBAN that holds, and confirmed by the bank alone."""

from __future__ import annotations

import csv
import io

from fare.database.engine import read, write
from fare.settlement import (
    PaymentState,
    QueueReason,
    confirm_payment,
    payment_file,
    payments,
    queued_payments,
)
from tests.collection.bus import FARE_RIAL, OWNER_RIAL, City
from tests.settlement.build import DAY, MORNING, NEXT_DAY, pay, rode, seal, state


def stated_day(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    rode(city, bus, 2)
    rode(city, other, 1)
    bus.send()
    other.send()
    seal(city)
    state(city)


def spoil_iban(city: City, owner: str) -> None:
    with write(city.engine) as session:
        from fare.fleet.models import Owner

        session.get_one(Owner, owner).iban = "IR000000000000000000000000"


def test_each_statement_is_paid_once(city: City) -> None:
    stated_day(city)
    first = pay(city)
    assert [(p.owner_id, p.amount_rial, p.state) for p in first] == [
        ("o-1", 2 * OWNER_RIAL, PaymentState.INSTRUCTED),
        ("o-2", OWNER_RIAL, PaymentState.INSTRUCTED),
    ]
    assert pay(city) == first
    assert city.balance("owner_payable:o-1") == 0
    assert city.balance("payments_in_transit") == -3 * OWNER_RIAL


def test_the_banks_file_has_a_line_a_payment(city: City) -> None:
    stated_day(city)
    rows = list(csv.DictReader(io.StringIO(payment_file(pay(city)))))
    assert list(rows[0]) == ["payment_reference", "iban", "owner_name", "amount_rial", "description"]
    assert [(row["iban"], row["amount_rial"]) for row in rows] == [
        ("IR062960000000100324200001", str(2 * OWNER_RIAL)),
        ("IR062960000000100324200001", str(OWNER_RIAL)),
    ]
    assert all(len(row["payment_reference"]) <= 35 and row["payment_reference"].isalnum() for row in rows)


def test_an_owner_whose_iban_does_not_hold_waits(city: City) -> None:
    stated_day(city)
    spoil_iban(city, "o-1")
    assert [p.owner_id for p in pay(city)] == ["o-2"]
    with read(city.engine) as session:
        (waiting,) = queued_payments(session, DAY)
    assert (waiting.owner_id, waiting.amount_rial, waiting.reason) == (
        "o-1",
        2 * OWNER_RIAL,
        QueueReason.BAD_IBAN,
    )
    assert city.balance("owner_payable:o-1") == -2 * OWNER_RIAL


def test_nothing_due_is_not_paid(city: City) -> None:
    bus = city.bus(1)
    bus.ride(city.card())
    bus.send()
    seal(city)
    (line,) = state(city)
    assert (line.suspense_rial, line.payable_rial, line.payment_reference) == (FARE_RIAL, 0, None)
    assert pay(city) == []
    with read(city.engine) as session:
        assert [queued.reason for queued in queued_payments(session, DAY)] == [QueueReason.NOTHING_DUE]


def test_the_bank_confirms_a_payment_once(city: City) -> None:
    stated_day(city)
    reference = pay(city)[0].payment_reference
    for _ in range(2):
        with write(city.engine) as session:
            confirm_payment(session, reference, NEXT_DAY, MORNING)
    assert city.balance("bank") == -2 * OWNER_RIAL
    assert city.balance("payments_in_transit") == -OWNER_RIAL
    with read(city.engine) as session:
        assert [p.state for p in payments(session, DAY)] == [
            PaymentState.CONFIRMED,
            PaymentState.INSTRUCTED,
        ]
        assert [p.owner_id for p in payments(session)] == ["o-2"]
        assert "o-1" not in payment_file(payments(session, DAY))
