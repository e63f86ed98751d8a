"""The bank proof: deposits and payments against the statement, posted when they match."""

from __future__ import annotations

from datetime import timedelta

from tests.collection.bus import OWNER_RIAL, City
from tests.reconciliation.build import bank, close, found, proofs, psp, queue
from tests.settlement.build import (
    DAY,
    MORNING,
    NEXT_DAY,
    deposited,
    next_morning,
    pay,
    psp_report,
    rode,
    seal,
    state,
    statement,
)


def ridden(city: City) -> None:
    bus, other = city.bus(1), city.bus(2, "o-2")
    rode(city, bus, 2)
    rode(city, other, 1)
    bus.send()
    other.send()


def test_an_honest_day_matches_and_is_posted(city: City) -> None:
    ridden(city)
    close(city)
    states = proofs(city)
    bank_state = states["bank"]
    assert (bank_state.checked, bank_state.matched, bank_state.exceptions) == (3, 3, 0)
    assert city.balance("psp_receivable:t-1") == 0
    assert city.balance("payments_in_transit") == 0
    assert city.balance("bank") == 2 * 200_000 - 3 * OWNER_RIAL
    assert city.rows("SELECT DISTINCT state FROM ledger_payment") == [("confirmed",)]


def test_the_same_files_and_the_same_run_again_change_nothing(city: City) -> None:
    ridden(city)
    close(city)
    report = psp_report(city)
    before = city.rows("SELECT entry_id FROM ledger_entry ORDER BY entry_id")
    assert psp(city, report).new_lines == 0
    assert bank(city, statement(*deposited(report))).lines == 1
    # Word for word the same report in a file of other bytes.
    assert psp(city, report + "\r\n").new_lines == 0
    proofs(city)
    proofs(city)
    assert city.rows("SELECT entry_id FROM ledger_entry ORDER BY entry_id") == before


def test_a_line_that_nothing_explains_is_one_exception(city: City) -> None:
    ridden(city)
    close(city)
    bank(city, statement((NEXT_DAY, 123_000, "TRF-1", "transfer")))
    (name,) = found(city)
    assert name.startswith("bank:line_unknown:")
    assert name.endswith(":2")
    assert found(city) == [name]
    assert queue(city) == [(name, True)]


def test_an_exception_closes_when_its_cause_is_gone(city: City) -> None:
    ridden(city)
    seal(city)
    state(city)
    report = psp_report(city)
    bank(city, statement(*deposited(report)))
    (name,) = [n for n in found(city) if n.startswith("bank:")]
    psp(city, report)
    assert found(city) == []
    assert queue(city) == [(name, False)]


def test_a_person_may_explain_a_line_and_it_stays_explained(city: City) -> None:
    from fare.database.engine import write
    from fare.reconciliation.models import ReconciliationException

    ridden(city)
    close(city)
    bank(city, statement((NEXT_DAY, 123_000, "TRF-1", "transfer")))
    (name,) = found(city)
    with write(city.engine) as session:
        row = session.get_one(ReconciliationException, name)
        row.resolved_at, row.resolution = MORNING, "interest"
    assert found(city) == []
    assert queue(city) == [(name, False)]


def test_a_deposit_of_another_amount_is_one_exception_and_not_posted(city: City) -> None:
    ridden(city)
    report = psp_report(city)
    psp(city, report)
    ((_, rial, reference, _),) = deposited(report)
    bank(city, statement((NEXT_DAY, rial - 1_000, reference, "deposit")))
    states = proofs(city)
    (item,) = states["bank"].items
    assert (item.kind, item.subject, item.amount_rial) == ("deposit_differs", reference, -1_000)
    assert city.balance("bank") == 0


def test_a_deposit_that_grew_after_it_was_booked_is_one_exception(city: City) -> None:
    ridden(city)
    close(city)
    report = psp_report(city)
    more = report.splitlines()[0] + f"\nR-late,t-1,5000,{DAY},DEP-t-1-{DAY}\n"
    psp(city, more)
    assert [item.kind for item in proofs(city)["bank"].items] == ["deposit_differs"]


def test_a_deposit_is_waited_for_until_a_statement_reaches_past_it(city: City) -> None:
    ridden(city)
    psp(city, psp_report(city))
    waiting = proofs(city)["bank"]
    assert (waiting.checked, waiting.matched, waiting.waiting, waiting.exceptions) == (1, 0, 1, 0)
    bank(city, statement((NEXT_DAY, -7, "fee", "fee")))
    kinds = sorted(item.kind for item in proofs(city)["bank"].items)
    assert kinds == ["deposit_missing", "line_unknown"]


def test_a_deposit_is_missed_when_no_statement_ever_comes(city: City) -> None:
    ridden(city)
    psp(city, psp_report(city))
    assert [i.kind for i in proofs(city, at=next_morning(3))["bank"].items] == ["deposit_missing"]


def test_a_payment_that_the_bank_did_not_carry_out_is_missed(city: City) -> None:
    ridden(city)
    seal(city)
    state(city)
    first, second = pay(city)
    report = psp_report(city)
    psp(city, report)
    paid = (NEXT_DAY, -first.amount_rial, first.payment_reference, first.iban)
    bank(city, statement(*deposited(report), paid))
    assert proofs(city)["bank"].waiting == 1
    bank(city, statement((NEXT_DAY + timedelta(days=1), -3, "fee", "")))
    items = {item.kind: item.subject for item in proofs(city, at=next_morning())["bank"].items}
    assert items["payment_unconfirmed"] == second.payment_reference


def test_a_returned_payment_is_one_exception(city: City) -> None:
    ridden(city)
    seal(city)
    state(city)
    first, _ = pay(city)
    report = psp_report(city)
    psp(city, report)
    out = (NEXT_DAY, -first.amount_rial, first.payment_reference, "")
    back = (NEXT_DAY, first.amount_rial, first.payment_reference, "returned")
    bank(city, statement(*deposited(report), out, back))
    assert [(i.kind, i.subject) for i in proofs(city)["bank"].items] == [
        ("payment_returned", first.payment_reference)
    ]


def test_one_line_for_all_payments_of_the_day(city: City) -> None:
    ridden(city)
    seal(city)
    state(city)
    total = sum(p.amount_rial for p in pay(city))
    report = psp_report(city)
    psp(city, report)
    bank(city, statement(*deposited(report), (NEXT_DAY, -total, "bulk-1", "payments")))
    assert proofs(city)["bank"].exceptions == 0
    assert city.rows("SELECT DISTINCT state FROM ledger_payment") == [("confirmed",)]


def test_an_owner_without_an_iban_that_holds_is_queued(city: City) -> None:
    from tests.settlement.test_payments import spoil_iban

    ridden(city)
    spoil_iban(city, "o-1")
    close(city)
    (item,) = proofs(city)["bank"].items
    assert (item.kind, item.subject, item.queue_role) == ("bad_iban", f"o-1:{DAY}", "finance")
