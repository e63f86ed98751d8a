"""Riders and the media they hold: the one place where a person and a card number meet. It knows no tap.

A card needs no rider: whoever links one chose to. A medium belongs to one rider at a time.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlmodel import Session, col, select

from fare.core.identifiers import parse_mobile
from fare.issuing import Purse
from fare.riders.models import Rider, RiderMedium


@dataclass(frozen=True, slots=True)
class HeldMedium:
    """One medium in a rider's hands, named as `Purse` says.

    From `starts_at` (inclusive) to `ends_at` (exclusive, None = still).
    """

    kind: Purse
    ref: str
    starts_at: datetime
    ends_at: datetime | None


class LinkRefusal(StrEnum):
    """Why a medium was not linked."""

    UNKNOWN_RIDER = "unknown_rider"
    HELD_BY_ANOTHER = "held_by_another"


def create_rider(session: Session, now: datetime, mobile: str | None = None) -> str:
    """Add a rider and return its id; a known mobile number returns the rider it belongs to.

    Raises `InvalidMobile` for a number that is none.
    """
    number = None if mobile is None else parse_mobile(mobile)
    if number is not None:
        known = session.exec(select(Rider).where(col(Rider.mobile) == number)).first()
        if known is not None:
            return known.rider_id
    rider = Rider(rider_id=secrets.token_hex(8), mobile=number, created_at=now)
    session.add(rider)
    session.flush()
    return rider.rider_id


def link(session: Session, rider_id: str, kind: Purse, ref: str, now: datetime) -> LinkRefusal | None:
    """Put a medium into a rider's hands; None when it is there now, also when it was before."""
    if session.get(Rider, rider_id) is None:
        return LinkRefusal.UNKNOWN_RIDER
    holder = holder_of(session, kind, ref)
    if holder is not None:
        return None if holder == rider_id else LinkRefusal.HELD_BY_ANOTHER
    session.add(RiderMedium(rider_id=rider_id, medium_kind=kind.value, medium_ref=ref, starts_at=now))
    session.flush()
    return None


def unlink(session: Session, rider_id: str, kind: Purse, ref: str, now: datetime) -> None:
    """Take a medium out of a rider's hands; what was, stays on record."""
    held = session.exec(_open_links(kind, ref).where(col(RiderMedium.rider_id) == rider_id)).first()
    if held is not None:
        held.ends_at = now
        session.flush()


def holder_of(session: Session, kind: Purse, ref: str) -> str | None:
    """The rider who holds a medium now."""
    held = session.exec(_open_links(kind, ref)).first()
    return None if held is None else held.rider_id


def media_of(session: Session, rider_id: str) -> list[HeldMedium]:
    """All media a rider holds or held, oldest first."""
    rows = session.exec(
        select(RiderMedium)
        .where(col(RiderMedium.rider_id) == rider_id)
        .order_by(col(RiderMedium.starts_at), col(RiderMedium.medium_kind), col(RiderMedium.medium_ref))
    ).all()
    return [HeldMedium(Purse(r.medium_kind), r.medium_ref, r.starts_at, r.ends_at) for r in rows]


def _open_links(kind: Purse, ref: str):
    return select(RiderMedium).where(
        col(RiderMedium.medium_kind) == kind.value,
        col(RiderMedium.medium_ref) == ref,
        col(RiderMedium.ends_at).is_(None),
    )
