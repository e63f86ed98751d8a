"""Everything that touches a wallet at once: nobody waits in a circle, and no rial stays behind."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from dataclasses import dataclass, field

from sqlalchemy import Engine

from fare.database.engine import read, write
from fare.issuing import (
    block_phone_of,
    by_counter,
    confirm_phone,
    enrol_phone,
    phones_of,
    tickets_of_wallet,
    wallet_balance,
)
from fare.issuing.ticket_locks import lock_phone, lock_tickets
from fare.keys import LedgerKeys
from fare.ledger import accounts, balance, trial_balance
from fare.settlement import seal_day
from tests.issuing.build import AT
from tests.issuing.riding import DAY, FARE, a_phone, ask, ride

LOADED = 40_000_000
ROUNDS = 12


@dataclass
class Street:
    """One wallet, and everything that may happen to it at the same time."""

    engine: Engine
    keys: LedgerKeys
    wallet_id: str
    draw: random.Random = field(default_factory=lambda: random.Random(7))
    used: dict[bytes, int] = field(default_factory=dict[bytes, int])
    faults: list[BaseException] = field(default_factory=list[BaseException])

    def issue(self) -> None:
        with write(self.engine) as session:
            live = [phone for phone in phones_of(session, self.wallet_id) if phone.status == "live"]
            if live:
                ask(session, self.keys, live[0].phone_id)

    def enrol(self) -> None:
        with write(self.engine) as session:
            phone_id = enrol_phone(session, self.wallet_id, True, AT).phone_id
            confirm_phone(session, phone_id, by_counter("parvin"), AT)

    def meet_a_repeat(self) -> None:
        """As collection does: the batch's tickets first, then the phone, then the block."""
        with write(self.engine) as session:
            faces = tickets_of_wallet(session, self.wallet_id)[:3]
            lock_tickets(session, [face.cti for face in faces])
            for face in faces[:1]:
                lock_phone(session, face.phone_id or "")
                block_phone_of(session, face.cti, AT)

    def upload(self) -> None:
        with write(self.engine) as session:
            faces = tickets_of_wallet(session, self.wallet_id)
            for face in self.draw.sample(faces, min(2, len(faces))):
                ctr = self.used.get(face.cti, 0) + 1
                if ctr <= face.max_taps:
                    ride(session, face.cti, ctr)
                    self.used[face.cti] = ctr

    def seal(self) -> None:
        with write(self.engine) as session:
            seal_day(session, DAY, AT, self.keys)

    def repeat(self, work: Callable[[], None]) -> None:
        try:
            for _ in range(ROUNDS):
                work()
        except BaseException as fault:  # noqa: BLE001 - told to the test
            self.faults.append(fault)


def test_riders_buses_and_the_sealing_at_once(engine: Engine, keys: LedgerKeys) -> None:
    with write(engine) as session:
        street = Street(engine, keys, a_phone(session, keys, LOADED)[0])
    works = (street.issue, street.issue, street.enrol, street.meet_a_repeat, street.upload, street.seal)
    threads = [threading.Thread(target=street.repeat, args=(work,)) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert street.faults == []
    street.seal()
    with read(engine) as session:
        faces = tickets_of_wallet(session, street.wallet_id)
        held = {face.cti: -balance(session, accounts.holds(face.cti)) for face in faces}
        kept = [held[face.cti] for face in faces if face.status == "released"]
        assert not any(kept), "a hold that was given back keeps nothing once all is sealed"
        ridden_rial = sum(street.used.values()) * FARE
        assert wallet_balance(session, street.wallet_id) + sum(held.values()) + ridden_rial == LOADED
        assert trial_balance(session).holds
