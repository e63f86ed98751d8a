"""Proving the tap before: a card carries its last record and proof to the next bus it meets.

That proof covers bytes which the next bus cannot know: what the card held before its last tap. They come
from one of three places: the torn tap's own evidence, the ride before it, or the card's personalisation. A
MAC decides, so a wrong guess costs time and proves nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from fare.collection.card_proof import CardFacts, proof_fault
from fare.collection.rides import KnownRide, readable_record
from fare.core import card_record, entitlement
from fare.core.proof.card import CardEvidence, CommitProof

FIRST_RIDE_TMC = 2
"""Personalisation is the card's first commit."""


def prove_earlier(
    serial: int,
    proof: CommitProof,
    record: bytes,
    before: KnownRide | None,
    torn: CardEvidence | None,
    facts: CardFacts,
) -> CardEvidence | None:
    """The evidence of the ride (serial, proof.tmc) that wrote `record`, if it can be proven now.

    `before` is the ride with the counter before it; `torn` the evidence that an unconfirmed tap kept of
    this one.
    """
    candidates = _candidates(serial, proof, record, before, torn, facts.entitlements)
    return next((found for found in candidates if proof_fault(found, proof, facts) is None), None)


def _candidates(
    serial: int,
    proof: CommitProof,
    record: bytes,
    before: KnownRide | None,
    torn: CardEvidence | None,
    entitlements: Mapping[tuple[int, int], bytes],
) -> Iterator[CardEvidence]:
    if torn is not None and torn.record_written == record:
        yield torn
    told = readable_record(record)
    if told is None or told.spent_after_rial < told.fare_rial:
        return
    for record_read, version in _states_before(serial, proof.tmc, before, entitlements):
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
    serial: int, tmc: int, before: KnownRide | None, entitlements: Mapping[tuple[int, int], bytes]
) -> Iterator[tuple[bytes, int | None]]:
    if before is not None and before.record_written is not None:
        yield before.record_written, before.version_after
    first = entitlements.get((serial, 1))
    if tmc == FIRST_RIDE_TMC and first is not None:
        yield card_record.first_record(entitlement.decode(first).issued_at_s), 1
