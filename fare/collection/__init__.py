"""Collection: batches of taps in, verified, priced, registered, posted and acknowledged; quarantine."""

from __future__ import annotations

from fare.collection.adjustments import (
    AdjustmentView,
    adjustments_of_card,
    adjustments_of_day,
    adjustments_of_tickets,
)
from fare.collection.conflict_decisions import ConflictRefusal, decide_conflict
from fare.collection.conflicts import ConflictSide, ConflictView, conflict, count_open, open_conflicts
from fare.collection.intake import MAX_ENVELOPE_BYTES, leaf_hash, take_in
from fare.collection.past_rides import PastRide, PastRides, past_rides
from fare.collection.redemptions import RedemptionAnswer, redeem
from fare.collection.ticket_rides import RidePlace, TakenIn, TicketRideView, rides_of_tickets, taken_in
from fare.collection.words import (
    AdjustmentCause,
    BatchRefusal,
    ConflictDecision,
    Flag,
    MediumKind,
    ProofState,
    ProvenBy,
    QuarantineReason,
    SuspenseReason,
)

__all__ = [
    "MAX_ENVELOPE_BYTES",
    "AdjustmentCause",
    "AdjustmentView",
    "BatchRefusal",
    "ConflictDecision",
    "ConflictRefusal",
    "ConflictSide",
    "ConflictView",
    "Flag",
    "MediumKind",
    "PastRide",
    "PastRides",
    "ProofState",
    "ProvenBy",
    "QuarantineReason",
    "RedemptionAnswer",
    "RidePlace",
    "SuspenseReason",
    "TakenIn",
    "TicketRideView",
    "adjustments_of_card",
    "adjustments_of_day",
    "adjustments_of_tickets",
    "conflict",
    "count_open",
    "decide_conflict",
    "leaf_hash",
    "open_conflicts",
    "past_rides",
    "redeem",
    "rides_of_tickets",
    "take_in",
    "taken_in",
]
