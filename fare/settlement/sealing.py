"""Sealing a service day: every ride is taken out of its medium's stored value, and clearing comes to zero.

One entry for each medium, never one for each ride; nothing in it says where or when. Rides that arrive after
a sealing are sealed by the next one. It pays nobody.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, datetime

from sqlalchemy.dialects import postgresql, sqlite
from sqlmodel import Session, col, select

from fare.collection.repricing import close_journeys
from fare.collection.sealing_marks import SealedMedium, mark_sealed, seal_entry_id
from fare.collection.words import MediumKind
from fare.issuing import cover_overdrawn_holds, lock_for_capture
from fare.keys import KeyStore
from fare.ledger import EntryDraft, accounts, clearing, post_many
from fare.settlement.adjustments import settle_adjustments
from fare.settlement.late_fares import charge_late_fares
from fare.settlement.models import ServiceDay


@dataclass(frozen=True, slots=True)
class SealReport:
    """What one sealing did: media, rides and fares in rial that it took in.

    `clearing_rial` is what is left on the day's clearing account: anything but 0 means that postings and
    rides disagree, and `mancard reconcile audit` names the entry. `sealed_at` is the first sealing's time.
    """

    service_day: date
    media: int
    rides: int
    fare_rial: int
    clearing_rial: int
    sealed_at: datetime


def seal_day(session: Session, day: date, now: datetime, keys: KeyStore) -> SealReport:
    """Seal all rides of the day that are not sealed yet; call it again after late rides.

    Journeys that were never tapped off are closed first; what fares were adjusted by goes to the riders.
    Late rides of lost cards are charged to the cards that have their balance now: `keys` sign that. Late
    rides of tickets whose hold was given back are taken from their wallets, as far as these reach.
    """
    row = _locked_day(session, day, now)
    close_journeys(session, now)
    marked = mark_sealed(session, day)
    tickets = [
        bytes.fromhex(medium.medium_ref) for medium in marked if medium.medium_kind == MediumKind.TICKET
    ]
    lock_for_capture(session, tickets)
    post_many(session, [_entry(day, medium) for medium in marked], now)
    cards = [int(medium.medium_ref) for medium in marked if medium.medium_kind == MediumKind.CARD]
    settle_adjustments(session, keys, day, now)
    charge_late_fares(session, keys, cards, day, now)
    cover_overdrawn_holds(session, tickets, day, now)
    return SealReport(
        service_day=day,
        media=len(marked),
        rides=sum(medium.rides for medium in marked),
        fare_rial=sum(medium.fare_rial for medium in marked),
        clearing_rial=clearing(session, day),
        sealed_at=row.sealed_at,
    )


def sealed_at(session: Session, day: date) -> datetime | None:
    """When the day was first sealed; None while it is open."""
    row = session.get(ServiceDay, day)
    return None if row is None else row.sealed_at


def sealed_days(session: Session) -> list[date]:
    """All days that were sealed, in order."""
    rows = session.exec(select(ServiceDay).order_by(col(ServiceDay.service_day)))
    return [row.service_day for row in rows]


def _locked_day(session: Session, day: date, now: datetime) -> ServiceDay:
    """The day's row, locked until the transaction ends; made when this is its first sealing."""
    dialect = postgresql if session.connection().dialect.name == "postgresql" else sqlite
    insert = dialect.insert(ServiceDay).values(service_day=day, sealed_at=now).on_conflict_do_nothing()
    session.connection().execute(insert)
    return session.exec(select(ServiceDay).where(col(ServiceDay.service_day) == day).with_for_update()).one()


def _entry(day: date, medium: SealedMedium) -> EntryDraft:
    entry_id = seal_entry_id(day, medium.medium_kind, medium.medium_ref, medium.sealing)
    cause_kind, _, cause_id = entry_id.partition(":")
    postings = {_purse(medium): medium.fare_rial, accounts.clearing(day): -medium.fare_rial}
    return EntryDraft(cause_kind, cause_id, day, "rides of one medium", postings)


def _purse(medium: SealedMedium) -> str:
    """Where the medium's money was set aside: the card's own stored value, or the ticket's hold."""
    if medium.medium_kind == MediumKind.CARD:
        return accounts.stored_value(MediumKind.CARD, medium.medium_ref)
    return accounts.holds(bytes.fromhex(medium.medium_ref))
