"""Does a card's evidence hold? The ledger rebuilds what the chip signed and compares.

Knows neither database nor money. A wrong proof says something about the device that sent it, never about
the card it names.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from fare.collection.rides import readable_record, version_after
from fare.collection.words import Flag
from fare.core.proof.card import CardEvidence, CommitProof, tap_tmi, verify_commit


@dataclass(frozen=True, slots=True)
class CardFace:
    """What the ledger alone can say of a card: its UID and its Transaction MAC key."""

    uid: bytes
    tm_key: bytes


@dataclass(frozen=True, slots=True)
class CardFacts:
    """The cards of a batch by serial, and entitlements' bytes by (serial, version)."""

    faces: Mapping[int, CardFace]
    entitlements: Mapping[tuple[int, int], bytes]


def proof_fault(evidence: CardEvidence, proof: CommitProof, facts: CardFacts) -> Flag | None:
    """Why this evidence with this proof does not hold; None when the chip did exactly this."""
    face = facts.faces.get(evidence.serial)
    if face is None:
        return Flag.UNKNOWN_CARD
    read = facts.entitlements.get((evidence.serial, evidence.entitlement_version))
    written: bytes | None = None
    if evidence.delivered_version is not None:
        written = facts.entitlements.get((evidence.serial, evidence.delivered_version))
        if written is None:
            return Flag.UNKNOWN_ENTITLEMENT
    if read is None:
        return Flag.UNKNOWN_ENTITLEMENT
    try:
        tmi = tap_tmi(evidence, read, written)
    except ValueError:
        return Flag.WRONG_PROOF
    return None if verify_commit(face.tm_key, face.uid, tmi, proof) else Flag.WRONG_PROOF


def sequence_fault(evidence: CardEvidence, device: int, seq: int) -> Flag | None:
    """Whether the record that was written tells the same tap: only that sequence is payable.

    A record that names another validator is that validator's ride, so the tap that brings it is not paid
    for it.
    """
    record = readable_record(evidence.record_written or b"")
    if record is None:
        return Flag.RECORD_DIFFERS
    if record.validator != device:
        return Flag.NAMES_ANOTHER_VALIDATOR
    agrees = (
        record.seq == seq
        and record.fare_rial == evidence.debit_rial
        and record.spent_after_rial == evidence.spent_before + evidence.debit_rial
        and record.entitlement_version == version_after(evidence)
        and not (record.blocked and evidence.debit_rial)
        and (evidence.delivered_version is None or evidence.delivered_version > evidence.entitlement_version)
    )
    return None if agrees else Flag.RECORD_DIFFERS


def spent_gap(evidence: CardEvidence) -> bool:
    """Whether the card spent something that no record tells of, between its newest record and this tap."""
    before = readable_record(evidence.record_read)
    return before is None or before.spent_after_rial != evidence.spent_before
