"""The channel proof: order, payment, signature, and the load on the card."""

from __future__ import annotations

from datetime import timedelta

from fare.database.engine import write
from fare.issuing import deny_card, request_load, sign_next_entitlement
from tests.collection.bus import NOON, City
from tests.reconciliation.build import close, found, proofs, psp, queue
from tests.settlement.build import (
    DAY,
    MORNING,
    NEXT_DAY,
    TERMINAL,
    loaded_card,
    next_morning,
    paid_order,
    psp_report,
    rode,
)


def channel(city: City, day=DAY, at=MORNING):
    state = proofs(city, day, at)["channel"]
    return [(item.kind, item.amount_rial) for item in state.items]


def test_a_load_that_was_ordered_paid_signed_and_seen_agrees(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 1)
    city.phone()
    bus.send()
    close(city)
    state = proofs(city)["channel"]
    assert (state.checked, state.matched, state.waiting, state.exceptions) == (2, 2, 0, 0)


def test_a_payment_without_an_order_is_one_exception_and_its_deposit_still_matches(city: City) -> None:
    from tests.reconciliation.build import bank
    from tests.settlement.build import deposited, statement

    bus = city.bus(1)
    rode(city, bus, 1)
    bus.send()
    report = psp_report(city, extra=[("GHOST", 50_000)])
    psp(city, report)
    bank(city, statement(*deposited(report)))
    assert found(city) == ["channel:payment_without_order:GHOST"]


def test_an_order_whose_callback_was_lost_is_found_by_its_payment(city: City) -> None:
    card = city.card()
    with write(city.engine) as session:
        request_load(session, "card", str(card.serial), 50_000, "web", TERMINAL, NOON)
    psp(city, psp_report(city, extra=[("LOST", 50_000)]))
    assert channel(city) == [("payment_without_order", 50_000)]


def test_a_paid_order_without_a_line_of_the_psp(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 1)
    order = paid_order(city, city.card(), 70_000, "R-1")
    bus.send()
    assert proofs(city)["channel"].waiting == 2
    psp(city, psp_report(city, without="R-1"))
    # The load itself is on its way; what is wrong first is told first.
    assert channel(city) == []
    assert found(city, NEXT_DAY, next_morning()) == [f"channel:load_unseen:{order}"]


def test_a_wallet_order_without_a_line_of_the_psp(city: City) -> None:
    from fare.issuing import confirm_paid, open_wallet

    rode(city, city.bus(1), 1)
    with write(city.engine) as session:
        wallet = open_wallet(session, NOON)
        order = request_load(session, "wallet", wallet, 90_000, "web", TERMINAL, NOON)
        confirm_paid(session, city.keys, order, "R-2", NOON)
    psp(city, psp_report(city, without="R-2"))
    assert channel(city) == [("order_without_payment", 90_000)]


def test_a_report_that_never_came_is_one_exception(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 1)
    rode(city, bus, 1)
    bus.send()
    assert channel(city) == []
    assert found(city, at=next_morning(2)) == [f"channel:report_missing:{TERMINAL}:{DAY}"]


def test_another_amount_or_terminal_is_one_exception(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 1)
    bus.send()
    psp(city, psp_report(city).replace(",200000,", ",190000,"))
    assert channel(city) == [("amount_differs", -10_000)]


def test_a_payment_reported_twice_is_one_exception(city: City) -> None:
    bus = city.bus(1)
    rode(city, bus, 1)
    bus.send()
    report = psp_report(city)
    psp(city, report + report.splitlines()[1] + "\n")
    assert channel(city) == [("payment_repeated", 200_000)]


def test_money_that_could_not_be_signed_onto_its_card_is_found(city: City) -> None:
    card = city.card()
    with write(city.engine) as session:
        from fare.issuing import confirm_paid

        order = request_load(session, "card", str(card.serial), 60_000, "web", TERMINAL, NOON)
        deny_card(session, card.serial)
        confirm_paid(session, city.keys, order, "R-1", NOON)
    psp(city, psp_report(city))
    assert found(city) == [f"channel:load_unsigned:{order}"]
    # It is looked for on later days too, and stays the same exception.
    assert found(city, NEXT_DAY, next_morning()) == [f"channel:load_unsigned:{order}"]
    assert queue(city) == [(f"channel:load_unsigned:{order}", True)]


def test_a_load_that_never_reached_its_card_is_waited_for_a_day(city: City) -> None:
    bus = city.bus(1)
    card, load = loaded_card(city)
    psp(city, psp_report(city))
    assert proofs(city)["channel"].waiting == 1
    (name,) = found(city, NEXT_DAY, NOON + timedelta(hours=24))
    assert name.startswith("channel:load_unseen:")
    bus.ride(card, NOON + timedelta(hours=26), deliver=load)
    bus.send(NOON + timedelta(hours=27))
    assert found(city, NEXT_DAY, next_morning()) == []
    assert queue(city) == [(name, False)]


def test_an_entitlement_that_nobody_ordered_is_found(city: City) -> None:
    card = city.card()
    rode(city, city.bus(1), 1)
    with write(city.engine) as session:
        sign_next_entitlement(session, city.keys, card.serial, add_loaded_rial=500_000, now=NOON)
    assert found(city) == [f"channel:load_without_order:{card.serial}:2"]
