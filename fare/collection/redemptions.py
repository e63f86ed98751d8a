"""Leave to ride on a paper ticket for any vehicle: given to one device, once. It moves no money.

Paper is copied freely and such a ticket names no bus, so a bus asks before it lets anybody on. The device
that was given leave is given it again: its power may have failed before it heard the answer.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

import sqlalchemy as sa
from sqlmodel import Session

from fare.collection.bulk import insert_if_missing, table_of
from fare.collection.commits import ticket_rides
from fare.collection.models import PaperRedemption
from fare.database.chunks import in_chunks
from fare.fleet import assignments_at
from fare.issuing import ticket_entitlements
from fare.issuing.ticket_locks import lock_tickets, ticket_holder
from fare.issuing.words import TicketMedium, TicketStatus

_REDEMPTION: Final = table_of(PaperRedemption)


class RedemptionAnswer(StrEnum):
    """Whether a bus may take this paper; every word but the first means no."""

    GRANTED = "granted"
    UNKNOWN_TICKET = "unknown_ticket"
    OTHER_VEHICLE = "other_vehicle"
    NOT_VALID = "not_valid"
    ALREADY_REDEEMED = "already_redeemed"


@dataclass(frozen=True, slots=True)
class Redeemed:
    """Who was given leave."""

    device_id: int
    vehicle_id: str | None


def redeem(session: Session, cti: bytes, device_id: int, now: datetime) -> RedemptionAnswer:
    """Give this device leave to take a paper ticket, unless another one has it; the same device again."""
    lock_tickets(session, [cti])
    holder, face = ticket_holder(session, cti), ticket_entitlements(session, [cti]).get(cti)
    if face is None or holder is None or holder.medium is not TicketMedium.PAPER:
        return RedemptionAnswer.UNKNOWN_TICKET
    if holder.vehicle_id is not None:
        return RedemptionAnswer.OTHER_VEHICLE  # its own bus needs no leave
    known = redemptions(session, [cti]).get(cti)
    if known is not None:
        same = known.device_id == device_id
        return RedemptionAnswer.GRANTED if same else RedemptionAnswer.ALREADY_REDEEMED
    if face.status != TicketStatus.LIVE or face.expires_at <= now:
        return RedemptionAnswer.NOT_VALID
    if ticket_rides(session.connection(), [cti.hex()]):
        return RedemptionAnswer.ALREADY_REDEEMED  # a bus took it without asking
    place = assignments_at(session, [device_id]).at(device_id, now)
    row = {
        "cti": cti,
        "device_id": device_id,
        "vehicle_id": None if place is None else place.vehicle_id,
        "redeemed_at": now,
    }
    insert_if_missing(session.connection(), _REDEMPTION, row)
    return RedemptionAnswer.GRANTED


def redemptions(session: Session, ctis: Collection[bytes]) -> dict[bytes, Redeemed]:
    """Who was given leave for which of these tickets."""
    found: dict[bytes, Redeemed] = {}
    for chunk in in_chunks(ctis):
        some = _REDEMPTION.c.cti.in_(chunk)
        for row in session.connection().execute(sa.select(_REDEMPTION).where(some)):
            found[bytes(row.cti)] = Redeemed(row.device_id, row.vehicle_id)
    return found
