"""Rides of tickets as collection leaves them: a row in the register and its batch's entry, without a bus."""

from __future__ import annotations

import itertools
from datetime import date, datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from sqlmodel import Session

from fare.collection.models import Ride
from fare.core.proof.possession import PhoneKey
from fare.issuing import (
    IssuedTicket,
    TicketNotIssued,
    TicketPolicy,
    enrol_phone,
    issue_phone_ticket,
    lock_for_capture,
)
from fare.keys import LedgerKeys
from fare.ledger import accounts, post
from tests.issuing.build import AT, a_wallet

FARE = 20_000
POLICY = TicketPolicy(max_fare_rial=FARE)
DAY = date(2026, 11, 22)
HOUR = timedelta(hours=1)
_scalars = itertools.count(2)
_batches = itertools.count(1)


def a_key(*, keeps_keys: bool = True) -> PhoneKey:
    """A fresh key of a phone."""
    point = ec.derive_private_key(next(_scalars), ec.SECP256R1()).public_key().public_numbers()
    return PhoneKey(point.x.to_bytes(32), point.y.to_bytes(32), keeps_keys)


def a_phone(session: Session, keys: LedgerKeys, wallet_rial: int) -> tuple[str, str]:
    """(wallet, phone): a loaded wallet with its first phone."""
    wallet_id = a_wallet(session, keys, wallet_rial)
    return wallet_id, enrol_phone(session, wallet_id, True, AT).phone_id


def ask(
    session: Session,
    keys: LedgerKeys,
    phone_id: str,
    now: datetime = AT,
    *,
    policy: TicketPolicy = POLICY,
    keeps_keys: bool = True,
) -> IssuedTicket | TicketNotIssued:
    """The phone asks for a ticket."""
    return issue_phone_ticket(session, keys, policy, phone_id, a_key(keeps_keys=keeps_keys), now)


def given(
    session: Session, keys: LedgerKeys, phone_id: str, now: datetime = AT, *, policy: TicketPolicy = POLICY
) -> IssuedTicket:
    """The phone asks for a ticket and gets it."""
    issued = ask(session, keys, phone_id, now, policy=policy)
    assert isinstance(issued, IssuedTicket), issued
    return issued


def ride(session: Session, cti: bytes, ctr: int, fare_rial: int = FARE, day: date = DAY) -> None:
    """A bus's upload of one ride is taken in."""
    lock_for_capture(session, [cti])
    batch = f"b{next(_batches)}"
    session.add(
        Ride(
            medium_kind="ticket", medium_ref=cti.hex(), counter=ctr, device_id=7, journal_id=bytes(16),
            seq=ctr, service_day=day, boarded_at=AT, line=1, owner_id="o-1", fare_rial=fare_rial,
            owner_rial=fare_rial, commission_rial=0, suspense_rial=0, entry_id=f"batch:{batch}",
            proven_by="tap", proof=b"",
        )
    )  # fmt: skip
    legs = {accounts.clearing(day): fare_rial, accounts.owner_payable("o-1"): -fare_rial}
    post(session, "batch", batch, day, "rides of one batch", legs, AT)
    session.flush()
