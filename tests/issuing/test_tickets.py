"""A phone ticket is worth what is held for it, and what was not ridden comes back."""

from __future__ import annotations

import threading
from datetime import timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import Engine
from sqlmodel import Session

from fare.core.proof import phone
from fare.database.engine import read, write
from fare.issuing import (
    IssuingRefusal,
    IssuingRefused,
    TicketMedium,
    denied,
    deny_ticket,
    issue_ticket_entitlement,
    live_tickets_signed_by,
    open_wallet,
    release_expired_holds,
    release_holds_of,
    ticket_entitlements,
    wallet_balance,
)
from fare.keys import LedgerKeys
from fare.ledger import accounts, balance, post, trial_balance
from hardware.emulator.phone import VirtualPhone
from tests.issuing.build import AT, a_wallet

HOURS = timedelta(hours=1)


def issue(
    session: Session, keys: LedgerKeys, wallet_id: str, max_taps: int = 4, max_fare_rial: int = 35_000
) -> bytes:
    point = ec.derive_private_key(7, ec.SECP256R1()).public_key().public_numbers()
    return issue_ticket_entitlement(
        session, keys, wallet_id, point.x.to_bytes(32, "big"), bool(point.y & 1), max_taps, max_fare_rial, AT,
        2 * HOURS,
    )  # fmt: skip


def only_cti(engine: Engine, session: Session) -> bytes:
    raw = session.connection().exec_driver_sql("SELECT cti FROM ledger_ticket_entitlement").scalar_one()
    return bytes(raw)


def test_a_ticket_is_accepted_on_a_bus(engine: Engine, keys: LedgerKeys) -> None:
    """The entitlement goes through a phone and the validator's own reading of it."""
    device = VirtualPhone.new()
    x, y = device.public_key_xy
    with write(engine) as session:
        raw = issue_ticket_entitlement(
            session, keys, a_wallet(session, keys, 200_000), x, bool(y[-1] & 1), 4, 35_000, AT, 2 * HOURS
        )
        cti = only_cti(engine, session)
    device.hold(raw)
    now_s = int(AT.timestamp()) + 60
    verdict = phone.examine(
        device.ticket_text(now_s, 1),
        {bytes([keys.channel.kid]): keys.channel.public},
        now_s,
        True,
        lambda _cti: False,
    )
    assert not isinstance(verdict, phone.TicketRefusal), verdict
    assert (verdict.entitlement.cti, verdict.entitlement.max_taps) == (cti, 4)


def test_issuing_holds_what_the_rides_may_cost(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id = a_wallet(session, keys, 200_000)
        raw = issue(session, keys, wallet_id)
        cti = only_cti(engine, session)
        assert wallet_balance(session, wallet_id) == 60_000
        assert balance(session, accounts.holds(cti)) == -140_000
        face = ticket_entitlements(session, [cti, bytes(8)])
    assert set(face) == {cti}
    assert (face[cti].raw, face[cti].hold_rial, face[cti].wallet_id, face[cti].status) == (
        raw, 140_000, wallet_id, "live",
    )  # fmt: skip
    assert face[cti].expires_at == AT + 2 * HOURS


def test_a_short_wallet_gets_no_ticket(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id = a_wallet(session, keys, 139_999)
    with pytest.raises(IssuingRefused, match="top it up") as caught, write(engine) as session:
        issue(session, keys, wallet_id)
    assert caught.value.reason is IssuingRefusal.SHORT_OF_FUNDS
    with read(engine) as session:
        assert wallet_balance(session, wallet_id) == 139_999


def test_two_phones_cannot_hold_the_same_money(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id = a_wallet(session, keys, 300_000)
    gate = threading.Barrier(4)
    issued: list[bool] = []

    def ask() -> None:
        gate.wait()
        try:
            with write(engine) as session:
                issue(session, keys, wallet_id)
        except IssuingRefused:
            issued.append(False)
        else:
            issued.append(True)

    threads = [threading.Thread(target=ask) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(issued) == [False, False, True, True]
    with read(engine) as session:
        assert wallet_balance(session, wallet_id) == 20_000


def test_an_unknown_wallet_gets_no_ticket(engine: Engine, keys: LedgerKeys) -> None:
    with pytest.raises(IssuingRefused) as caught, write(engine) as session:
        issue(session, keys, "nobody")
    assert caught.value.reason is IssuingRefusal.UNKNOWN_WALLET


@pytest.mark.parametrize(("max_taps", "max_fare_rial"), [(0, 5), (256, 5)])
def test_claims_out_of_range_are_a_fault(
    engine: Engine, keys: LedgerKeys, max_taps: int, max_fare_rial: int
) -> None:
    with write(engine) as session:
        wallet_id = a_wallet(session, keys, 200_000)
    with pytest.raises(ValueError, match="max_taps"), write(engine) as session:
        issue(session, keys, wallet_id, max_taps, max_fare_rial)
    with read(engine) as session:
        assert wallet_balance(session, wallet_id) == 200_000


def test_what_was_not_ridden_comes_back_once(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id = a_wallet(session, keys, 200_000)
        issue(session, keys, wallet_id)
        cti = only_cti(engine, session)
        post(
            session,
            "seal",
            "x",
            AT.date(),
            "",
            {accounts.holds(cti): 35_000, "clearing:2026-11-22": -35_000},
            AT,
        )
    with write(engine) as session:
        assert release_expired_holds(session, AT + HOURS, grace=0 * HOURS) == {}, "it has not expired"
        assert release_expired_holds(session, AT + 3 * HOURS) == {}, "a bus may still be offline"
    with write(engine) as session:
        assert release_expired_holds(session, AT + 26 * HOURS) == {cti: 105_000}
    with write(engine) as session:
        assert release_expired_holds(session, AT + 27 * HOURS) == {}
    with read(engine) as session:
        assert wallet_balance(session, wallet_id) == 165_000
        assert balance(session, accounts.holds(cti)) == 0
        assert ticket_entitlements(session, [cti])[cti].status == "released"
        assert trial_balance(session).holds


def test_a_night_goes_wallet_by_wallet(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        for _ in range(3):
            issue(session, keys, a_wallet(session, keys, 140_000))
    given_back: list[int] = []
    for _ in range(4):
        with write(engine) as session:
            given_back.append(len(release_expired_holds(session, AT + 26 * HOURS, wallets=1)))
    assert given_back == [1, 1, 1, 0]


def test_an_overdrawn_hold_gives_nothing_back(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id = a_wallet(session, keys, 140_000)
        issue(session, keys, wallet_id)
        cti = only_cti(engine, session)
        post(
            session,
            "seal",
            "x",
            AT.date(),
            "",
            {accounts.holds(cti): 150_000, "clearing:2026-11-22": -150_000},
            AT,
        )
        assert release_expired_holds(session, AT + 26 * HOURS) == {cti: 0}
        assert wallet_balance(session, wallet_id) == 0
        assert balance(session, accounts.holds(cti)) == 10_000


def test_a_denied_ticket_is_listed_until_it_expires(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        wallet_id = a_wallet(session, keys, 140_000)
        issue(session, keys, wallet_id)
        cti = only_cti(engine, session)
        deny_ticket(session, cti, AT)
        assert denied(session, AT) == (set(), {cti})
        assert release_holds_of(session, wallet_id, AT) == 140_000
        assert denied(session, AT + HOURS) == (set(), {cti}), "a bus may meet it although its money is back"
        assert denied(session, AT + 2 * HOURS) == (set(), set())
        assert release_holds_of(session, wallet_id, AT) == 0
        assert wallet_balance(session, wallet_id) == 140_000
    with pytest.raises(IssuingRefused), write(engine) as session:
        deny_ticket(session, bytes(8), AT)


def test_every_refusal_has_a_sentence() -> None:
    for reason in IssuingRefusal:
        assert str(IssuingRefused(reason)).endswith(".")
        assert ":" in str(IssuingRefused(reason)) or reason is IssuingRefusal.AMOUNT_OUT_OF_RANGE


def test_wallets_are_separate(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        one, other = a_wallet(session, keys, 5), open_wallet(session, AT)
        assert one != other
        assert (wallet_balance(session, one), wallet_balance(session, other)) == (5, 0)


def test_live_tickets_are_counted_by_the_key_that_signed_them(engine: Engine, keys: LedgerKeys) -> None:
    kid = keys.channel.kid
    with write(engine) as session:
        wallet = a_wallet(session, keys, 300_000)
        issue(session, keys, wallet)
        first = only_cti(engine, session)
        issue(session, keys, wallet)
        assert live_tickets_signed_by(session, kid, AT) == 2
        assert live_tickets_signed_by(session, kid, AT, TicketMedium.PHONE) == 2
        assert live_tickets_signed_by(session, kid, AT, TicketMedium.PAPER) == 0
        assert live_tickets_signed_by(session, kid + 1, AT) == 0
        assert live_tickets_signed_by(session, kid, AT + 3 * HOURS) == 0
        deny_ticket(session, first, AT)
        assert live_tickets_signed_by(session, kid, AT) == 1
