"""A card in one transaction of the caller's, for cities that are founded or simulated. Not for real cards.

At a counter use `fare.desk.jobs.issue`: it registers a chip before it touches it, so that a torn one is
continued. Here a card that breaks off takes its registration with it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, datetime

from sqlmodel import Session

from fare.collection.card_service import CommitKind, ServiceCommit, card_committed
from fare.core import card_record, entitlement
from fare.core.desfire.application import run
from fare.issuing import card_written, entitlement_bytes, load_card, personalisation, register_card
from fare.issuing.cards import ISSUING_TERMINAL
from fare.keys import KeyStore


def personalise_card(
    session: Session,
    keys: KeyStore,
    *,
    uid: bytes,
    transmit: Callable[[bytes], bytes],
    now: datetime,
    rider_category: int = 0,
    first_load_rial: int = 0,
    issuer: int = 1,
    expires_on: date | None = None,
    terminal: str = ISSUING_TERMINAL,
) -> int:
    """Register a chip, write it with `transmit` (one APDU there and back), and load it; returns its serial.

    A first load is an ordinary order paid at `terminal` under its own id; it becomes version 2, which the
    first tap writes onto the card.
    """
    serial = register_card(
        session,
        keys,
        uid=uid,
        now=now,
        issuer=issuer,
        rider_category=rider_category,
        expires_on=expires_on,
    )
    proof = run(personalisation(session, keys, serial), transmit)
    card_written(session, serial, now.date())
    first = entitlement.decode(entitlement_bytes(session, [(serial, 1)])[serial, 1])
    record = card_record.first_record(first.issued_at_s)
    card_committed(
        session, keys, ServiceCommit(serial, CommitKind.PERSONALISED, proof, None, 1, 0, record, now)
    )
    if first_load_rial:
        load_card(
            session,
            keys,
            serial,
            first_load_rial,
            channel="desk",
            terminal=terminal,
            psp_reference=None,
            now=now,
        )
    return serial
