"""Collection: batches of taps in, verified, priced, registered, posted and acknowledged; quarantine."""

from __future__ import annotations

from fare.collection.intake import MAX_ENVELOPE_BYTES, leaf_hash, take_in
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
    "SuspenseReason",
    "leaf_hash",
    "take_in",
]
