"""What disputes and their decisions change in the sums of a day's rides. It reads only; amounts are rial.

A ride's row says what its first vehicle was credited, for ever. While the ride is disputed all of that waits
in suspense; a decision gives it back, or gives it to another vehicle's owner.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import date
from typing import Any, Final

import sqlalchemy as sa
from sqlmodel import Session

from fare.collection.adjusting import Parts
from fare.collection.adjustments import net_of_rides
from fare.collection.bulk import table_of
from fare.collection.models import RegisteredTap, Ride, TicketConflict
from fare.collection.rides import RideKey
from fare.collection.store import has_flag
from fare.collection.ticket_rides import taken_in
from fare.collection.words import Flag, MediumKind, SuspenseReason
from fare.database.chunks import in_chunks
from fare.ledger import accounts, balance

_TAP: Final = table_of(RegisteredTap)
_RIDE: Final = table_of(Ride)
_CONFLICT: Final = table_of(TicketConflict)
_OF_ITS_BUS: Final = frozenset({SuspenseReason.PAPER_WITHOUT_LEAVE, SuspenseReason.DEVICE_REVOKED})
"""What held a fare back because of the bus that brought it: another bus may be right about the same ride."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What is added to one owner's sums; `owner_id` is None for a bus without an owner."""

    owner_id: str | None
    gross_rial: int
    owner_rial: int
    commission_rial: int
    suspense_rial: int


def corrections(
    session: Session, day: date, entry_ids: Collection[str] | None = None
) -> Iterator[Correction]:
    """The corrections to the day's rides; only to those that these entries posted when given."""
    wanted = None if entry_ids is None else set(entry_ids)
    rides = [ride for ride in _disputed(session, day) if wanted is None or ride.entry_id in wanted]
    for ride, net in _with_adjustments(session, rides):
        owner_rial = ride.owner_rial + net.owner_rial
        commission_rial = ride.commission_rial + net.commission_rial
        yield Correction(ride.owner_id, 0, -owner_rial, -commission_rial, owner_rial + commission_rial)
    by_name = {(bytes.fromhex(ride.medium_ref), ride.counter): ride for ride in rides}
    for decided in _settled(session, sorted({cti for cti, _ in by_name})):
        ride = by_name.get((bytes(decided.cti), decided.ride_ctr))
        if ride is None:
            continue
        back_rial = decided.back_owner_rial + decided.back_commission_rial
        away_rial = decided.owner_rial + decided.commission_rial
        yield Correction(
            ride.owner_id,
            -away_rial,
            decided.back_owner_rial,
            decided.back_commission_rial,
            -back_rial - away_rial,
        )
        if decided.owner_id is not None:
            yield Correction(decided.owner_id, away_rial, decided.owner_rial, decided.commission_rial, 0)


def waiting_rial(session: Session, ride: Any) -> int:
    """What waits of a disputed ride's row for a decision: what its bus was credited with, or else what was
    held back because of that bus, as far as money of the ticket is behind it.
    """
    own_rial = sum(own_parts(session, ride))
    if own_rial > 0 or ride.suspense_reason not in _OF_ITS_BUS:
        return own_rial
    # Nobody asked for the money while nobody was paid: a late ride's hold may have been given back.
    cti = bytes.fromhex(ride.medium_ref)
    told = taken_in(session, [cti]).get(cti)
    lacking_rial = balance(session, accounts.holds(cti)) + (0 if told is None else told.unsealed_rial)
    return max(0, ride.suspense_rial - max(0, lacking_rial))


def own_parts(session: Session, ride: Any) -> tuple[int, int]:
    """What the ride's own bus earned with it, adjustments included: (owner's part, commission)."""
    [(_, net)] = _with_adjustments(session, [ride])
    return ride.owner_rial + net.owner_rial, ride.commission_rial + net.commission_rial


def paid_elsewhere(session: Session, refs: Collection[str]) -> dict[tuple[str, int], int]:
    """What second vehicles were paid of these tickets' rides, by ticket (hexadecimal) and counter."""
    paid: dict[tuple[str, int], int] = {}
    for row in _settled(session, sorted(bytes.fromhex(ref) for ref in set(refs))):
        key = bytes(row.cti).hex(), row.ride_ctr
        paid[key] = paid.get(key, 0) + row.owner_rial + row.commission_rial
    return paid


def _with_adjustments(session: Session, rides: Sequence[Any]) -> list[tuple[Any, Parts]]:
    keys = [RideKey(MediumKind(ride.medium_kind), ride.medium_ref, ride.counter) for ride in rides]
    net = net_of_rides(session.connection(), keys)
    return [(ride, net.get(key, Parts())) for ride, key in zip(rides, keys, strict=True)]


def _disputed(session: Session, day: date) -> list[Any]:
    """The day's rides whose ticket another bus showed too."""
    tap_of_ride = (
        (_TAP.c.device_id == _RIDE.c.device_id)
        & (_TAP.c.journal_id == _RIDE.c.journal_id)
        & (_TAP.c.seq == _RIDE.c.seq)
    )
    rows = session.connection().execute(
        sa.select(_RIDE)
        .join(_TAP, tap_of_ride)
        .where(
            _RIDE.c.service_day == day,
            _RIDE.c.medium_kind == MediumKind.TICKET,
            has_flag(_TAP.c.flags, Flag.DISPUTED),
        )
    )
    return list(rows)


def _settled(session: Session, ctis: list[bytes]) -> Iterator[Any]:
    for chunk in in_chunks(ctis):
        some = _CONFLICT.c.cti.in_(chunk)
        yield from session.connection().execute(
            sa.select(_CONFLICT).where(some, _CONFLICT.c.entry_id.is_not(None))
        )
