"""Phones: which one may get a wallet's tickets. It signs nothing and never sees a key.

    first of its wallet -> live, confirmed by "first"
    a later one         -> live, unconfirmed; the one before is superseded and its tickets are denied
    confirmed           by the phone before it ("old_phone") or at a counter ("counter:<staff id>")
    contested           the phone before it said "not me" and is live again

A one-time code proves a SIM card and not its owner: until somebody confirms a later phone, it gets one day's
fares at most (see `phone_tickets`). Only a phone that is confirmed itself may answer for another: a thief who
enrols twice cannot confirm himself.
"""

from __future__ import annotations

import secrets
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlmodel import Session, col, select

from fare.issuing.models import Phone, TicketEntitlement
from fare.issuing.refusals import IssuingRefusal, IssuingRefused
from fare.issuing.tickets import deny_live_tickets
from fare.issuing.wallets import locked_wallet
from fare.issuing.words import PhoneStatus, WalletStatus

BY_FIRST: Final = "first"
BY_OLD_PHONE: Final = "old_phone"
_PHONE_ID_BYTES: Final = 8


def by_counter(staff_id: str) -> str:
    """What `confirm_phone` notes of an employee who looked at a rider's document."""
    return f"counter:{staff_id}"


@dataclass(frozen=True, slots=True)
class EnrolledPhone:
    """A phone just enrolled. `supersedes` is the phone that was live before it."""

    phone_id: str
    confirmed: bool
    supersedes: str | None


@dataclass(frozen=True, slots=True)
class PhoneView:
    """One enrolment of a phone as others may see it. `status` is a PhoneStatus."""

    phone_id: str
    wallet_id: str
    status: PhoneStatus
    keeps_keys: bool
    enrolled_at: datetime
    confirmed_by: str | None
    ended_at: datetime | None

    @property
    def confirmed(self) -> bool:
        """Whether somebody besides its own SIM card vouches for it."""
        return self.confirmed_by is not None


def enrol_phone(session: Session, wallet_id: str, keeps_keys: bool, now: datetime) -> EnrolledPhone:
    """Make a phone the wallet's live one. Raises IssuingRefused: unknown_wallet, not_active.

    The phone that was live is superseded, and buses refuse its tickets from their next sync on.
    """
    wallet = locked_wallet(session, wallet_id)
    if wallet is None:
        raise IssuingRefused(IssuingRefusal.UNKNOWN_WALLET)
    if wallet.status != WalletStatus.ACTIVE:
        raise IssuingRefused(IssuingRefusal.NOT_ACTIVE)
    before = _live_phone(session, wallet_id)
    if before is not None:
        _end(session, before.phone_id, PhoneStatus.SUPERSEDED, now)
    earlier = _phones(session, wallet_id)
    first = not earlier
    if earlier:  # which came after which decides who may answer for whom, whatever the clock says
        now = max(now, earlier[-1].enrolled_at + timedelta(microseconds=1))
    phone = Phone(
        phone_id=secrets.token_hex(_PHONE_ID_BYTES),
        wallet_id=wallet_id,
        status=PhoneStatus.LIVE,
        keeps_keys=keeps_keys,
        enrolled_at=now,
        confirmed_at=now if first else None,
        confirmed_by=BY_FIRST if first else None,
    )
    session.add(phone)
    session.flush()
    return EnrolledPhone(phone.phone_id, first, None if before is None else before.phone_id)


def confirm_phone(session: Session, phone_id: str, by: str, now: datetime) -> bool:
    """Somebody vouches for a phone: "old_phone", or `by_counter(…)`. False when it is not live any more.

    A phone that is confirmed stays so, by whom it was. Who may answer for it is `newer_phone_of`'s to say.
    """
    known = session.get(Phone, phone_id)
    if known is None or locked_wallet(session, known.wallet_id) is None:
        return False
    phone = _locked_phone(session, phone_id)
    if phone.status != PhoneStatus.LIVE:
        return False
    if phone.confirmed_by is None:
        phone.confirmed_at, phone.confirmed_by = now, by
        session.add(phone)
        session.flush()
    return True


def newer_phone_of(session: Session, phone_id: str) -> PhoneView | None:
    """The unconfirmed phone that took this one's place and that it may answer for; None when there is none.

    The answer is asked of the last confirmed phone before it, also over others that came between.
    """
    phone = session.get(Phone, phone_id)
    if phone is None or phone.status != PhoneStatus.SUPERSEDED or phone.confirmed_by is None:
        return None
    live = _live_phone(session, phone.wallet_id)
    if live is None or live.confirmed_by is not None:
        return None
    confirmed_since = [
        other
        for other in _phones(session, phone.wallet_id)
        if other.confirmed_by is not None and _age(other) > _age(phone)
    ]
    return None if confirmed_since else _view(live)


def contest_phone(session: Session, old_phone_id: str, now: datetime) -> list[bytes] | None:
    """The phone before says "not me": newer ones are contested, their tickets denied, and it is live again.

    Returns the denied tickets' aliases; None when this phone may not answer (see `newer_phone_of`).
    """
    known = session.get(Phone, old_phone_id)
    if known is None or locked_wallet(session, known.wallet_id) is None:
        return None
    newer = newer_phone_of(session, old_phone_id)
    if newer is None:
        return None
    denied = _end(session, newer.phone_id, PhoneStatus.CONTESTED, now)
    old = _locked_phone(session, old_phone_id)
    for between in _phones(session, known.wallet_id):
        if between.status == PhoneStatus.SUPERSEDED and _age(between) > _age(old):
            between.status = PhoneStatus.CONTESTED
            session.add(between)
    session.flush()
    old.status, old.ended_at = PhoneStatus.LIVE, None
    session.add(old)
    session.flush()
    return denied


def report_phone_lost(session: Session, wallet_id: str, now: datetime) -> list[bytes]:
    """The rider's phone is gone: it gets no ticket any more. Returns the tickets that are denied now."""
    if locked_wallet(session, wallet_id) is None:
        raise IssuingRefused(IssuingRefusal.UNKNOWN_WALLET)
    denied: list[bytes] = []
    for phone in _phones(session, wallet_id):
        # One that was superseded could still answer for the next: whoever has it now must not.
        if phone.status == PhoneStatus.LIVE:
            denied += _end(session, phone.phone_id, PhoneStatus.LOST, now)
        elif phone.status == PhoneStatus.SUPERSEDED:
            phone.status = PhoneStatus.LOST
            session.add(phone)
    session.flush()
    return denied


def block_phone_of(session: Session, cti: bytes, now: datetime) -> str | None:
    """Its tickets were shown on two buses again: the ticket's phone is blocked and must enrol anew.

    Denies all its live tickets. Returns the phone's id; None for a ticket of no phone. Safe where the caller
    has locked tickets already: it takes no lock of the wallet.
    """
    ticket = session.get(TicketEntitlement, cti)
    if ticket is None or ticket.phone_id is None:
        return None
    phone_id = ticket.phone_id
    deny_live_tickets(session, phone_id, now)
    phone = _locked_phone(session, phone_id)
    if phone.status in (PhoneStatus.LIVE, PhoneStatus.SUPERSEDED):
        phone.status, phone.ended_at = PhoneStatus.BLOCKED, phone.ended_at or now
        session.add(phone)
        session.flush()
    # A ticket that was being issued while we waited for the phone's row.
    deny_live_tickets(session, phone_id, now)
    return phone_id


def phone_view(session: Session, phone_id: str) -> PhoneView | None:
    """One enrolment; None for an unknown one."""
    phone = session.get(Phone, phone_id)
    return None if phone is None else _view(phone)


def phones_of(session: Session, wallet_id: str) -> list[PhoneView]:
    """Every enrolment of a wallet, oldest first."""
    return [_view(phone) for phone in _phones(session, wallet_id)]


def locked_phone(session: Session, phone_id: str) -> PhoneView:
    """The phone's state, locked until the transaction ends: lock the wallet first. Raises KeyError."""
    return _view(_locked_phone(session, phone_id))


def _end(session: Session, phone_id: str, status: PhoneStatus, now: datetime) -> list[bytes]:
    """End a live phone; its tickets are denied first, in the order in which everybody locks."""
    denied = deny_live_tickets(session, phone_id, now)
    phone = _locked_phone(session, phone_id)
    if phone.status == PhoneStatus.LIVE:  # a repeat that blocked it meanwhile stands
        phone.status, phone.ended_at = status, now
        session.add(phone)
        session.flush()
    return denied


def _live_phone(session: Session, wallet_id: str) -> Phone | None:
    return session.exec(
        select(Phone).where(col(Phone.wallet_id) == wallet_id, col(Phone.status) == PhoneStatus.LIVE)
    ).first()


def _phones(session: Session, wallet_id: str) -> Sequence[Phone]:
    return session.exec(
        select(Phone)
        .where(col(Phone.wallet_id) == wallet_id)
        .order_by(col(Phone.enrolled_at), col(Phone.phone_id))
    ).all()


def _locked_phone(session: Session, phone_id: str) -> Phone:
    wanted = select(Phone).where(col(Phone.phone_id) == phone_id).with_for_update()
    phone = session.exec(wanted.execution_options(populate_existing=True)).first()
    if phone is None:
        raise KeyError("there is no such phone")
    return phone


def _age(phone: Phone) -> tuple[datetime, str]:
    return phone.enrolled_at, phone.phone_id


def _view(phone: Phone) -> PhoneView:
    return PhoneView(
        phone_id=phone.phone_id,
        wallet_id=phone.wallet_id,
        status=PhoneStatus(phone.status),
        keeps_keys=phone.keeps_keys,
        enrolled_at=phone.enrolled_at,
        confirmed_by=phone.confirmed_by,
        ended_at=phone.ended_at,
    )
