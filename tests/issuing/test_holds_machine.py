"""Issue, ride, seal, release, deny, lose, enrol anew, in any order: no rial is lost or invented.

A small model keeps what was paid in and what was ridden; the wallet and its holds must always come to the
difference, whatever the order.
"""

from __future__ import annotations

import shutil
import tempfile
from datetime import datetime, timedelta
from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from sqlmodel import Session

from fare.database.engine import open_engine
from fare.issuing import (
    IssuedTicket,
    TicketFace,
    confirm_phone,
    contest_phone,
    deny_ticket,
    enrol_phone,
    phone_account,
    phones_of,
    release_expired_holds,
    report_phone_lost,
    tickets_of_wallet,
    wallet_balance,
)
from fare.keys import LedgerKeys
from fare.ledger import accounts, balance, clearing, trial_balance
from fare.settlement import seal_day
from tests.issuing.build import AT, a_wallet, load
from tests.issuing.riding import DAY, FARE, HOUR, POLICY, ask, ride


class HoldsMachine(RuleBasedStateMachine):
    """One wallet, its phones and their tickets."""

    database: ClassVar[Path]
    keys: ClassVar[LedgerKeys]

    def __init__(self) -> None:
        super().__init__()
        self.folder = Path(tempfile.mkdtemp())
        file = self.folder / "mancard.db"
        shutil.copy(self.database, file)
        self.engine = open_engine(f"sqlite:///{file}")
        # One transaction that is never committed: what counts here is what is in the books.
        self.session = Session(self.engine, expire_on_commit=False)
        self.now: datetime = AT
        self.paid_in = self.ridden = 0
        self.used: dict[bytes, int] = {}

    @initialize(rides=st.integers(0, 30))
    def begin(self, rides: int) -> None:
        self.wallet = a_wallet(self.session, self.keys, rides * FARE + 1)
        self.paid_in = rides * FARE + 1
        enrol_phone(self.session, self.wallet, True, self.now)

    @rule(rial=st.integers(1, 6 * FARE))
    def pay_in(self, rial: int) -> None:
        load(self.session, self.keys, "wallet", self.wallet, rial)
        self.paid_in += rial

    @rule(keeps_keys=st.booleans())
    def issue(self, keeps_keys: bool) -> None:
        for phone in phones_of(self.session, self.wallet):
            before = wallet_balance(self.session, self.wallet)
            issued = ask(self.session, self.keys, phone.phone_id, self.now, keeps_keys=keeps_keys)
            if isinstance(issued, IssuedTicket):
                assert phone.status == "live"
                assert issued.max_taps >= 1
                assert phone.confirmed or issued.max_taps <= POLICY.day_rides
                self.used[issued.cti] = 0
            else:
                assert wallet_balance(self.session, self.wallet) >= min(before, 0)

    @rule(pick=st.integers(0, 50), fare=st.integers(1, FARE))
    def board(self, pick: int, fare: int) -> None:
        """A ride arrives, be it of a ticket that ended long ago."""
        open_ones = [face for face in self.faces() if self.used[face.cti] < face.max_taps]
        if open_ones:
            face = open_ones[pick % len(open_ones)]
            self.used[face.cti] += 1
            ride(self.session, face.cti, self.used[face.cti], fare)
            self.ridden += fare

    @rule()
    def seal(self) -> None:
        seal_day(self.session, DAY, self.now, self.keys)
        assert clearing(self.session, DAY) == 0

    @rule()
    def nightly(self) -> None:
        release_expired_holds(self.session, self.now)

    @rule(hours=st.integers(1, 80))
    def wait(self, hours: int) -> None:
        self.now += hours * HOUR

    @rule(pick=st.integers(0, 50))
    def deny(self, pick: int) -> None:
        if faces := self.faces():
            deny_ticket(self.session, faces[pick % len(faces)].cti, self.now)

    @rule(how=st.sampled_from(["enrol", "confirm", "contest", "lost"]))
    def change_phone(self, how: str) -> None:
        self.now += timedelta(seconds=1)
        phones = phones_of(self.session, self.wallet)
        if how == "enrol":
            enrol_phone(self.session, self.wallet, True, self.now)
        elif how == "confirm":
            confirm_phone(self.session, phones[-1].phone_id, "counter:test", self.now)
        elif how == "contest":
            contest_phone(self.session, phones[0].phone_id, self.now)
        else:
            report_phone_lost(self.session, self.wallet, self.now)

    @invariant()
    def no_rial_is_lost_or_invented(self) -> None:
        books = trial_balance(self.session)
        assert books.holds
        free = wallet_balance(self.session, self.wallet)
        held = -sum(balance(self.session, accounts.holds(face.cti)) for face in self.faces())
        unsealed = clearing(self.session, DAY)
        assert free >= 0, "no hold or cover takes more than there is"
        assert free + held == self.paid_in - self.ridden + unsealed
        assert free <= self.paid_in
        assert -balance(self.session, accounts.owner_payable("o-1")) == self.ridden, "every ride is paid"

    @invariant()
    def phones_and_tickets_are_bounded(self) -> None:
        phones = phones_of(self.session, self.wallet)
        assert sum(phone.status == "live" for phone in phones) <= 1
        for phone in phones:
            live = [
                face
                for face in self.faces()
                if face.phone_id == phone.phone_id and face.status == "live" and face.expires_at > self.now
            ]
            assert len(live) <= 2
            assert phone.status == "live" or not live
            if not phone.confirmed:
                assert sum(face.hold_rial for face in live) <= POLICY.day_limit_rial
            seen = phone_account(self.session, POLICY, phone.phone_id, self.now, ())
            assert seen.held_rial >= 0
            assert seen.refresh_due <= (phone.status == "live")

    def faces(self) -> list[TicketFace]:
        return tickets_of_wallet(self.session, self.wallet)

    def teardown(self) -> None:
        self.session.rollback()
        self.session.close()
        self.engine.dispose()
        shutil.rmtree(self.folder)


def test_no_order_of_events_loses_a_rial(
    migrated_sqlite: Path, keys: LedgerKeys, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(HoldsMachine, "database", migrated_sqlite, raising=False)
    monkeypatch.setattr(HoldsMachine, "keys", keys, raising=False)
    run_state_machine_as_test(  # pyright: ignore[reportUnknownMemberType]
        HoldsMachine,
        settings=settings(
            max_examples=12,
            stateful_step_count=25,
            deadline=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )
