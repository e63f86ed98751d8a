"""Bringing half proofs together: torn taps that know the bytes, and next taps that carry the proof. Pure.

A tap that was torn, lost with a burnt bus or withheld is proven by the next bus or desk that the card meets.
What cannot be proven yet stays on the working list until its other half, or the commit before it, arrives.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from itertools import pairwise

from fare.collection.card_judging import card_ceiling, funds_left
from fare.collection.commits import OpenRow
from fare.collection.doubts import card_not_before, is_contradicted, terms_differ
from fare.collection.earlier_tap import Before, prove_earlier, stands_alone
from fare.collection.facts import Facts, own_key
from fare.collection.rides import (
    DESK,
    Double,
    KnownCommit,
    ProvenCommit,
    ProvenRide,
    RideKey,
    TapSource,
    card_key,
    readable_record,
    service_kind,
    version_after,
)
from fare.collection.tap_time import plausible
from fare.collection.words import CommitKind, Flag, ProofState, ProvenBy, SuspenseReason
from fare.core.proof.card import CardEvidence, CommitProof
from fare.core.tap import Tap, decode_tap


@dataclass(frozen=True, slots=True)
class Witness:
    """One reading of a card, by a tap or at a desk, with what it knows of the commit before.

    `raw` is set for a tap whose own proof is missing. `older`: the records below the newest one, newest
    first.
    """

    source: TapSource
    evidence: CardEvidence
    at: datetime
    raw: bytes | None = None
    older: tuple[bytes, ...] = ()


@dataclass(slots=True)
class Unravelled:
    """What came of it: commits proven by a later reading, what became of torn taps, and how the working list
    changes.

    `torn` maps an unconfirmed tap to its new proof state and flag. `differing` are taps whose card told
    another proof of an earlier commit than the one that stands.
    """

    rides: list[ProvenRide] = field(default_factory=list[ProvenRide])
    commits: list[ProvenCommit] = field(default_factory=list[ProvenCommit])
    torn: dict[TapSource, tuple[ProofState, str]] = field(
        default_factory=dict[TapSource, tuple[ProofState, str]]
    )
    differing: set[TapSource] = field(default_factory=set[TapSource])
    add: list[OpenRow] = field(default_factory=list[OpenRow])
    close: list[OpenRow] = field(default_factory=list[OpenRow])

    def enter(self, proven: ProvenRide | ProvenCommit, facts: Facts) -> None:
        """Keep what was proven, and let all that follows stand on it."""
        facts.enter(proven)
        if isinstance(proven, ProvenRide):
            self.rides.append(proven)
        else:
            self.commits.append(proven)


def unravel(witnesses: Sequence[Witness], facts: Facts, received_at: datetime) -> Unravelled:
    """Prove what can be proven of earlier commits. What it proves is entered in `facts`."""
    result = Unravelled()
    fresh = [row for witness in witnesses for row in _half_proofs(witness, facts, received_at, result)]
    older = _older_records(witnesses)
    rows: dict[RideKey, list[OpenRow]] = defaultdict(list)
    for row in [*facts.open_rows, *fresh]:
        rows[row.key].append(row)
    # In the order of a card's counter one pass is enough: each commit stands on the one before it.
    for key in sorted(rows):
        if key not in facts.known:
            proven = _prove(key, rows[key], facts, older)
            if proven is not None:
                result.enter(proven, facts)
        known = facts.known.get(key)
        if known is not None:
            _doubles(key, rows[key], known, facts, older)
            _close(rows[key], known, result)
    closed = {id(row) for row in result.close}
    stored = {id(row) for row in facts.open_rows}
    result.add = [row for row in fresh if id(row) not in closed]
    result.close = [row for row in result.close if id(row) in stored]
    return result


def _older_records(witnesses: Sequence[Witness]) -> dict[bytes, bytes]:
    """For each record that a desk read, the one below it."""
    found: dict[bytes, bytes] = {}
    for witness in witnesses:
        chain = [witness.evidence.record_read, *witness.older]
        found |= dict(pairwise(chain))
    return found


def _half_proofs(witness: Witness, facts: Facts, received_at: datetime, result: Unravelled) -> list[OpenRow]:
    """What this reading contributes: its card's previous proof, and its own bytes when it lacks its proof."""
    evidence = witness.evidence
    if evidence.serial not in facts.cards.faces:
        return []
    found: list[OpenRow] = []
    carried = _carried(witness, facts, received_at, result)
    if carried is not None:
        found.append(carried)
    own = own_key(evidence)
    if witness.raw is not None and own is not None:
        record = evidence.record_written or b""
        found.append(OpenRow(own, witness.source, record, None, witness.raw, witness.at, witness.at))
    return found


def _carried(witness: Witness, facts: Facts, received_at: datetime, result: Unravelled) -> OpenRow | None:
    """The proof of the commit before, where it still has to be brought together with its bytes."""
    evidence = witness.evidence
    previous = card_key(evidence.serial, evidence.previous.tmc)
    known = facts.known.get(previous)
    if previous.counter == 0 or (known is not None and known.proof == evidence.previous.tmv):
        return None
    alone = stands_alone(
        evidence.serial,
        evidence.previous,
        evidence.record_read,
        evidence.entitlement_version,
        facts.cards,
    )
    if alone is not None and known is None:
        result.enter(_standing_alone(previous, alone, witness), facts)
        return None
    if alone is not None:
        result.differing.add(witness.source)
        facts.doubles.append(Double(evidence.serial, evidence.previous, None, witness.source.device))
        return None
    told = readable_record(evidence.record_read)
    if told is None or _wrote_nothing(evidence.record_read, previous, facts):
        return None
    if witness.source.device == DESK and _is_listed(previous, evidence, facts):
        return None
    at = plausible(told.at_s * 1000, received_at) or received_at
    proof = evidence.previous.tmv
    return OpenRow(previous, witness.source, evidence.record_read, proof, None, at, witness.at)


def _standing_alone(key: RideKey, kind: CommitKind, witness: Witness) -> ProvenCommit:
    evidence = witness.evidence
    first = kind is CommitKind.PERSONALISED
    return ProvenCommit(
        key=key,
        service=kind,
        proof=evidence.previous.tmv,
        spent_rial=0 if first else evidence.spent_before,
        record_written=evidence.record_read if first else None,
        version_after=evidence.entitlement_version,
        device=DESK,
        committed_at=witness.at,  # it was at some time before
    )


def _wrote_nothing(record: bytes, previous: RideKey, facts: Facts) -> bool:
    """Whether the card's newest record is an older commit's: its last commit changed no record."""
    older = facts.known.get(previous.before())
    return older is not None and older.record_written == record


def _is_listed(key: RideKey, evidence: CardEvidence, facts: Facts) -> bool:
    """Whether a desk read the same before, and it waits already."""
    return any(
        row.key == key and row.source.device == DESK and row.tmv == evidence.previous.tmv
        for row in facts.open_rows
    )


def _prove(
    key: RideKey, rows: Sequence[OpenRow], facts: Facts, older: Mapping[bytes, bytes]
) -> ProvenRide | ProvenCommit | None:
    for carried in rows:
        own, evidence = _evidence(key, carried, rows, facts, older)
        if evidence is None:
            continue
        service = service_kind(evidence)
        told = readable_record(carried.record)
        if service is None or told is None or carried.tmv is None:
            return _ride(key, carried, own, rows, facts, evidence)
        return ProvenCommit(
            key=key,
            service=service,
            proof=carried.tmv,
            spent_rial=evidence.spent_before,
            record_written=evidence.record_written,
            version_after=version_after(evidence),
            device=told.validator,
            committed_at=carried.tapped_at if own is None else own[0].tapped_at,
        )
    return None


def _evidence(
    key: RideKey, carried: OpenRow, rows: Sequence[OpenRow], facts: Facts, older: Mapping[bytes, bytes]
) -> tuple[tuple[OpenRow, Tap] | None, CardEvidence | None]:
    """The torn tap that a carried proof completes, if there is one, and the evidence that it proves."""
    if carried.tmv is None:
        return None, None
    torn = [(row, decode_tap(row.raw_tap)) for row in rows if row.raw_tap is not None]
    own = next(((row, tap) for row, tap in torn if row.record == carried.record), None)
    before = Before(torn=None if own is None else own[1].card, known=facts.known, older=older)
    proof = CommitProof(key.counter, carried.tmv)
    return own, prove_earlier(int(key.ref), proof, carried.record, before, facts.cards)


def _doubles(
    key: RideKey, rows: Sequence[OpenRow], known: KnownCommit, facts: Facts, older: Mapping[bytes, bytes]
) -> None:
    """Another proof under a counter that is taken: if it holds too, there are two chips."""
    for row in rows:
        if row.tmv is None or row.tmv == known.proof:
            continue
        if _evidence(key, row, rows, facts, older)[1] is not None:
            proof = CommitProof(key.counter, row.tmv)
            facts.doubles.append(Double(int(key.ref), proof, row.record, row.source.device))


def _ride(
    key: RideKey,
    carried: OpenRow,
    own: tuple[OpenRow, Tap] | None,
    rows: Sequence[OpenRow],
    facts: Facts,
    evidence: CardEvidence,
) -> ProvenRide | None:
    told = readable_record(carried.record)
    if told is None or carried.tmv is None:
        return None
    at = carried.tapped_at if own is None else own[0].tapped_at
    # Its validator was there at its time: that bus is paid, whoever brought the proof.
    source = TapSource(told.validator, b"", told.seq) if own is None else own[0].source
    tariff = facts.tariff(None if own is None else own[1].tariff_version, at)
    earliest = card_not_before(evidence, facts, None)
    held_back = None
    if not _vouched_for(told.validator, carried, rows, facts):
        held_back = SuspenseReason.DEVICE_REVOKED
    elif is_contradicted(at, earliest) and terms_differ(source.device, at, earliest, facts):
        held_back = SuspenseReason.RECORD_DIFFERS
    return ProvenRide(
        key=key,
        source=source,
        boarded_at=at,
        service_day=facts.city.day_of(at),
        line=told.line,
        fare_rial=evidence.debit_rial,
        proven_by=ProvenBy.NEXT_TAP,
        proof=carried.tmv,
        ceiling_rial=card_ceiling(evidence, tariff, source.device, at, facts),
        funds_left_rial=funds_left(evidence, facts),
        evidence=evidence,
        held_back=held_back,
        tariff_version=tariff.version,
        area=told.area,
    )


def _vouched_for(validator: int, carried: OpenRow, rows: Sequence[OpenRow], facts: Facts) -> bool:
    """Whether a ride on this validator may be paid: it is not revoked, or another bus met the card before it
    was.
    """
    revoked_at = facts.revoked.get(validator)
    return revoked_at is None or any(
        row.tmv == carried.tmv
        and row.source.device != validator
        and row.source.device not in facts.revoked
        and row.seen_at < revoked_at
        for row in rows
    )


def _close(rows: Sequence[OpenRow], known: KnownCommit, result: Unravelled) -> None:
    """The commit is proven: nothing waits for it any more."""
    for row in rows:
        result.close.append(row)
        if row.raw_tap is None:
            if row.tmv != known.proof:
                result.differing.add(row.source)
        elif row.record == known.record_written:
            result.torn[row.source] = (ProofState.VALID, "")
        else:
            # Another commit took that counter, so this one never came to be.
            result.torn[row.source] = (ProofState.NONE, Flag.NOT_COMMITTED)
