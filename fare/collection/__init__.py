"""Collection: batches of taps in, verified, priced, registered, posted and acknowledged; quarantine."""

from __future__ import annotations

from fare.collection.intake import MAX_ENVELOPE_BYTES, leaf_hash, take_in
from fare.collection.ticket_rides import RidePlace, TakenIn, TicketRideView, rides_of_tickets, taken_in
from fare.collection.words import (
    BatchRefusal,
    Flag,
    MediumKind,
    ProofState,
    ProvenBy,
    QuarantineReason,
    SuspenseReason,
)

__all__ = [
    "MAX_ENVELOPE_BYTES",
    "BatchRefusal",
    "Flag",
    "MediumKind",
    "ProofState",
    "ProvenBy",
    "QuarantineReason",
    "RidePlace",
    "SuspenseReason",
    "TakenIn",
    "TicketRideView",
    "leaf_hash",
    "rides_of_tickets",
    "take_in",
    "taken_in",
]
