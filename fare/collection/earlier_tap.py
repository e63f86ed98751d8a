"""Proving the commit before: a card carries its last record and proof to whoever reads it next.

A tap's proof covers bytes which the next reader cannot know: what the card held before that tap. They come
from one of these places: the torn tap's own evidence, the commit before it, the card's personalisation, or
the older records that a desk read. A personalisation and a load at a desk cover nothing but what they wrote,
so they are proven at once. A MAC decides, so a wrong guess costs time and proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from fare.collection.card_proof import CardFacts, proof_fault
from fare.collection.rides import KnownCommit, RideKey, card_key, readable_record
from fare.collection.words import CommitKind
from fare.core import card_record, entitlement
from fare.core.proof.card import CardEvidence, CommitProof, load_tmi, personalisation_tmi, verify_commit

PERSONALISATION_TMC = 1
"""Personalisation is the card's first commit."""


@dataclass(frozen=True, slots=True)
class Before:
    """What may tell the bytes around an earlier commit.

    `torn`: what an unconfirmed tap kept of it. `known`: the commits that are proven. `older`: for a record,
    the record that the card held before it, as a desk read them.
    """

    torn: CardEvidence | None
    known: Mapping[RideKey, KnownCommit]
    older: Mapping[bytes, bytes]


def prove_earlier(
    serial: int, proof: CommitProof, record: bytes, before: Before, facts: CardFacts
) -> CardEvidence | None:
    """The evidence of the commit (serial, proof.tmc) that wrote `record`, if it can be proven now."""
    candidates = _candidates(serial, proof, record, before, facts.entitlements)
    return next((found for found in candidates if proof_fault(found, proof, facts) is None), None)


def stands_alone(
    serial: int, proof: CommitProof, record: bytes, version: int, facts: CardFacts
) -> CommitKind | None:
    """Whether a card whose entitlement is `version` and newest record `record` was last loaded at a desk, or
    never touched since it was personalised.
    """
    face = facts.faces.get(serial)
    written = facts.entitlements.get((serial, version))
    if face is None or written is None:
        return None
    if verify_commit(face.tm_key, face.uid, load_tmi(written), proof):
        return CommitKind.LOADED
    first = proof.tmc == PERSONALISATION_TMC and personalisation_tmi(written, record)
    return CommitKind.PERSONALISED if first and verify_commit(face.tm_key, face.uid, first, proof) else None


def is_load(known: KnownCommit) -> bool:
    """Whether this commit left the newest record as it was."""
    return known.service is CommitKind.LOADED and known.record_written is None


def _candidates(
    serial: int,
    proof: CommitProof,
    record: bytes,
    before: Before,
    entitlements: Mapping[tuple[int, int], bytes],
) -> Iterator[CardEvidence]:
    if before.torn is not None and before.torn.record_written == record:
        yield before.torn
    told = readable_record(record)
    if told is None or told.spent_after_rial < told.fare_rial:
        return
    for record_read, version in _states_before(serial, proof.tmc, record, before, entitlements):
        # The entitlement on the card was either already the one in force, or replaced by it in this very tap.
        versions: list[tuple[int, int | None]] = [(told.entitlement_version, None)]
        if version is not None and version < told.entitlement_version:
            versions.insert(0, (version, told.entitlement_version))
        for read, delivered in versions:
            yield CardEvidence(
                serial=serial,
                entitlement_version=read,
                delivered_version=delivered,
                record_read=record_read,
                spent_before=told.spent_after_rial - told.fare_rial,
                debit_rial=told.fare_rial,
                record_written=record,
                previous=CommitProof(proof.tmc - 1, bytes(8)),  # not part of what the card signs
                proof=proof,
            )


def _states_before(
    serial: int,
    tmc: int,
    record: bytes,
    before: Before,
    entitlements: Mapping[tuple[int, int], bytes],
) -> Iterator[tuple[bytes, int | None]]:
    """What the card's newest record and entitlement version can have been before commit `tmc`."""
    older = before.older.get(record)
    if older is not None:
        told = readable_record(older)
        yield older, None if told is None else told.entitlement_version
    # A load whose answer was lost, and which nobody read since, left the record of the commit before it.
    for steps in (1, 2):
        state = _state_after(serial, tmc - steps, before.known, entitlements)
        if state is not None:
            yield state


def _state_after(
    serial: int,
    tmc: int,
    known: Mapping[RideKey, KnownCommit],
    entitlements: Mapping[tuple[int, int], bytes],
) -> tuple[bytes, int] | None:
    """The newest record and the entitlement version on the card after a commit, as far as they are known."""
    version: int | None = None
    while tmc >= PERSONALISATION_TMC:
        found = known.get(card_key(serial, tmc))
        if found is None:
            break
        version = found.version_after if version is None else version
        if not is_load(found):
            record = found.record_written
            return None if record is None or version is None else (record, version)
        tmc -= 1
    first = entitlements.get((serial, 1))
    if tmc != PERSONALISATION_TMC or first is None:
        return None
    return card_record.first_record(entitlement.decode(first).issued_at_s), version or 1
