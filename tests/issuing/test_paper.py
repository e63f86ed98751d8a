"""A paper ticket is signed, held for one ride, and sold once for its payment."""

from __future__ import annotations

from datetime import timedelta

import pytest
from sqlalchemy import Engine
from sqlmodel import Session

from fare.core.proof.mp1 import decode_paper
from fare.core.proof.paper import verify_paper_text
from fare.database.engine import write
from fare.issuing import (
    IssuingRefusal,
    IssuingRefused,
    PaperTicketIssued,
    block_phone_of,
    issue_paper_tickets,
    release_expired_holds,
    ticket_entitlements,
    wallet_balance,
)
from fare.keys import LedgerKeys
from fare.ledger import accounts, balance, trial_balance
from tests.issuing.build import AT
from tests.issuing.riding import FARE, POLICY


def sell(
    session: Session, keys: LedgerKeys, count: int = 3, vehicle: str | None = "bus-7", payment: str = "p-1"
) -> list[PaperTicketIssued]:
    return issue_paper_tickets(
        session, keys, POLICY, count=count, vehicle=vehicle, terminal="t-1", psp_reference=payment, now=AT
    )


def test_paper_is_signed_and_held(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        issued = sell(session, keys)
        assert len({ticket.cti for ticket in issued}) == 3
        faces = ticket_entitlements(session, [ticket.cti for ticket in issued])
        for ticket in issued:
            read = decode_paper(ticket.text)
            assert (read.cti, read.vehicle, read.held_rial) == (ticket.cti, "bus-7", FARE)
            assert read.expires_at_s == int((AT + timedelta(hours=72)).timestamp())
            assert verify_paper_text(ticket.text, keys.channels.known()) == read
            face = faces[ticket.cti]
            assert (face.raw, face.medium, face.vehicle_id, face.max_taps) == (read.raw, "paper", "bus-7", 1)
            assert balance(session, accounts.holds(ticket.cti)) == -FARE
            assert block_phone_of(session, ticket.cti, AT) is None
        assert balance(session, accounts.psp_receivable("t-1")) == 3 * FARE
        assert trial_balance(session).holds


def test_one_payment_sells_once(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        first = sell(session, keys)
        again = sell(session, keys)
        assert {ticket.text for ticket in again} == {ticket.text for ticket in first}
        assert balance(session, accounts.psp_receivable("t-1")) == 3 * FARE
        for count, vehicle in ((2, "bus-7"), (3, None), (4, "bus-7")):
            with pytest.raises(IssuingRefused) as caught:
                sell(session, keys, count, vehicle)
            assert caught.value.reason is IssuingRefusal.PAYMENT_ALREADY_USED


def test_what_cannot_be_sold(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        for count, vehicle, reason in (
            (0, None, IssuingRefusal.AMOUNT_OUT_OF_RANGE),
            (201, None, IssuingRefusal.AMOUNT_OUT_OF_RANGE),
            (1, "", IssuingRefusal.UNKNOWN_VEHICLE),
            (1, "ب" * 17, IssuingRefusal.UNKNOWN_VEHICLE),
        ):
            with pytest.raises(IssuingRefused) as caught:
                sell(session, keys, count, vehicle)
            assert caught.value.reason is reason
        assert len(sell(session, keys, 1, "ب" * 16)) == 1


def test_what_nobody_rode_comes_back_to_the_orders_wallet(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        (ticket,) = sell(session, keys, 1, None)
        assert release_expired_holds(session, AT + timedelta(hours=96)) == {ticket.cti: FARE}
        face = ticket_entitlements(session, [ticket.cti])[ticket.cti]
        assert wallet_balance(session, face.wallet_id) == FARE
