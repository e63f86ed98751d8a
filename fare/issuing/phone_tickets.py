"""A phone's tickets: when it gets another one, for how many rides, and what its rider sees of the money.

    due     less than 12 hours left (half the life of a short ticket), fewer than 3 rides left while the money
            gives more, a channel key that was revoked, or no ticket at all
    rides   min(free money, rides of the policy, what is left of an unconfirmed phone's day) / max fare

A phone has at most two live tickets: a third denies the oldest. What is left of the hold of a ticket whose
key was revoked moves to the new one in the same transaction. Every ticket is for a fresh key of the phone. It
checks no proof of possession (`fare.core.proof.possession`): that comes before.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final

from sqlmodel import Session, col, select

from fare.core.proof.issued import ENTITLEMENT_MAX_LIFE_S
from fare.core.proof.mc1 import decode_entitlement
from fare.core.proof.possession import PhoneKey
from fare.core.tariff.model import Tariff
from fare.issuing import holds
from fare.issuing.models import Phone, TicketEntitlement, Wallet
from fare.issuing.phones import PhoneView, locked_phone, newer_phone_of, phone_view
from fare.issuing.tickets import deny_ticket, issue_ticket_entitlement
from fare.issuing.wallets import locked_wallet, wallet_balance
from fare.issuing.words import PhoneStatus, TicketStatus, WalletStatus
from fare.keys import KeyStore
from fare.ledger import accounts, postings_of
from fare.settings import LedgerSettings

MAX_LIVE_TICKETS: Final = 2
_FEW_RIDES: Final = 3
_KEYS_REMEMBERED: Final = 100
_FEW_HOURS: Final = timedelta(hours=12)
_DAY: Final = timedelta(hours=24)


class TicketNotIssued(StrEnum):
    """Why a phone gets no ticket now. DAY_LIMIT: nobody has confirmed it yet and its day's fares are held.

    BAD_KEY: an earlier ticket of its wallet is for the same key, which would follow its rider about.
    """

    NOT_DUE = "not_due"
    SHORT_OF_FUNDS = "short_of_funds"
    DAY_LIMIT = "day_limit"
    PHONE_SUPERSEDED = "phone_superseded"
    PHONE_LOST = "phone_lost"
    PHONE_BLOCKED = "phone_blocked"
    PHONE_CONTESTED = "phone_contested"
    WALLET_CLOSED = "wallet_closed"
    BAD_KEY = "bad_key"


_BY_STATUS: Final = {
    PhoneStatus.SUPERSEDED: TicketNotIssued.PHONE_SUPERSEDED,
    PhoneStatus.LOST: TicketNotIssued.PHONE_LOST,
    PhoneStatus.BLOCKED: TicketNotIssued.PHONE_BLOCKED,
    PhoneStatus.CONTESTED: TicketNotIssued.PHONE_CONTESTED,
}


@dataclass(frozen=True, slots=True)
class TicketPolicy:
    """How generous tickets are. `max_fare_rial`: the most that one ride of one person costs by the tariff.

    `short_lifetime` is for a phone whose browser keeps no key, `unconfirmed_lifetime` for one that nobody
    confirmed: its day's fares are counted by the day.
    """

    max_fare_rial: int
    rides_per_ticket: int = 10
    day_rides: int = 4
    lifetime: timedelta = timedelta(seconds=ENTITLEMENT_MAX_LIFE_S)
    short_lifetime: timedelta = timedelta(hours=2)
    unconfirmed_lifetime: timedelta = timedelta(hours=24)

    @classmethod
    def of(cls, settings: LedgerSettings, tariff: Tariff) -> TicketPolicy:
        """The policy that the settings and the tariff in force come to."""
        return cls(
            max_fare_rial=tariff.max_fare_rial,
            rides_per_ticket=settings.rides_per_ticket,
            day_rides=settings.day_rides,
        )

    @property
    def day_limit_rial(self) -> int:
        """What an unconfirmed phone may hold and ride in a day."""
        return self.day_rides * self.max_fare_rial

    def lifetime_of(self, *, confirmed: bool, keeps_keys: bool) -> timedelta:
        """How long a ticket lives."""
        if not keeps_keys:
            return self.short_lifetime
        return self.lifetime if confirmed else self.unconfirmed_lifetime

    def rides_for(self, rial: int) -> int:
        """How many rides so much money may pay for, at most those of the policy."""
        if self.max_fare_rial == 0:
            return self.rides_per_ticket
        return max(0, min(self.rides_per_ticket, rial // self.max_fare_rial))


def ticket_policy(session: Session, settings: LedgerSettings, now: datetime) -> TicketPolicy:
    """The policy in force now. Raises NoTariffInForce: then nothing is issued."""
    # Distribution stands on issuing: imported when it is asked, or neither could be loaded first.
    from fare.distribution import current_tariff  # noqa: PLC0415

    return TicketPolicy.of(settings, current_tariff(session, now))


@dataclass(frozen=True, slots=True)
class IssuedTicket:
    """A ticket that was just signed; `raw` is its entitlement, for the phone."""

    raw: bytes
    cti: bytes
    expires_at: datetime
    max_taps: int
    max_fare_rial: int


@dataclass(frozen=True, slots=True)
class LiveTicket:
    """The ticket that a phone may ride with. `rides_taken_in` is the highest counter the ledger has received.

    `reissue`: its channel key was revoked, buses refuse it.
    """

    raw: bytes
    cti: bytes
    issued_at: datetime
    expires_at: datetime
    max_taps: int
    max_fare_rial: int
    rides_taken_in: int
    reissue: bool


@dataclass(frozen=True, slots=True)
class PhoneAccount:
    """What a phone's rider may see. `balance_rial` is free, `held_rial` set aside for tickets and not ridden.

    `day_limit_rial` is None for a confirmed phone. `newer_phone` is what this one may answer for.
    `not_issued` says why no ticket is due now, None when one is.
    """

    phone: PhoneView
    balance_rial: int
    held_rial: int
    day_limit_rial: int | None
    newer_phone: PhoneView | None
    ticket: LiveTicket | None
    not_issued: TicketNotIssued | None

    @property
    def refresh_due(self) -> bool:
        """Whether asking for a ticket would bring one."""
        return self.not_issued is None


@dataclass(frozen=True, slots=True)
class _Standing:
    """Everything a decision about one phone is made of. `live`: its live tickets, the newest first.

    `free_rial` is what the next ticket may hold, with what is given back for it; `revoked` the live tickets
    whose key was revoked; `room_rial` what an unconfirmed phone may still hold, None for a confirmed one.
    """

    phone: PhoneView
    closed: bool
    live: Sequence[TicketEntitlement]
    revoked: Sequence[TicketEntitlement]
    taken_in: dict[bytes, int]
    free_rial: int
    held_rial: int
    room_rial: int | None


def due_ticket(
    session: Session, policy: TicketPolicy, phone_id: str, now: datetime, revoked_kids: Collection[int]
) -> TicketNotIssued | None:
    """Why the phone would get no ticket now; None: it would. Changes nothing. Raises KeyError."""
    return _not_issued(_standing(session, policy, phone_id, now, revoked_kids), policy, now)


def phone_account(
    session: Session, policy: TicketPolicy, phone_id: str, now: datetime, revoked_kids: Collection[int]
) -> PhoneAccount:
    """What the phone's rider sees. Changes nothing. Raises KeyError for an unknown phone."""
    standing = _standing(session, policy, phone_id, now, revoked_kids)
    phone = standing.phone
    return PhoneAccount(
        phone=phone,
        balance_rial=standing.free_rial,
        held_rial=standing.held_rial,
        day_limit_rial=None if phone.confirmed else policy.day_limit_rial,
        newer_phone=newer_phone_of(session, phone_id),
        ticket=_live_ticket(standing, revoked_kids),
        not_issued=_not_issued(standing, policy, now),
    )


def issue_phone_ticket(
    session: Session, keys: KeyStore, policy: TicketPolicy, phone_id: str, key: PhoneKey, now: datetime
) -> IssuedTicket | TicketNotIssued:
    """Sign the phone's next ticket for a fresh key that it proved to hold. Raises KeyError for no phone.

    A refusal may still have given back what expired tickets held: commit it.
    """
    wallet_id = _known_phone(session, phone_id).wallet_id
    revoked_kids = keys.channels.revoked()
    locked_wallet(session, wallet_id)
    holds.release_holds_of(session, wallet_id, now)
    holds.collect_debts(session, wallet_id, now)
    locked_phone(session, phone_id)
    standing = _standing(session, policy, phone_id, now, revoked_kids)
    refusal = _not_issued(standing, policy, now)
    if refusal is None and _is_used(session, wallet_id, key):
        refusal = TicketNotIssued.BAD_KEY
    if refusal is not None:
        return refusal
    replaced = standing.revoked
    unsealed = holds.unsealed_fares(session, [row.cti for row in replaced])
    for row in replaced:
        holds.release(session, row, unsealed.get(row.cti, 0), now)
    staying = [row for row in standing.live if row not in replaced]
    for row in staying[MAX_LIVE_TICKETS - 1 :]:
        deny_ticket(session, row.cti, now)
    confirmed = standing.phone.confirmed
    raw = issue_ticket_entitlement(
        session,
        keys,
        wallet_id,
        key.public_x,
        key.y_odd,
        _rides(standing, policy),
        policy.max_fare_rial,
        now,
        policy.lifetime_of(confirmed=confirmed, keeps_keys=key.keeps_keys),
        phone_id,
    )
    signed = decode_entitlement(raw)
    for row in replaced:
        row.replaced_by = signed.cti
        session.add(row)
    session.flush()
    face = session.get_one(TicketEntitlement, signed.cti)
    return IssuedTicket(raw, face.cti, face.expires_at, face.max_taps, face.max_fare_rial)


def _not_issued(standing: _Standing, policy: TicketPolicy, now: datetime) -> TicketNotIssued | None:
    if standing.closed:
        return TicketNotIssued.WALLET_CLOSED
    if standing.phone.status is not PhoneStatus.LIVE:
        return _BY_STATUS[standing.phone.status]
    rides = _rides(standing, policy)
    newest = standing.live[0] if standing.live else None
    left = 0
    if newest is not None and newest not in standing.revoked:
        left = max(0, newest.max_taps - standing.taken_in.get(newest.cti, 0))
        ends_soon = newest.expires_at - now < min(_FEW_HOURS, (newest.expires_at - newest.issued_at) / 2)
        if not ends_soon and (left >= _FEW_RIDES or (left > 0 and rides <= left)):
            return TicketNotIssued.NOT_DUE
    if rides:
        return None
    # Somebody who can still ride is not told that there is no money: it is in the ticket.
    if left:
        return TicketNotIssued.NOT_DUE
    may_hold = policy.rides_for(standing.free_rial)
    return TicketNotIssued.DAY_LIMIT if may_hold else TicketNotIssued.SHORT_OF_FUNDS


def _is_used(session: Session, wallet_id: str, key: PhoneKey) -> bool:
    """Whether one of the wallet's newest tickets is for this very key."""
    raws = session.exec(
        select(TicketEntitlement.raw)
        .where(col(TicketEntitlement.wallet_id) == wallet_id)
        .order_by(col(TicketEntitlement.issued_at).desc())
        .limit(_KEYS_REMEMBERED)
    )
    return any(key.public_x in raw for raw in raws)


def _rides(standing: _Standing, policy: TicketPolicy) -> int:
    room_rial = standing.free_rial if standing.room_rial is None else standing.room_rial
    rides = policy.rides_for(min(standing.free_rial, room_rial))
    return rides if standing.room_rial is None else min(rides, policy.day_rides)


def _standing(
    session: Session, policy: TicketPolicy, phone_id: str, now: datetime, revoked_kids: Collection[int]
) -> _Standing:
    phone = _known_phone(session, phone_id)
    wallet = session.get_one(Wallet, phone.wallet_id)
    rows = holds.unreleased(session, phone.wallet_id)
    live = sorted(
        (row for row in rows if row.phone_id == phone_id and not holds.is_over(row, now)),
        key=lambda row: (row.issued_at, row.cti),
        reverse=True,
    )
    revoked = [row for row in live if row.kid in revoked_kids]
    told = holds.told_of(session, [row.cti for row in rows])
    left = {
        row.cti: holds.giveable_rial(session, row, told[row.cti].unsealed_rial if row.cti in told else 0)
        for row in rows
    }
    given_back = {row.cti for row in rows if holds.is_over(row, now)} | {row.cti for row in revoked}
    return _Standing(
        phone=phone,
        closed=wallet.status != WalletStatus.ACTIVE,
        live=live,
        revoked=revoked,
        taken_in={cti: known.highest_ctr for cti, known in told.items()},
        free_rial=wallet_balance(session, phone.wallet_id) + sum(left[cti] for cti in given_back),
        held_rial=sum(rial for cti, rial in left.items() if cti not in given_back),
        room_rial=None
        if phone.confirmed
        else policy.day_limit_rial
        - _committed(session, phone.wallet_id, {cti: left[cti] for cti in given_back}, now),
    )


def _committed(session: Session, wallet_id: str, given_back: dict[bytes, int], now: datetime) -> int:
    """What the wallet's unconfirmed phones hold, and what they rode of the tickets of the last day, in rial.

    All of them together: enrolling again and again brings nobody another day's fares. So a ticket that was
    denied counts whole until it expires, whatever came back of it: a bus that was not told still takes it,
    and tells of it later.
    """
    rows = session.exec(
        select(TicketEntitlement)
        .join(Phone, col(Phone.phone_id) == col(TicketEntitlement.phone_id))
        .where(
            col(TicketEntitlement.wallet_id) == wallet_id,
            col(Phone.confirmed_by).is_(None),
            (col(TicketEntitlement.status) != TicketStatus.RELEASED)
            | (col(TicketEntitlement.issued_at) > now - _DAY),
        )
    )
    total_rial = 0
    for row in rows:
        if row.denied_at is not None and row.expires_at > now:
            returned = 0
        elif row.status == TicketStatus.RELEASED:
            returned = postings_of(session, f"release:{row.cti.hex()}").get(accounts.holds(row.cti), 0)
        else:
            returned = given_back.get(row.cti, 0)
        total_rial += row.hold_rial - returned
    return total_rial


def _live_ticket(standing: _Standing, revoked_kids: Collection[int]) -> LiveTicket | None:
    if not standing.live or standing.phone.status is not PhoneStatus.LIVE:
        return None
    newest = standing.live[0]
    return LiveTicket(
        raw=newest.raw,
        cti=newest.cti,
        issued_at=newest.issued_at,
        expires_at=newest.expires_at,
        max_taps=newest.max_taps,
        max_fare_rial=newest.max_fare_rial,
        rides_taken_in=standing.taken_in.get(newest.cti, 0),
        reissue=newest.kid in revoked_kids,
    )


def _known_phone(session: Session, phone_id: str) -> PhoneView:
    phone = phone_view(session, phone_id)
    if phone is None:
        raise KeyError("there is no such phone")
    return phone
